"""Runs through the face: chosen, joined, compared as the judge does; loud where they cannot be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import synthetic

import frl
from frl.analysis.curves import STEPS, STOP_AT, TIME
from frl.analysis.load import read_curves
from frl.face import reading
from frl.face.facts import Facts
from frl.runs.provenance import SRC
from frl.scenario.loading import load_scenario
from frl.scenario.scenario import Scenario
from frl.training.numerics import NUMERICS_VERSION

PUBLISHED = SRC.parent / "results" / "published"
NAMES = sorted(path.parent.name for path in PUBLISHED.glob("*/runs.csv"))
SEEDS = (0, 1, 2, 3, 4)
mpl.use("Agg")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return synthetic.scenario(seeds=SEEDS, methods={"afedpg": (1, 4), "fedpg": (4,)})


@pytest.fixture(scope="module")
def runs(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> frl.Runs:
    results = tmp_path_factory.mktemp("results")
    synthetic.write_all(results, scenario)
    return frl.runs(results / scenario.name)


def changed(runs: frl.Runs, method: str, change: Callable[[Facts], Facts]) -> frl.Runs:
    """The runs, with what is known of one method's changed."""
    return frl.Runs(runs.frame, tuple(change(one) if one.cell[1] == method else one for one in runs.facts))


def setting(key: str, value: Any) -> Callable[[Facts], Facts]:
    """A change of one setting, by its dotted name."""
    first, _, second = key.partition(".")

    def change(one: Facts) -> Facts:
        old = one.settings or {}
        return replace(one, settings={**old, first: {**old[first], second: value} if second else value})

    return change


# --------------------------------------------------------------------------------------------------
# Reading


@pytest.mark.parametrize("name", NAMES)
def test_published_runs_are_the_published_curves(name: str) -> None:
    found = frl.published(name)
    kept = read_curves(PUBLISHED / name).drop(columns=STOP_AT)
    pd.testing.assert_frame_equal(found.frame.drop(columns=STOP_AT), kept)
    index = pd.read_csv(PUBLISHED / name / "runs.csv")
    assert len(found) == len(index)
    assert {one.instructions for one in found.facts} == set(index["cpu_capability"])
    pd.testing.assert_frame_equal(frl.runs(PUBLISHED / name).frame, found.frame)


def test_an_unknown_name_and_absent_data_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(frl.RunsError, match=f"'postre': there are {', '.join(NAMES)}"):
        frl.published("postre")
    monkeypatch.setattr(reading, "PUBLISHED", (tmp_path,))
    with pytest.raises(frl.RunsError, match=r"no published runs in .*clone the repository"):
        frl.published(NAMES[0])


def test_a_results_folder_holds_what_was_written(runs: frl.Runs, scenario: Scenario) -> None:
    identity = ["environment", "method", "n_agents", "seed", "point"]
    mine, theirs = (frame.sort_values(identity, ignore_index=True) for frame in (runs.frame, synthetic.frame(scenario)))
    pd.testing.assert_frame_equal(mine[[*identity, STEPS, TIME, "eval_return_mean"]],
                                  theirs[[*identity, STEPS, TIME, "eval_return_mean"]])  # fmt: skip
    assert len(runs) == 15
    assert repr(runs).splitlines()[1] == "  afedpg (N = 1, Swimmer): seeds 0–4"


def test_damaged_runs_and_wrong_places_are_refused(scenario: Scenario, tmp_path: Path) -> None:
    synthetic.write_all(tmp_path, scenario)
    file = synthetic.run_path(tmp_path, scenario, next(scenario.runs()))
    with pytest.raises(frl.RunsError, match=r"is a file.*frl\.from_csv"):
        frl.runs(file)
    file.write_text(file.read_text(encoding="utf-8").replace("0.0", "0.5", 1), encoding="utf-8")
    with pytest.raises(frl.RunsError, match=r"n1/seed0\.csv: its content does not match its checksum"):
        frl.runs(tmp_path / scenario.name)
    file.unlink()
    with pytest.raises(frl.RunsError, match=r"n1/seed0\.csv: cannot be read: No such file"):
        frl.runs(tmp_path / scenario.name)


