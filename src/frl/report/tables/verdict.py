"""The table of verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from frl.analysis.load import read_curves
from frl.errors import SpecError
from frl.report.tables.table import Column, Row, Table
from frl.scenario.scenario import Scenario
from frl.verdicts.judge import Judgement, absent, headline, judge
from frl.verdicts.rules import MEANING

_COLUMNS = (
    Column("id", "claim"),
    Column("statement", "statement"),
    Column("part", "part"),
    Column("verdict", "verdict", "verdict"),
    Column("paper", "claimed", "number"),
    Column("ours", "ours", "number", quantity=True),
    Column("unit", "unit"),
    Column("p", "p", "p"),
    Column("p_holm", "p (Holm)", "p"),
    Column("seeds", "seeds", "count"),
    Column("detectable", "smallest detectable", "number"),
    Column("margin", "margin", "number"),
    Column("above", "seeds at or above, at the end"),
    Column("evidence", "evidence"),
    Column("role", "role"),
    Column("source", "source"),
)
SHORT = ("id", "part", "verdict", "paper", "ours", "p_holm", "seeds", "above", "evidence")
"""Columns for a reader in a hurry."""


def write(scenario: Scenario, base: Path) -> str:
    """Write verdict.csv, .md and .html into `base`/tables, from the collected curves; returns the headline.

    Raises:
        SpecError: if the scenario names no claims.
    """
    if scenario.claims is None:
        raise SpecError(f"scenario {scenario.name!r} names no claims: give it a key, as in claims: claims.yaml")
    judged = judge(scenario, read_curves(base))
    table(scenario, judged).write(base / "tables")
    return headline(judged)


def table(scenario: Scenario, judged: list[Judgement], columns: Iterable[str] | None = None) -> Table:
    """The judgements as a table; `columns`: some of its columns by their keys, for a page that explains verdicts."""
    chosen = tuple(c for c in _COLUMNS if columns is None or c.key in columns)
    meaning = "" if columns else "".join(f"{name}: {text}. " for name, text in MEANING.items())
    note = (
        f"{meaning}In brackets: 95 % interval over seeds. p: "
        "twice the one-sided p-value of the claim's null hypothesis (no effect, or none beyond the number claimed as a "
        "bound, or at least a margin away from the claimed number), below 0.05 where the interval excludes it; Holm: "
        "corrected for all confirmatory parts. The p of a trend (Page) and of who is sooner (methods exchanged within "
        "seeds) are those of exact tests and not the interval's. Smallest detectable: half the interval's width; for "
        "ratios it and the margin are factors. Seeds at or above: share of seeds whose final return is at or above a "
        f"return. Methods without a label in the figures have their name in the scenario file. {absent(scenario)}"
    ).strip()
    return Table("verdict", "Verdicts", note, chosen, [_row(one) for one in judged])


def _row(one: Judgement) -> Row:
    row: Row = {
        "id": one.claim.id, "statement": one.claim.statement, "part": one.label, "verdict": one.verdict,
        "seeds": one.seeds, "above": one.above, "evidence": one.evidence, "role": one.claim.role,
        "source": one.claim.source, "p": _known(one.p), "p_holm": _known(one.p_holm),
    }  # fmt: skip
    if (e := one.estimate) is not None:
        shown = (lambda v: float(np.exp(v))) if e.log else float
        row |= {
            "ours": e.effect,
            "unit": e.unit,
            "paper": e.number if e.at_least is None else e.at_least,
            "margin": shown(e.margin),
        }
        row["detectable"] = shown(one.detectable) if np.isfinite(one.detectable) else None
    return row


def _known(p: float) -> float | None:
    return None if np.isnan(p) else p
