"""Lazy AFedPG: AFedPG whose agents upload a gradient only where it has changed enough; LAPG's rule without rounds.

In no paper. LAPG (Chen et al., IEEE TCNS 2022, condition (15)) compares a gradient's change with the steps that the
server made, in units of the gradient. Here an agent sees the points that it is sent, and the server's steps have a
length of eta, whatever the gradient: so their unit is the gradient that was last uploaded, without its noise, a way of
N eta from one task to the next.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from frl.training.servers.afedpg import AFedPG
from frl.training.servers.base import Array, Sample, Task, Update


class LazyAFedPG(AFedPG):
    """AFedPG that takes an agent's last gradient again where it uploads none."""

    class Settings(AFedPG.Settings):
        """Settings of lazy AFedPG."""

        window: Annotated[int, Field(ge=1, strict=True)] = 10
        """D: an agent's tasks whose changes of theta~ enter the condition; it uploads at its first D tasks."""
        xi: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
        """xi_d, the weight of each of these D changes (the same for all)."""
        variance_multiplier: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 2.0
        """c, the weight of the gradient's own noise sigma^2 in the condition; at 0 sigma is taken for 0."""

    settings: Settings
    lazy: ClassVar[bool] = True
    every_upload_once: ClassVar[bool] = False  # the last one is taken again where none comes

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.last: dict[int, Array] = {}

    def receive(self, update: Update) -> list[Task]:
        """AFedPG's step with g_i, the last gradient that this agent uploaded."""
        if update.gradient is not None:
            self.last[update.agent] = update.gradient
        return super().receive(Update(update.agent, update.step, self.last.get(update.agent), update.normalizer))

    @classmethod
    def agent_gradient(cls, sample: Sample, memory: dict[str, Array], settings: Settings) -> Array | None:
        """g if it has changed enough, else None:

        ||g - g_last||^2 >= xi sum_d (||change_d of theta~|| / (N eta))^2 (||g_last||^2 - sigma^2)_+ + c sigma^2.
        """
        theta = sample.task.parameters.astype(np.float64)
        if not memory:
            memory.update(theta=theta, changes=np.zeros(0), last=sample.gradient)
            return sample.gradient
        change = np.square(theta - memory["theta"]).sum()
        memory["changes"] = np.append(memory["changes"], change)[-settings.window :]
        memory["theta"] = theta
        if len(memory["changes"]) == settings.window and not cls._changed(sample, memory, settings):
            return None
        memory["last"] = sample.gradient
        return sample.gradient

    @classmethod
    def _changed(cls, sample: Sample, memory: dict[str, Array], settings: Settings) -> bool:
        """The condition."""
        last = memory["last"].astype(np.float64)
        way = sample.n_agents * settings.eta(sample.task.step)
        variance = sample.variance() if settings.variance_multiplier else 0.0
        signal = max(np.square(last).sum() - variance, 0.0)
        progress = settings.xi * memory["changes"].sum() / way**2 * signal
        bound = progress + settings.variance_multiplier * variance
        return not np.square(sample.gradient - last).sum() < bound  # so that what is not finite is uploaded