def test_a_folder_of_runs_may_be_the_current_one(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.write_all(tmp_path, scenario)
    monkeypatch.chdir(tmp_path / scenario.name / "runs" / "Swimmer" / "fedpg" / "n4")
    assert frl.runs(".").cells == (("Swimmer", "fedpg", 4),)


def test_a_scenario_is_trained_and_read(tmp_path: Path) -> None:
    text = (SRC.parent / "tests/workflow/tiny.yaml").read_text(encoding="utf-8")
    (tmp_path / "tiny.yaml").write_text(text, encoding="utf-8")
    tiny = load_scenario(tmp_path / "tiny.yaml")
    made = frl.train(next(tiny.runs()), tmp_path / "results", name="one")
    assert made.cells == (made.facts[0].cell,)
    assert made.facts[0].settings == json.loads(next(tiny.runs()).to_json())
    pd.testing.assert_frame_equal(frl.runs(tmp_path / "results" / "one").frame, made.frame)


# --------------------------------------------------------------------------------------------------
# Choosing and joining


def test_select_keeps_what_was_asked_for(runs: frl.Runs) -> None:
    found = runs.select(method="afedpg", n_agents=[4], seeds=(3, 1))
    assert found.cells == (("Swimmer", "afedpg", 4),)
    assert {one.seed for one in found.facts} == set(found.frame["seed"]) == {1, 3}
    assert set(found.frame["n_agents"]) == {4}
    assert len(runs.select(environment="Swimmer")) == 15
    assert runs.select(n_agents=np.float64(4.0)).cells == runs.select(n_agents=4).cells  # as pandas gives them


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"method": "a3c"}, "method = 'a3c': there are afedpg, fedpg"),
        ({"n_agents": 2}, "n_agents = 2: there are 1, 4"),
        ({"n_agents": 4.5}, r"n_agents = 4\.5: there are 1, 4"),
        ({"method": 4}, "method = 4: there are afedpg, fedpg"),
        ({"environment": "Hopper"}, "environment = 'Hopper': there are Swimmer"),
        ({"seeds": range(6)}, "seeds = 5: there are 0, 1, 2, 3, 4"),
        ({"method": "fedpg", "n_agents": 1}, r"no run matches all of these: there are afedpg \(N = 1, Swimmer\)"),
    ],
)
def test_what_is_not_there_is_named(runs: frl.Runs, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(frl.RunsError, match=message):
        runs.select(**chosen)


def test_one_name_stands_for_one_thing(runs: frl.Runs) -> None:
    with pytest.raises(frl.RunsError, match="seed 0 is there twice"):
        runs + runs
    other = changed(runs.select(seeds=0), "afedpg", setting("server.step_size", 0.5))
    with pytest.raises(frl.RunsError, match=r"differ in server\.step_size \(0\.02, 0\.5\).*rename"):
        runs.select(seeds=1) + other
    both = runs.select(method="afedpg") + other.select(method="afedpg").rename({"afedpg": "mine"})
    assert [cell[1] for cell in both.cells] == ["afedpg", "afedpg", "mine", "mine"]
    assert set(both.frame["method"]) == {"afedpg", "mine"}
    with pytest.raises(frl.RunsError, match="method = 'fedpg': there are afedpg, mine"):
        both.rename({"fedpg": "x"})
    with pytest.raises(frl.RunsError, match="seed 0 is there twice"):
        both.rename({"mine": "afedpg"})
    with pytest.raises(frl.RunsError, match="method = '': a method needs a name"):
        both.rename({"mine": ""})


# --------------------------------------------------------------------------------------------------
# Comparing


@pytest.mark.parametrize(
    ("per", "horizon"),
    [("samples", 60_000), ("time", 100), ("uploads", 30), ("uplink_bytes", 5e5), ("total_bytes", 1e6)],
)
def test_the_judge_says_the_same(runs: frl.Runs, per: Any, horizon: float) -> None:
    """Of the same runs, claim for claim."""
    pairs = [(("fedpg", 4), ("afedpg", 4)), (("afedpg", 1), ("afedpg", 4))]
    sides = [[{"method": method, "n_agents": n} for method, n in pair] for pair in pairs]
    claim = {
        "id": "J", "title": "Sooner", "statement": "It is sooner.", "source": "here", "environment": "Swimmer",
        "role": "exploratory", "test": "ratio", "per": per, "threshold": 60, "horizon": horizon, "margin": 1.25,
        "pairs": [{"slower": slower, "faster": faster} for slower, faster in sides],
    }  # fmt: skip
    claimed = synthetic.scenario(seeds=SEEDS, methods={"afedpg": (1, 4), "fedpg": (4,)}, claims={"claims": [claim]})
    judged = frl.judge(claimed, runs.frame).parts
    assert len(judged) == 2
    for (a, b), part in zip(pairs, judged, strict=True):
        assert part.effect is not None
        assert part.measured is not None
        bound = part.measured.relation != "="
        with pytest.warns(frl.ComparabilityWarning, match="bound") if bound else nullcontext():
            found = runs.compare(a, b, by=per, level=60, horizon=horizon)
        assert found.relation == part.measured.relation
        assert (found.ratio, found.low, found.high) == (part.effect.value, part.effect.low, part.effect.high)
        assert found.reached == tuple(arm.reached for arm in part.arms)
        assert found.low < found.ratio < found.high


def table(times: dict[str, list[float]], end: float = 1000.0, top: float = 10.0) -> pd.DataFrame:
    """A CSV of runs that rise from 0 to `top` and stay, each at its time (beyond `end`: never)."""
    rows = []
    for method, seeds in times.items():
        for seed, time in enumerate(seeds):
            for x in (0.0, time, time + 1, end):
                if x <= end:
                    value = top if x >= time else 0.0
                    rows.append({"method": method, "seed": seed, "samples": x, "time": 2 * x, "return": value})
    return pd.DataFrame(rows)


def own(folder: Path, times: dict[str, list[float]], **more: Any) -> frl.Runs:
    path = folder / "own.csv"
    table(times, **more).to_csv(path, index=False)
    return frl.from_csv(path, environment="Swimmer", n_agents=4)


@pytest.mark.filterwarnings("ignore::frl.face.facts.ComparabilityWarning")
def test_times_are_restricted_geometric_means(tmp_path: Path) -> None:
    runs = own(tmp_path, {"a": [100, 400, 100, 400, 2000], "b": [50, 200, 50, 200, 800]})
    found = runs.samples_to(10).set_index("method")
    assert found.loc["a", "samples"] == pytest.approx((100 * 400 * 100 * 400 * 1000) ** 0.2)  # never: the horizon
    assert found.loc["b", "samples"] == pytest.approx((50 * 200 * 50 * 200 * 800) ** 0.2)
    assert list(found["reached"]) == [4, 5]
    assert list(found["horizon"]) == [1000, 1000]
    assert runs.time_to(10).set_index("method").loc["a", "time"] == pytest.approx(2 * found.loc["a", "samples"])
    ratio_ = runs.compare("a", "b", level=10)
    assert ratio_.ratio == pytest.approx(found.loc["a", "samples"] / found.loc["b", "samples"])
    assert ratio_.reached == (4, 5)
    assert runs.compare("a", "b", level=10, horizon=500).reached == (4, 4)
    assert runs.compare("b", "a", level=10).ratio == pytest.approx(1 / ratio_.ratio)
    with pytest.raises(frl.RunsError, match="horizon = 1500: must be above 0 and at most 1000, where a run ends"):
        runs.compare("a", "b", level=10, horizon=1500)


@pytest.mark.parametrize(
    ("change", "by", "message"),
    [
        (
            setting("fleet.ratio", 8.0),
            "time",
            r"not comparable by time: the runs differ in fleet\.ratio \(8\.0, 4\.0\)",
        ),
        (setting("link.latency_s", 0.1), "time", r"link\.latency_s"),
        (setting("env_version", "v5"), "samples", r"env_version \(v5, v4\)"),
    ],
)
def test_other_clocks_and_tasks_are_refused(
    runs: frl.Runs, change: Callable[[Facts], Facts], by: Any, message: str
) -> None:
    with pytest.raises(frl.RunsError, match=message):
        changed(runs, "fedpg", change).compare("fedpg", ("afedpg", 4), level=60, by=by)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting("estimator.name", "reinforce"), r"estimator\.name \(reinforce, gae\)"),
        (setting("critic.memory", 9), r"critic\.memory \(9, 0\.8\)"),
        (setting("sampling.lanes", 9), r"sampling\.lanes \(9, 64\)"),
        (setting("steps_per_agent", 9), r"steps_per_agent \(9, 100000\)"),
        (setting("of_a_later_version", 9), r"of_a_later_version \(9, absent\)"),
        (lambda one: replace(one, numerics_version=9), f"different versions of the learner: {NUMERICS_VERSION}, 9"),
        (lambda one: replace(one, instructions="AVX512"), "different vector instructions: AVX2, AVX512"),
        (lambda one: replace(one, settings=None), "the settings behind .* are not known"),
    ],
)
def test_whatever_else_differs_is_named(runs: frl.Runs, change: Callable[[Facts], Facts], message: str) -> None:
    with pytest.warns(frl.ComparabilityWarning, match=message) as caught:
        changed(runs, "fedpg", change).compare("fedpg", ("afedpg", 4), level=60)
    assert [Path(one.filename) for one in caught] == [Path(__file__)]  # it points at the line that asked


