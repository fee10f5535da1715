"""What is claimed: the models of a claims file, one for each test, and what of it a scenario can judge.

A claims file lists claims of the poster and the paper. Each names one of a closed list of tests (:data:`Claim`) with
the numbers that it needs; :mod:`frl.verdicts.judge` judges them. Every model is frozen and refuses unknown keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from frl.scenario.claim_base import Agents, ClaimBase, Finite, Methods, Number, Part
from frl.scenario.communication_claims import NonInferiority, Saving, Superiority
from frl.training.servers.base import Settings

if TYPE_CHECKING:
    pass


class Trend(ClaimBase):
    """Return rises with N at equal samples per agent."""

    test: Literal["trend"]
    method: Methods
    n_agents: Annotated[tuple[Agents, ...], Field(min_length=3)]
    """The values of N to compare, ascending."""
    margin: Number
    """Smallest effect that matters, in mean return per doubling of N."""

    def parts(self) -> Iterator[Part]:
        yield Part(f"N = {', '.join(map(str, self.n_agents))}", tuple((self.method, n) for n in self.n_agents))


class SampleSpeedup(ClaimBase):
    """Samples per agent that one agent needs to reach the threshold, over what each of N needs."""

    test: Literal["sample_speedup"]
    method: Methods
    numbers: Annotated[dict[Agents, Number], Field(min_length=1)]
    """For each N the claimed speed-up over N = 1."""
    threshold: Finite
    """Return to reach."""
    margin: Number
    """Relative: 0.25 accepts number / 1.25 to number x 1.25."""

    def parts(self) -> Iterator[Part]:
        for n in self.numbers:
            yield Part(f"N = {n}", ((self.method, 1), (self.method, n)))


class FinalReturn(ClaimBase):
    """Return at the end of the budget."""

    test: Literal["final_return"]
    method: Methods
    numbers: Annotated[dict[Agents, Finite], Field(min_length=1)]
    """For each N the claimed return."""
    margin: Number
    """Relative: 0.1 accepts 90 to 110 % of the number."""

    def parts(self) -> Iterator[Part]:
        for n in self.numbers:
            yield Part(f"N = {n}", ((self.method, n),))


class TimeRatio(ClaimBase):
    """Simulated time that the slower method needs to reach the threshold, over what the faster one needs."""

    test: Literal["time_ratio"]
    faster: Methods
    slower: Methods
    n_agents: Annotated[tuple[Agents, ...], Field(min_length=1)]
    numbers: dict[Agents, Number] | Literal["waiting_gain"] = {}
    """For each N the claimed ratio; waiting_gain: what not waiting gives in closed form on the scenario's fleet; empty:
    the claim is only that the ratio exceeds 1."""
    threshold: Finite
    """Return to reach."""
    margin: Number
    """Relative: 0.25 accepts number / 1.25 to number x 1.25."""

    @model_validator(mode="after")
    def _a_number_for_each(self) -> TimeRatio:
        if isinstance(self.numbers, dict) and self.numbers and set(self.numbers) != set(self.n_agents):
            raise ValueError(f"numbers: need one for each N of n_agents = {list(self.n_agents)}, or none")
        return self

    def parts(self) -> Iterator[Part]:
        for n in self.n_agents:
            yield Part(f"N = {n}", ((self.slower, n), (self.faster, n)))


class Order(ClaimBase):
    """The order of the methods by return at equal simulated time, over the times that all of them reach."""

    test: Literal["order"]
    methods: Annotated[tuple[Methods, ...], Field(min_length=2)]
    """Best first."""
    n_agents: Annotated[tuple[Agents, ...], Field(min_length=1)]
    margin: Number
    """Smallest difference that matters, in mean return."""

    def parts(self) -> Iterator[Part]:
        for n in self.n_agents:
            needs = tuple((names, n) for names in self.methods)
            for better, worse in zip(self.methods, self.methods[1:], strict=False):
                # all are needed: they say up to which time the pair is compared
                first = [(better, n), (worse, n)]
                rest = tuple(need for need in needs if need not in first)
                yield Part(f"{better[0]} > {worse[0]}, N = {n}", (*first, *rest))
            if len(self.methods) > 2:
                yield Part(f"whole order, N = {n}", needs, joint=True)


class LookaheadPair(Settings):
    """Two methods that differ in nothing but the lookahead."""

    with_lookahead: Methods
    without: Methods


class Lookahead(ClaimBase):
    """What the lookahead adds to the mean return, all else equal."""

    test: Literal["lookahead"]
    pairs: Annotated[tuple[LookaheadPair, ...], Field(min_length=1)]
    """One pair for each momentum weight alpha."""
    n_agents: Agents
    margin: Number
    """Smallest difference that matters, in mean return."""

    def parts(self) -> Iterator[Part]:
        n = self.n_agents
        needs = [((pair.with_lookahead, n), (pair.without, n)) for pair in self.pairs]
        for need in needs:
            yield Part(need[0][0][0], need)
        if len(needs) > 1:
            yield Part("all together", tuple(need for pair in needs for need in pair), joint=True)


class Heterogeneity(ClaimBase):
    """The time ratio against t_max / t_min: the slower method is trained once and re-timed for every fleet."""

    test: Literal["heterogeneity"]
    faster: Annotated[tuple[Methods, ...], Field(min_length=1)]
    """One asynchronous method for each fleet."""
    slower: Methods
    """The synchronous method, trained on any of the fleets."""
    n_agents: Agents
    threshold: Finite
    """Return to reach."""
    margin: Number
    """Relative, about the closed form: 0.25 accepts 1 / 1.25 to 1.25 times it."""

    def parts(self) -> Iterator[Part]:
        for names in self.faster:
            yield Part(names[0], ((self.slower, self.n_agents), (names, self.n_agents)))
        if len(self.faster) > 2:
            needs = tuple((names, self.n_agents) for names in self.faster)
            yield Part("all fleets together", ((self.slower, self.n_agents), *needs), joint=True)


class ScalingExponent(ClaimBase):
    """b in samples per agent to the threshold ~ N^-b."""

    test: Literal["scaling_exponent"]
    method: Methods
    n_agents: Annotated[tuple[Agents, ...], Field(min_length=3)]
    threshold: Finite
    """Return to reach."""
    number: Finite
    """The claimed exponent; 1 is linear speed-up."""
    margin: Number
    """Absolute: accepts number - margin to number + margin."""

    def parts(self) -> Iterator[Part]:
        yield Part(f"N = {', '.join(map(str, self.n_agents))}", tuple((self.method, n) for n in self.n_agents))


class PerfectScaling(ClaimBase):
    """Mean return of N agents less that of one agent that takes all their samples itself; 0 is perfect scaling."""

    test: Literal["perfect_scaling"]
    method: Methods
    controls: Annotated[dict[Agents, Methods], Field(min_length=1)]
    """For each N the method with one agent and N times the samples."""
    margin: Number
    """Smallest difference that matters, in mean return."""

    def parts(self) -> Iterator[Part]:
        for n, control in self.controls.items():
            yield Part(f"N = {n}", ((self.method, n), (control, 1)))


Claim = Annotated[
    Trend
    | SampleSpeedup
    | FinalReturn
    | TimeRatio
    | Order
    | Lookahead
    | Heterogeneity
    | ScalingExponent
    | PerfectScaling
    | NonInferiority
    | Saving
    | Superiority,
    Field(discriminator="test"),
]


class Claims(Settings):
    """A claims file."""

    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]

    @field_validator("claims")
    @classmethod
    def _ids_are_used_once(cls, claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
        ids = [claim.id for claim in claims]
        if twice := [name for name in ids if ids.count(name) > 1]:
            raise ValueError(f"id {twice[0]!r} is used twice")
        return claims
