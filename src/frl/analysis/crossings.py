"""How many samples, and how much simulated time, it takes to reach a return.

The estimand is the poster's: where the mean curve first crosses a level. A curve that never does is censored: all that
is known is that the crossing lies beyond its end. Intervals come from joint resampling: a resample draws seeds, the
same ones for every N and method, since equal seeds share their random streams.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from frl.analysis.curves import GRID_POINTS, Curves
from frl.analysis.intervals import CURVE_RESAMPLES, LEVEL, MIN_BOOTSTRAP, expanded_tail, resample_weights
from frl.analysis.quantity import Array, Quantity


def crossings(x: Array, y_BG: Array, level_B: Array | float) -> Array:
    """First x at which each row of y is at or above its level, linearly interpolated: (B,), nan where it never is."""
    above_BG = y_BG >= np.broadcast_to(np.asarray(level_B, dtype=np.float64), len(y_BG))[:, None]
    index = above_BG.argmax(axis=1)
    rows = np.arange(len(y_BG))
    before = np.maximum(index - 1, 0)
    y0, y1 = y_BG[rows, before], y_BG[rows, index]
    rise = np.where(y1 > y0, y1 - y0, 1.0)
    part = np.where(y1 > y0, (level_B - y0) / rise, 1.0)
    crossed = np.where(index == 0, x[0], x[before] + part * (x[index] - x[before]))
    return np.where(above_BG.any(axis=1), crossed, np.nan)


def crossing(x: Array, y: Array, level: float) -> Quantity:
    """First crossing of one curve, in units of x.

    Relation ">" and the end of the curve if it never crosses; "<" and its start if that is above the level and not 0.
    """
    value = float(crossings(x, y[None], level)[0])
    if np.isnan(value):
        return Quantity(float(x[-1]), relation=">")
    return Quantity(value, relation="<" if value == x[0] > 0 else "=")


def mean_crossing(curves: Curves, level: float) -> Quantity:
    """Crossing of the mean curve with its percentile interval over resampled seeds.

    No interval below `stats.MIN_BOOTSTRAP` seeds; `high` is inf where that many resamples never cross.
    """
    point = crossing(curves.x, curves.returns_SG.mean(axis=0), level)
    if len(curves.runs) < MIN_BOOTSTRAP:
        return point
    low_B, high_B = _bounds(curves, curves.seeds, level)
    return Quantity(point.value, *_percentiles(low_B, high_B, len(curves.runs)), point.relation)


def common_seeds(*cells: Curves) -> tuple[int, ...]:
    """Seeds that every cell has, ascending."""
    return tuple(sorted(set.intersection(*(set(cell.seeds) for cell in cells))))


def final_returns(curves: Curves, seeds: tuple[int, ...]) -> Array:
    """The final returns of these seeds, in this order."""
    return curves.final_S[[curves.seeds.index(seed) for seed in seeds]]


def ratio(numerator: Curves, denominator: Curves, level: float | None) -> Quantity:
    """Ratio of the crossings of two mean curves, with its interval from joint resampling of the common seeds.

    Args:
        numerator: the slower one by claim (N = 1, or FedPG).
        denominator: the faster one by claim.
        level: return to cross; None for the numerator's own final return (of each resample anew).

    Returns:
        relation ">" if the numerator never crosses, "<" if the denominator never does, "?" (nan) if neither does.
        No interval below `stats.MIN_BOOTSTRAP` common seeds.
    """
    seeds = common_seeds(numerator, denominator)
    if not seeds:
        return Quantity(float("nan"), relation="?")
    equal = np.full((1, len(seeds)), 1 / len(seeds))
    value = _ratio(numerator, denominator, seeds, level, equal)
    point = _as_quantity(float(value[0][0]), float(value[1][0]))
    if len(seeds) < MIN_BOOTSTRAP:
        return point
    low_B, high_B = _ratio(numerator, denominator, seeds, level, resample_weights(len(seeds), CURVE_RESAMPLES))
    interval = _percentiles(low_B, high_B, len(seeds))
    return Quantity(point.value, *interval, point.relation)


def exchange_test(first: Curves, second: Curves, level: float) -> tuple[float, float, float]:
    """Exact two-sided test of "the two are exchangeable within every seed", for the ratio of their crossings.

    The share of all ways to swap them within some of their n common seeds after which the mean curves' crossings, up to
    where both are known, differ by as large a factor as they do. So no p is below 2 / 2^n. Of more than 14 seeds, whose
    ways are too many to go through, 2^14 random ones stand for all.

    Returns:
        p, 1 without a common seed; that factor, at least 1; and the x up to which both are known.
    """
    seeds = common_seeds(first, second)
    if not seeds:
        return 1.0, 1.0, 0.0
    x = np.linspace(max(first.x[0], second.x[0]), min(first.x[-1], second.x[-1]), GRID_POINTS)
    a_SG, b_SG = (np.stack([np.interp(x, c.x, row) for row in c.rows_of(seeds)]) for c in (first, second))
    if len(seeds) <= 14:
        ways_WS = np.arange(2 ** len(seeds))[:, None] >> np.arange(len(seeds)) & 1
    else:
        ways_WS = np.random.default_rng(0).integers(2, size=(2**14, len(seeds)))
        ways_WS[0] = 0  # as they are
    swap_WS = ways_WS / len(seeds)
    kept_WS = 1 / len(seeds) - swap_WS
    times = [crossings(x, kept_WS @ one + swap_WS @ other, level) for one, other in ((a_SG, b_SG), (b_SG, a_SG))]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor_W = np.nan_to_num(np.abs(np.subtract(*(np.log(np.where(np.isnan(t), x[-1], t)) for t in times))))
    return float((factor_W >= factor_W[0] - 1e-9).mean()), float(np.exp(factor_W[0])), float(x[-1])


def log_slope(x: Array, cells: Sequence[Curves], level: float) -> Quantity:
    """Minus the least-squares slope of log crossing against log x, seeds resampled jointly.

    With x = N this is b in crossing ~ N^-b.

    Args:
        x: one positive value for each of `cells`, at least two different ones.
        cells: their curves.
        level: return to cross by the mean curves.

    Returns:
        relation ">", "<" or "?" where censored crossings leave only a bound, or none. No interval below
        `stats.MIN_BOOTSTRAP` common seeds.
    """
    seeds = common_seeds(*cells)
    if not seeds:
        return Quantity(float("nan"), relation="?")
    weight = -slope_weights(x)

    def exponents(weights_BS: Array) -> tuple[Array, Array]:
        low_B, high_B = np.zeros(len(weights_BS)), np.zeros(len(weights_BS))
        with np.errstate(divide="ignore"):
            for w, cell in zip(weight, cells, strict=True):
                if w:  # the middle one of three has no say, even if it never crosses
                    bounds = [w * np.log(bound_B) for bound_B in _bounds(cell, seeds, level, weights_BS)]
                    low_B, high_B = low_B + np.minimum(*bounds), high_B + np.maximum(*bounds)
        return low_B, high_B

    low, high = (float(bound[0]) for bound in exponents(np.full((1, len(seeds)), 1 / len(seeds))))
    if np.isinf(low) and np.isinf(high):
        return Quantity(float("nan"), relation="?")
    relation = "=" if low == high else ">" if np.isinf(high) else "<"
    point = Quantity(high if relation == "<" else low, relation=relation)
    if len(seeds) < MIN_BOOTSTRAP:
        return point
    bounds_B = exponents(resample_weights(len(seeds), CURVE_RESAMPLES))
    return Quantity(point.value, *_percentiles(*bounds_B, len(seeds)), point.relation)


def slope_weights(x: Array) -> Array:
    """w such that w @ y is the least-squares slope of y against log x."""
    centred = np.log(x) - np.log(x).mean()
    return np.asarray(centred / (centred**2).sum())


def _ratio(a: Curves, b: Curves, seeds: tuple[int, ...], level: float | None, weights_BS: Array) -> tuple[Array, Array]:
    """Lower and upper bound of the ratio in every resample; they differ where a crossing is censored."""
    level_B: Array | float = weights_BS @ final_returns(a, seeds) if level is None else level
    level_B = level_B - 1e-9 * np.abs(level_B)  # a flat curve must reach its own mean in spite of rounding
    a_low, a_high = _bounds(a, seeds, level_B, weights_BS)
    b_low, b_high = _bounds(b, seeds, level_B, weights_BS)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = a_low / b_high, a_high / b_low
    # Both already above the level at x = 0: no information, not 0 / 0.
    return np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), np.inf, high)


def _as_quantity(low: float, high: float) -> Quantity:
    if np.isinf(low) or (low == 0 and np.isinf(high)):
        return Quantity(float("nan"), relation="?")
    if low == high:
        return Quantity(low)
    if np.isinf(high):
        return Quantity(low, relation=">")
    return Quantity(high, relation="<")


def _bounds(
    curves: Curves, seeds: tuple[int, ...], level_B: Array | float, weights_BS: Array | None = None
) -> tuple[Array, Array]:
    """Between which x the mean curve of every resample crosses.

    Both equal where it does so inside the curve, (end, inf) where it never does, (0, start) where it already had.
    """
    weights_BS = resample_weights(len(seeds), CURVE_RESAMPLES) if weights_BS is None else weights_BS
    value_B = crossings(curves.x, weights_BS @ curves.rows_of(seeds), level_B)
    censored = np.isnan(value_B)
    low_B = np.where(censored, curves.x[-1], np.where(value_B == curves.x[0], 0.0, value_B))
    return low_B, np.where(censored, np.inf, value_B)


def _percentiles(low_B: Array, high_B: Array, n: int) -> tuple[float, float]:
    """Percentile interval over resamples of n seeds that holds whatever the censored ones really were.

    Read at expanded levels, like the means' (:mod:`frl.analysis.intervals`): the plain ones cover too rarely.
    """
    tail = expanded_tail(n, LEVEL)
    # Without interpolation: between a number and inf there is nothing.
    return (
        float(np.quantile(low_B, tail, method="lower")),
        float(np.quantile(high_B, 1 - tail, method="higher")),
    )


def kaplan_meier_median(times_S: Array, censored_S: NDArray[np.bool_]) -> Quantity:
    """Median crossing over seeds (Kaplan and Meier 1958), in units of `times_S`.

    Args:
        times_S: each seed's own crossing, or the end of its curve if it never crossed.
        censored_S: which seeds never crossed.

    Returns:
        relation ">" and the largest time if fewer than half cross.
    """
    survival = 1.0
    for time in np.unique(times_S[~censored_S]):
        at_risk = int((times_S >= time).sum())
        survival *= 1 - int(((times_S == time) & ~censored_S).sum()) / at_risk
        if survival <= 0.5 + 1e-12:
            return Quantity(float(time))
    return Quantity(float(times_S.max()), relation=">")


def seed_median(curves: Curves, level: float) -> Quantity:
    """Kaplan-Meier median over the seeds' own crossings."""
    own_S = crossings(curves.x, curves.returns_SG, level)
    return kaplan_meier_median(np.where(np.isnan(own_S), curves.x[-1], own_S), np.isnan(own_S))