def test_methods_may_have_settings_of_their_own(runs: frl.Runs) -> None:
    """No warning, which the tests would turn into an error: step size, and by samples the clock."""
    mine = changed(changed(runs, "fedpg", setting("server.step_size", 0.5)), "fedpg", setting("fleet.ratio", 8.0))
    assert mine.compare("fedpg", ("afedpg", 4), level=60).ratio > 0


def stopping(runs: frl.Runs, seeds: tuple[int, ...], method: str = "fedpg") -> frl.Runs:
    """The runs, these seeds of one method set to stop at 50."""
    stop = setting("stop_at", 50.0)
    return changed(runs, method, lambda one: stop(one) if one.seed in seeds else one)


def test_a_level_that_runs_stop_below_is_asked_of_those_that_go_on(runs: frl.Runs) -> None:
    """The runs that were set to stop are left out together, those too that never got there and went on."""
    left_out = r"level = 60: 2 of 5 runs of fedpg \(N = 4, Swimmer\) were set to stop at a return of 50 \(stop_at\)"
    rest = (1, 3, 4)
    some = runs.select(method="fedpg", seeds=rest) + runs.select(method="afedpg")
    for ask in (lambda these: these.samples_to(60), lambda these: these.compare("fedpg", ("afedpg", 4), level=60)):
        with pytest.warns(frl.ComparabilityWarning, match="3 seeds, fewer than 5"):
            expected = ask(some)
        with pytest.warns(frl.ComparabilityWarning) as caught:
            found = ask(stopping(runs, (0, 2)))
        assert any(re.match(left_out + ": the other 3 count", str(one.message)) for one in caught)
        if isinstance(found, pd.DataFrame):
            order = ["method", "n_agents"]
            pd.testing.assert_frame_equal(*(t.sort_values(order, ignore_index=True) for t in (found, expected)))
        else:
            assert found == expected
    assert runs.samples_to(50).equals(stopping(runs, (0, 2)).samples_to(50))  # no warning: they got there


