"""Means over seeds with 95 % confidence intervals, seeded and vectorised over points.

The interval is the BCa bootstrap (Efron 1987) at expanded levels (Hesterberg 2015, "What Teachers Should Know About
the Bootstrap", section 5): the normal quantile z is replaced by sqrt(n / (n - 1)) times Student's t quantile, which
repairs most of BCa's under-coverage at ten seeds and keeps the interval inside the data's range when seeds fall into
two groups, where the bootstrap-t runs away. Below `MIN_BOOTSTRAP` seeds the bootstrap cannot reach far enough (three
seeds have only ten different resamples) and Student's t interval is used. :func:`coverage` measures what that gives.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import stats

from frl.analysis.quantity import Array, Quantity

LEVEL = 0.95
RESAMPLES = 100_000  # of single numbers: other seeds of the resampling move an interval's ends by 1 % of its width
CURVE_RESAMPLES = 20_000  # of whole curves, for bands
MIN_SEEDS = 3  # fewer: no interval at all
MIN_BOOTSTRAP = 5  # fewer: Student's t instead of the bootstrap
_SEED = 20250424  # of all resampling, so that a figure or table drawn twice is the same


@lru_cache(maxsize=8)
def resample_weights(n: int, resamples: int, seed: int = _SEED) -> Array:
    """Share of each of `n` seeds in every resample: (B, n), rows sum to 1. Equal arguments give equal resamples."""
    weights_BS = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples) / n
    weights_BS.flags.writeable = False  # it is shared
    return weights_BS


def mean_interval(
    values_SP: Array, level: float = LEVEL, resamples: int = CURVE_RESAMPLES
) -> tuple[Array, Array, Array]:
    """Mean over seeds with its confidence interval at every point.

    Args:
        values_SP: one row a seed, one column a point.
        level: confidence level.
        resamples: number of bootstrap resamples B.

    Returns:
        mean, low and high, each (P,); low and high are nan with fewer than `MIN_SEEDS` seeds.
    """
    n = len(values_SP)
    mean = values_SP.mean(axis=0)
    if n < MIN_SEEDS:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    if n < MIN_BOOTSTRAP:
        half = stats.t.ppf((1 + level) / 2, n - 1) * values_SP.std(axis=0, ddof=1) / np.sqrt(n)
        return mean, mean - half, mean + half
    low, high = bca_interval(values_SP, expanded_tail(n, level), resamples)
    return mean, low, high


def mean_quantity(values_S: Array) -> Quantity:
    """Mean over seeds of one number a seed, (S,), with its interval."""
    mean, low, high = mean_interval(values_S[:, None], resamples=RESAMPLES)
    return Quantity(float(mean[0]), float(low[0]), float(high[0]))


def expanded_tail(n: int, level: float = LEVEL) -> float:
    """Tail probability at which to read the bootstrap distribution of n values (Hesterberg 2015)."""
    return float(stats.norm.cdf(np.sqrt(n / (n - 1)) * stats.t.ppf((1 - level) / 2, n - 1)))


def bca_interval(values_SP: Array, tail: float, resamples: int) -> tuple[Array, Array]:
    """Bias-corrected and accelerated bootstrap interval of the mean at every point: low, high, each (P,).

    Args:
        values_SP: one row a seed, one column a point; every column is resampled with the same seeds.
        tail: nominal probability in each tail, 0.025 for the plain 95 % interval.
        resamples: B.
    """
    mean = values_SP.mean(axis=0)
    boot_BP = np.sort(resample_weights(len(values_SP), resamples) @ values_SP, axis=0)
    deviation = values_SP - mean
    # Resamples that equal the mean but for rounding are ties: counted by half, as scipy does with exact ones.
    rounding = 1e-12 * np.maximum(np.abs(values_SP).max(axis=0), 1.0)
    flat = np.abs(deviation).max(axis=0) < rounding  # equal seeds: no spread to resample
    with np.errstate(divide="ignore", invalid="ignore"):
        below = ((boot_BP < mean - rounding).mean(axis=0) + (boot_BP <= mean + rounding).mean(axis=0)) / 2
        bias = stats.norm.ppf(below)
        skew = (deviation**3).sum(axis=0) / (6 * (deviation**2).sum(axis=0) ** 1.5)
        ends = []
        for z in (stats.norm.ppf(tail), -stats.norm.ppf(tail)):
            level = stats.norm.cdf(bias + (bias + z) / (1 - skew * (bias + z)))
            ends.append(np.where(flat, mean, _sorted_quantile(boot_BP, np.where(flat, 0.5, level))))
    return ends[0], ends[1]


def _sorted_quantile(sorted_BP: Array, level_P: Array) -> Array:
    """Quantile of each column of a sorted array at that column's own level, linearly interpolated: (P,)."""
    position = level_P * (len(sorted_BP) - 1)
    below = np.floor(position).astype(np.int64)
    above = np.minimum(below + 1, len(sorted_BP) - 1)
    columns = np.arange(sorted_BP.shape[1])
    part = position - below
    return np.asarray(sorted_BP[below, columns] * (1 - part) + sorted_BP[above, columns] * part)


def interquartile_mean(values_SP: Array) -> Array:
    """Mean over seeds without the lowest and highest quarter (rounded down): (P,)."""
    return np.asarray(stats.trim_mean(values_SP, 0.25, axis=0), dtype=np.float64)


# --------------------------------------------------------------------------------------------------
# How often the interval holds the truth


def _two_modes(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.where(rng.random(shape) < 0.5, 40.0, 110.0) + rng.normal(0, 5, shape)


def _rare_mode(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.where(rng.random(shape) < 0.2, 110.0, 40.0) + rng.normal(0, 5, shape)


# Name, sampler and true mean. The two-mode ones resemble Swimmer, where some seeds stay on a plateau.
POPULATIONS: tuple[tuple[str, Callable[[np.random.Generator, tuple[int, int]], Any], float], ...] = (
    ("normal", lambda rng, shape: rng.normal(100, 10, shape), 100.0),
    ("skewed (lognormal)", lambda rng, shape: rng.lognormal(0, 1, shape), float(np.exp(0.5))),
    ("two modes, half and half", _two_modes, 75.0),
    ("two modes, one seed in five", _rare_mode, 54.0),
)


def coverage(n: int = 10, trials: int = 2000, seed: int = 0) -> dict[str, float]:
    """Share of simulated experiments of `n` seeds whose 95 % interval holds the true mean, by population.

    The trials of one population share their resampling weights (as the points of a curve do), which leaves each
    trial's own coverage unbiased over the draw of the data.
    """
    shares = {}
    for name, sample, truth in POPULATIONS:
        values = np.asarray(sample(np.random.default_rng(seed), (n, trials)), dtype=np.float64)
        _, low, high = mean_interval(values, resamples=2000)
        shares[name] = float(np.mean((low <= truth) & (truth <= high)))
    return shares