def sooner(first: Curves, second: Curves, level: float) -> int:
    """Number of their common seeds in which the first crosses before the second; never is later than any time."""
    seeds = common_seeds(first, second)
    own = [np.nan_to_num(crossings(c.x, c.rows_of(seeds), level), nan=np.inf) for c in (first, second)]
    return int((own[0] < own[1]).sum())


def share_above(curves: Curves, level: float) -> float:
    """Share of seeds whose final return is at or above the level."""
    return float((curves.final_S >= level).mean())


def mean_height(curves: Curves, end: float) -> Array:
    """Area under each seed's curve from its start to `end`, divided by that length: (S,), in units of return.

    Raises:
        ValueError: if `end` lies beyond the curve (nothing is extrapolated).
    """
    if not curves.x[0] < end <= curves.x[-1] * (1 + 1e-12):
        raise ValueError(f"end = {end}: the curve covers {curves.x[0]} to {curves.x[-1]} {curves.axis}")
    inside = curves.x < end
    x = np.append(curves.x[inside], end)
    at_end = [np.interp(end, curves.x, row) for row in curves.returns_SG]
    y_SG = np.column_stack([curves.returns_SG[:, inside], at_end])
    return np.asarray(np.trapezoid(y_SG, x, axis=1) / (end - x[0]))
