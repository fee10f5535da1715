"""The rules that turn an estimate into a verdict.

In this order (:mod:`frl.verdicts.estimands` has the estimands, :mod:`frl.verdicts.judge` applies the first):

1. untested: runs of the part are missing, there are fewer than `MIN_BOOTSTRAP` seeds, the comparison is flawed, or
   nothing bounds the effect.
2. A bound (a censored crossing) is never "replicated". It can show that there is an effect (partly), or that there is
   none or not the claimed one (not); else the part is untested.
3. What the 95 % interval settles is settled, wide or not:
   replicated: it lies above no effect and reaches an effect that matters (the margin), or above the bound that is
   claimed, or within the margin around the claimed number; and p, corrected for all confirmatory parts (Holm), is at
   most 0.05; partly: there is an effect, but not of the claimed size, or none that matters; not: the opposite effect,
   or not the claimed number.
4. untested: the smallest detectable effect exceeds the margin. It is half the interval's width: an effect of that
   size is told from none by an experiment of this kind in about half of the cases.
5. What is left was measured finely enough. partly: the interval overlaps the margin around the number and excludes no
   effect, or settled the claim only before Holm's correction; not: it lies below the smallest effect that matters;
   untested: it holds both no effect and one that matters.

"not" is not corrected for the number of parts: of 40 parts whose claim is true one is refuted by chance.
"""

from __future__ import annotations

import numpy as np

from frl.analysis.intervals import LEVEL, MIN_BOOTSTRAP
from frl.analysis.quantity import shown as show
from frl.verdicts.estimate import Estimate

REPLICATED, PARTLY, NOT, UNTESTED = "replicated", "partly", "not", "untested"
VERDICTS = (REPLICATED, PARTLY, NOT, UNTESTED)
MEANING = {
    REPLICATED: "the 95 % interval lies on the claimed side, or within the margin around the claimed number, even "
    "after correction for all confirmatory parts",
    PARTLY: "an effect, but not shown to be of the claimed size, or not shown after the correction",
    NOT: "the 95 % interval shows the opposite, or excludes the claimed number, or every effect that matters (not "
    "corrected for the number of parts)",
    UNTESTED: f"too few runs (below {MIN_BOOTSTRAP} seeds, or some missing), or an interval that does not tell",
}
ALPHA = 1 - LEVEL


def smallest_detectable(estimate: Estimate) -> float:
    """Half the width of the interval, on the scale on which the effect is judged; inf if there is none."""
    effect = estimate.judged
    return (effect.high - effect.low) / 2 if effect.has_interval else float("inf")


def decide(estimate: Estimate, p: float) -> tuple[str, str]:
    """Verdict and reason of rules 2 to 5, for an estimate of enough seeds; `p` is already corrected."""
    effect = estimate.judged
    if np.isnan(effect.value) or not effect.has_interval:
        return UNTESTED, "the curves end before there is anything to compare"
    shown = effect.low > estimate.scaled(estimate.bound)  # False without a bound
    opposite = effect.high < min(estimate.scaled(estimate.bound), estimate.scaled(estimate.none))
    fine = smallest_detectable(estimate) <= estimate.margin
    if estimate.number is None:
        return _decide_direction(estimate, p, shown, opposite, fine)
    return _decide_number(estimate, p, shown, opposite, fine)


def _decide_direction(estimate: Estimate, p: float, shown: bool, opposite: bool, fine: bool) -> tuple[str, str]:
    none, bound = show(estimate.none), show(estimate.bound)
    some = estimate.judged.low > estimate.scaled(estimate.none)
    if estimate.effect.relation != "=":
        return _decide_bound(shown or some, opposite)
    too_small = estimate.at_least is None and estimate.judged.high < estimate.scaled(estimate.none) + estimate.margin
    if shown and too_small:
        return PARTLY, f"the interval lies above {none}, but below the smallest effect that matters"
    if shown and p <= ALPHA:
        return REPLICATED, f"the interval lies above {bound}"
    if opposite:
        return NOT, f"the interval lies below {bound}: the opposite is the case"
    if some and not shown:
        return PARTLY, f"there is an effect, but not shown to exceed {bound}"
    uncorrected = f"the interval lies above {bound}, but not after correction for all confirmatory parts"
    if not fine:
        return (
            UNTESTED,
            f"{uncorrected}, and {_TOO_WIDE}" if shown else f"the interval includes {bound}, but {_TOO_WIDE}",
        )
    if shown:
        return PARTLY, uncorrected
    if estimate.at_least is None and estimate.judged.high < estimate.scaled(estimate.none) + estimate.margin:
        return NOT, f"the interval includes {bound}, and lies below the smallest effect that matters"
    return UNTESTED, f"the interval includes both {bound} and what the claim promises"


def _decide_number(estimate: Estimate, p: float, shown: bool, opposite: bool, fine: bool) -> tuple[str, str]:
    effect, number = estimate.judged, estimate.scaled(estimate.number)
    low, high = number - estimate.margin, number + estimate.margin
    band = f"the margin around {show(estimate.number)}"
    outside = effect.low > high or effect.high < low
    if opposite:
        return NOT, f"the interval lies below {estimate.none:g}: the opposite is the case"
    if outside:
        return (PARTLY, f"there is an effect, but {band} is excluded") if shown else (NOT, f"{band} is excluded")
    if effect.relation != "=":
        return _decide_bound(shown, opposite)
    inside = low <= effect.low and effect.high <= high
    if inside and p <= ALPHA:
        return REPLICATED, f"the interval lies within {band}"
    if not fine:
        what = f"lies above {estimate.none:g}" if shown else f"overlaps {band}"
        return UNTESTED, f"the interval {what}, but {_TOO_WIDE}"
    if inside:
        return PARTLY, f"the interval lies within {band}, but not after correction for all confirmatory parts"
    if shown or estimate.none is None:
        return PARTLY, f"the interval overlaps {band} without lying within it"
    return UNTESTED, f"the interval includes {estimate.none:g}, no effect, and overlaps {band}"


_TOO_WIDE = "it is too wide to tell: the smallest detectable effect exceeds the margin"


def _decide_bound(shown: bool, opposite: bool) -> tuple[str, str]:
    censored = "a curve ended before it got there, so that only a bound is known"
    if shown:
        return PARTLY, f"there is an effect; {censored}"
    return (NOT, f"not even the bound is on the claimed side; {censored}") if opposite else (UNTESTED, censored)
