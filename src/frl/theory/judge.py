"""The verdict on every claim about the theory lab's estimates: where an interval lies against what the claim accepts.

One rule for all: replicated if the 95 % interval lies inside the accepted range, contradicted if it lies outside,
inconclusive if it does neither, not run if there is no such estimate. A number that is only bounded from below has an
interval without end. The verdicts are those of training runs, in the same words (:mod:`frl.verdicts.rules`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from frl.analysis.load import instruction_sets
from frl.analysis.quantity import Quantity, Relation
from frl.errors import SpecError
from frl.report.tables.table import Column, Row, Table
from frl.runs.files import write_atomically
from frl.scenario.products import JUDGED
from frl.scenario.theory import TheoryScenario
from frl.scenario.theory_claims import TheoryClaim, TheoryClaims
from frl.theory.cells.spec import EXTENSIONS
from frl.theory.collect import read_cells, read_estimates
from frl.training.servers.base import Settings
from frl.verdicts.record import Interval, Reason, read_as
from frl.verdicts.rules import CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPLICATED, VERDICTS, Verdict

MEANING: dict[str, str] = {
    REPLICATED: "the 95 % interval lies inside the range that the claim accepts",
    CONTRADICTED: "it lies outside that range",
    INCONCLUSIVE: "it lies partly inside, or there is none",
    NOT_RUN: "there is no such estimate: its cells were not run, or a gap was not reached",
}
"""One sentence for each verdict."""
REASONS = {
    "within": "inside",
    "outside": "outside",
    "overlaps": "partly inside",
    "no_interval": "the number cannot be computed",
    "no_estimate": "no such estimate",
}
"""In words: where the interval lies, or why there is none."""
SETTINGS = (
    *("problem", "gradient", "algorithm", "schedule", "step_size", "momentum", "n_agents", "slowest", "epsilon"),
    *EXTENSIONS,
)
"""What tells the parts of a claim apart."""
NAMES = {
    "n_agents": "N", "step_size": "η", "momentum": "α", "epsilon": "ε", "slowest": "slowest / fastest",
    "communication": "communication",
}  # fmt: skip


class TheoryJudgement(Settings):
    """One part of a claim, judged: one estimate."""

    claim: str
    """Its id."""
    title: str
    statement: str
    source: str
    falsifier: str
    role: Literal["secondary"] = "secondary"
    """None is corrected for the number of claims."""
    panel: str
    quantity: str
    part: str
    """Which estimate, by the settings that tell it from the claim's others."""
    settings: dict[str, str | float] = {}
    """Of the estimate."""
    accept: tuple[float | None, float | None]
    """Lowest and highest accepted value; None: no end."""
    effect: Interval | None = None
    """No ends where the interval has none, or cannot be computed."""
    bound: bool = False
    """Whether the truth is only known to be larger than the value."""
    theory: float | None = None
    """What the theory says it is, where it says a number."""
    seeds: int = 0
    verdict: Verdict
    reason: Reason


class TheoryVerdicts(Settings):
    """All parts of all claims of a scenario, in the order of its claims file."""

    scenario: str
    level: float = 0.95
    """Of the intervals."""
    instructions: dict[str, int] = {}
    """How many of the cells were made with each set of vector instructions."""
    parts: tuple[TheoryJudgement, ...]


def judge(
    scenario: str, claims: TheoryClaims, estimates: pd.DataFrame, instructions: dict[str, int] | None = None
) -> TheoryVerdicts:
    """The verdict on every estimate that a claim is about, and on claims without any."""
    parts: list[TheoryJudgement] = []
    for claim in claims.claims:
        rows = parts_of(claim, estimates)
        differ = [name for name in SETTINGS if name in rows and rows[name].nunique(dropna=False) > 1]
        known = claim.model_dump(include={"title", "statement", "source", "falsifier", "panel", "quantity", "accept"})
        known["claim"] = claim.id
        parts += [TheoryJudgement(**known, **_judged(claim, row, differ)) for row in rows.to_dict("records")]
        if rows.empty:
            parts.append(TheoryJudgement(**known, part="", verdict=NOT_RUN, reason=Reason(code="no_estimate")))
    return TheoryVerdicts(scenario=scenario, instructions=instructions or {}, parts=tuple(parts))


def parts_of(claim: TheoryClaim, estimates: pd.DataFrame) -> pd.DataFrame:
    """The estimates that the claim is about."""
    chosen = (estimates["panel"] == claim.panel) & (estimates["quantity"] == claim.quantity)
    for column, values in claim.where.items():
        found = estimates[column] if column in estimates else pd.Series(np.nan, estimates.index)
        chosen &= found.isin(list(values)) | (found.isna() & ("none" in values))
    return estimates[chosen]