def test_a_level_that_all_runs_stop_below_is_refused(runs: frl.Runs) -> None:
    message = (
        r"level = 60: all runs of fedpg \(N = 4, Swimmer\) were set to stop at a return of 50 \(stop_at\): "
        "no higher level can be asked of them"
    )
    stopped = stopping(runs, SEEDS)
    for ask in (lambda: stopped.time_to(60), lambda: stopped.compare("fedpg", ("afedpg", 4), level=60)):
        with pytest.raises(frl.RunsError, match=message):
            ask()


def test_runs_that_are_compared_with_themselves_are_named(runs: frl.Runs) -> None:
    twin = runs.select(method="fedpg").rename({"fedpg": "twin"})
    part = twin.select(seeds=(1, 3, 4))
    same = r"fedpg \(N = 4, Swimmer\) and twin \(N = 4, Swimmer\) have the same settings: "
    for some, other, message in (
        (runs, twin, r"equal seeds \(0–4\) are the same runs"),
        (runs.select(seeds=(0, 1, 3)), stopping(part, (3,), "twin"), r"equal seeds \(1, 3\) are the same runs"),
        (runs.select(seeds=(0, 1)), part.select(seeds=(3, 4)), "only their seeds differ"),
    ):
        with pytest.warns(frl.ComparabilityWarning) as caught:
            some.compare("fedpg", other, level=50)
        said = [str(one.message) for one in caught]
        assert any(re.match(same + message, one) for one in said), said


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"confidence": 95}, r"confidence = 95: must be a number between 0 and 1, as 0\.95"),
        ({"confidence": 1.0}, r"confidence = 1\.0: must be a number between 0 and 1"),
        ({"confidence": 0}, "confidence = 0: must be a number between 0 and 1"),
        ({"confidence": "0.95"}, r"confidence = '0\.95': must be"),
        ({"confidence": float("nan")}, "confidence = nan: must be"),
        ({"horizon": -1}, "horizon = -1: must be a number above 0"),
        ({"horizon": "100"}, "horizon = '100': must be a number above 0"),
        ({"level": "60"}, "level = '60': must be a number, the return to reach"),
        ({"level": True}, "level = True: must be a number"),
    ],
)
def test_what_is_asked_must_be_a_number_that_it_can_be(runs: frl.Runs, given: dict[str, Any], message: str) -> None:
    asked = {"level": 60, **given}
    for ask in (
        lambda: runs.compare("fedpg", ("afedpg", 4), **asked),
        lambda: runs.samples_to(**asked),
        lambda: runs.time_to(**asked),
    ):
        with pytest.raises(frl.RunsError, match=message):
            ask()
    assert runs.samples_to(np.int64(60)).equals(runs.samples_to(60))  # as numpy gives them


