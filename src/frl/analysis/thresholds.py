"""How long each seed takes to a return: times to a threshold, censored at a horizon, and ratios of two arms' times.

The estimand is the restricted mean of the logarithm: every seed's own log time (samples per agent, simulated seconds or
bytes) to the threshold, with the horizon in place of a later one or none at all. Its exponential is a geometric mean, a
difference of two such means the logarithm of a ratio. Arms are compared as independent samples of seeds, by Welch
(1947) with Satterthwaite's degrees of freedom, or seed by seed, by Student's t of the differences: equal seeds share
their initial policy and evaluation episodes. What share of the seeds got there belongs beside each ratio: stuck seeds
pull it to 1. A ratio is a lower bound where seeds of the slower arm alone were censored, an upper bound where
those of the faster arm alone were, and neither where both were (:func:`relation`).

Arrays of logs may have leading axes, which stand for simulated experiments; seeds are on the last axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from frl.analysis.curves import Curves
from frl.analysis.quantity import Array, Quantity, Relation

FAMILY_LEVEL = 0.9875
"""Confidence level of drawn intervals: two tests at 0.025, corrected for four hypotheses."""


def crossing(x_P: Array, y_P: Array, threshold: float) -> float:
    """Where one curve gets to the threshold and stays: linearly interpolated, in units of x.

    It is there at the first of two successive points that are both at or above the threshold, and got there between
    that point and the one before; at x[0] if that is the first. One point alone is noise, and does not count.

    Args:
        x_P: where it was evaluated, ascending.
        y_P: return of each evaluation.
        threshold: return to reach.

    Returns:
        nan if it never does.
    """
    above_P = y_P >= threshold
    (there,) = np.nonzero(above_P[:-1] & above_P[1:])
    if not len(there):
        return float("nan")
    i = int(there[0])
    if i == 0:
        return float(x_P[0])
    part = (threshold - y_P[i - 1]) / (y_P[i] - y_P[i - 1])
    return float(x_P[i - 1] + part * (x_P[i] - x_P[i - 1]))


def seed_times(curves: Curves, threshold: float) -> Array:
    """Every seed's own :func:`crossing` in units of the curves' axis, (S,) in the order of `curves.seeds`."""
    return np.array([crossing(run.x, run.returns, threshold) for run in curves.runs], dtype=np.float64)


@dataclass(frozen=True)
class Arm:
    """The times of one arm's seeds, censored at a horizon.

    Attributes:
        log_S: natural logarithm of each seed's time, or of the horizon if it took longer or never got there.
        reached_S: which seeds got there within the horizon.
        horizon: in the unit of time.
    """

    log_S: Array
    reached_S: NDArray[np.bool_]
    horizon: float

    @property
    def share(self) -> float:
        """Share of the seeds that got there."""
        return float(self.reached_S.mean())

    @property
    def geometric_mean(self) -> float:
        """Restricted geometric mean, in the unit of time."""
        return float(np.exp(self.log_S.mean()))

    def mean(self, level: float = FAMILY_LEVEL) -> Quantity:
        """Restricted geometric mean with Student's t interval of the logs; a lower bound if a seed was censored."""
        mean = contrast([self.log_S], [1.0]).quantity(level, exponential=True)
        return replace(mean, relation="=" if self.share == 1 else ">")


def censor(times_S: Array, horizon: float) -> Arm:
    """The arm of these times, which are nan where a seed never got there.

    Raises:
        ValueError: if a time or the horizon is not positive; a time of 0 belongs to a seed that needed no training.
    """
    if not horizon > 0 or (times_S <= 0).any():
        raise ValueError(f"times to a threshold and their horizon must be positive; horizon = {horizon:g}")
    reached_S = times_S <= horizon
    return Arm(np.log(np.where(reached_S, times_S, horizon)), reached_S, horizon)


def arm_of(curves: Curves, threshold: float, horizon: float) -> Arm:
    """The arm of a cell's seeds.

    A seed that is at the threshold before any training counts as there at its first evaluation after the start.
    """
    start = min(run.x[run.x > 0].min(initial=horizon) for run in curves.runs)
    times_S = seed_times(curves, threshold)
    return censor(np.where(times_S <= 0, start, times_S), horizon)


def unreached(curves: Curves, threshold: float) -> Array:
    """Where the runs end that neither got to the threshold nor diverged, in units of the axis, in order of seed."""
    ends_S = np.array([run.x[-1] for run in curves.runs])
    return ends_S[np.isnan(seed_times(curves, threshold)) & ~curves.diverged]


def common_horizon(cells: Iterable[Curves], threshold: float) -> float:
    """The largest horizon up to which it is known of every seed of every cell whether it got to the threshold.

    Where the shortest run ends that did not; where all did, the largest time. A claim's horizon is fixed before the
    runs instead.
    """
    cells = list(cells)
    if len(ends := np.concatenate([unreached(curves, threshold) for curves in cells])):
        return float(ends.min())
    times = np.concatenate([seed_times(curves, threshold) for curves in cells])
    return float(np.max(times[times > 0], initial=0.0)) or max(run.x[-1] for one in cells for run in one.runs)


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of the means of independent arms: its value, standard error and degrees of freedom.

    Each is an array of the leading axes (0-dimensional for one experiment). The standard error is nan where it is
    unknown: an arm has fewer than two seeds, or all values of every arm are the same.
    """

    value: Array
    error: Array
    df: Array

    def interval(self, level: float = FAMILY_LEVEL) -> tuple[Array, Array]:
        """Confidence interval: low, high."""
        half = stats.t.ppf((1 + level) / 2, self.df) * self.error
        return self.value - half, self.value + half

    def p_above(self, bound: float) -> Array:
        """One-sided p-value of the hypothesis that the truth is at or below `bound`; 1 where the error is unknown."""
        return self._tail(self.value - bound)

    def p_below(self, bound: float) -> Array:
        """One-sided p-value of the hypothesis that the truth is at or above `bound`; 1 where the error is unknown."""
        return self._tail(bound - self.value)

    def _tail(self, distance: Array) -> Array:
        p = stats.t.sf(distance / self.error, self.df)
        return np.asarray(np.where(np.isnan(p), 1.0, p), dtype=np.float64)

    def quantity(self, level: float = FAMILY_LEVEL, exponential: bool = False) -> Quantity:
        """One experiment's value with its interval; the exponential of all three if asked for."""
        value, low, high = (float(np.exp(x) if exponential else x) for x in (self.value, *self.interval(level)))
        return Quantity(value, low, high)