def _judged(claim: TheoryClaim, row: dict[str, Any], differ: list[str]) -> dict[str, Any]:
    """What a part has beside what its claim says."""
    verdict, code = _verdict(claim, row["value"], row["low"], row["high"])
    settings = {name: row[name] for name in SETTINGS if not pd.isna(row.get(name))}
    known: dict[str, Any] = {"settings": settings, "part": _label({k: settings[k] for k in differ if k in settings})}
    if np.isfinite(row["value"]):
        low, high = (float(row[end]) if np.isfinite(row[end]) else None for end in ("low", "high"))
        known["effect"] = Interval(value=row["value"], low=low, high=high)
    known |= {"bound": row["relation"] == ">", "theory": None if pd.isna(row["theory"]) else row["theory"]}
    return known | {"seeds": row["seeds"], "verdict": verdict, "reason": Reason(code=code)}


def _label(settings: dict[str, Any]) -> str:
    return ", ".join(f"{NAMES[k]} = {v:g}" if k in NAMES else str(v) for k, v in settings.items())


def _verdict(claim: TheoryClaim, value: float, low: float, high: float) -> tuple[Verdict, str]:
    """The verdict of one part, and the code of its reason."""
    if np.isnan(value) or np.isnan(low):
        return INCONCLUSIVE, "no_interval"
    lowest = -np.inf if claim.accept[0] is None else claim.accept[0]
    highest = np.inf if claim.accept[1] is None else claim.accept[1]
    if lowest <= low and high <= highest:
        return REPLICATED, "within"
    return (CONTRADICTED, "outside") if high < lowest or low > highest else (INCONCLUSIVE, "overlaps")


def counts(verdicts: TheoryVerdicts) -> pd.DataFrame:
    """One row a claim: its parts, and how many of them got each verdict."""
    parts: dict[tuple[str, str], list[str]] = {}
    for one in verdicts.parts:
        parts.setdefault((one.claim, one.title), []).append(one.verdict)
    rows = [
        {"claim": claim, "title": title, "parts": len(found)} | {name: found.count(name) for name in VERDICTS}
        for (claim, title), found in parts.items()
    ]
    return pd.DataFrame(rows)


def write(scenario: TheoryScenario, base: Path) -> TheoryVerdicts:
    """Judge the collected estimates in `base`; write verdicts.json and tables/verdict there.

    Raises:
        SpecError: if the scenario names no claims.
    """
    if scenario.claims is None:
        raise SpecError(f"scenario {scenario.name!r} names no claims: give it a key, as in claims: claims-theory.yaml")
    made_with = instruction_sets(read_cells(base))
    verdicts = judge(scenario.name, scenario.claims, read_estimates(base), made_with)
    write_atomically(base / JUDGED, verdicts.model_dump_json(indent=1) + "\n")
    table(verdicts).write(base / "tables")
    return verdicts


def read(base: Path) -> TheoryVerdicts:
    """What :func:`write` wrote into `base`; see :func:`frl.verdicts.record.read_as`."""
    return read_as(TheoryVerdicts, base)


def table(verdicts: TheoryVerdicts) -> Table:
    """Every part as a row."""
    columns = (
        Column("id", "claim"), Column("statement", "statement"), Column("part", "part"),
        Column("verdict", "verdict", "verdict"), Column("accepted", "accepted"),
        Column("ours", "ours", "number", quantity=True, censored=True), Column("evidence", "the interval lies"),
        Column("seeds", "seeds", "count"), Column("source", "source"),
    )  # fmt: skip
    meaning = "".join(f"{name}: {text}. " for name, text in MEANING.items())
    note = (
        f"{meaning}After > stands a lower bound: a gap was not reached. In brackets: the {100 * verdicts.level:g} % "
        "interval, from resampling the seeds. Intervals are not corrected for the number of parts."
    )
    rows: list[Row] = [
        {
            "id": one.claim, "statement": one.statement, "part": one.part, "verdict": one.verdict,
            "accepted": accepted(one), "ours": quantity(one), "evidence": REASONS[one.reason.code], "seeds": one.seeds,
            "source": one.source,
        }
        for one in verdicts.parts
    ]  # fmt: skip
    return Table("verdict", "Verdicts", note, columns, rows)


def quantity(one: TheoryJudgement) -> Quantity | None:
    """The estimate with its interval, whose missing end is infinite; or a bound."""
    relation: Relation = ">" if one.bound else "="
    if one.effect is None or one.reason.code == "no_interval":
        return None if one.effect is None else Quantity(one.effect.value, relation=relation)
    low, high = one.effect.low, one.effect.high
    return Quantity(one.effect.value, -np.inf if low is None else low, np.inf if high is None else high, relation)


def accepted(one: TheoryJudgement) -> str:
    """The range that the claim accepts, in words."""
    low, high = one.accept
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
