"""Times to a threshold and their ratios: against scipy's Welch and permutation tests and Kaplan-Meier curve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from frl.analysis import thresholds
from frl.analysis.curves import STEPS, Curves, Run

RNG = np.random.default_rng(5)
SLOW = np.exp(RNG.normal(11.6, 0.7, 30))
FAST = np.exp(RNG.normal(11.0, 0.5, 24))
HORIZON = 150_000.0


def curves(*returns: list[float], x: tuple[float, ...] = (0, 10, 20, 30, 40)) -> Curves:
    runs = tuple(Run(s, np.array(x[: len(y)], dtype=float), np.array(y, dtype=float), float("nan"))
                 for s, y in enumerate(returns))  # fmt: skip
    return Curves("Swimmer", "afedpg", 1, STEPS, runs, np.array(x, dtype=float), np.zeros((len(runs), len(x))))


def test_a_seed_is_there_at_the_first_of_two_successive_points() -> None:
    times_S = thresholds.seed_times(
        curves([0, 50, 150, 150, 150], [0, 150, 50, 150, 150], [0, 50, 50, 50, 150], [120, 130, 0, 0, 0]), 100.0
    )
    assert times_S == pytest.approx([15, 25, np.nan, 0], nan_ok=True)


def test_runs_may_stop_at_the_crossing_and_have_points_of_their_own() -> None:
    stopped = curves([0, 50, 150, 150])
    assert thresholds.seed_times(stopped, 100) == pytest.approx([15])
    assert thresholds.capped_area(stopped, 100, 40) == pytest.approx([(10 * 25 + 10 * 75 + 20 * 100) / 40])


def test_nothing_but_the_threshold_caps_an_area() -> None:
    below = curves([0, 10, 20, 30, 40])
    assert thresholds.capped_area(below, 1000, 40) == pytest.approx([20])
    assert thresholds.capped_area(below, 1000, 15) == pytest.approx([7.5])


def test_the_restricted_mean_is_the_area_under_the_kaplan_meier_curve() -> None:
    arm = thresholds.censor(np.where(SLOW > 200_000, np.nan, SLOW), HORIZON)
    assert 0.1 < 1 - arm.share < 0.9
    late = np.log(np.minimum(SLOW, HORIZON))
    survival = stats.ecdf(stats.CensoredData.right_censored(late, SLOW > HORIZON)).sf
    ends = np.concatenate([[0.0], survival.quantiles[survival.quantiles < np.log(HORIZON)], [np.log(HORIZON)]])
    assert np.log(arm.geometric_mean) == pytest.approx(float(np.diff(ends) @ survival.evaluate(ends[:-1])))


def test_the_ratio_and_its_tests_are_welchs() -> None:
    slow, fast = thresholds.censor(SLOW, HORIZON), thresholds.censor(FAST, HORIZON)
    test = thresholds.log_ratio(slow, fast)
    theirs = stats.ttest_ind(slow.log_S, fast.log_S, equal_var=False)
    low, high = np.exp(theirs.confidence_interval(0.9875))
    ours = thresholds.ratio(slow, fast)
    assert (ours.low, ours.high) == pytest.approx((low, high))
    assert ours.value == pytest.approx(stats.gmean(np.minimum(SLOW, HORIZON)) / stats.gmean(FAST.clip(max=HORIZON)))
    for bound in (1.0, 1.25):
        above, below = (
            stats.ttest_ind(slow.log_S, fast.log_S + np.log(bound), equal_var=False, alternative=side).pvalue
            for side in ("greater", "less")
        )
        assert test.p_above(np.log(bound)) == pytest.approx(above)
        assert test.p_below(np.log(bound)) == pytest.approx(below)


def test_with_stuck_seeds_welchs_p_is_that_of_a_permutation_test() -> None:
    slow, fast = thresholds.censor(SLOW, 80_000), thresholds.censor(FAST * 1.3, 80_000)
    exact = stats.permutation_test(
        (slow.log_S, fast.log_S), lambda a, b, axis: a.mean(axis) - b.mean(axis), alternative="greater",
        vectorized=True, n_resamples=20_000, rng=np.random.default_rng(0),
    ).pvalue  # fmt: skip
    assert 0.3 < 1 - slow.share < 0.8
    assert thresholds.log_ratio(slow, fast).p_above(0.0) == pytest.approx(exact, rel=0.15)


def test_experiments_on_leading_axes_are_independent() -> None:
    a, b = RNG.normal(size=(4, 3, 9)), RNG.normal(size=(4, 3, 7))
    together, alone = thresholds.contrast([a, b], [1, -1]), thresholds.contrast([a[2, 1], b[2, 1]], [1, -1])
    assert together.p_above(0.1)[2, 1] == pytest.approx(float(alone.p_above(0.1)))


def test_the_exponent_is_the_slope_over_all_means_and_holds_the_truth() -> None:
    arms = [np.log(1e5) - 0.75 * np.log(n) + RNG.normal(0, 0.2 + 0.1 * n, (2000, 20)) for n in (1, 2, 4, 8)]
    b = thresholds.contrast(arms, -thresholds.slope_weights((1, 2, 4, 8)))
    fit = np.polyfit(np.log([1, 2, 4, 8]), [arm[0].mean() for arm in arms], 1)
    assert b.value[0] == pytest.approx(-fit[0])
    low, high = b.interval(0.9)
    assert ((low <= 0.75) & (high >= 0.75)).mean() == pytest.approx(0.9, abs=0.02)


def test_where_nothing_varies_nothing_is_known() -> None:
    stuck = thresholds.censor(np.full(10, np.nan), HORIZON)
    test = thresholds.log_ratio(stuck, stuck)
    assert (test.p_above(0.0), test.p_below(0.2)) == (1.0, 1.0)
    assert not thresholds.ratio(stuck, stuck).has_interval
    one = thresholds.censor(SLOW[:1], HORIZON)
    assert not thresholds.ratio(one, thresholds.censor(FAST, HORIZON)).has_interval
    assert thresholds.log_ratio(stuck, thresholds.censor(FAST, HORIZON)).p_above(0.0) < 1e-6


def test_a_time_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        thresholds.censor(np.array([0.0, 1.0]), HORIZON)
