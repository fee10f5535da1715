"""Lazy uploads: who uploaded when, and for how long an agent was silent."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frl.analysis.curves import Cell, rows_of


def answers(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Who uploaded in each complete round of one run of a lazy method: (N, R).

    Args:
        rows: the run's rows; their column `uploaded` is described in :mod:`frl.training.recorder`.
    """
    words = [str(text).split("/") for text in rows.sort_values("point", kind="stable")["uploaded"].dropna()]
    marks = ["".join(own) for own in zip(*words, strict=True)]
    rounds = min(map(len, marks), default=0)  # a run may end before the last agents of a round have answered
    return np.array([[mark == "1" for mark in own[:rounds]] for own in marks], dtype=bool).reshape(len(marks), rounds)


def longest_skip(uploaded_NR: NDArray[np.bool_]) -> int:
    """The most rounds in a row in which one agent uploaded nothing."""
    longest = current = np.zeros(len(uploaded_NR), dtype=np.int64)
    for uploaded_N in uploaded_NR.T:
        current = np.where(uploaded_N, 0, current + 1)
        longest = np.maximum(longest, current)
    return int(longest.max())


def runs_of(frame: pd.DataFrame, cell: Cell) -> dict[int, pd.DataFrame]:
    """The rows of each seed of a cell."""
    return {int(str(seed)): rows for seed, rows in rows_of(frame, cell).groupby("seed", sort=True)}


def upload_shares(frame: pd.DataFrame, cell: Cell) -> list[float]:
    """For each seed of a lazy method's cell the share of all answers that were uploaded; nan before the first."""
    each = [answers(rows) for rows in runs_of(frame, cell).values()]
    return [float(one.mean()) if one.size else float("nan") for one in each]


def longest_skips(frame: pd.DataFrame, cell: Cell) -> list[float]:
    """For each seed of a lazy method's cell its longest skip, in rounds; nan before the first."""
    each = [answers(rows) for rows in runs_of(frame, cell).values()]
    return [float(longest_skip(one)) if one.size else float("nan") for one in each]


def silent(frame: pd.DataFrame, cell: Cell, forced: int) -> str | None:
    """How many agents of all seeds of a lazy method's cell never uploaded after the first `forced` rounds, in words.

    Seeds that ended within these rounds say nothing; None if all did.
    """
    later = [answers(rows)[:, forced:] for rows in runs_of(frame, cell).values()]
    later = [one for one in later if one.size]
    if not later:
        return None
    return f"{sum(int((~one.any(axis=1)).sum()) for one in later)} of {sum(len(one) for one in later)}"
