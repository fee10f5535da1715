"""The judge on made-up runs whose every seed gets to the threshold at a chosen time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from frl.analysis.curves import STEPS, TIME
from frl.errors import SpecError
from frl.report.tables import verdict
from frl.scenario.claims import Claims
from frl.scenario.products import JUDGED
from frl.scenario.scenario import Scenario
from frl.verdicts import judge, record, words
from frl.verdicts.record import Judgement, Verdicts
from frl.verdicts.rules import ALPHA, holm

END = 1_024_000.0
SEEDS = 20
BASE: dict[str, Any] = {
    "id": "C", "title": "t", "statement": "s", "source": "poster", "environment": "Swimmer", "role": "secondary",
    "threshold": 100, "horizon": END,
}  # fmt: skip
ONE, EIGHT = {"method": "afedpg", "n_agents": 1}, {"method": "afedpg", "n_agents": 8}
FEDPG = {"method": "fedpg", "n_agents": 8}
RATIO = {**BASE, "test": "ratio", "per": "samples", "pairs": [{"slower": ONE, "faster": EIGHT}], "margin": 1.25}
TIMES = {**RATIO, "per": "time", "pairs": [{"slower": FEDPG, "faster": EIGHT}]}
LOOKAHEAD = {
    **BASE, "test": "lookahead", "n_agents": 8, "margin": 1.5,
    "pairs": [{"with_lookahead": "afedpg-a0.1", "without": "async_pg-a0.1"}],
}  # fmt: skip
FLEETS = {
    **BASE, "test": "fleets", "faster": ["afedpg-r1", "afedpg-r2", "afedpg-r10"], "slower": "fedpg", "n_agents": 8,
    "margin": 1.25,
}  # fmt: skip
EXPONENT = {
    **BASE, "test": "exponent", "arms": [{"method": "afedpg", "n_agents": n} for n in (1, 2, 4, 8)], "number": 1,
    "margin": 0.2,
}  # fmt: skip


def primary(name: str, **changes: Any) -> dict[str, Any]:
    return {**RATIO, "id": name, "role": "primary", **changes}


def scenario(
    *claims: dict[str, Any], seeds: int = SEEDS, environments: tuple[str, ...] = ("Swimmer",), **run: Any
) -> Scenario:
    methods: list[dict[str, Any]] = [
        {"algorithm": "afedpg", "n_agents": (1, 2, 4, 8)},
        {"algorithm": "fedpg", "n_agents": (4, 8)},
        {"algorithm": "a3c", "n_agents": (8,)},
    ]
    for name in ("afedpg", "async_pg"):
        methods.append({"algorithm": name, "name": f"{name}-a0.1", "n_agents": (8,), "server": {"momentum": 0.1}})
    for r in (1, 2, 10):
        fleet = {"fleet": {"kind": "straggler", "ratio": r}}
        methods.append({"algorithm": "afedpg", "name": f"afedpg-r{r}", "n_agents": (8,), "set": fleet})
    return Scenario(
        name="judged", title="t", tuned="t", environments=environments, methods=methods, seeds=tuple(range(seeds)),  # type: ignore[arg-type]
        thresholds=dict.fromkeys(environments, "100 return"), run={"steps_per_agent": int(END)} | run,  # type: ignore[arg-type]
        claims=Claims.model_validate({"claims": claims}),
    )  # fmt: skip


def times(centre: float, sd: float, seeds: int = SEEDS, stuck: int = 0) -> np.ndarray:
    """Evenly spread quantiles of a lognormal, so that nothing is left to chance; the last `stuck` never get there."""
    found = centre * np.exp(sd * stats.norm.ppf((np.arange(seeds) + 0.5) / seeds))
    return np.where(np.arange(seeds) >= seeds - stuck, np.nan, found)


def frame(
    of: Scenario, arms: dict[tuple[str, int], np.ndarray], seconds_a_step: dict[str, float] | None = None
) -> pd.DataFrame:
    """Lines to the threshold at each seed's time in steps, which go on; a seed that never gets there ends at 50."""
    x = np.linspace(0, END, 51)  # 10 tasks of 2,048 steps from point to point
    rows = []
    for environment in of.environments:
        for (method, n), each in arms.items():
            for seed, time in enumerate(each):
                y = 100 * x / time if np.isfinite(time) else 50 * x / END
                pace = (seconds_a_step or {}).get(method, 0.001)
                rows.append(pd.DataFrame({
                    "environment": environment, "method": method, "n_agents": n, "seed": seed, "point": range(len(x)),
                    STEPS: x, TIME: x * pace, "uploads": (x / 2048 * n).astype(int),
                    "uplink_bytes": x * n, "downlink_bytes": 3 * x * n, "eval_return_mean": y, "status": "ok",
                }))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def judged(claim: dict[str, Any], arms: dict[tuple[str, int], np.ndarray], **options: Any) -> tuple[Judgement, ...]:
    of = scenario(claim, **options.pop("of", {}))
    return judge.judge(of, frame(of, arms, **options)).parts


