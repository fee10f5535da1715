"""FedPG: synchronous federated policy gradient, the server waits for the slowest agent of each round.

Two readings, since the paper's code is not public: `nigt` applies AFedPG's recursion (momentum, normalised step,
lookahead) to the averaged gradient, so that a comparison isolates asynchrony; `plain` is averaged gradient ascent.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from frl.training.servers.base import Array, MomentumSettings, Server, Task, Update, normalized, uploaded


class FedPG(Server):
    """One server step per round of N gradients computed at the same point."""

    class Settings(MomentumSettings):
        """Settings of FedPG."""

        variant: Literal["nigt", "plain"] = "nigt"
        """nigt: AFedPG's recursion on the mean gradient; plain: theta + eta * mean gradient."""

    settings: Settings
    synchronous: ClassVar[bool] = True
    d: Array | None = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.round: dict[int, Update] = {}

    def receive(self, update: Update) -> list[Task]:
        """Collect; when all N are in, step once and broadcast."""
        self.round[update.agent] = update
        if len(self.round) < self.n_agents:
            return []

        # in the order of agents, so that the order of arrival cannot change a sum
        updates = [self.round.pop(agent) for agent in range(self.n_agents)]
        for each in updates:
            self.shared.absorb(each)
        g = self.mean([uploaded(each) for each in updates])
        self.step += 1
        alpha = self.settings.alpha(self.step - 1)
        eta = self.settings.eta(self.step - 1)
        previous = self.parameters

        if self.settings.variant == "plain":
            self.direction_norm = float(np.linalg.norm(g))
            self.parameters = previous + eta * g
            point = self.parameters
        else:
            self.d = g if self.d is None else (1 - alpha) * self.d + alpha * g
            direction, self.direction_norm = normalized(self.d)
            self.parameters = previous + eta * direction
            point = self.parameters + (1 - alpha) / alpha * (self.parameters - previous)

        return [self.task(agent, point) for agent in range(self.n_agents)]

    def mean(self, gradients: list[Array]) -> Array:
        """Of a round's gradients, in the order of agents."""
        return np.asarray(np.mean(gradients, axis=0, dtype=self.parameters.dtype))
