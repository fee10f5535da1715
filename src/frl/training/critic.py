"""The critic: each agent's own linear value function, solved on its recent data. Nothing of it travels.

The paper's algorithm box has none, and one that all agents train together would be N times too slow or N times too
fast: docs/critic.md compares five ways.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from frl.training.mlp import Float32

Elapsed = NDArray[np.int64]


class Critic:
    """Least squares on the features of an observation o at t = elapsed / 100 steps: o, o^2, t, t^2, t^3, 1.

    The linear feature baseline of Duan et al. (ICML 2016), with memory: each batch's sums weigh `memory` times those
    of the next.

    Args:
        observation_size: O.
        memory: in [0, 1); 0 fits the last batch alone.
    """

    RIDGE: ClassVar[float] = 1e-5

    def __init__(self, observation_size: int, memory: float):
        size = 2 * observation_size + 4
        self.memory = memory
        self.moments = np.zeros((size, size))
        self.products = np.zeros(size)
        self.weight = np.zeros(size)

    def value(self, observation: Float32, elapsed: Elapsed) -> Float32:
        """V, (n,), of normalised observations (n, O) made `elapsed` (n,) steps after a reset; 0 before the first fit.

        The agent's own discounted return to come, in units of its rewards.
        """
        value: Float32 = (_features(observation, elapsed) @ self.weight).astype(np.float32)
        return value

    def fit(self, observation: Float32, elapsed: Elapsed, target: Float32) -> None:
        """Add a batch of targets (n,) and solve."""
        x = _features(observation, elapsed)
        self.moments = self.memory * self.moments + x.T @ x
        self.products = self.memory * self.products + x.T @ target.astype(np.float64)
        ridge = self.RIDGE * self.moments[-1, -1] * np.eye(len(self.weight))  # the last feature counts samples
        self.weight = np.linalg.solve(self.moments + ridge, self.products)


def _features(observation: Float32, elapsed: Elapsed) -> NDArray[np.float64]:
    o, t = observation.astype(np.float64), elapsed[:, None] / 100
    return np.concatenate((o, np.square(o), t, t**2, t**3, np.ones_like(t)), axis=1)