def pair(ratio: float, sd: float, stuck: int = 0) -> dict[tuple[str, int], np.ndarray]:
    return {("afedpg", 1): times(1e5 * ratio, sd, stuck=stuck), ("afedpg", 8): times(1e5, sd, stuck=stuck)}


@pytest.mark.parametrize(
    ("ratio", "sd", "stuck", "horizon", "expected", "reason"),
    [
        (2.0, 0.3, 0, END, "replicated", "above"),
        (1.0, 0.1, 0, END, "contradicted", "too_small"),
        (1.1, 0.02, 0, END, "contradicted", "too_small"),  # an effect for sure, and for sure too small
        (0.7, 0.1, 0, END, "contradicted", "opposite"),
        (1.15, 0.5, 0, END, "inconclusive", "open"),
        (1.0, 0.05, 8, 1.3e5, "inconclusive", "stuck"),
        (1.0, 0.05, 5, 1.3e5, "contradicted", "too_small"),  # three quarters are enough
        (30.0, 0.1, 2, 3e5, "replicated", "above"),  # no seed of the slower arm gets there
    ],
)
def test_a_direction_is_judged_by_two_tests(
    ratio: float, sd: float, stuck: int, horizon: float, expected: str, reason: str
) -> None:
    arms = pair(ratio, sd, stuck)
    (one,) = judged({**RATIO, "horizon": horizon}, arms)
    assert (one.verdict, one.reason.code) == (expected, reason)
    if horizon == END:
        assert one.effect is not None
        assert one.effect.value == pytest.approx(ratio)
        theirs = stats.ttest_ind(*(np.log(arm) for arm in arms.values()), equal_var=False, alternative="greater")
        assert one.p_above == pytest.approx(theirs.pvalue)
    assert (one.notes.seeds_to_decide is not None) == (expected == "inconclusive")


@pytest.mark.parametrize("paired", [True, False])
def test_equal_seeds_are_compared_with_each_other_where_the_claim_says_so(paired: bool) -> None:
    jitter = 1.1 ** np.where(np.arange(SEEDS) % 2, 1, -1)
    arms = {("afedpg", 1): 1.2 * times(1e5, 0.8) * jitter, ("afedpg", 8): times(1e5, 0.8)}  # far apart, but alike
    (one,) = judged({**RATIO, "paired": paired}, arms)
    slow, fast = (np.log(arm) for arm in arms.values())
    related = stats.ttest_rel(slow, fast, alternative="greater").pvalue
    independent = stats.ttest_ind(slow, fast, equal_var=False, alternative="greater").pvalue
    assert one.p_above == pytest.approx(related if paired else independent)
    assert (one.verdict, one.paired) == ("replicated" if paired else "inconclusive", paired)
    by_seed, apart = (one.effect, one.notes.other_way) if paired else (one.notes.other_way, one.effect)
    low, high = np.exp(stats.ttest_rel(slow, fast).confidence_interval(0.9875))
    assert (by_seed.value, by_seed.low, by_seed.high) == pytest.approx((1.2, low, high))
    low, high = np.exp(stats.ttest_ind(slow, fast, equal_var=False).confidence_interval(0.9875))
    assert (apart.value, apart.low, apart.high) == pytest.approx((1.2, low, high))
    told = (
        "with the arms as independent samples, 1.20 ["
        if paired
        else "seed by seed, a test that was not registered, 1.20 ["
    )
    assert told in words.evidence(one)


