"""What is claimed: the models of a claims file, one for each test.

A claims file lists claims of the poster and the papers. Each names one of a closed list of tests (:data:`Claim`) with
the numbers that it needs; :mod:`frl.verdicts.judge` judges them. All are about how long it takes to a return
(:mod:`frl.analysis.thresholds`). Every model is frozen and refuses unknown keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator

from frl.scenario.claim_base import Agents, ArmOf, ClaimBase, Factor, Finite, Methods, Number, Part, Per
from frl.training.servers.base import Settings


class Pair(Settings):
    """Two arms, of which one is claimed to be faster."""

    slower: ArmOf
    faster: ArmOf
    number: Number | Literal["waiting_gain"] | None = None
    """The claimed ratio; waiting_gain: what not waiting gives in closed form on the slower arm's fleet; empty: the
    claim is only that the ratio exceeds 1."""


class Ratio(ClaimBase):
    """What the slower arm needs to the threshold, over what the faster one needs."""

    test: Literal["ratio"]
    per: Per
    pairs: Annotated[tuple[Pair, ...], Field(min_length=1)]
    margin: Factor
    """Smallest ratio that matters; of a claimed number: number / margin to number x margin counts as it."""
    paired: bool = False
    """Whether equal seeds are compared with each other, by Student's t of the differences, or independent arms."""

    def parts(self) -> Iterator[Part]:
        for pair in self.pairs:
            slow, fast = pair.slower, pair.faster
            label = f"{slow.method[0]}, N = {slow.n_agents} over {fast.method[0]}, N = {fast.n_agents}"
            yield Part(label, (slow.need, fast.need), pair.number)


class LookaheadPair(Settings):
    """Two methods that differ in nothing but the lookahead."""

    with_lookahead: Methods
    without: Methods


class Lookahead(ClaimBase):
    """Samples per agent that the method without the lookahead needs, over those with it, all else equal."""

    test: Literal["lookahead"]
    per: Literal["samples"] = "samples"
    pairs: Annotated[tuple[LookaheadPair, ...], Field(min_length=1)]
    """One pair for each momentum weight alpha."""
    n_agents: Agents
    margin: Factor
    """Smallest ratio that matters."""
    paired: bool = False
    """As of a ratio."""

    def parts(self) -> Iterator[Part]:
        for pair in self.pairs:
            needs = ((pair.without, self.n_agents), (pair.with_lookahead, self.n_agents))
            yield Part(f"{pair.with_lookahead[0]}, N = {self.n_agents}", needs)


class Fleets(ClaimBase):
    """The time ratio on more and less equal fleets, against the closed form of not waiting.

    The slower method, which waits, is trained once and re-timed for every fleet. The horizon is in its environment
    steps per agent, and so, in simulated seconds, as much longer as its rounds are on a less equal fleet.
    """

    test: Literal["fleets"]
    per: Literal["time"] = "time"
    faster: Annotated[tuple[Methods, ...], Field(min_length=1)]
    """One asynchronous method for each fleet."""
    slower: Methods
    """The synchronous method, trained on any of the fleets."""
    n_agents: Agents
    margin: Factor
    """About the closed form: closed form / margin to closed form x margin counts as it."""
    growth_margin: Number = 0.2
    """Of how the ratio grows, the slope of its logarithm against the closed form's: what is this close to 1 counts."""

    def parts(self) -> Iterator[Part]:
        n = self.n_agents
        for names in self.faster:
            yield Part(names[0], ((self.slower, n), (names, n)), "waiting_gain")
        if len(self.faster) > 2:
            needs = ((self.slower, n), *((names, n) for names in self.faster))
            yield Part("growth over all fleets", needs, 1.0, joint=True)


class Exponent(ClaimBase):
    """b in time to the threshold ~ N^-b."""

    test: Literal["exponent"]
    per: Literal["samples", "time"] = "samples"
    arms: Annotated[tuple[ArmOf, ...], Field(min_length=3)]
    """One for each N, each N's own best settings or the same for all."""
    number: Finite | None = None
    """The claimed exponent, 1 is linear speed-up; empty: the claim is only that it exceeds 0."""
    margin: Number
    """Smallest exponent that matters; of a claimed number: number - margin to number + margin counts as it."""

    @field_validator("arms")
    @classmethod
    def _one_for_each_n(cls, arms: tuple[ArmOf, ...]) -> tuple[ArmOf, ...]:
        counts = [arm.n_agents for arm in arms]
        if twice := [n for n in counts if counts.count(n) > 1]:
            raise ValueError(f"two arms have n_agents = {twice[0]}; one for each N")
        return arms

    def parts(self) -> Iterator[Part]:
        label = f"N = {', '.join(str(arm.n_agents) for arm in self.arms)}"
        yield Part(label, tuple(arm.need for arm in self.arms), self.number)


Claim = Annotated[Ratio | Lookahead | Fleets | Exponent, Field(discriminator="test")]


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
