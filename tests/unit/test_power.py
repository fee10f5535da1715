"""How often the judge is right and wrong, simulated; and what it can be expected to say before the runs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_judge import RATIO, frame, pair, primary, scenario, times

from frl.errors import SpecError
from frl.verdicts import judge, power
from frl.verdicts.power import Hypothesis, Population, verdicts_of

MARGIN = 1.25
LOG_HORIZON = float(np.log(4))  # four times the slower arm's median, as the rule for horizons has it
RATIOS = (1.0, 1.1, MARGIN, 2.0)
EXPERIMENTS = 1000


def wrong(family: list[Hypothesis], ratio: float, seed: int) -> float:
    """Share of experiments with a false verdict in the family: replicated at <= 1, or contradicted at >= the margin."""
    verdicts = verdicts_of(family, np.random.default_rng(seed), EXPERIMENTS)
    false = ((verdicts == "replicated") & (ratio <= 1)) | ((verdicts == "contradicted") & (ratio >= MARGIN))
    return float(false.any(axis=1).mean())


def at_most(share: float) -> float:
    """The share and two Monte Carlo errors of it."""
    return share + 2 * float(np.sqrt(share * (1 - share) / EXPERIMENTS))


def hypothesis(ratio: float, slower: Population, faster: Population, seeds: tuple[int, int]) -> Hypothesis:
    return Hypothesis("H", slower, faster, seeds, LOG_HORIZON, float(np.log(MARGIN))).with_ratio(float(np.log(ratio)))


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("stuck", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("sd", [0.2, 0.6, 1.1])
def test_families_of_four_are_seldom_wrong(sd: float, stuck: float, ratio: float) -> None:
    arm = Population(0.0, sd, stuck)
    assert wrong([hypothesis(ratio, arm, arm, (30, 30))] * 4, ratio, 1) <= at_most(0.05)


@pytest.mark.suite("long")
def test_families_of_unlike_arms_are_seldom_wrong() -> None:
    """Arms that differ in spread, in the share of stuck seeds and in number, all four claims alike or each another."""
    rng, seen = np.random.default_rng(0), []
    arms = [Population(0.0, sd, q) for sd in (0.2, 0.5, 0.8, 1.1) for q in (0, 0.1, 0.25, 0.5, 0.75, 0.9)]
    for ratio, (slow, fast) in itertools.product(RATIOS, itertools.product(arms, arms)):
        try:
            family = [hypothesis(ratio, slow, fast, seeds) for seeds in ((30, 30), (10, 10), (20, 10), (30, 10))]
        except ValueError:  # the faster arm's stuck seeds alone make it slower than that
            continue
        for four in ([family[0]] * 4, [family[1]] * 4, family):
            seen.append((wrong(four, ratio, int(rng.integers(2**31))), ratio, slow, fast))
    assert len(seen) > 3000
    worst = max(seen, key=lambda case: case[0])
    print(f"worst of {len(seen)}: {worst}")
    assert np.mean([share for share, *_ in seen]) < 0.025
    assert worst[0] <= at_most(0.05)


@pytest.mark.parametrize(
    ("ratio", "sd", "expected"), [(2.0, 0.5, "replicated"), (1.0, 0.2, "contradicted"), (1.1, 0.8, "inconclusive")]
)
def test_what_is_large_or_finely_measured_is_decided(ratio: float, sd: float, expected: str) -> None:
    family = [hypothesis(ratio, Population(0.0, sd), Population(0.0, sd), (30, 30))] * 4
    assert (verdicts_of(family, np.random.default_rng(3), 500) == expected).mean() > 0.9


def test_the_simulated_judge_is_the_judge() -> None:
    """The same numbers, simulated and as runs in files, get the same verdicts."""
    rng, of = np.random.default_rng(11), scenario(primary("P", horizon=3e5))
    seen = set()
    for ratio, sd, stuck in itertools.product((1.0, 1.2, 2.0), (0.1, 0.5), (0.0, 0.3)):
        arms = [
            Population(float(np.log(1e5 * r)), sd, stuck).draw(rng, (1, 20), float(np.log(3e5))) for r in (ratio, 1)
        ]
        test = Drawn("P", *[Population(0, 1)] * 2, (20, 20), float(np.log(3e5)), float(np.log(1.25)))
        test.arms = arms
        simulated = verdicts_of([test], rng, 1)[0, 0]
        logs = [np.where(arm[0] < np.log(3e5), arm[0], np.nan) for arm in arms]
        data = frame(of, {("afedpg", n): np.exp(log) for n, log in zip((1, 8), logs, strict=True)})
        (one,) = judge.judge(of, data).parts
        assert one.verdict == simulated, (ratio, sd, stuck)
        seen.add(one.verdict)
    assert seen == {"replicated", "contradicted", "inconclusive"}


class Drawn(Hypothesis):
    """A hypothesis whose seeds are already drawn."""

    arms: list[Any]

    __setattr__ = object.__setattr__

    def simulate(self, rng: np.random.Generator, experiments: int) -> Any:
        test = power.contrast(self.arms, [1.0, -1.0])
        shares = np.minimum(*((log < self.log_horizon).mean(axis=-1) for log in self.arms))
        return test.p_above(0.0), test.p_below(self.log_margin), shares


def test_the_restricted_mean_of_a_population_is_that_of_its_draws() -> None:
    arm = Population(0.3, 0.7, 0.2)
    drawn = arm.draw(np.random.default_rng(0), (1_000_000,), 1.0)
    assert arm.restricted(1.0) == pytest.approx(drawn.mean(), abs=0.003)
    assert arm.moved(0.5, 1.0).restricted(1.0) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="no such arm"):
        arm.moved(1.0, 1.0)


def test_a_population_is_read_from_tuning_runs() -> None:
    found = Population.of(np.array([1.0, np.e**2, np.nan, np.nan]))
    assert (found.mean, found.sd, found.stuck) == pytest.approx((1.0, stats.tstd([0, 2]), 0.5))
    with pytest.raises(ValueError, match="fewer than two"):
        Population.of(np.array([1.0, np.nan]))


def test_the_horizon_follows_its_rule() -> None:
    arms = [times(1e4, 0.3, seeds=5), np.array([3e4, 5e4, np.nan, np.nan, np.nan])]
    assert power.horizon(arms, tuning_horizon=6e4) == pytest.approx(4 * 6e4)  # a median that is censored
    assert power.horizon(arms[:1], tuning_horizon=6e4) == pytest.approx(4e4)
    assert power.horizon(arms, tuning_horizon=6e4, at_most=2e5) == 2e5


def test_power_from_the_times_of_tuning_runs() -> None:
    of = scenario(primary("P1", horizon=3e5), primary("P2", margin=1.5), {**RATIO, "id": "S"}, seeds=30)
    tuned = power.tuning_times(of, frame(of, pair(2.0, 0.4)))
    assert set(tuned["per"]) == {"samples", "time", "uploads", "uplink_bytes", "total_bytes"}
    found = power.power(of, tuned, experiments=500).set_index(["claim", "truth"])
    assert {claim for claim, _ in found.index} == {"P1", "P2"}  # primaries alone
    assert found.loc[("P1", "as tuned"), "replicated"] > 0.9
    assert found.loc[("P1", "no effect"), "replicated"] < 0.05
    assert found.loc[("P1", "margin"), "contradicted"] < 0.05
    assert found.loc[("P2", "margin"), "ratio"] == pytest.approx(1.5)
    assert found[["replicated", "contradicted", "inconclusive"]].sum(axis=1).to_numpy() == pytest.approx(1)
    # out of reach: two seeds of twenty would have to make the whole difference
    tuned.loc[(tuned["n_agents"] == 8) & (tuned["seed"] > 1), "time"] = np.nan
    found = power.power(of, tuned, experiments=50).set_index(["claim", "truth"])
    assert np.isnan(found.loc[("P2", "margin"), "replicated"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.drop(columns="per"), "no column 'per'; needed are environment"),
        (lambda t: t[t["n_agents"] != 8], "none of Swimmer/afedpg/n8 per samples, which claim P needs"),
        (lambda t: t.assign(time=np.nan), "Swimmer/afedpg/n1 per samples: fewer than two seeds"),
    ],
)
def test_tuning_times_that_do_not_do_are_one_message(change: Any, told: str) -> None:
    of = scenario(primary("P"))
    tuned = pd.DataFrame(power.tuning_times(of, frame(of, pair(2.0, 0.4))))
    with pytest.raises(SpecError, match=told):
        power.power(of, change(tuned))
    with pytest.raises(SpecError, match="has no primary claim"):
        power.power(scenario(RATIO), tuned)
    with pytest.raises(SpecError, match="names no tuning times"):
        power.of_scenario(of)