def test_arms_of_different_seeds_cannot_be_paired() -> None:
    arms = {("afedpg", 1): times(2e5, 0.1), ("afedpg", 8): times(1e5, 0.1)}
    of = scenario({**RATIO, "paired": True})
    shifted = frame(of, arms)
    shifted.loc[shifted["n_agents"] == 8, "seed"] += 1
    (one,) = judge.judge(of, shifted).parts
    assert (one.verdict, one.reason.code, one.notes.other_way) == ("inconclusive", "unpaired", None)
    (one,) = judge.judge(scenario(RATIO), shifted).parts
    assert (one.verdict, one.notes.other_way) == ("replicated", None)


def test_every_arm_says_how_many_of_its_seeds_got_there_and_how_far_the_others() -> None:
    (one,) = judged({**RATIO, "horizon": 200_000}, pair(1.0, 0.0, stuck=5))
    slow, fast = one.arms
    assert (slow.label, fast.label, one.part) == ("PG (N = 1)", "AFedPG, N = 8", "PG (N = 1) over AFedPG, N = 8")
    assert (slow.seeds, slow.reached, slow.missing, slow.diverged) == (20, 15, 0, 0)
    assert slow.time is not None
    assert slow.time.value == pytest.approx(1e5**0.75 * 2e5**0.25)
    assert slow.capped_area is not None
    # 15 seeds: a line to 100 at half of the horizon, which stays; 5: a line to 10
    assert slow.capped_area.value == pytest.approx(0.75 * 75 + 0.25 * 5, rel=0.01)
    assert words.arm(slow, "samples") == "PG (N = 1): > 118,921 steps per agent, 15 of 20 seeds"


@pytest.mark.parametrize(
    ("ratio", "sd", "stuck", "expected", "reason"),
    [
        (4.7, 0.1, 0, "replicated", "within"),
        (2.0, 0.3, 0, "contradicted", "outside"),
        (4.7, 0.6, 0, "inconclusive", "overlaps"),
        (4.7, 0.1, 3, "inconclusive", "censored"),
        (4.7, 0.1, 2, "inconclusive", "overlaps"),  # a tenth may be stuck
    ],
)
def test_a_number_is_judged_by_its_interval(ratio: float, sd: float, stuck: int, expected: str, reason: str) -> None:
    claim = {**RATIO, "pairs": [{"slower": ONE, "faster": EIGHT, "number": 4.72}]}
    (one,) = judged(claim, pair(ratio, sd, stuck))
    assert (one.verdict, one.reason.code, one.number) == (expected, reason, 4.72)
    assert (one.p_above, one.p_below) == (None, None)


def test_time_bytes_and_what_waiting_gives() -> None:
    arms = {("fedpg", 8): times(1e5, 0.1), ("afedpg", 8): times(1e5, 0.1)}
    claim = {**TIMES, "horizon": 1000, "pairs": [{**TIMES["pairs"][0], "number": "waiting_gain"}]}  # type: ignore[index]
    (one,) = judged(claim, arms, seconds_a_step={"fedpg": 0.003625})
    assert (one.part, one.verdict) == ("FedPG over AFedPG, N = 8", "replicated")
    assert one.number == one.notes.waiting_gain == pytest.approx(3.625)
    assert one.effect is not None
    assert one.effect.value == pytest.approx(3.625)
    claim = {**TIMES, "horizon": 1000, "pairs": [{"slower": ONE, "faster": EIGHT}]}
    (one,) = judged(claim, pair(4.7, 0.1))
    assert one.notes.waiting_gain is None  # neither waits
    for per, a_step in (("uplink_bytes", 1), ("total_bytes", 4), ("uploads", 1 / 2048)):
        (other,) = judged({**TIMES, "per": per, "horizon": END * a_step}, arms)
        assert other.arms[0].time is not None
        assert other.arms[0].time.value == pytest.approx(1e5 * a_step)  # per agent


