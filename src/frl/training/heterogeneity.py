"""Agents whose environments differ: what each agent's own physics, starts and rewards are multiplied by."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from frl.spec import RunSpec


@dataclass(frozen=True)
class Variant:
    """The factors of one agent's environment; all 1 is Gymnasium's."""

    gravity: float = 1.0
    friction: float = 1.0
    gear: float = 1.0
    density: float = 1.0
    reset_noise: float = 1.0
    reward_scale: float = 1.0


def variants(spec: RunSpec) -> list[Variant]:
    """Every agent's factors: log-uniform draws from the ranges of the spec, agent i's the same for every N."""
    factors = [field.name for field in fields(Variant)]
    return [Variant(**{name: _draw(spec, agent, name) for name in factors}) for agent in range(spec.n_agents)]


def _draw(spec: RunSpec, agent: int, name: str) -> float:
    low, high = getattr(spec.heterogeneity, name)
    if low == high:
        return float(low)
    return math.exp(spec.stream("agent", agent, "heterogeneity", name).uniform(math.log(low), math.log(high)))