def test_nothing_is_nan_in_silence(runs: frl.Runs, tmp_path: Path) -> None:
    with pytest.raises(
        frl.RunsError, match=r"level = 1000: neither got there: no seed of fedpg .* or afedpg .* within"
    ):
        runs.compare("fedpg", ("afedpg", 4), level=1000)
    with pytest.raises(frl.RunsError, match=r"level = -50: fedpg .* is there at its first evaluation"):
        runs.compare("fedpg", ("afedpg", 4), level=-50)
    with pytest.raises(frl.RunsError, match="level = nan: must be a number"):
        runs.time_to(float("nan"))
    with pytest.warns(frl.ComparabilityWarning, match=r"fedpg .* has 1 seed, without any interval"):
        assert np.isnan(runs.select(seeds=0).compare("fedpg", ("afedpg", 4), level=60).low)
    with pytest.warns(frl.ComparabilityWarning, match="has 3 seeds, fewer than 5: its interval is rough"):
        runs.select(seeds=(0, 1, 2)).samples_to(60)
    with pytest.warns(frl.ComparabilityWarning, match="took equally long: there is no interval"):
        own(tmp_path, {"a": [100.0] * 5, "b": [50.0] * 5}).compare("a", "b", level=10)
    with pytest.warns(
        frl.ComparabilityWarning, match="0 of 5 seeds of a .* get to 10 within 1,000 steps: .* lower bound"
    ):
        found = own(tmp_path, {"a": [2000.0] * 5, "b": [50.0, 60, 70, 80, 90]}).compare("a", "b", level=10)
    assert found.relation == ">"
    assert "takes > " in str(found)