def test_an_exponent_and_its_number() -> None:
    law = lambda b: {("afedpg", n): times(2e5 * n**-b, 0.1) for n in (1, 2, 4, 8)}  # noqa: E731
    (one,) = judged(EXPONENT, law(1.0))
    assert (one.verdict, one.unit, one.part) == ("replicated", "exponent", "AFedPG, N = 1, 2, 4, 8")
    assert one.effect is not None
    assert one.effect.value == pytest.approx(1.0)
    assert [one.verdict for one in judged(EXPONENT, law(0.5))] == ["contradicted"]
    direction = {key: value for key, value in EXPONENT.items() if key != "number"}
    found = [judged(direction, law(b))[0] for b in (0.5, 0.0, -0.5)]
    assert [(one.verdict, one.reason.code) for one in found] == [
        ("replicated", "above"), ("contradicted", "too_small"), ("contradicted", "opposite"),
    ]  # fmt: skip


def test_the_lookahead_is_compared_all_else_equal() -> None:
    arms = {("async_pg-a0.1", 8): times(2e5, 0.1), ("afedpg-a0.1", 8): times(1e5, 0.1)}
    (one,) = judged(LOOKAHEAD, arms)
    assert (one.verdict, one.part) == ("replicated", "alpha = 0.1, N = 8")
    assert one.notes.momentum_share == pytest.approx(9 / 16)
    of = scenario(LOOKAHEAD)
    methods = [method.model_dump() for method in of.methods]
    next(m for m in methods if m["name"] == "async_pg-a0.1")["server"]["step_size"] = 0.5
    other = Scenario.model_validate(of.model_dump() | {"methods": methods})
    (two,) = judge.judge(other, frame(other, arms)).parts
    assert (two.verdict, words.reason(two)) == ("inconclusive", "the two differ in server as well")


def fleets(power: float) -> tuple[Judgement, ...]:
    """FedPG is re-timed; AFedPG's times are FedPG's over the closed form to that power."""
    spread, gains = {"afedpg-r1": 1, "afedpg-r2": 2, "afedpg-r10": 10}, (1.0, 1.875, 8.875)
    pace = {name: 0.0016 * r / gain**power for (name, r), gain in zip(spread.items(), gains, strict=True)}
    arms = {(name, 8): times(1e5, 0.1) for name in ("fedpg", *spread)}
    return judged(FLEETS, arms, seconds_a_step={"fedpg": 0.0064, **pace})


def test_more_and_less_equal_fleets() -> None:
    *each, growth = fleets(1.0)
    assert [(one.part, one.verdict) for one in each] == [
        (f"t_max / t_min = {r}, N = 8", "replicated") for r in (1, 2, 10)
    ]  # fmt: skip
    assert [one.number for one in each] == pytest.approx([1, 1.875, 8.875])
    assert (growth.joint, growth.unit, growth.verdict, growth.number) == (True, "exponent", "replicated", 1)
    slow = fleets(0.5)[-1]
    assert slow.verdict == "contradicted"
    assert slow.effect is not None
    assert slow.effect.value == pytest.approx(0.5, abs=0.01)


def test_what_cannot_be_re_timed_is_inconclusive() -> None:
    arms = {(name, 8): times(1e5, 0.1) for name in ("fedpg", "afedpg-r1", "afedpg-r2", "afedpg-r10")}
    found = judged(FLEETS, arms, of={"link": {"latency_s": 1}})
    assert {(one.verdict, words.reason(one)) for one in found} == {
        ("inconclusive", "re-timing needs messages that take no time")
    }  # fmt: skip


