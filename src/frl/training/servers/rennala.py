"""Rennala NIGT: asynchronous rounds of M gradients of one point, from whichever agents are fast.

Tyurin, Spiridonov and Rudenko, 2025 (arXiv 2509.24305): AFedPG's recursion, but each step takes the mean of the first
M gradients computed at the current point, and those of an older point are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from frl.training.servers.base import Array, MomentumSettings, Server, Task, Update, normalized, uploaded


class Rennala(Server):
    """One server step for M gradients of its current point."""

    class Settings(MomentumSettings):
        """Settings of Rennala NIGT."""

        batch: Annotated[int, Field(ge=1, strict=True)] = 8
        """M: gradients of one point that make a step."""

    settings: Settings
    every_upload_once: ClassVar[bool] = False  # those of an older point are ignored, and no task tells the agent so
    d: Array | None = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.point = self.parameters
        self.collected: list[Array] = []

    def receive(self, update: Update) -> list[Task]:
        """Collect what belongs to the current point, step with every M-th; the agent goes on at the current point."""
        self.shared.absorb(update)  # observations do not age
        g = uploaded(update)
        if update.step == self.step:
            self.collected.append(g)
        if len(self.collected) == self.settings.batch:
            g = np.mean(self.collected, axis=0, dtype=self.parameters.dtype)
            self.collected = []
            alpha, eta = self.settings.alpha(self.step), self.settings.eta(self.step)
            self.step += 1
            self.d = g if self.d is None else (1 - alpha) * self.d + alpha * g
            previous = self.parameters
            direction, self.direction_norm = normalized(self.d)
            self.parameters = previous + eta * direction
            self.point = self.parameters + (1 - alpha) / alpha * (self.parameters - previous)
        return [self.task(update.agent, self.point)]
