"""Claims about communication: pairs of methods of which one sends less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from frl.scenario.claim_base import Agents, ClaimBase, Finite, Methods, Number, Part
from frl.training.servers.base import Settings


class Pair(Settings):
    """A method and what it is compared with."""

    method: Methods
    over: Methods

    @model_validator(mode="after")
    def _of_two(self) -> Pair:
        if set(self.method) & set(self.over):
            raise ValueError(f"method and over are the same: {', '.join(sorted(set(self.method) & set(self.over)))}")
        return self


class Paired(ClaimBase):
    """A comparison of pairs of methods."""

    pairs: Annotated[tuple[Pair, ...], Field(min_length=1)]
    n_agents: Annotated[tuple[Agents, ...], Field(min_length=1)]

    def parts(self) -> Iterator[Part]:
        for pair in self.pairs:
            for n in self.n_agents:
                yield Part(f"{pair.method[0]} over {pair.over[0]}, N = {n}", ((pair.method, n), (pair.over, n)))


class NonInferiority(Paired):
    """A method that uploads less is not worse than its baseline, at equal samples per agent."""

    test: Literal["non_inferiority"]
    margin: Number
    """0.1 accepts a loss of a tenth of the baseline's gain, that of its mean return over the initial policy's."""


class Saving(Paired):
    """Bytes that the baseline's agents upload, over those of the method's."""

    test: Literal["saving"]
    factor: Number
    """The claim is that the baseline uploads more than this many times as much."""
    threshold: Finite | None = None
    """Return up to which to count; empty: the whole run."""
    margin: Number
    """Relative: with 0.1 an interval within a factor of 1.1 of the value is narrow enough to tell."""


class Superiority(Paired):
    """A method gains more than a control at equal uploads, or at equal bytes in both directions."""

    test: Literal["superiority"]
    per: Literal["uploads", "total_bytes"] = "uploads"
    """What is equal: gradients uploaded, or bytes of uplink and downlink together."""
    margin: Number
    """The smallest difference that matters, as a share of what the control gains over the initial policy."""