def test_runs_that_are_missing_few_or_ended_too_early_decide_nothing() -> None:
    of = scenario(RATIO, {**RATIO, "id": "Hop", "environment": "Hopper"})
    arms = pair(2.0, 0.1)
    rows = frame(of, arms)
    cases = {
        "1 of its runs are missing": rows[(rows["n_agents"] != 8) | (rows["seed"] != 3)],
        "no run of AFedPG, N = 8 was collected": rows[rows["n_agents"] != 8],
        "2 of the runs ended before the horizon without getting to the threshold": rows[
            (rows["seed"] > 0) | (rows[STEPS] < 0.5e5)
        ],
        "1 of the runs are at the threshold before any training": rows.assign(
            eval_return_mean=rows["eval_return_mean"].where((rows["seed"] > 0) | (rows["n_agents"] != 8), 200)
        ),
    }
    for told, some in cases.items():
        one, absent = judge.judge(of, some).parts
        assert (one.verdict, words.reason(one)) == ("not run" if "no run" in told else "inconclusive", told)
        assert (one.effect is None) == ("no run" in told)
        assert (absent.verdict, absent.reason.code) == ("not run", "not_in_scenario")
    few = scenario(RATIO, seeds=4)
    (one,) = judge.judge(few, rows[rows["seed"] < 4]).parts
    assert (one.verdict, words.reason(one)) == ("inconclusive", "an arm has 4 seeds, fewer than 5")


def test_a_run_that_stopped_at_the_crossing_or_diverged_is_no_early_end() -> None:
    of = scenario(RATIO)
    rows = frame(of, pair(2.0, 0.1))
    stopped = rows[rows[STEPS] < 4e5]
    (one,) = judge.judge(of, stopped).parts
    assert one.verdict == "replicated"
    lost = (rows["seed"] == 3) & (rows["n_agents"] == 8)
    rows.loc[lost & (rows["point"] == 2), ["status", "eval_return_mean"]] = ["diverged", np.nan]
    (one,) = judge.judge(of, rows[~(lost & (rows["point"] > 2))]).parts
    assert (one.verdict, one.arms[1].reached, one.arms[1].diverged) == ("replicated", 19, 1)
    assert "1 of the runs diverged" in words.evidence(one)


def test_holm_on_the_last_axis() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    many = np.random.default_rng(0).random((50, 4)) ** 3
    assert holm(many)[7] == pytest.approx(holm(many[7]))
    for p, adjusted in zip(many, holm(many), strict=True):
        # rejected at a level are the smallest ones, as long as each is below level / number left
        for level in (0.01, 0.025, 0.2):
            order, rejected = np.argsort(p), 0
            while rejected < 4 and p[order[rejected]] <= level / (4 - rejected):
                rejected += 1
            assert set(np.flatnonzero(adjusted <= level)) == set(order[:rejected])


def test_primaries_are_corrected_among_those_of_their_task_and_family() -> None:
    claims = [
        primary("P1"), primary("P2", pairs=[{"slower": FEDPG, "faster": EIGHT}]),
        primary("P3", pairs=[{"slower": {"method": "a3c", "n_agents": 8}, "faster": EIGHT}]),
        primary("absent", pairs=[{"slower": {"method": "lapg", "n_agents": 8}, "faster": EIGHT}]),
        primary("bytes", per="uplink_bytes", family="bytes"), primary("hop", environment="Hopper"),
        {**RATIO, "id": "S"},
    ]  # fmt: skip
    of = scenario(*claims, environments=("Swimmer", "Hopper"))
    arms = pair(1.62, 0.6) | {("fedpg", 8): times(1.2e5, 0.6)}
    verdicts = judge.judge(of, frame(of, arms))
    p1, p2, p3, absent, bytes_, hop, secondary = verdicts.parts
    assert p1.p_above is not None
    assert p2.p_above is not None
    assert p1.p_above < p2.p_above
    assert p1.p_above_holm == pytest.approx(3 * p1.p_above)  # P3 has no runs and counts, absent is not in the scenario
    assert p2.p_above_holm == pytest.approx(max(2 * p2.p_above, 3 * p1.p_above))
    assert (p3.verdict, p3.p_above_holm, absent.verdict) == ("not run", None, "not run")
    assert bytes_.p_above_holm == hop.p_above_holm == pytest.approx(p1.p_above)
    assert (secondary.p_above, secondary.p_above_holm) == (p1.p_above, None)
    assert ALPHA / 3 > p1.p_above > ALPHA / 4
    assert (p1.verdict, secondary.verdict) == ("replicated", "inconclusive")  # SINGLE is ALPHA / 4
    assert words.headline(verdicts) == "5 primary claims: 3 replicated; 1 inconclusive; 1 not run."
    assert words.absent(verdicts) == "Not part of this scenario: absent."
    assert words.waiting(verdicts) == "Too many runs are missing to say anything of P3."


