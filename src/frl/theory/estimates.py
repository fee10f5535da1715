"""From curves to numbers with intervals: crossings of the mean gap, their ratios, exponents and knees.

The theorem bounds the mean gap E[J* - J(theta_K)], so K_epsilon is the first K at which the mean over the seeds is at
most epsilon. Seeds are resampled, the same ones in every cell, and everything is computed anew from each resample.

Axes: R resamples, of which the first is the sample itself; S seeds; P points.
"""

from __future__ import annotations

import numpy as np

from frl.analysis.intervals import expanded_tail, resample_weights
from frl.analysis.quantity import Quantity
from frl.theory.cells.driver import Curves
from frl.theory.cells.problems import Array

RESAMPLES = 2000
WORST = 1e6
"""A gap is counted as at most this many times the first: an unstable seed spoils a mean, not the arithmetic."""
KNEE = 1.25
"""The knee is the N at which K_epsilon(N) / K_epsilon(1) passes this."""


def mean_gap(curves: Curves) -> Array:
    """Mean gap over every resample of the seeds, in multiples of the first gap, (R, P)."""
    gap_SP = np.minimum(curves.gap_SP / curves.gap_SP[:, :1], WORST)
    return weights(len(gap_SP)) @ gap_SP


def weights(seeds: int) -> Array:
    """Share of each seed in every resample, (R, S); in the first, the sample itself, all are equal."""
    return np.concatenate([np.full((1, seeds), 1 / seeds), resample_weights(seeds, RESAMPLES)])


def crossing(x_P: Array, mean_RP: Array, epsilon: float) -> Array:
    """First x at which each mean is at most epsilon, interpolated between logarithms, (R,); inf where it never is."""
    below_RP = mean_RP <= epsilon
    after_R = below_RP.argmax(axis=1)
    before_R = np.maximum(after_R - 1, 0)
    rows = np.arange(len(mean_RP))
    high, low = np.log(mean_RP[rows, before_R]), np.log(mean_RP[rows, after_R])
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(after_R > before_R, (high - np.log(epsilon)) / (high - low), 0.0)
    log_x = np.log(np.maximum(x_P, 0.5))  # the point before any gradient counts as half a gradient
    x_R = np.exp(log_x[before_R] + part * (log_x[after_R] - log_x[before_R]))
    return np.where(below_RP.any(axis=1), x_R, np.inf)


def quantity(values_R: Array, seeds: int, censored_at: float = np.inf) -> Quantity:
    """The value in the sample and its 95 % interval from the resamples (percentiles, at levels expanded for few seeds).

    Values at or beyond `censored_at` are only known to be at least that: the relation is ">" if the value is one of
    them, and an end of the interval among them is infinite; it is "?" if there is no value.
    """
    if np.isnan(values_R[0]):
        return Quantity(float("nan"), relation="?")
    tail = expanded_tail(seeds)
    low, high = np.quantile(np.minimum(values_R[1:], censored_at), [tail, 1 - tail], method="closest_observation")
    if values_R[0] >= censored_at:
        return Quantity(float(censored_at), float(low), float("inf"), ">")
    return Quantity(float(values_R[0]), float(low), float(high) if high < censored_at else float("inf"))


def fitted_slope(log_x: Array, log_y_RX: Array) -> Array:
    """Least-squares slope of each row, (R,)."""
    centred = log_x - log_x.mean()
    return np.asarray(log_y_RX @ centred / (centred @ centred))


def knee(n_agents: list[int], ratio_RN: Array) -> Array:
    """N at which the ratio first passes `KNEE`, interpolated between logarithms, (R,); inf where it never does."""
    above_RN = ratio_RN > KNEE
    after_R = above_RN.argmax(axis=1)
    before_R = np.maximum(after_R - 1, 0)
    rows = np.arange(len(ratio_RN))
    log_n = np.log(np.array(n_agents, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.log(ratio_RN[rows, before_R]), np.log(ratio_RN[rows, after_R])
        part = np.where(np.isfinite(high), (np.log(KNEE) - low) / (high - low), 0.5)  # beyond the budget: halfway
    part = np.where(after_R > before_R, part, 0.0)
    n_R = np.exp(log_n[before_R] + part * (log_n[after_R] - log_n[before_R]))
    return np.where(above_RN.any(axis=1), n_R, np.inf)
