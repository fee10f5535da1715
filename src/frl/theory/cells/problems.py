"""What is optimised: exact J, exact gradient, J*; and where a noisy gradient comes from.

Arrays end in their axes: B points at once (seeds, or tasks in flight), D parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Problem(ABC):
    """A function J to ascend, known exactly.

    Attributes:
        start: theta_0, (D,).
        optimum: J*, the supremum of J.
    """

    start: Array
    optimum: float

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of the arrays that theta holds, for codecs that treat matrices as such."""
        return [self.start.shape]

    def fisher(self, theta_BD: Array) -> Array:
        """Fisher information of the policy at each point, averaged over the states that it visits, (B, D, D).

        Raises:
            TypeError: if there is no policy.
        """
        raise TypeError(f"a {type(self).__name__} has no policy, and so no Fisher information")

    @abstractmethod
    def value(self, theta_BD: Array) -> Array:
        """J at each point, (B,); -inf where it is not defined. Analytic: complex points give complex values."""

    @abstractmethod
    def gradient(self, theta_BD: Array) -> Array:
        """The gradient of J at each point, (B, D)."""


class Quadratic(Problem):
    """J = -1/2 sum_i lambda_i theta_i^2, from a point at distance 1 whose coordinates are equal; J* = 0."""

    def __init__(self, eigenvalues: tuple[float, ...]):
        self.eigenvalues = np.array(eigenvalues)
        self.start = np.full(len(eigenvalues), len(eigenvalues) ** -0.5)
        self.optimum = 0.0

    def value(self, theta_BD: Array) -> Array:
        return np.asarray(-0.5 * theta_BD**2 @ self.eigenvalues)

    def gradient(self, theta_BD: Array) -> Array:
        return np.asarray(-self.eigenvalues * theta_BD)


class Oracle(ABC):
    """A stochastic gradient: a pure function of the point and of random numbers drawn beforehand."""

    variance: float = float("nan")
    """E ||gradient - E gradient||^2, where it is the same everywhere."""

    @abstractmethod
    def draw(self, stream: np.random.Generator, count: int) -> Array:
        """The random numbers of `count` gradients, (count, R)."""

    @abstractmethod
    def estimate(self, theta_BD: Array, random_BR: Array) -> Array:
        """One stochastic gradient a point, (B, D)."""


class GaussianNoise(Oracle):
    """The exact gradient plus isotropic Gaussian noise of covariance scale^2 / D, so that E ||noise||^2 = scale^2.

    Args:
        relative: scale, in multiples of the gradient's norm at theta_0.
    """

    def __init__(self, problem: Problem, relative: float):
        self.problem = problem
        self.scale = relative * float(np.linalg.norm(problem.gradient(problem.start[None])[0]))
        self.variance = self.scale**2

    def draw(self, stream: np.random.Generator, count: int) -> Array:
        return np.asarray(stream.standard_normal((count, len(self.problem.start))))

    def estimate(self, theta_BD: Array, random_BR: Array) -> Array:
        return np.asarray(self.problem.gradient(theta_BD) + self.scale / np.sqrt(theta_BD.shape[1]) * random_BR)
