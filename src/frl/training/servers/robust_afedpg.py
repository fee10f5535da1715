"""AFedPG that bears malicious agents: the box, with a defence between an arriving gradient and the momentum.

Ours, from known parts: clipping around d is centred clipping (Karimireddy et al., ICML 2021) with one gradient at a
time, buffers are BASGD's (Yang and Li, ICML 2021), slots hold what each agent sent last, and momenta are the "history"
of Karimireddy et al., kept by the server. The cosine test is Zeno++'s (Xie et al., ICML 2020), with the median of the
slots in the place of the server's own gradient: against d itself, a d that points the wrong way would reject for ever.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from frl.training.servers.aggregators import AggregatorName, aggregate, clipped
from frl.training.servers.base import Array, MomentumSettings, Server, Task, Update, normalized, uploaded
from frl.training.servers.robust_sums import MedianSums


class RobustAFedPG(Server):
    """AFedPG's step for what the defence makes of each arrival; the normaliser is the median of the agents' own."""

    class Settings(MomentumSettings):
        """Settings of robust AFedPG."""

        defence: Literal["clip", "cosine", "slots", "momenta", "buffers"] = "momenta"
        """clip: g within a radius around d; cosine: for a g that points away from the median of all agents' last
        gradients, that median; slots: all agents' last gradients, aggregated at each arrival; momenta: the same of each
        agent's own momentum, which is d; buffers: BASGD's."""
        aggregator: AggregatorName = "median"
        """How slots, momenta and buffers become one vector; the other defences ignore it."""
        faulty: Annotated[int, Field(ge=0, strict=True)] = 1
        """f, the malicious agents to bear: what the aggregator leaves out; there are 2 f + 1 buffers."""
        radius: Annotated[float, Field(gt=0)] = 1.0
        """Of `clip`, in multiples of the median over the agents of the distance between their last gradient and d."""
        cosine: Annotated[float, Field(gt=-1, lt=1)] = 0.0
        """Of `cosine`: the least cosine between the two."""

    settings: Settings
    every_upload_once: ClassVar[bool] = False  # a defence leaves some out, cuts them or keeps them
    d: Array | None = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.shared = MedianSums(self.shared, self.n_agents)
        self.point = self.parameters
        self.slots: dict[int, Array] = {}
        self.distances: dict[int, float] = {}
        self.buffers = min(2 * self.settings.faulty + 1, self.n_agents)
        self.counts: dict[int, int] = {}

    def receive(self, update: Update) -> list[Task]:
        """AFedPG's lines, with what the defence makes of g; while buffers fill there is no step."""
        self.shared.absorb(update)
        alpha = self.settings.alpha(update.step)
        d = self._direction(update.agent, uploaded(update), alpha)
        if d is not None:
            self.step += 1
            self.d = d
            previous = self.parameters
            direction, self.direction_norm = normalized(d)
            self.parameters = previous + self.settings.eta(self.step - 1) * direction
            self.point = self.parameters + (1 - alpha) / alpha * (self.parameters - previous)
        return [self.task(update.agent, self.point)]

    def _direction(self, agent: int, g: Array, alpha: float) -> Array | None:
        """The new d, for gradient g of this agent; None: no step yet."""
        match self.settings.defence:
            case "momenta":
                own = self.slots.get(agent)
                self.slots[agent] = g if own is None else (1 - alpha) * own + alpha * g
                return self._aggregated()
            case "slots":
                self.slots[agent] = g
                g = self._aggregated()
            case "buffers":
                if not self._fills_the_last(agent % self.buffers, g):
                    return None
                g = self._aggregated()
                self.slots, self.counts = {}, {}
            case "clip" if self.d is not None:
                self.distances[agent] = float(np.linalg.norm(g - self.d))
                radius = self.settings.radius * float(np.median([self.distances[i] for i in sorted(self.distances)]))
                g = self.d + clipped(g - self.d, radius)
            case "cosine":
                self.slots[agent] = g
                usual = aggregate("median", [self.slots[index] for index in sorted(self.slots)], 0)
                lengths = float(np.linalg.norm(g)) * float(np.linalg.norm(usual))
                if float(g @ usual) < self.settings.cosine * lengths:
                    g = usual
        return g if self.d is None else (1 - alpha) * self.d + alpha * g

    def _fills_the_last(self, buffer: int, g: Array) -> bool:
        """Average g into the buffer; whether none is empty now."""
        count = self.counts[buffer] = self.counts.get(buffer, 0) + 1
        mean = self.slots.get(buffer, g)
        self.slots[buffer] = mean + (g - mean) / g.dtype.type(count)
        return len(self.counts) == self.buffers

    def _aggregated(self) -> Array:
        """Of all slots, in the order of agents."""
        vectors = [self.slots[index] for index in sorted(self.slots)]
        return aggregate(self.settings.aggregator, vectors, self.settings.faulty)