def test_a_run_that_diverged_never_gets_there(scenario: Scenario, tmp_path: Path) -> None:
    """It ends early, and the horizon stays where the others end."""
    diverging = tuple(f"Swimmer/fedpg/n4/seed{seed}" for seed in (0, 1))
    synthetic.write_all(tmp_path, scenario, diverging)
    found = frl.runs(tmp_path / scenario.name).samples_to(100).set_index(["method", "n_agents"])
    assert found.loc[("fedpg", 4), "reached"] == 3
    assert found["horizon"].nunique() == 1
    assert found["horizon"].iloc[0] > 0.9 * synthetic.STEPS


@pytest.mark.parametrize(
    ("a", "b", "by", "message"),
    [
        (
            "fedpg",
            "afedpg",
            "samples",
            r"b must be one method and N, not afedpg \(N = 1, Swimmer\), afedpg \(N = 4, Swimmer\)",
        ),
        (("fedpg",), ("afedpg", 4), "samples", r"a = \('fedpg',\): must be a method's name, \(name, N\), or runs"),
        ("fedpg", ("fedpg", 4), "samples", r"a and b are both fedpg \(N = 4, Swimmer\)"),
        ("fedpg", ("afedpg", 4), "epochs", "by = 'epochs': allowed are samples, time, uploads"),
        ("lapg", "fedpg", "samples", "method = 'lapg': there are afedpg, fedpg"),
    ],
)
def test_what_cannot_be_compared_is_said(runs: frl.Runs, a: Any, b: Any, by: Any, message: str) -> None:
    with pytest.raises(frl.RunsError, match=message):
        runs.compare(a, b, level=60, by=by)


def test_two_environments_are_never_mixed(tmp_path: Path) -> None:
    of = synthetic.scenario(("Hopper", "Swimmer"), seeds=(0,), methods={"lapg": (4,)}, claims=None)
    synthetic.write_all(tmp_path, of)
    both = frl.runs(tmp_path / of.name)
    for ask in (both.plot, lambda: both.samples_to(20)):
        with pytest.raises(frl.RunsError, match=r"one environment at a time.*(Hopper, Swimmer|Swimmer, Hopper)"):
            ask()


# --------------------------------------------------------------------------------------------------
# Drawing


@pytest.mark.parametrize("by", ["samples", "time", "uploads", "uplink_bytes", "total_bytes"])
def test_every_axis_is_drawn(runs: frl.Runs, by: Any) -> None:
    ax = runs.plot(by)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["PG (N = 1), 5 seeds", "AFedPG, N = 4, 5 seeds", "FedPG, N = 4, 5 seeds"]
    assert len(ax.get_lines()) == 3 * (5 + 1)
    ends = {"uploads": "uploads", "uplink_bytes": "uplink_bytes"}
    if by in ends:  # per agent
        one = runs.frame[(runs.frame["method"] == "fedpg") & (runs.frame["seed"] == 0)]
        assert ax.get_lines()[12].get_xdata()[-1] == one[ends[by]].max() / 4
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.get_lines() if line.get_linewidth() == 2}
    assert len(looks) == 3
    assert runs.plot(by, ax=ax) is ax
    mpl.pyplot.close(ax.figure)


# --------------------------------------------------------------------------------------------------
# Tables of other code bases


def test_a_table_of_another_code_base_joins(runs: frl.Runs, tmp_path: Path) -> None:
    other = own(tmp_path, {"mine": [100.0, 200, 300, 400, 500]}, top=100.0)
    both = runs.select(n_agents=4) + other
    with pytest.warns(frl.ComparabilityWarning, match=r"the settings behind .*own\.csv are not known"):
        found = both.compare("afedpg", "mine", level=60, by="time")
    assert found.reached == (5, 5)
    with pytest.raises(frl.RunsError, match=r"by = 'uploads': the runs of mine .* have no column uploads"), \
         pytest.warns(frl.ComparabilityWarning):  # fmt: skip
        both.plot("uploads")
    with pytest.raises(frl.RunsError, match="runs under one name that differ in source"):
        runs.select(seeds=0) + other.rename({"mine": "afedpg"}).select(seeds=1)