def contrast(log_arms: Sequence[Array], weights: ArrayLike) -> Contrast:
    """The sum of weight x mean over the arms, each (..., S) with a number of seeds of its own."""
    value, variance, inverse_df = np.float64(0), np.float64(0), np.float64(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        for weight, log_S in zip(np.asarray(weights, dtype=np.float64), log_arms, strict=True):
            n = log_S.shape[-1]
            spread = np.var(log_S, axis=-1, ddof=1) if n > 1 else np.full(log_S.shape[:-1], np.nan)
            part = weight**2 * spread / n
            value = value + weight * log_S.mean(axis=-1)
            variance = variance + part
            inverse_df = inverse_df + part**2 / (n - 1)
        known = variance > 1e-24
        error = np.where(known, np.sqrt(variance), np.nan)
        df = np.where(known, variance**2 / inverse_df, np.nan)
    return Contrast(np.asarray(value), np.asarray(error), np.asarray(df))


def log_ratio(slower: Arm, faster: Arm) -> Contrast:
    """Logarithm of the ratio of geometric means, slower (or N = 1) over faster, with Welch's error."""
    return contrast([slower.log_S, faster.log_S], [1.0, -1.0])


def paired_log_ratio(slower: Arm, faster: Arm) -> Contrast:
    """The same value with the error of the differences between equal seeds, of which both arms have all."""
    return contrast([slower.log_S - faster.log_S], [1.0])


def ratio(slower: Arm, faster: Arm, level: float = FAMILY_LEVEL) -> Quantity:
    """Ratio of geometric means, slower (or N = 1) over faster, with Welch's interval; a bound if an arm is censored."""
    found = log_ratio(slower, faster).quantity(level, exponential=True)
    return replace(found, relation=relation([slower.share, faster.share], OF_RATIO))


OF_RATIO = (1.0, -1.0)
"""Weights of the slower and the faster arm's mean log time in a log ratio."""


def relation(shares: Sequence[float], weights: ArrayLike) -> Relation:
    """What a weighted sum of mean log times is of which some are censored: every censored mean is too small.

    Args:
        shares: of each arm's seeds that got there within the horizon.
        weights: of the arms in the sum; nan where only their signs matter and are not known.
    """
    shares_A, weights_A = np.asarray(shares, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    matters = weights_A != 0
    if not shares_A[matters].any():
        return "neither"
    censored = matters & (shares_A < 1)
    low, high = bool((censored & ~(weights_A < 0)).any()), bool((censored & ~(weights_A > 0)).any())
    return "both" if low and high else ">" if low else "<" if high else "="


def slope_weights(x: ArrayLike) -> Array:
    """w such that w @ y is the least-squares slope of y against log x."""
    log_x = np.log(np.asarray(x, dtype=np.float64))
    centred = log_x - log_x.mean()
    return np.asarray(centred / (centred**2).sum())


def exponent(n_agents: ArrayLike, arms: Sequence[Arm]) -> Contrast:
    """b in restricted time ~ N^-b: minus the least-squares slope of the mean log time against log N.

    Args:
        n_agents: N of each arm, at least two different ones.
        arms: in the same order.
    """
    return contrast([arm.log_S for arm in arms], -slope_weights(n_agents))


def lack_of_fit(n_agents: ArrayLike, arms: Sequence[Arm]) -> float:
    """p of "mean log time is linear in log N": a chi-square test of the residuals; nan where it is exact or unknown.

    Args:
        n_agents, arms: as of :func:`exponent`, at least three of each.
    """
    line = np.vander(np.log(np.asarray(n_agents, dtype=np.float64)), 2)
    means = np.array([arm.log_S.mean() for arm in arms])
    errors = np.array([arm.log_S.std(ddof=1) / np.sqrt(len(arm.log_S)) if len(arm.log_S) > 1 else 0 for arm in arms])
    if not errors.all() or len(arms) < 3:
        return float("nan")
    scaled = line / errors[:, None]
    fit = np.linalg.lstsq(scaled, means / errors, rcond=None)[0]
    return float(stats.chi2.sf(np.square(means / errors - scaled @ fit).sum(), len(arms) - 2))


def capped_area(curves: Curves, threshold: float, end: float) -> Array:
    """Mean of min(return, threshold) from each whole run's start to `end`, (S,), in units of return.

    The cap is put on the evaluations, between which lines are drawn. A run that ended before holds its last return.
    """
    return np.array([_capped_area(run.x, np.minimum(run.returns, threshold), end) for run in curves.whole])


def _capped_area(x_P: Array, y_P: Array, end: float) -> float:
    inside = x_P < end
    x = np.append(x_P[inside], end)
    y = np.append(y_P[inside], np.interp(end, x_P, y_P))
    return float(np.trapezoid(y, x) / (end - x[0]))
