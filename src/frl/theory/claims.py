"""What is claimed of the theory lab's estimates, and the verdict: where an interval lies against what a claim accepts.

One rule for all: replicated if the 95 % interval lies inside the accepted range, contradicted if it lies outside,
inconclusive if it does neither, not run if there is no such estimate. A number that is only bounded from below has an
interval without end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, ValidationError, field_validator, model_validator

from frl.errors import SpecError, explain
from frl.scenario.loading import read_mapping
from frl.training.servers.base import Settings
from frl.verdicts.rules import VERDICTS, Verdict

PanelName = Literal["rates", "speedup", "time", "lookahead", "best", "sampled", "tuning"]
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
]
WhereColumn = Literal[
    "problem", "gradient", "algorithm", "schedule", "step_size", "momentum", "n_agents", "slowest", "epsilon"
]


class TheoryClaim(Settings):
    """A range that an estimate should lie in; each estimate that it names is a part with a verdict of its own."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,20}$")]
    """Short name, used once."""
    title: str
    statement: str
    """The claim in a sentence."""
    source: str
    """Who claims it."""
    falsifier: str
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

    def parts(self, estimates: pd.DataFrame) -> pd.DataFrame:
        """The estimates that it is about."""
        chosen = (estimates["panel"] == self.panel) & (estimates["quantity"] == self.quantity)
        for column, values in self.where.items():
            chosen &= estimates[column].isin(list(values))
        return estimates[chosen]

    def judge(self, row: Any) -> Verdict:
        """The verdict of one part."""
        if np.isnan(row.value) or np.isnan(row.low):
            return "inconclusive"
        low = -np.inf if self.accept[0] is None else self.accept[0]
        high = np.inf if self.accept[1] is None else self.accept[1]
        if low <= row.low and row.high <= high:
            return "replicated"
        return "contradicted" if row.high < low or row.low > high else "inconclusive"


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


def load_claims(path: str | Path) -> TheoryClaims:
    """Read a claims file.

    Raises:
        SpecError: if it is missing, no YAML mapping, or not valid: one line for each thing that is wrong.
    """
    try:
        return TheoryClaims.model_validate(read_mapping(Path(path), "claims file"))
    except ValidationError as error:
        raise SpecError(f"{path}: {explain(error, TheoryClaims)}") from None


def judge(claims: TheoryClaims, estimates: pd.DataFrame) -> pd.DataFrame:
    """One row a part: the claim, the estimate with its settings, and the verdict."""
    rows: list[dict[str, Any]] = []
    for claim in claims.claims:
        about = {"claim": claim.id, "title": claim.title, "accept_low": claim.accept[0], "accept_high": claim.accept[1]}
        parts = claim.parts(estimates)
        if parts.empty:
            rows.append(about | {"panel": claim.panel, "quantity": claim.quantity, "verdict": "not run"})
        for part in parts.itertuples(index=False):
            rows.append(about | part._asdict() | {"verdict": claim.judge(part)})
    return pd.DataFrame(rows)


def counts(judged: pd.DataFrame) -> pd.DataFrame:
    """One row a claim: its parts, and how many of them got each verdict."""
    rows = []
    for (claim, title), parts in judged.groupby(["claim", "title"], sort=False):
        seen = parts["verdict"].value_counts()
        rows.append({"claim": claim, "title": title, "parts": len(parts)} | {v: int(seen.get(v, 0)) for v in VERDICTS})
    return pd.DataFrame(rows)
