"""LAPG: lazily aggregated policy gradient, synchronous rounds in which an agent uploads only what has changed.

Chen, Zhang, Giannakis and Basar, IEEE TCNS 9(2), 2022 (arXiv 1812.03239), the algorithm box and condition (15). The
box descends a loss; here J ascends, so the signs of gradient and step are turned, which changes nothing else.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from frl.training.servers.base import Array, Sample, Server, ServerSettings, StepSize, Task, Update


class LAPG(Server):
    """One running sum of the agents' last uploaded gradients, and one step along it a round.

    What travels beside the gradient undoes the lazy upload: use a normaliser that is none or frozen after a warm-up (a
    moving one makes a remembered gradient that of another function).
    """

    class Settings(ServerSettings):
        """Settings of LAPG."""

        step_size: StepSize = 0.02
        """alpha: multiplies the SUM over the agents (the box); alpha N is the step size on their mean."""
        window: Annotated[int, Field(ge=1, strict=True)] = 10
        """D: rounds whose steps enter the condition; in the first D rounds everyone uploads."""
        xi: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.1
        """xi_d, the weight of each of these D steps (the same for all)."""
        variance_multiplier: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 6.0
        """Weight of sigma_m^2 in the condition; at 0 the noise alone makes (almost) everyone upload every round."""
        max_skips: Annotated[int, Field(ge=1, strict=True)] | None = None
        """An agent uploads after so many skips in a row; empty means never for that reason (the box)."""

    settings: Settings
    lazy: ClassVar[bool] = True
    synchronous: ClassVar[bool] = True

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.sum = np.zeros(self.parameters.shape)  # float64: thousands of increments are added to it
        self.round: dict[int, Update] = {}

    def receive(self, update: Update) -> list[Task]:
        """Collect; when all N agents have answered, step once and broadcast."""
        self.round[update.agent] = update
        if len(self.round) < self.n_agents:
            return []

        # nabla^k = nabla^{k-1} + sum of the uploaded delta_m, in the order of agents
        for agent in range(self.n_agents):
            answer = self.round.pop(agent)
            self.shared.absorb(answer)
            if answer.gradient is not None:
                self.sum = self.sum + answer.gradient

        # theta^{k+1} = theta^k + alpha nabla^k
        self.step += 1
        self.direction_norm = float(np.linalg.norm(self.sum))
        self.parameters = self.parameters + (self.settings.step_size * self.sum).astype(self.parameters.dtype)
        return [self.task(agent, self.parameters) for agent in range(self.n_agents)]

    @classmethod
    def agent_gradient(cls, sample: Sample, memory: dict[str, Array], settings: Settings) -> Array | None:
        """The increment delta_m = g_m(theta^k) - g_m(last uploaded) if it is to be uploaded, else None."""
        theta = sample.task.parameters.astype(np.float64)
        if not memory:
            memory.update(uploaded=np.zeros(theta.shape), theta=theta, steps=np.zeros(0), skips=np.array(0))
        else:
            step = np.square(theta - memory["theta"]).sum()  # ||theta^k - theta^{k-1}||^2
            memory["steps"] = np.append(memory["steps"], step)[-settings.window :]
            memory["theta"] = theta
        increment: Array = (sample.gradient - memory["uploaded"]).astype(sample.gradient.dtype)
        if not cls.uploads(increment, sample, memory, settings):
            memory["skips"] = memory["skips"] + 1
            return None
        memory["skips"] = np.array(0)
        memory["uploaded"] = memory["uploaded"] + increment  # what the server has added up, rounding included
        return increment

    @classmethod
    def uploads(cls, increment: Array, sample: Sample, memory: dict[str, Array], settings: Any) -> bool:
        """Condition (15):

        ||delta_m||^2 >= 1 / (alpha^2 M^2) sum_d xi_d ||theta^{k+1-d} - theta^{k-d}||^2 + 6 sigma_m^2.
        """
        if len(memory["steps"]) < settings.window:
            return True  # k <= D
        if settings.max_skips is not None and memory["skips"] >= settings.max_skips:
            return True
        progress = settings.xi * memory["steps"].sum() / (settings.step_size * sample.n_agents) ** 2
        noise = settings.variance_multiplier * sample.variance() if settings.variance_multiplier else 0.0
        square = np.square(increment, dtype=np.float64).sum()
        return not square < progress + noise  # so that what is not finite is uploaded
