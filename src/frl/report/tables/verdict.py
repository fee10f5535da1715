"""The table of verdicts, of what was judged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from frl.analysis.load import mixed
from frl.report.tables.table import Column, Row, Table
from frl.verdicts import words
from frl.verdicts.record import Judgement, Verdicts

_COLUMNS = (
    Column("id", "claim"),
    Column("environment", "task", filtered=True),
    Column("statement", "statement"),
    Column("part", "part"),
    Column("verdict", "verdict", "verdict", filtered=True),
    Column("paper", "claimed", "number"),
    Column("ours", "ours", "number", quantity=True, censored=True),
    Column("reached", "seeds there by the horizon"),
    Column("unit", "unit"),
    Column("margin", "margin", "number"),
    Column("p_above", "p, no effect", "p"),
    Column("p_below", "p, one that matters", "p"),
    Column("seeds", "seeds"),
    Column("arms", "needed to the threshold, and seeds that got there"),
    Column("evidence", "evidence"),
    Column("role", "role"),
    Column("source", "source"),
)
SHORT = ("id", "environment", "part", "verdict", "paper", "ours", "p_above", "p_below", "arms", "evidence")
"""Columns for a reader in a hurry."""


def write(verdicts: Verdicts, base: Path) -> None:
    """Write verdict.csv, .md and .html into `base`/tables."""
    table(verdicts, verdicts.parts).write(base / "tables")


def table(verdicts: Verdicts, parts: Iterable[Judgement], columns: Iterable[str] | None = None) -> Table:
    """Some judgements as a table.

    Args:
        verdicts: of which they are.
        parts: its rows; those that are not part of the scenario are left to the note.
        columns: some of the columns by their keys, for a page that explains verdicts.
    """
    chosen = tuple(c for c in _COLUMNS if columns is None or c.key in columns)
    meaning = "" if columns else "".join(f"{name}: {text}. " for name, text in words.MEANING.items())
    note = (
        f"{meaning}A ratio compares restricted geometric means, the slower arm's over the faster one's. They are "
        "means of each seed's samples, time or bytes to the threshold, censored at the claim's horizon. "
        f"{words.BOUNDS} In brackets: "
        f"the {100 * verdicts.level:g} % interval by Welch or, where a claim pairs seeds, by Student. "
        "Both p are one-sided. p, no effect: for a ratio of at most 1 "
        "or an exponent of at most 0. p, one that matters: for one of at least the margin. For primary claims they "
        f"are corrected (Holm) among those of a task, and decide at {verdicts.alpha:g}. Other claims are not "
        "corrected and are judged by the interval. The margin is a factor for ratios. Means of min(return, "
        f"threshold) use the runs that are not set to stop at a return. {words.absent(verdicts)} "
        f"{mixed(verdicts.instructions)}"
    ).strip()
    return Table(
        "verdict", "Verdicts", note, chosen, [_row(one) for one in parts if one.reason.code != "not_in_scenario"]
    )


def _row(one: Judgement) -> Row:
    corrected = one.p_above_holm is not None
    fewest, most = one.seeds
    return {
        "id": one.claim, "environment": one.environment, "statement": one.statement, "part": one.part,
        "verdict": one.verdict, "paper": one.number,
        "ours": one.measured, "reached": words.reached(one.shares), "unit": one.unit, "margin": one.margin,
        "p_above": one.p_above_holm if corrected else one.p_above,
        "p_below": one.p_below_holm if corrected else one.p_below,
        "seeds": str(most) if fewest == most else f"{fewest} to {most}", "arms": words.arms(one),
        "evidence": words.evidence(one), "role": one.role, "source": one.source,
    }  # fmt: skip
