"""The agent's side of natural policy gradients: x = (F + lambda I)^-1 g by conjugate gradients, on its own batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field

from frl.training.servers.base import Array, MomentumSettings, Sample, Server


class NaturalSettings(MomentumSettings):
    """The momentum recursion's settings, and how the agent solves for x."""

    damping: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    """lambda, added to every eigenvalue of the Fisher information F."""
    iterations: Annotated[int, Field(ge=1, strict=True)] = 20
    """Of conjugate gradients at most; they stop before at a residual of 1e-6 of the gradient's norm."""


class NaturalGradients(Server):
    """Turns a method into one whose agents upload x = (F + lambda I)^-1 g in the place of g."""

    @classmethod
    def agent_gradient(cls, sample: Sample, memory: dict[str, Array], settings: NaturalSettings) -> Array:
        """x in g's dtype; the products F v are exact, and F is that of the agent's batch. No x for a g not finite.

        Raises:
            ValueError: if the sample has no Fisher information.
        """
        fisher, g = sample.fisher, sample.gradient
        if fisher is None:
            raise ValueError("a natural gradient needs the Fisher information of the policy")
        if not np.isfinite(g).all():
            return g  # the run diverges, and its status has to say so
        x = conjugate_gradients(
            lambda v: fisher(v.astype(g.dtype)) + settings.damping * v, g.astype(np.float64), settings.iterations
        )
        return x.astype(g.dtype)


def conjugate_gradients(product: Callable[[Array], Array], b: Array, iterations: int, tolerance: float = 1e-6) -> Array:
    """x with A x = b, (d,) in float64, for a symmetric positive definite A, from x = 0.

    Args:
        product: v -> A v.
        iterations: at most.
        tolerance: it is solved when ||b - A x|| <= tolerance ||b||.
    """
    x, residual = np.zeros(b.shape), b
    direction, square = residual, float(residual @ residual)
    enough = tolerance**2 * square
    for _ in range(iterations):
        if not square > enough:
            break
        a_direction = product(direction)
        step = square / float(direction @ a_direction)
        x, residual = x + step * direction, residual - step * a_direction
        previous, square = square, float(residual @ residual)
        direction = residual + square / previous * direction
    return x
