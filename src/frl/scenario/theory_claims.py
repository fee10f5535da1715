"""What is claimed of the theory lab's estimates: the models of its claims file.

Every model is frozen and refuses unknown keys. :mod:`frl.theory.judge` judges them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from frl.scenario.claim_base import Line
from frl.theory.cells.spec import PanelName
from frl.training.servers.base import Settings

QuantityName = Literal[
    "rate",
    "gap_ratio",
    "updates_ratio",
    "per_agent_exponent",
    "knee",
    "knee_exponent",
    "knee_against_step",
    "knee_exponent_at_best",
    "time_per_update",
    "time_per_round",
    "waiting_gain",
    "average_gap_ratio",
    "best_updates_ratio",
    "bytes_saving",
    "bytes_against_control",
    "samples_ratio",
    "time_saving",
    "natural_ratio",
    "attacked_updates_ratio",
    "share_of_seeds",
    "rennala_time_ratio",
    "rennala_updates_ratio",
]
WhereColumn = Literal[
    "problem",
    "gradient",
    "algorithm",
    "schedule",
    "step_size",
    "momentum",
    "n_agents",
    "slowest",
    "epsilon",
    "method",
    "bandwidth",
    "attack",
    "defence",
    "communication",
]


class TheoryClaim(Settings):
    """A range that an estimate should lie in; each estimate that it names is a part with a verdict of its own."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,20}$")]
    """Short name, used once."""
    title: Line
    statement: Line
    """The claim in a sentence."""
    source: Line
    """Who claims it."""
    falsifier: Line
    """What would contradict it, in a sentence."""
    panel: PanelName
    quantity: QuantityName
    where: dict[WhereColumn, Annotated[tuple[float | str, ...], Field(min_length=1)]] = {}
    """Which estimates: for each column the values that count; a column that is not named counts with all of them."""
    accept: tuple[float | None, float | None]
    """Lowest and highest accepted value; empty means no end."""

    @model_validator(mode="after")
    def _a_range(self) -> TheoryClaim:
        low, high = self.accept
        if low is None and high is None:
            raise ValueError("accept: needs a lowest or a highest value")
        if low is not None and high is not None and low >= high:
            raise ValueError(f"accept = {[low, high]}: the first must be the smaller")
        return self


class TheoryClaims(Settings):
    """A claims file of the theory lab."""

    claims: Annotated[tuple[TheoryClaim, ...], Field(min_length=1)]

    @field_validator("claims")
    @classmethod
    def _ids_are_used_once(cls, claims: tuple[TheoryClaim, ...]) -> tuple[TheoryClaim, ...]:
        ids = [claim.id for claim in claims]
        if twice := [name for name in ids if ids.count(name) > 1]:
            raise ValueError(f"id {twice[0]!r} is used twice")
        return claims
