"""Trials: one row a run with what was tried, kept in one file over many calls, and ranked by mean return."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
import yaml

from frl.analysis import load
from frl.analysis.curves import STEPS
from frl.analysis.poster import distance, poster_curve
from frl.cli import main
from frl.report import trials
from frl.scenario.loading import load_scenario
from frl.scenario.scenario import Scenario


def scenario(*steps: float, seeds: tuple[int, ...] = (1000, 1001)) -> Scenario:
    methods = [
        {"name": f"afedpg-{s}", "algorithm": "afedpg", "n_agents": [2, 4], "server": {"step_size": s}} for s in steps
    ]
    methods.append({"algorithm": "a3c", "n_agents": [4], "server": {"max_gradient_norm": None}})
    return synthetic.scenario(methods=methods, seeds=seeds, claims=None)


def test_a_row_has_what_differs_and_the_mean_return_over_time() -> None:
    of = scenario(0.01, 0.1)
    frame = synthetic.frame(of)
    table = trials.tried(of, frame)
    assert list(table) == [*trials.CELL, "seed", "server.step_size", trials.SHARED, *trials.MEASURED]
    assert len(table) == 2 * 2 * 2 + 2
    assert set(table["server.step_size"]) == {"0.01", "0.1", ""}  # A3C has no such setting
    rows = frame[(frame["method"] == "afedpg-0.1") & (frame["n_agents"] == 4) & (frame["seed"] == 1001)]
    x, y = rows["sim_time_s"].to_numpy(), rows["eval_return_mean"].to_numpy()
    (one,) = table[(table["server.step_size"] == "0.1") & (table["n_agents"] == "4") & (table["seed"] == "1001")].iloc
    assert float(one["mean_return_over_sim_time"]) == pytest.approx(np.trapezoid(y, x) / x[-1], abs=0.05)
    tenths = [float(text) for text in one["returns_at_tenths"].split()]
    assert len(tenths) == 10
    assert tenths[-1] == round(y[-1])


def test_the_best_mean_comes_first_and_what_diverged_last() -> None:
    of = scenario(0.01, 0.1, 1.0)
    frame = synthetic.frame(of)
    gain = frame["method"].map({"afedpg-0.01": 0.0, "afedpg-0.1": 50.0, "afedpg-1.0": 90.0, "a3c": 0.0})
    frame["eval_return_mean"] += gain
    lost = (frame["method"] == "afedpg-1.0") & (frame["seed"] == 1000) & (frame["n_agents"] == 4)
    frame.loc[lost & (frame["point"] == 10), ["status", "eval_return_mean"]] = ["diverged", np.nan]
    table = trials.tried(of, frame[~(lost & (frame["point"] > 10))])
    lines = trials.ranking(table)
    start = lines.index("Swimmer, afedpg, N = 4")
    assert [line.split()[1:] for line in lines[start + 2 : start + 5]] == [
        ["2", "server.step_size", "0.1"],
        ["2", "server.step_size", "0.01"],
        ["2", "server.step_size", "1.0", "(diverged)"],
    ]
    whole = lines.index("Swimmer, afedpg, N = 2")
    assert lines[whole + 2].split()[2:] == ["server.step_size", "1.0"]
    assert lines[lines.index("Swimmer, a3c, N = 4") + 2].endswith("the only ones")


def test_a_file_keeps_what_earlier_calls_found(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    first, more = scenario(0.01, 0.1), scenario(0.01, 0.1, seeds=(1001, 1002))
    before = trials.keep(trials.tried(first, synthetic.frame(first)), path)
    after = trials.keep(trials.tried(more, synthetic.frame(more)), path)
    assert (len(before), len(after)) == (10, 15)  # seed 1001 is replaced
    pd.testing.assert_frame_equal(after, pd.read_csv(path, dtype=str, keep_default_na=False))
    again = trials.keep(trials.tried(more, synthetic.frame(more)), path)
    assert sorted(map(tuple, again.to_numpy())) == sorted(map(tuple, after.to_numpy()))
    elsewhere = first.model_copy(update={"run": {**first.run, "env_version": "v5"}})
    both = trials.keep(trials.tried(elsewhere, synthetic.frame(elsewhere)), path)
    assert len(both) == 25  # a shared setting differs: other runs
    lines = trials.ranking(both)
    assert lines[lines.index("Swimmer, afedpg, N = 2") + 2].count("shared_settings") == 1
    other = synthetic.scenario(claims=None)
    with pytest.raises(load.DataError, match=r"its columns are not those of this scenario \(server\.step_size\)"):
        trials.keep(trials.tried(other, synthetic.frame(other)), path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"a,b\n1,2\n", b"a\n1,2,3\n1\n"], ids=["nothing", "bytes", "other", "odd"]
)
def test_a_file_that_is_no_csv_of_trials_is_refused_and_stays(tmp_path: Path, content: bytes, capsys) -> None:
    (tmp_path / "mine.csv").write_bytes(content)
    config = Path(__file__).parents[2] / "config/quick.yaml"
    assert main(["trials", str(config), "--results", str(tmp_path), "--keep", str(tmp_path / "mine.csv")]) == 2
    assert "mine.csv: not a CSV of trials: " in capsys.readouterr().err
    assert (tmp_path / "mine.csv").read_bytes() == content


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "toy.yaml"
    data = scenario(0.01, 0.1).model_dump(mode="json", exclude_none=True)
    file.write_text(yaml.safe_dump(data | {"trials": ""}))
    of = load_scenario(file)
    synthetic.write_all(tmp_path, of)
    where = ["--results", str(tmp_path), "--keep", str(tmp_path / "trials.csv")]
    assert main(["trials", str(file), *where]) == 2
    assert "is not there; run `frl collect SCENARIO.yaml`" in capsys.readouterr().err
    assert main(["collect", str(file), *where[:2]]) == 0
    assert main(["trials", str(file), *where]) == 0
    assert "Swimmer, afedpg, N = 2\n  return  seeds  settings\n" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "trials.csv")) == 10
    file.write_text(yaml.safe_dump(data | {"trials": "trials.csv"}))
    assert load_scenario(file).trials.startswith(
        "environment,algorithm,n_agents,seed,server.step_size,shared_settings,"
    )
    (tmp_path / "toy" / "curves.csv").unlink()
    assert main(["trials", str(file), *where]) == 0  # ranks the file alone
    assert "Swimmer, a3c, N = 4" in capsys.readouterr().out


# --------------------------------------------------------------------------------------------------
# What swimmer.yaml and best.yaml chose from their trials

CONFIG = Path(__file__).parents[2] / "config"


def tried(
    algorithm: str, n_agents: int, seeds: int, name: str = "swimmer"
) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """The settings of a method that were tried with at least so many seeds, each with its rows."""
    table = trials.kept(CONFIG / f"trials-{name}.csv")
    rows = table[(table["algorithm"] == algorithm) & (table["n_agents"] == str(n_agents))]
    names = [name for name in rows if name not in (*trials.CELL, "seed", trials.SHARED, *trials.MEASURED)]
    groups = [(dict(zip(names, key, strict=True)), group) for key, group in rows.groupby(names, sort=False)]
    return [(settings, group) for settings, group in groups if len(group) >= seeds]


def mean_return(rows: pd.DataFrame) -> float:
    return float(rows["mean_return_over_sim_time"].astype(float).mean())


def assert_chosen(method: str, n_agents: int, settings: dict[str, str], name: str = "swimmer") -> None:
    """Every setting that was varied in the trials, but for budget and evaluations, has this value in the scenario."""
    ours = trials.settings_of(load_scenario(CONFIG / f"{name}.yaml").resolve("Swimmer", method, n_agents, 0))
    for key in settings.keys() - {"steps_per_agent", "evaluation.points"}:
        assert ours.get(key, "") == settings[key], (method, n_agents, key)


def test_the_sample_figures_settings_are_the_closest_to_the_posters_curve_of_one_agent() -> None:
    curve = poster_curve("Swimmer", "afedpg", 1, STEPS)
    assert curve is not None
    found = []
    for settings, rows in tried("afedpg", 1, seeds=6):
        returns_ST = np.array([text.split() for text in rows["returns_at_tenths"]], dtype=np.float64)
        found.append((distance(returns_ST, curve, float(settings["steps_per_agent"])).mean(), settings))
    found.sort(key=lambda pair: pair[0])
    assert found[0][0] == pytest.approx(24.9, abs=0.05)  # as results/published/README.md says
    assert len(found) == 6
    for n in (1, 2, 4, 8):
        assert_chosen("afedpg", n, found[0][1])


@pytest.mark.parametrize("n_agents", [4, 8])
@pytest.mark.parametrize("method", ["afedpg-time", "fedpg", "async_pg", "a3c"])
def test_the_time_figures_settings_are_each_methods_best(method: str, n_agents: int) -> None:
    found = tried(method.removesuffix("-time"), n_agents, seeds=3)
    means = [mean_return(rows) for _, rows in found]
    assert len(means) > 1
    assert_chosen(method, n_agents, found[int(np.argmax(means))][0])


@pytest.mark.parametrize("alpha", ["0.1", "0.2", "0.5"])
def test_the_lookaheads_pairs_share_the_step_size_that_is_best_for_both_together(alpha: str) -> None:
    of_algorithm = [
        {
            float(settings["server.step_size"]): (mean_return(rows), settings)
            for settings, rows in tried(algorithm, 8, seeds=2)
            if settings["server.momentum"] == alpha
        }
        for algorithm in ("afedpg", "async_pg")
    ]
    sums = {
        eta: sum(of[eta][0] for of in of_algorithm) for eta in sorted(of_algorithm[0].keys() & of_algorithm[1].keys())
    }
    best = max(sums, key=lambda eta: sums[eta])
    assert min(sums) < best < max(sums)  # inside of what was tried
    for algorithm, of in zip(("afedpg", "async_pg"), of_algorithm, strict=True):
        assert_chosen(f"{algorithm}-a{alpha}", 8, of[best][1])


def test_fedpgs_later_setting_is_the_best_of_its_trials_and_inside_of_them() -> None:
    found = tried("fedpg", 8, seeds=2)
    settings, _ = max(found, key=lambda pair: mean_return(pair[1]))
    assert_chosen("fedpg-a0.1", 8, settings)
    etas = [float(s["server.step_size"]) for s, _ in found if s["server.momentum"] == settings["server.momentum"]]
    assert min(etas) < float(settings["server.step_size"]) < max(etas)


def test_best_has_the_learner_that_is_best_with_one_agent_and_the_step_sizes_that_are_best_with_more() -> None:
    one = tried("afedpg", 1, seeds=4, name="best")
    learner, _ = max(one, key=lambda pair: mean_return(pair[1]))
    eta_of = "server.step_size"
    same = {s[eta_of]: mean_return(rows) for s, rows in one if {**s, eta_of: ""} == {**learner, eta_of: ""}}
    eight = {s[eta_of]: mean_return(rows) for s, rows in tried("afedpg", 8, seeds=2, name="best")}
    sums = {eta: same[eta] + eight[eta] for eta in same.keys() & eight.keys()}
    shared = max(sums, key=lambda eta: sums[eta])
    assert min(sums) < shared < max(sums)  # inside of what was tried
    for n in (1, 2, 4, 8):
        assert_chosen("afedpg", n, learner | {eta_of: shared}, name="best")
    assert shared == max(eight, key=lambda eta: eight[eta])  # so the time figure's AFedPG is this one
    fedpg = {s[eta_of]: mean_return(rows) for s, rows in tried("fedpg", 8, seeds=2, name="best")}
    etas = sorted(fedpg, key=float)
    chosen = max(fedpg, key=lambda eta: fedpg[eta])
    assert etas[0] != chosen != etas[-1]
    assert_chosen("fedpg", 8, learner | {eta_of: chosen}, name="best")