@pytest.mark.parametrize(
    ("edit", "given", "message"),
    [
        (lambda t: t.drop(columns="return"), {}, "no column return; there are method, seed, samples, time"),
        (lambda t: t, {"environment": None}, "no column environment, and no environment was given"),
        (
            lambda t: t.rename(columns={"seed": "Seed", "return": "ret"}),
            {"environment": None, "n_agents": None},
            "no column seed, return, environment, n_agents, and no environment and no n_agents was given; there are me",
        ),
        (lambda t: t.assign(n_agents=4), {}, "n_agents = 4 is given, but the table has a column of this name"),
        (
            lambda t: t.astype({"samples": "str"}).replace({"samples": {"100.0": "1e2x"}}),
            {},
            "line 3: samples = '1e2x'",
        ),
        (lambda t: t.assign(seed=0.5), {}, "line 2: seed = '0.5': must be a whole number, not negative"),
        (lambda t: t.assign(**{"return": np.nan}), {}, "line 2: return = ''"),
        (lambda t: t, {"n_agents": 0}, r"own\.csv: n_agents = '0': must be a whole number of at least 1"),
        (lambda t: t.assign(n_agents=0), {"n_agents": None}, r"line 2: n_agents = '0': must be a whole number of at l"),
        (lambda t: t.assign(method=["mine", " ", "mine", "mine"]), {}, "line 3: method is empty: it needs a name"),
        (lambda t: t, {"environment": ""}, r"own\.csv: environment is empty: it needs a name"),
        (lambda t: pd.concat([t, t]), {}, "mine, N = 4, seed 0: two rows at samples = 0"),
        (lambda t: t.iloc[:0], {}, "no row below the header"),
    ],
)
def test_a_table_with_a_mistake_is_refused(
    tmp_path: Path, edit: Callable[[pd.DataFrame], pd.DataFrame], given: dict[str, Any], message: str
) -> None:
    path = tmp_path / "own.csv"
    edit(table({"mine": [100.0]})).to_csv(path, index=False)
    with pytest.raises(frl.RunsError, match=message):
        frl.from_csv(path, **{"environment": "Swimmer", "n_agents": 4, **given})


def test_an_environment_of_ones_own_is_read_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    table({"mine": [100.0]}).to_csv(path, index=False)
    known = r"environment = 'Pendulum': this project's are Swimmer, Hopper, .*"
    with pytest.warns(frl.ComparabilityWarning, match=known):
        assert frl.from_csv(path, environment="Pendulum", n_agents=4).cells == (("Pendulum", "mine", 4),)


@pytest.mark.parametrize(
    "chosen", [{"method": "afedpg"}, {"n_agents": 4}, {}], ids=["several N", "several methods", "both"]
)
def test_colours_tell_curves_apart(runs: frl.Runs, chosen: dict[str, Any]) -> None:
    """Not the dashes alone."""
    some = runs.select(**chosen)
    lines = [line for line in some.plot("samples").get_lines() if line.get_linewidth() == 2]
    assert len({line.get_color() for line in lines}) == len(lines) == len(some.cells)


def test_the_axis_of_time_says_whose_it_is(runs: frl.Runs, tmp_path: Path) -> None:
    """Simulated, the wall's of a real engine, or neither where that is not known."""
    assert runs.plot("time").get_xlabel() == "simulated time (s)"
    real = tuple(replace(one, settings={**(one.settings or {}), "engine": {"kind": "processes"}}) for one in runs.facts)
    by_the_wall = replace(runs, facts=real)
    assert by_the_wall.plot("time").get_xlabel() == "wall time (s)"
    assert "times the wall time of" in str(by_the_wall.compare("fedpg", ("afedpg", 4), by="time", level=60))
    assert own(tmp_path, {"a": [100.0, 150.0]}).plot("time").get_xlabel() == "time (s)"