def test_a_primary_claim_has_one_direction() -> None:
    both = [{"slower": ONE, "faster": EIGHT}, {"slower": FEDPG, "faster": EIGHT}]
    for pairs in (both, [{"slower": ONE, "faster": EIGHT, "number": 2}]):
        with pytest.raises(ValueError, match="one part, and claims a direction"):
            Claims.model_validate({"claims": [primary("P", pairs=pairs)]})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    of = scenario(RATIO, EXPONENT | {"id": "b"})
    arms = pair(2.0, 0.3, stuck=3) | {("afedpg", n): times(1e5, 0.1) for n in (2, 4)}
    verdicts = judge.judge(of, frame(of, arms))
    verdicts.write(tmp_path)
    assert record.read(tmp_path) == verdicts
    verdict.write(verdicts, tmp_path)
    table = pd.read_csv(tmp_path / "tables/verdict.csv")
    assert list(table["verdict"]) == [one.verdict for one in verdicts.parts]
    assert list(table["ours"]) == pytest.approx([one.effect.value for one in verdicts.parts if one.effect])
    (tmp_path / JUDGED).write_text('{"scenario": 1}')
    with pytest.raises(SpecError, match="of another version: judge the claims again"):
        record.read(tmp_path)
    (tmp_path / JUDGED).unlink()
    with pytest.raises(SpecError, match="is not there: judge the claims first"):
        record.read(tmp_path)


def test_every_reason_has_its_sentence() -> None:
    """A code that the judge gives and the words do not know would be seen in a report first."""
    codes = set(words.REASONS)
    said = "".join(path.read_text(encoding="utf-8") for path in Path(judge.__file__).parent.glob("*.py"))
    for code in codes:
        assert f'"{code}"' in said.replace(f'    "{code}":', ""), code
    one = judged(RATIO, pair(2.0, 0.3))[0]
    for code in codes:
        details = {"arms": "x", "missing": 1, "seeds": 1, "least": 5, "runs": 1, "settings": "x", "why": "x"}
        told = one.model_copy(update={"reason": record.Reason(code=code, details=details)})
        assert "{" not in words.reason(told)


def test_nothing_to_judge_is_said() -> None:
    assert words.headline(Verdicts(scenario="x", level=0.9, alpha=0.1, parts=())).startswith("No claim can be judged")


@pytest.mark.parametrize(("bend", "told"), [(1.0, "a power law fits"), (3.0, "a power law does not fit")])
def test_an_exponent_says_whether_a_power_law_fits(bend: float, told: str) -> None:
    rng = np.random.default_rng(0)
    centres = {1: 4e5, 2: 2e5 * bend, 4: 1e5, 8: 5e4}
    arms = {("afedpg", n): c * np.exp(rng.normal(0, 0.4, SEEDS)) for n, c in centres.items()}
    (one,) = judged(EXPONENT, arms)
    logs = [np.log(arm) for arm in arms.values()]
    mean, var = np.array([x.mean() for x in logs]), np.array([x.var(ddof=1) / SEEDS for x in logs])
    line = np.stack([np.ones(4), np.log([1, 2, 4, 8])], 1)
    hat = line @ np.linalg.inv(line.T @ (line / var[:, None])) @ (line / var[:, None]).T  # generalised least squares
    assert one.notes.lack_of_fit == pytest.approx(stats.chi2.sf((((mean - hat @ mean) ** 2) / var).sum(), 2))
    assert told in words.evidence(one)
