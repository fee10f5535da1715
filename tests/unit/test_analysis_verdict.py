"""The judge: claims that hold, fail, or cannot be told, on made-up curves; and how often noise is "replicated".

Curves are straight lines to a final return, so that crossings and areas have closed forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from frl.analysis import intervals
from frl.analysis.crossings import ratio
from frl.analysis.curves import STEPS, TIME, Curves, Run, all_curves
from frl.analysis.load import read_curves
from frl.analysis.quantity import Quantity
from frl.report.tables import verdict
from frl.scenario.claims import Claims
from frl.scenario.scenario import Scenario
from frl.verdicts import judge
from frl.verdicts.estimate import Estimate
from frl.verdicts.rules import NOT, PARTLY, REPLICATED, UNTESTED, decide

END = 1_000_000.0
PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "swimmer"
TIMED = ("afedpg-time", "async_pg", "a3c")
BASE = {
    "id": "C", "title": "t", "statement": "s", "source": "poster", "environment": "Swimmer", "role": "confirmatory",
}  # fmt: skip
TREND = {**BASE, "test": "trend", "method": "afedpg", "n_agents": [1, 2, 4, 8], "margin": 5}
SPEEDUP = {**BASE, "test": "sample_speedup", "method": "afedpg", "numbers": {8: 4.0}, "threshold": 100, "margin": 0.25}
FINAL = {**BASE, "test": "final_return", "method": "afedpg", "numbers": {1: 110}, "margin": 0.1}
TIMES = {
    **BASE, "test": "time_ratio", "faster": ["afedpg-time", "afedpg"], "slower": "fedpg", "n_agents": [4],
    "numbers": {4: 3.0}, "threshold": 100, "margin": 0.25,
}  # fmt: skip
ORDER = {
    **BASE, "test": "order", "methods": ["afedpg", "fedpg", "async_pg", "a3c"], "n_agents": [4], "margin": 10,
}  # fmt: skip
LOOKAHEAD = {
    **BASE, "test": "lookahead", "n_agents": 8, "margin": 10,
    "pairs": [{"with_lookahead": f"afedpg-a{a}", "without": f"async_pg-a{a}"} for a in (0.1, 0.5)],
}  # fmt: skip
FLEETS = {
    **BASE, "test": "heterogeneity", "faster": ["afedpg-r1", "afedpg-r10"], "slower": "fedpg", "n_agents": 8,
    "threshold": 100, "margin": 0.25,
}  # fmt: skip
EXPONENT = {
    **BASE, "test": "scaling_exponent", "method": "afedpg", "n_agents": [1, 2, 4, 8], "threshold": 100, "number": 1,
    "margin": 0.125,
}  # fmt: skip
FIRST = {"method": "afedpg", "over": "fedpg"}
NO_WORSE = {
    **BASE, "test": "non_inferiority", "pairs": [FIRST], "n_agents": [4], "margin": 0.1,
}  # fmt: skip
SAVING = {
    **BASE, "test": "saving", "pairs": [FIRST], "n_agents": [4], "factor": 2, "margin": 0.25,
}  # fmt: skip
SUPERIOR = {
    **BASE, "test": "superiority", "pairs": [FIRST, {"method": "afedpg", "over": "a3c"}], "n_agents": [4],
    "margin": 0.1,
}  # fmt: skip
CONTROL = {**BASE, "test": "perfect_scaling", "method": "afedpg", "controls": {4: "pg-x4"}, "margin": 10}

Law = Callable[[str, int], tuple[float, float]]
"""Method and N -> return that the mean curve would reach at END of the axis, and where the time axis ends (s)."""


def scenario(*claims: dict[str, Any], seeds: int = 10, **settings: Any) -> Scenario:
    methods: list[dict[str, Any]] = [
        {"algorithm": "afedpg", "n_agents": (1, 2, 4, 8)},
        {"algorithm": "fedpg", "n_agents": (4, 8)},
        {"algorithm": "async_pg", "n_agents": (4,)},
        {"algorithm": "a3c", "n_agents": (4,)},
        {"algorithm": "afedpg", "name": "pg-x4", "n_agents": (1,), "set": {"steps_per_agent": 4_000_000}},
    ]
    for name in ("afedpg", "async_pg"):
        for a in (0.1, 0.5):
            methods.append({"algorithm": name, "name": f"{name}-a{a}", "n_agents": (8,), "server": {"momentum": a}})
    for r in (1, 2, 10):
        fleet = {"fleet": {"kind": "straggler", "ratio": r}}
        methods.append({"algorithm": "afedpg", "name": f"afedpg-r{r}", "n_agents": (8,), "set": fleet})
    return Scenario(
        name="judged", title="t", tuned="t", environments=("Swimmer",), methods=methods, seeds=tuple(range(seeds)),  # type: ignore[arg-type]
        thresholds={"Swimmer": "100 return"}, run={"steps_per_agent": int(END)} | settings,
        claims=Claims.model_validate({"claims": claims}),
    )  # fmt: skip


def frame(of: Scenario, law: Law, noise: float = 3.0, seed: int = 0) -> pd.DataFrame:
    """Lines from 0 to the law's return, times a factor of each seed, plus an offset of each run."""
    rng = np.random.default_rng(seed)
    factor = {s: 1 + 0.01 * rng.normal() for s in of.seeds}
    rows = []
    for spec in of.runs():
        final, end_s = law(spec.method, spec.n_agents)
        offset = noise * rng.normal()
        for point in range(11):
            part = point / 10
            uploads = round(part * spec.env_steps_budget / 2048 / spec.n_agents) * spec.n_agents
            rows.append(
                ("Swimmer", spec.method, spec.n_agents, spec.seed, point, part * spec.steps_per_agent, part * end_s,
                 part * spec.env_steps_budget, uploads, part * (factor[spec.seed] * final + offset), "ok")
            )  # fmt: skip
    columns = ["environment", "method", "n_agents", "seed", "point", STEPS, TIME, "env_steps_total", "uploads",
               "eval_return_mean", "status"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(uplink_bytes=1000 * table["uploads"], downlink_bytes=1000 * table["uploads"])


def judged(claim: dict[str, Any], law: Law, seeds: int = 10, **options: Any) -> list[judge.Judgement]:
    of = scenario(claim, seeds=seeds)
    return judge.judge(of, frame(of, law, **options))


def verdicts(*arguments: Any, **options: Any) -> list[str]:
    return [one.verdict for one in judged(*arguments, **options)]


def rising(_: str, n: int) -> tuple[float, float]:
    return 110 + 20 * float(np.log2(n)), 1000.0


def linear(_: str, n: int) -> tuple[float, float]:
    """Samples to 100 are END / (1.1 N)."""
    return 110.0 * n, 1000.0


def fast(method: str, n: int) -> tuple[float, float]:
    return 200.0, {"fedpg": 3000.0}.get(method, 1000.0)


def ordered(method: str, n: int) -> tuple[float, float]:
    return {"afedpg": 200.0, "fedpg": 150.0, "async_pg": 110.0}.get(method, 60.0), 1000.0


def flat(_: str, n: int) -> tuple[float, float]:
    return 110.0, 1000.0


def constant(value: float) -> Law:
    return lambda *_: (value, 1000.0)


def test_trend() -> None:
    (one,) = judged(TREND, rising)
    assert one.verdict == REPLICATED
    assert one.estimate is not None
    assert one.estimate.effect.value == pytest.approx(10, abs=1.5)  # half of the final return's slope of 20
    assert one.p < 1e-6
    assert "8: " in one.evidence
    assert one.above == "100: PG (N = 1) 90 %; AFedPG, N = 2 100 %; AFedPG, N = 4 100 %; AFedPG, N = 8 100 %"
    assert verdicts(TREND, lambda m, n: (200 - 20 * float(np.log2(n)), 1000.0)) == [NOT]
    assert verdicts(TREND, flat, noise=2, seed=1) == [NOT]  # measured finely, and nothing there
    assert verdicts(TREND, flat, noise=2, seed=0) == [PARTLY]  # an unlucky draw: p < 0.05, for 0.4 return a doubling
    assert verdicts(TREND, flat, noise=200, seed=1) == [UNTESTED]
    assert verdicts(TREND, rising, seeds=4) == [UNTESTED]


def test_speedup() -> None:
    def by(factor: float) -> Law:
        return lambda _, n: (110.0 * (factor if n == 8 else 1), 1000.0)

    (one,) = judged(SPEEDUP, by(4))
    assert one.verdict == REPLICATED
    assert one.estimate is not None
    assert one.estimate.effect.value == pytest.approx(4, rel=0.05)
    assert "median of seeds: PG (N = 1)" in one.evidence
    assert verdicts(SPEEDUP, by(2)) == [PARTLY]  # a speed-up, not the claimed one
    assert verdicts(SPEEDUP, by(0.95), noise=0.5) == [NOT]  # no speed-up
    assert verdicts(SPEEDUP, by(4), noise=60, seed=1) == [UNTESTED]


def test_a_censored_crossing_is_never_replicated() -> None:
    """N = 1 ends at 90: the ratio is beyond a bound that lies within the margin, below it, or above it."""
    for eight, expected in ((360.0, PARTLY), (150.0, PARTLY), (1000.0, PARTLY), (101.0, PARTLY), (80.0, UNTESTED)):
        (one,) = judged(SPEEDUP, lambda _, n, eight=eight: (eight if n == 8 else 90.0, 1000.0), noise=0.1)
        assert one.verdict == expected, eight
        assert np.isnan(one.p)
    # N = 8 never gets there, N = 1 does: at most 0.9, not even the bound is above 1
    assert verdicts(SPEEDUP, lambda _, n: (90.0 if n == 8 else 140.0, 1000.0), noise=0.1) == [NOT]
    for value in np.linspace(0.5, 9, 30):
        for relation in "<>":
            number = Estimate("", Quantity(value, value / 1.01, value * 1.01, relation), "ratio", 0.22, 4.0, none=1)
            direction = Estimate("", Quantity(value, value / 1.01, value * 1.01, relation), "ratio", 0.22, none=1)
            assert decide(number, 0.0)[0] != REPLICATED
            assert decide(direction, 0.0)[0] != REPLICATED


@pytest.mark.parametrize(
    ("low", "high", "number", "expected"),
    [
        (-2.0, 3.0, None, NOT),  # 5 matters, and is excluded
        (-2.0, 6.0, None, UNTESTED),  # neither is
        (-9.0, 3.0, None, UNTESTED),  # too wide
        (-2.0, 4.0, 8.0, UNTESTED),  # overlaps 8 ± 5, and holds 0
        (1.0, 7.0, 8.0, PARTLY),
        (-2.0, 2.0, 8.0, NOT),
        (4.0, 10.0, 8.0, REPLICATED),
    ],
)
def test_what_was_measured_finely_is_refuted_only_if_what_matters_is_excluded(
    low: float, high: float, number: float | None, expected: str
) -> None:
    one = Estimate("", Quantity((low + high) / 2, low, high), "return", 5.0, number, none=0)
    assert decide(one, 0.01)[0] == expected


def test_final_return() -> None:
    assert verdicts(FINAL, constant(110 / 0.95)) == [REPLICATED]  # the last tenth of the line is 0.95 of its end
    assert verdicts(FINAL, constant(160)) == [NOT]
    assert verdicts(FINAL, constant(127.4)) == [PARTLY]  # 121: narrow, and across the end of the margin
    assert verdicts(FINAL, constant(110 / 0.95), noise=60) == [UNTESTED]


def test_time_ratio_and_the_alternatives_of_a_method() -> None:
    (one,) = judged(TIMES, fast)
    assert one.verdict == REPLICATED
    assert "not waiting alone gives 3.25" in one.evidence
    (direction,) = judged({**TIMES, "numbers": {}}, fast)
    assert "sooner in 10 of 10 seeds; ratio in samples instead of time 1.0" in direction.evidence  # both learn alike
    assert direction.p == 2 / 2**10  # the exact test's, with one side in every seed
    assert verdicts({**TIMES, "numbers": "waiting_gain"}, fast) == [REPLICATED]
    assert verdicts(TIMES, lambda m, n: (200.0, 500.0 if m == "fedpg" else 1000.0)) == [NOT]
    of = scenario({**TIMES, "faster": "afedpg-time"})
    assert judge.judge(of, frame(of, fast)) == []
    assert judge.absent(of) == "Not part of this scenario: C."


def test_order_and_its_pairs() -> None:
    found = judged(ORDER, ordered)
    assert [one.verdict for one in found] == [REPLICATED] * 4
    assert found[0].label == "AFedPG > FedPG, N = 4"
    assert "difference at equal samples instead 25" in found[0].evidence  # lines to 200 and 150
    assert found[3].label == "AFedPG > FedPG > Vanilla > A3C, N = 4"
    assert found[3].p_holm == max(one.p_holm for one in found[:3])

    def swapped(method: str, n: int) -> tuple[float, float]:
        return ordered({"fedpg": "async_pg", "async_pg": "fedpg"}.get(method, method), n)

    assert verdicts(ORDER, swapped) == [REPLICATED, NOT, REPLICATED, NOT]
    assert verdicts(ORDER, ordered, noise=300) == [UNTESTED] * 4
    assert verdicts({**ORDER, "methods": ["afedpg", "fedpg"]}, ordered) == [REPLICATED]  # the pair is the whole order


def test_the_order_is_compared_over_times_that_all_reach() -> None:
    """FedPG is slow and best at the very end, which only FedPG reaches."""

    def late(method: str, n: int) -> tuple[float, float]:
        return (400.0, 10_000.0) if method == "fedpg" else ordered(method, n)

    found = judged(ORDER, late)
    assert "up to 1,000 s" in found[0].evidence
    assert [one.verdict for one in found] == [REPLICATED, NOT, REPLICATED, NOT]


def test_lookahead() -> None:
    def better(method: str, n: int) -> tuple[float, float]:
        return (160.0 if method.startswith("afedpg-") else 120.0), 1000.0

    found = judged(LOOKAHEAD, better)
    assert [(one.label, one.verdict) for one in found] == [
        ("alpha = 0.1", REPLICATED), ("alpha = 0.5", REPLICATED), ("all alpha together", REPLICATED),
    ]  # fmt: skip
    assert [one.estimate.theory for one in found[:2] if one.estimate] == pytest.approx([9 / 16, 1 / 8])
    assert verdicts(LOOKAHEAD, flat, noise=2) == [NOT] * 3


def test_lookahead_is_untested_unless_all_else_is_equal() -> None:
    of = scenario(LOOKAHEAD)
    methods = list(of.model_dump()["methods"])
    next(m for m in methods if m["name"] == "async_pg-a0.1")["server"]["step_size"] = 0.5
    other = Scenario.model_validate(of.model_dump() | {"methods": methods})
    found = judge.judge(other, frame(other, ordered))
    assert found[0].verdict == UNTESTED
    assert "differ in server as well" in found[0].evidence
    assert found[1].verdict != UNTESTED


def test_time_gain_on_other_fleets() -> None:
    """FedPG, trained at ratio 4, is re-timed; AFedPG's own times are as much shorter as not waiting makes them."""
    of = scenario(FLEETS)
    rounds = END / 2048 * 2048 * 1.6 / 1000  # seconds of FedPG's run at ratio 1, tasks of 2,048 steps

    def law(method: str, n: int) -> tuple[float, float]:
        return 200.0, {"afedpg-r1": rounds, "afedpg-r10": 10 * rounds / 8.875}.get(method, 4 * rounds)

    found = judge.judge(of, frame(of, law))
    assert [(one.label, one.verdict) for one in found] == [
        ("t_max / t_min = 1", REPLICATED), ("t_max / t_min = 10", REPLICATED),
    ]  # fmt: skip
    assert [e.theory for _, e in judge.effect_of(found, "heterogeneity")] == pytest.approx([1, 8.875])
    lognormal = scenario(FLEETS, fleet={"kind": "lognormal"})
    (_, second) = judge.judge(lognormal, frame(lognormal, law))
    assert second.verdict != UNTESTED  # its method sets a straggler fleet of its own
    episodes = scenario(FLEETS, sampling={"trajectories": 2})
    (first, _) = judge.judge(episodes, frame(episodes, law))
    assert (first.verdict, first.reason) == (UNTESTED, "retime: needs tasks of a known and constant length")


def test_growth_of_the_time_gain_with_the_fleets() -> None:
    """AFedPG's times on ratios 1, 2, 10 are its own business; FedPG's are those of its rounds: 1, 2 and 10."""
    claim = {**FLEETS, "faster": ["afedpg-r1", "afedpg-r2", "afedpg-r10"]}
    gains = {"afedpg-r1": 1.0, "afedpg-r2": (7 + 0.5) / 8 * 2, "afedpg-r10": 8.875}

    def law(power: float) -> Law:
        rounds = {"afedpg-r1": 1, "afedpg-r2": 2, "afedpg-r10": 10}
        return lambda method, _: (200.0, 1000 * rounds.get(method, 4) / gains.get(method, 1) ** power)

    grows = {power: judged(claim, law(power), noise=1.0)[-1] for power in (1.0, 0.5, 0.0)}
    for power, one in grows.items():
        assert (one.joint, one.label) == (True, "growth over all fleets")
        assert one.estimate is not None
        assert one.estimate.effect.value == pytest.approx(power, abs=0.03)
    assert [one.verdict for one in grows.values()] == [REPLICATED, PARTLY, NOT]
    assert len(judge.effect_of(list(grows.values()), "heterogeneity")) == 0  # no point of the figure
    assert len(judged(FLEETS, law(1.0))) == 2  # two fleets have no trend
    never = judged(claim, lambda method, n: (50.0 if method == "fedpg" else 200.0, law(1.0)(method, n)[1]))
    assert (never[-1].verdict, never[-1].reason.split(":")[0]) == (
        UNTESTED, "the slower method's mean curve does not cross the threshold",
    )  # fmt: skip
    slow_link = scenario(claim, link={"latency_s": 1})
    assert {one.reason for one in judge.judge(slow_link, frame(slow_link, law(1.0)))} == {
        "retime: needs messages that take no time"
    }


def test_exponent() -> None:
    assert verdicts(EXPONENT, linear) == [REPLICATED]
    (half,) = judged(EXPONENT, lambda _, n: (110.0 * n**0.5, 1000.0))
    assert half.verdict == PARTLY  # a speed-up, but not linear
    assert half.estimate is not None
    assert half.estimate.effect.value == pytest.approx(0.5, abs=0.05)
    assert verdicts(EXPONENT, lambda _, n: (300.0 / n**0.5, 1000.0)) == [NOT]
    (bound,) = judged(EXPONENT, lambda _, n: (90.0 if n == 1 else 100.0 * n, 1000.0), noise=0.1)
    assert bound.verdict == PARTLY
    assert bound.estimate is not None
    assert bound.estimate.effect.relation == ">"
    assert verdicts(EXPONENT, constant(50)) == [UNTESTED]


def test_one_agent_with_all_the_samples() -> None:
    assert verdicts(CONTROL, constant(150)) == [REPLICATED]
    assert verdicts(CONTROL, lambda m, n: (200.0 if m == "pg-x4" else 120.0, 1000.0)) == [NOT]


def test_missing_runs_and_too_few_seeds_leave_a_claim_untested() -> None:
    of = scenario(TREND)
    rows = frame(of, rising)
    (one,) = judge.judge(of, rows[(rows["n_agents"] != 8) | (rows["seed"] != 3)])
    assert (one.verdict, one.seeds, one.missing) == (UNTESTED, 9, 1)
    assert one.estimate is not None  # shown all the same
    (gone,) = judge.judge(of, rows[rows["n_agents"] != 8])
    assert (gone.verdict, gone.estimate, gone.reason) == (UNTESTED, None, "10 of its runs are missing")
    assert judge.headline([gone]) == "0 parts of the claims judged. 1 more waits for its runs."
    assert judge.waiting([gone]) == f"Too many runs are missing to say anything of {gone.claim.id}."
    whole = judge.judge(of, rows)
    assert judge.headline(whole) == "1 part of the claims judged: 1 replicated."
    of = scenario({**TREND, "role": "exploratory"})
    assert judge.headline(judge.judge(of, rows)).endswith(": 1 replicated (1 exploratory, not corrected).")
    assert judge.headline([*whole, gone]) == "1 part of the claims judged: 1 replicated. 1 more waits for its runs."
    assert judge.waiting(whole) == ""
    (few,) = judge.judge(scenario(TREND, seeds=4), rows[rows["seed"] < 4])
    assert few.reason == "4 seeds, fewer than 5"


def test_a_diverged_run_counts_with_its_last_return() -> None:
    of = scenario(TREND)
    rows = frame(of, rising)
    ended = (rows["n_agents"] == 8) & (rows["seed"] == 3) & (rows["point"] == 5)
    rows.loc[ended, "status"] = "diverged"
    rows.loc[ended, "eval_return_mean"] = np.nan
    rest = (rows["n_agents"] == 8) & (rows["seed"] == 3) & (rows["point"] > 5)
    (one,) = judge.judge(of, rows[~rest])
    assert one.seeds == 10
    assert "1 runs diverged" in one.evidence


def test_holm_by_hand_and_in_a_verdict() -> None:
    assert intervals.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert intervals.holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert intervals.holm([]) == []

    def slight(method: str, n: int) -> tuple[float, float]:
        return 110 + (8.0 if method.startswith("afedpg-") else 0), 1000.0

    single = {**LOOKAHEAD, "pairs": LOOKAHEAD["pairs"][:1], "margin": 6}  # type: ignore[index]
    (alone,) = judged(single, slight, noise=10, seed=0)
    assert (alone.verdict, alone.p) == (REPLICATED, alone.p_holm)
    assert 0.01 < alone.p < 0.05
    others = [{**FINAL, "id": f"F{i}"} for i in range(4)]
    of = scenario(single, *others)
    among = judge.judge(of, frame(of, slight, noise=10, seed=0))[0]
    assert (among.verdict, among.p) == (PARTLY, alone.p)
    assert among.p_holm > 0.05
    exploring = scenario(single, *({**other, "role": "exploratory"} for other in others))
    assert judge.judge(exploring, frame(exploring, slight, noise=10, seed=0))[0].verdict == REPLICATED


def test_p_is_below_five_percent_exactly_where_the_interval_excludes_the_bound() -> None:
    value = Quantity(2.0, 1.0, 3.5)
    assert intervals.p_above(value, 1.0, 10) == pytest.approx(0.05)
    assert intervals.p_above(value, 0.9, 10) < 0.05 < intervals.p_above(value, 1.1, 10)
    assert intervals.p_above(value, 3.0, 10) == 1
    assert intervals.p_above(Quantity(2.0), 1.0, 10) == 1
    assert intervals.p_above(Quantity(0.9, 1.1, 1.3), 1.0, 10) == 1  # below its own interval, and on the wrong side
    assert intervals.p_above(Quantity(2.0, 2.0, 2.0), 1.0, 10) == 0
    normal = np.random.default_rng(0).normal(0.4, 1, (10, 1))
    mean, low, high = intervals.mean_interval(normal)
    from scipy.stats import ttest_1samp

    theirs = 2 * ttest_1samp(normal[:, 0], 0, alternative="greater").pvalue
    assert intervals.p_above(Quantity(mean[0], low[0], high[0]), 0, 10) == pytest.approx(theirs, rel=0.4)


def _null(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> Any:
    if kind == "two modes":
        return np.where(rng.random(shape) < 0.4, 110.0, 40.0) + rng.normal(0, 5, shape)
    return rng.normal(100, 15, shape)


@pytest.mark.parametrize("kind", ["normal", "two modes"])
def test_noise_is_seldom_replicated(kind: str, record_property: pytest.RecordProperty) -> None:
    """Ten seeds, nothing depends on N or method: a claim of direction holds in at most 2.5 % by construction."""
    sooner = {**TIMES, "numbers": {}}
    tested = (TREND, ORDER, SPEEDUP, sooner, SUPERIOR)
    claims = [{**claim, "role": "exploratory", "id": f"C{i}"} for i, claim in enumerate(tested)]
    of = scenario(*claims)
    names = {("afedpg", 1), ("afedpg", 2), ("afedpg", 4), ("afedpg", 8), ("fedpg", 4), ("async_pg", 4), ("a3c", 4)}
    rows = frame(of, flat)
    rows = rows[[key in names for key in zip(rows["method"], rows["n_agents"], strict=True)]]
    part = (rows[STEPS] / END).to_numpy()
    rng = np.random.default_rng(5)
    runs = rows.groupby(["method", "n_agents", "seed"], sort=False).ngroup().to_numpy()
    wrong, parts, trials = 0, 0, 60
    for _ in range(trials):
        final = _null(rng, (runs.max() + 1,), kind)
        found = judge.judge(of, rows.assign(eval_return_mean=part * final[runs]))
        wrong += sum(one.verdict == REPLICATED for one in found if not one.joint)
        parts += sum(not one.joint for one in found)
    record_property("rate", wrong / parts)
    print(f"{kind}: {wrong} of {parts} parts called replicated on noise")
    assert wrong / parts <= 0.05


@pytest.mark.parametrize("cells", [[("afedpg", n) for n in (1, 2, 4, 8)], [(m, 4) for m in TIMED]], ids=["N", "time"])
def test_two_samples_of_the_same_curves_are_seldom_told_apart(cells: list[tuple[str, int]]) -> None:
    """Twice ten seeds drawn from the published curves: in 2.5 % of the cases p of "the first is slower" is below 0.05.

    With 3,000 pairs each it was 2.1 and 2.3 %, and below Holm's 0.05 / 23 0.13 and 0.07 % for 0.11.
    (p doubles one side's.)
    """
    curves = all_curves(read_curves(PUBLISHED), STEPS)
    own = [curves["Swimmer", *cell] for cell in cells]
    x = np.linspace(0, min(c.x[-1] for c in own), 101)
    pool = np.concatenate([[np.interp(x, c.x, row) for row in c.returns_SG] for c in own])
    rng = np.random.default_rng(1)

    def drawn() -> Curves:
        rows = pool[rng.integers(len(pool), size=10)]
        runs = tuple(Run(seed, x, row, float("nan")) for seed, row in enumerate(rows))
        return Curves("Swimmer", "drawn", 4, STEPS, runs, x, rows)

    pairs, told = 300, 0
    for _ in range(pairs):
        one = Estimate("", ratio(drawn(), drawn(), 100.0), "ratio", 0.2, none=1)
        told += one.p_value(10) <= 0.05
    assert len(pool) >= 30
    assert told / pairs <= 0.05


def test_the_worst_interval_of_a_ratio_still_covers_often() -> None:
    """Ten seeds drawn from the published curves of both methods: the worst of the ratios, as the report says.

    With 500 draws it was 91 %, and nearly all the others lay above the truth.
    """
    curves = all_curves(read_curves(PUBLISHED), TIME)
    slow, fast = (curves["Swimmer", method, 4] for method in ("fedpg", "afedpg-time"))
    truth = ratio(slow, fast, 100.0).value
    rng = np.random.default_rng(1)

    def drawn(c: Curves, picked: Any) -> Curves:
        runs = tuple(replace(c.runs[i], seed=seed) for seed, i in enumerate(picked))
        return replace(c, runs=runs, returns_SG=c.returns_SG[picked])

    draws, held = 100, 0
    for _ in range(draws):
        picked = rng.integers(10, size=10)
        value = ratio(drawn(slow, picked), drawn(fast, picked), 100.0)
        held += value.low <= truth <= value.high
    print(f"{held} of {draws} intervals hold the ratio")
    assert held / draws >= 0.8


def test_a_number_at_the_end_of_the_margin_is_seldom_replicated() -> None:
    rng = np.random.default_rng(7)
    trials, wrong = 1200, 0
    for _ in range(trials):
        one = Estimate("", intervals.mean_quantity(rng.normal(121, 6, 10)), "return", 11.0, 110.0)
        wrong += decide(one, one.p_value(10))[0] == REPLICATED
    assert wrong / trials <= 0.05


def lazily(claim: dict[str, Any], law: Law, share: float, diverged: str = "", **options: Any) -> list[judge.Judgement]:
    """The judge on runs in which agents of AFedPG upload that share of what the others do."""
    of = scenario(claim)
    data = frame(of, law, **options)
    data["uploads"] *= np.where(data["method"] == "afedpg", share, 1.0)
    data["uplink_bytes"] = 1000 * data["uploads"]
    if diverged:
        data.loc[(data["method"] == diverged) & (data["seed"] == 3) & (data["point"] == 10), "status"] = "diverged"
    return judge.judge(of, data)


def both(ours: float, other: float) -> Law:
    return lambda method, _: (ours if method == "afedpg" else other, 1000.0)


def test_not_inferior_is_nine_tenths_of_the_gain() -> None:
    """The baseline ends at 100, so its mean return is 50, which it also gains: 45 and more pass."""
    (one,) = lazily(NO_WORSE, both(96, 100), 0.3, noise=0.5)
    assert one.verdict == REPLICATED
    assert one.estimate is not None
    assert one.estimate.effect.value == pytest.approx(0.96, abs=0.01)
    assert (one.estimate.bound, one.estimate.unit) == (0.9, "of the gain")
    assert verdict.table(scenario(NO_WORSE), [one]).rows[0]["paper"] == 0.9
    assert [one.verdict for one in lazily(NO_WORSE, both(120, 100), 0.3)] == [REPLICATED]
    assert [one.verdict for one in lazily(NO_WORSE, both(80, 100), 0.3, noise=0.5)] == [NOT]
    (near,) = lazily(NO_WORSE, both(90, 100), 0.3, noise=3)  # across the bound, and measured to less than the margin
    assert (near.verdict, near.reason) == (UNTESTED, "the interval includes both 0.90 and what the claim promises")
    assert [one.verdict for one in lazily(NO_WORSE, both(96, 100), 0.3, noise=60)] == [UNTESTED]


@pytest.mark.parametrize("claim", [NO_WORSE, {**SUPERIOR, "pairs": [FIRST]}])
@pytest.mark.parametrize("ends", [(-10, -20), (5, 0), (-19.5, -20)])
def test_a_baseline_that_learns_nothing_says_nothing(claim: dict[str, Any], ends: tuple[float, float]) -> None:
    (one,) = lazily(claim, both(*ends), 0.5, noise=0.5)
    assert one.verdict == UNTESTED
    assert "does not improve on the initial policy" in one.reason
    assert np.isnan(one.p)
    assert np.isnan(one.p_holm)


def test_a_pair_differs_in_its_method_alone() -> None:
    (one,) = lazily(
        {**NO_WORSE, "pairs": [{"method": "afedpg-r1", "over": "fedpg"}], "n_agents": [8]}, both(96, 100), 1
    )
    assert one.verdict == UNTESTED
    assert "differ in fleet as well" in one.reason
    with pytest.raises(ValueError, match="method and over are the same: fedpg"):
        Claims.model_validate({"claims": [{**SAVING, "pairs": [{"method": "fedpg", "over": "fedpg"}]}]})


def test_saving_of_the_whole_run_and_to_a_return() -> None:
    (one,) = lazily(SAVING, both(100, 100), 0.3)
    assert one.verdict == REPLICATED
    assert one.estimate is not None
    assert one.estimate.effect.value == pytest.approx(1 / 0.3)
    assert [one.verdict for one in lazily(SAVING, both(100, 100), 0.49)] == [REPLICATED]  # 2.04
    (some,) = lazily(SAVING, both(100, 100), 0.6)
    assert (some.verdict, some.reason) == (PARTLY, "there is an effect, but not shown to exceed 2.00")
    (none,) = lazily(SAVING, both(100, 100), 1.1)
    assert (none.verdict, none.reason) == (NOT, "the interval lies below 2.00: the opposite is the case")
    (flawed,) = lazily(SAVING, both(100, 100), 0.3, diverged="afedpg")
    assert flawed.verdict == UNTESTED
    assert "a run diverged" in flawed.reason
    assert np.isnan(flawed.p)
    reached = {**SAVING, "threshold": 60}
    (one,) = lazily(reached, both(150, 100), 0.5, noise=0.5)  # half the uploads, and 1.5 times as fast
    assert one.estimate is not None
    assert one.estimate.effect.value == pytest.approx(3, rel=0.02)
    assert one.verdict == REPLICATED
    # it ends below 60 after half the uploads, where the others reach 60 after 0.6 of theirs: at least that it never did
    assert [one.verdict for one in lazily(reached, both(50, 100), 0.5, noise=0.5)] == [UNTESTED]


def test_seeds_that_upload_less_than_others_are_not_censored_by_that() -> None:
    """Every seed crosses 60 on the same curve, after 0.2 to 0.56 of the baseline's uploads."""
    claim = {**SAVING, "threshold": 60}
    of = scenario(claim)
    data = frame(of, both(100, 100), noise=0.0)
    data["uploads"] *= np.where(data["method"] == "afedpg", 0.2 + 0.04 * data["seed"], 1.0)
    data["uplink_bytes"] = 1000 * data["uploads"]
    (one,) = judge.judge(of, data)
    assert one.estimate is not None
    effect = one.estimate.effect
    assert effect.relation == "="
    assert 1 / 0.56 < effect.low < effect.value < effect.high < 1 / 0.2


def test_superior_at_equal_uploads() -> None:
    """At equal uploads AFedPG has made 1 / share as many steps: it is ahead even with the same curve against them."""
    found = lazily(SUPERIOR, both(100, 100), 0.5, noise=0.5)
    assert [one.verdict for one in found] == [REPLICATED] * 2
    assert [one.label for one in found] == ["AFedPG over FedPG, N = 4", "AFedPG over A3C, N = 4"]
    assert found[0].estimate is not None
    assert found[0].estimate.effect.value == pytest.approx(2, abs=0.05)  # 50 against 25
    assert [one.verdict for one in lazily(SUPERIOR, both(50, 100), 0.9, noise=0.5)] == [NOT] * 2
    assert [one.verdict for one in lazily(SUPERIOR, both(100, 100), 1.0, noise=60)] == [UNTESTED] * 2


def test_superior_at_equal_bytes_of_both_directions() -> None:
    """Half the uploads and all the downlink are three quarters of the bytes."""
    (one, _) = lazily({**SUPERIOR, "per": "total_bytes"}, both(100, 100), 0.5, noise=0.5)
    assert one.estimate is not None
    assert one.estimate.effect.value == pytest.approx(4 / 3, abs=0.03)
    assert "bytes of both directions" in one.evidence
    with pytest.raises(ValueError, match="'uploads' or 'total_bytes'"):
        Claims.model_validate({"claims": [{**SUPERIOR, "per": "rounds"}]})


def test_superiority_says_what_it_is_where_every_seed_still_uploads() -> None:
    """One seed of ten ends early, at half of the uploads and of the return."""
    of = scenario({**SUPERIOR, "pairs": [FIRST]})
    data = frame(of, both(100, 100), noise=0.5)
    early = np.where((data["method"] == "afedpg") & (data["seed"] == 3), 0.5, 1)
    data = data.assign(uploads=data["uploads"] * early, eval_return_mean=data["eval_return_mean"] * early)
    (one,) = judge.judge(of, data)
    most = int(data.loc[data["method"] == "fedpg", "uploads"][data["n_agents"] == 4].max())
    held = (9 * 50 + (25 + 50) / 2) / 10  # its line goes to 50 at half of the axis, then is held
    assert one.estimate is not None
    assert one.estimate.effect.value == pytest.approx(held / 50, abs=0.02)
    assert f"over {most:,.0f} uploads" in one.evidence
    (of_all,) = re.findall(rf"over {most / 2:,.0f}, as many as every seed made: ([0-9.]+) ", one.evidence)
    assert float(of_all) == pytest.approx(1, abs=0.02)


def test_a_control_that_diverged_at_once_is_no_reason_to_fail() -> None:
    of = scenario({**SUPERIOR, "pairs": [FIRST]})
    data = frame(of, both(100, 50), noise=0.5)
    lost = (data["method"] == "fedpg") & (data["seed"] == 3)
    data.loc[lost & (data["point"] == 1), ["status", "eval_return_mean"]] = ["diverged", np.nan]
    (one,) = judge.judge(of, data[~(lost & (data["point"] > 1))])
    assert (one.verdict, one.diverged) == (REPLICATED, 1)
    assert "as many as every seed made: 2.2" in one.evidence  # 50 against 0.9 of 25


@pytest.mark.parametrize(
    ("claim", "ours"),
    [(NO_WORSE, 90.0), ({**SUPERIOR, "pairs": [FIRST]}, 100.0), ({**SAVING, "threshold": 60}, 100.0)],
)
def test_noise_about_pairs_is_seldom_replicated(claim: dict[str, Any], ours: float) -> None:
    """At the bound itself, where the claim is just not true: at most 2.5 % nominally."""
    share = 0.5 if claim["test"] == "saving" else 1.0
    found = [lazily(claim, both(ours, 100), share, noise=20, seed=seed)[0].verdict for seed in range(80)]
    assert found.count(REPLICATED) <= 6  # more has a probability of 0.4 % at 2.5 %
