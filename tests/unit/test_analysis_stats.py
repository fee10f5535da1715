"""Means and intervals: against scipy where it has them, against simulation where it has not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from frl.analysis import intervals


def test_bca_agrees_with_scipy() -> None:
    values_SP = np.random.default_rng(1).lognormal(size=(10, 3))
    for tail in (0.025, intervals.expanded_tail(10)):
        low, high = intervals.bca_interval(values_SP, tail, resamples=40_000)
        for point in range(3):
            theirs = scipy_stats.bootstrap(
                (values_SP[:, point],), np.mean, confidence_level=1 - 2 * tail, method="BCa", n_resamples=40_000,
                rng=np.random.default_rng(2), vectorized=True,
            ).confidence_interval  # fmt: skip
            width = theirs.high - theirs.low
            assert low[point] == pytest.approx(theirs.low, abs=0.02 * width)
            assert high[point] == pytest.approx(theirs.high, abs=0.03 * width)


def test_points_are_independent_of_each_other() -> None:
    values_SP = np.random.default_rng(3).normal(size=(8, 5))
    together = intervals.mean_interval(values_SP)
    alone = intervals.mean_interval(values_SP[:, 3:4])
    for a, b in zip(together, alone, strict=True):
        assert a[3] == pytest.approx(b[0], rel=1e-12)


def test_few_seeds_get_students_t_and_fewer_none() -> None:
    values_SP = np.array([[1.0], [2.0], [6.0]])
    mean, low, high = intervals.mean_interval(values_SP)
    theirs = scipy_stats.t.interval(0.95, 2, loc=3.0, scale=scipy_stats.sem(values_SP[:, 0]))
    assert (mean[0], low[0], high[0]) == pytest.approx((3.0, *theirs))
    mean, low, high = intervals.mean_interval(values_SP[:2])
    assert mean[0] == 1.5
    assert np.isnan([low[0], high[0]]).all()


def test_equal_seeds_give_an_interval_of_no_width() -> None:
    mean, low, high = intervals.mean_interval(np.full((10, 2), 0.1))
    assert low == pytest.approx(mean)
    assert high == pytest.approx(mean)


def test_resampling_is_seeded() -> None:
    values_SP = np.random.default_rng(4).normal(size=(10, 2))
    assert np.array_equal(intervals.mean_interval(values_SP)[1], intervals.mean_interval(values_SP)[1])
    assert intervals.resample_weights(10, 50).shape == (50, 10)
    assert intervals.resample_weights(10, 50).sum(axis=1) == pytest.approx(1)


def test_another_seed_of_the_resampling_hardly_moves_an_interval() -> None:
    values_S = np.array([30.0, 35, 31, 300, 28, 330, 33, 310, 36, 120])
    tail = intervals.expanded_tail(10)
    ends = []
    for seed in range(5):
        means_B = intervals.resample_weights(10, intervals.RESAMPLES, seed) @ values_S
        ends.append(np.quantile(means_B, [tail, 1 - tail]))
    assert np.ptp(ends, axis=0).max() < 0.02 * np.ptp(np.mean(ends, axis=0))


def test_interquartile_mean_drops_a_quarter_on_each_side() -> None:
    values_SP = np.array([[100.0], [1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [-50.0]])
    assert intervals.interquartile_mean(values_SP)[0] == pytest.approx(np.mean([2, 3, 4, 5]))


def test_coverage_at_ten_seeds(record_property: pytest.RecordProperty) -> None:
    shares = intervals.coverage(n=10)
    for name, share in shares.items():
        record_property(name, share)
        print(f"{name}: the 95 % interval of 10 seeds holds the mean in {share:.1%} of the cases")
    assert 0.92 <= shares["normal"] <= 0.98
    # What it really is for other shapes, so that a change of method that makes it worse is seen.
    assert 0.85 <= shares["skewed (lognormal)"] <= 0.92
    assert 0.95 <= shares["two modes, half and half"] <= 1.0
    assert 0.85 <= shares["two modes, one seed in five"] <= 0.93


def test_coverage_at_three_seeds_is_that_of_students_t() -> None:
    assert 0.93 <= intervals.coverage(n=3)["normal"] <= 0.97
