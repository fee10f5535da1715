"""The rules that turn an estimate into a verdict.

A claim of a direction is judged by two one-sided tests (Welch's or, where the claim pairs seeds, Student's of their
differences), of "the effect is at most none" (a ratio of 1) and of "it is at least the smallest that matters" (the
margin m):

- replicated: above none, and not below m;
- contradicted: below m, which is the opposite of the claim where the interval lies below none, and else too small to
  matter; only where at least `ENOUGH` of the seeds of each arm got to the threshold, since stuck seeds pull a ratio
  to 1;
- inconclusive: anything else.

Of a primary claim both p-values are corrected by Holm among the primary claims of its environment and family, at
`ALPHA`. Any other is tested at `SINGLE`, which is Holm's first step with four claims and what the interval shows.

A claimed number is judged by the interval alone: within the margin around it replicated, disjoint from that
contradicted, else inconclusive, and so wherever more than `CENSORED` of the seeds of an arm did not get there.

Without runs a claim is not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frl.analysis.quantity import Array
from frl.analysis.thresholds import FAMILY_LEVEL
from frl.verdicts.estimate import Estimate

Verdict = Literal["replicated", "contradicted", "inconclusive", "not run"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
REPLICATED, CONTRADICTED, INCONCLUSIVE, NOT_RUN = VERDICTS
ALPHA = 0.025
"""Level of a family of primary claims, on either side."""
SINGLE = (1 - FAMILY_LEVEL) / 2
"""Level of any other claim, on either side."""
ENOUGH = 0.75
CENSORED = 0.1
MIN_SEEDS = 5
"""Fewer seeds in an arm decide nothing."""


def holm(p: ArrayLike) -> Array:
    """p-values adjusted for testing all on the last axis (Holm 1979), in the order given."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, axis=-1)
    steps = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    adjusted = np.minimum(1.0, np.maximum.accumulate(steps, axis=-1))
    return np.asarray(np.take_along_axis(adjusted, np.argsort(order, axis=-1), axis=-1))


def directions(above: ArrayLike, below: ArrayLike, enough: ArrayLike) -> NDArray[Any]:
    """The verdict on each claim of a direction.

    Args:
        above: whether the effect was shown to exceed none.
        below: whether it was shown to stay below the margin.
        enough: whether `ENOUGH` seeds of each arm got to the threshold.
    """
    above, below = np.asarray(above), np.asarray(below)
    return np.select([above & ~below, below & np.asarray(enough)], [REPLICATED, CONTRADICTED], INCONCLUSIVE)


def decide(estimate: Estimate, p_above: float, p_below: float, level: float) -> tuple[str, str]:
    """Verdict on an estimate without a flaw, and the code of the reason (:data:`frl.verdicts.words.REASONS`).

    Args:
        estimate: of the effect.
        p_above, p_below: of the two tests of a direction, corrected where that is due.
        level: at which they decide.
    """
    shares = [one.arm.share for one in estimate.arms]
    if estimate.number is not None:
        return _decide_number(estimate, estimate.number, shares)
    above, below, enough = p_above <= level, p_below <= level, min(shares) >= ENOUGH
    verdict = str(directions(above, below, enough))
    if verdict == REPLICATED:
        return verdict, "above"
    if verdict == CONTRADICTED:
        _, high = estimate.contrast.interval()
        return verdict, "opposite" if high < 0 else "too_small"
    return verdict, "stuck" if below else "open"


def _decide_number(estimate: Estimate, number: float, shares: Sequence[float]) -> tuple[str, str]:
    if min(shares) < 1 - CENSORED:
        return INCONCLUSIVE, "censored"
    low, high = estimate.contrast.interval()
    claimed = estimate.scaled(number)
    if claimed - estimate.margin <= low and high <= claimed + estimate.margin:
        return REPLICATED, "within"
    if high < claimed - estimate.margin or low > claimed + estimate.margin:
        return CONTRADICTED, "outside"
    return INCONCLUSIVE, "overlaps"
