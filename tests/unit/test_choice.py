"""The best value of a sweep, by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic
import yaml
from test_judge import END, frame

from frl.cli import main
from frl.runs.files import write_csv
from frl.runs.lineage import Lineage
from frl.scenario.loading import load_scenario
from frl.scenario.scenario import Scenario
from frl.verdicts import choice

GRID = [0.005, 0.01, 0.02, 0.04, 0.08]


def scenario(**sweeps: dict[str, Any]) -> Scenario:
    methods = [{"name": name, **given} for name, given in sweeps.items()]
    return synthetic.scenario(methods=methods, claims=None, seeds=tuple(range(5)), threshold="100 return")


def swept(algorithm: str, *n_agents: int, values: list[float] = GRID, momentum: float = 0.2) -> dict[str, Any]:
    return {
        "algorithm": algorithm,
        "n_agents": n_agents,
        "server": {"momentum": momentum},
        "sweep": {"server.step_size": values},
    }


def times(of: Scenario, logs: dict[tuple[str, int], list[float]]) -> pd.DataFrame:
    """Runs whose five seeds take 10^(log) steps, by sweep and N, value by value; inf: none gets there."""
    cells = {}
    for (name, n), some in logs.items():
        values = sorted(m.swept[1] for m in of.methods if m.swept and m.family == name and n in m.n_agents)
        for value, log in zip(values, some, strict=True):
            cells[f"{name}-{value:g}", n] = np.full(5, np.nan if np.isinf(log) else 10.0**log)
    return frame(of, cells)


def best(table: pd.DataFrame, kind: str = choice.ARM) -> dict[tuple[str, str], float]:
    rows = table[table["best"] & (table["choice"] == kind)]
    return {(row.sweep, str(row.n_agents)): row.value for row in rows.itertuples()}


def test_neighbours_are_weighed() -> None:
    assert choice.smoothed(np.array([4.0, 8.0, 0.0, 12.0])) == pytest.approx([16 / 3, 5, 5, 8])
    assert choice.smoothed(np.array([3.0, 0.0])) == pytest.approx([2, 1])
    assert choice.smoothed(np.array([3.0])) == pytest.approx([3])


def test_one_lucky_value_among_bad_ones_is_not_best() -> None:
    of = scenario(x=swept("afedpg", 1))
    table = choice.choices(of, times(of, {("x", 1): [4.3, 4.1, 4.2, 5.0, 3.9]}))
    assert best(table) == {("x", "1"): 0.01}
    assert table["samples"].tolist() == pytest.approx([10**4.3, 10**4.1, 10**4.2, 1e5, 10**3.9], rel=1e-3)
    assert (table["seeds"] == 5).all()
    assert not choice.warnings(of, table)


def test_seeds_that_never_get_there_count_as_the_horizon() -> None:
    of = scenario(x=swept("afedpg", 1, values=[0.01, 0.02]))
    table = choice.choices(of, times(of, {("x", 1): [4.0, np.inf]}))
    assert table["reached"].tolist() == [1, 0]
    assert table["samples"].tolist() == pytest.approx([1e4, END], rel=1e-3)
    assert table["horizon_samples"].tolist() == pytest.approx([4e4, 4 * END], rel=1e-3)


def test_a_penalty_weighs_seeds_that_never_get_there() -> None:
    of = scenario(x=swept("afedpg", 1, values=[0.01, 0.02]))
    logs = frame(of, {("x-0.01", 1): np.full(5, 3e5), ("x-0.02", 1): np.array([1e4, 1e4, 1e5, np.nan, np.nan])})
    assert best(choice.choices(of, logs)) == {("x", "1"): 0.02}
    table = choice.choices(of, logs, penalty=100)
    assert best(table) == {("x", "1"): 0.01}
    assert table["samples"].tolist() == pytest.approx(choice.choices(of, logs)["samples"].tolist())  # as measured
    last = (2 * np.log(1e4) + np.log(1e5) + 2 * np.log(100 * END)) / 5
    first = np.log(3e5)
    seconds = np.log(0.001)
    assert table["score"].tolist() == pytest.approx(
        [(2 * first + last) / 3 + seconds, (2 * last + first) / 3 + seconds]
    )


def test_sweeps_of_one_algorithm_with_other_budgets_have_horizons_of_their_own() -> None:
    short, long = swept("afedpg", 1, values=[0.01]), swept("afedpg", 1, values=[0.01], momentum=0.5)
    long["set"] = {"steps_per_agent": int(3 * END)}
    of = scenario(x=short, y=long)
    runs = times(of, {("x", 1): [np.inf], ("y", 1): [np.inf]})
    longer = runs["method"] == "y-0.01"
    runs.loc[longer, ["env_steps_per_agent", "sim_time_s"]] *= 3
    assert choice.choices(of, runs)["samples"].tolist() == pytest.approx([END, 3 * END])


def test_a_best_value_at_an_edge_asks_for_a_further_one() -> None:
    of = scenario(x=swept("afedpg", 1), y=swept("fedpg", 1), z=swept("async_pg", 1))
    down, stuck = [4.0, 4.1, 4.2, 4.3, 4.4], [np.inf] * 5
    table = choice.choices(of, times(of, {("x", 1): down, ("y", 1): down[::-1], ("z", 1): stuck}))
    assert best(table) == {("x", "1"): 0.005, ("y", "1"): 0.08}
    told = choice.warnings(of, table)
    assert (
        told[0]
        == "Swimmer, x, N = 1: the best value, 0.005, is the lowest of its grid; give it a further value, 0.0025"
    )
    assert told[1].endswith("0.08, is the highest of its grid; give it a further value, 0.16")
    assert told[2] == "Swimmer, z, N = 1: no seed got to the threshold with any value; none is best"


def test_the_shared_value_has_the_smallest_mean_over_n_of_what_all_have() -> None:
    few, many = swept("afedpg", 1, values=GRID), swept("afedpg", 8, values=[0.0025, *GRID[:4]])
    of = synthetic.scenario(
        methods=[{"name": "x", **few}, {"name": "x", **many}],
        claims=None,
        seeds=tuple(range(5)),
        threshold="100 return",
    )
    table = choice.choices(of, times(of, {("x", 1): [5.2, 4.9, 4.6, 4.3, 4.6], ("x", 8): [3.4, 3.0, 3.5, 4.6, 5.1]}))
    assert best(table) == {("x", "1"): 0.04, ("x", "8"): 0.005}
    shared = table[table["choice"] == choice.SHARED]
    assert shared["value"].tolist() == GRID[:4]
    assert best(table, choice.SHARED) == {("x", "1 8"): 0.005}
    arms = table[table["choice"] == choice.ARM].set_index(["n_agents", "value"])["score"]
    assert shared["score"].tolist() == pytest.approx([(arms[1, v] + arms[8, v]) / 2 for v in GRID[:4]])
    assert any("is the lowest that all of them have" in told for told in choice.warnings(of, table))


def test_a_lookahead_pair_differs_in_nothing_else_and_is_weighed_by_samples() -> None:
    of = scenario(
        a=swept("afedpg", 8, momentum=0.05),
        v=swept("async_pg", 8, momentum=0.05),
        other=swept("async_pg", 8),
        f=swept("fedpg", 8),
    )
    logs = {("a", 8): [4.0, 3.0, 3.2, 4.0, 5.0], ("v", 8): [5.0, 4.9, 3.4, 3.6, 4.0]}
    table = choice.choices(of, times(of, logs | {("other", 8): [4.0] * 5, ("f", 8): [4.0] * 5}))
    assert best(table, choice.PAIR) == {("a and v", "8"): 0.02}
    sums = choice.smoothed(np.array(logs["a", 8])) + choice.smoothed(np.array(logs["v", 8]))
    assert table[table["choice"] == choice.PAIR]["score"].tolist() == pytest.approx(np.log(10) * sums, rel=1e-3)


def heights(of: Scenario, highest: dict[tuple[str, int], list[float]]) -> pd.DataFrame:
    """Runs that rise to these returns in their last evaluations, seed by seed."""
    table = times(of, {}) if not highest else frame(of, {cell: np.ones(len(each)) for cell, each in highest.items()})
    for (method, n), each in highest.items():
        for seed, height in enumerate(each):
            own = (table["method"] == method) & (table["n_agents"] == n) & (table["seed"] == seed)
            points = table.loc[own, "point"]
            table.loc[own, "eval_return_mean"] = np.minimum(points / points.max() * 2, 1) * height
    return table


def test_the_threshold_is_what_nine_in_ten_get_to_each_n_at_its_highest_value() -> None:
    of = scenario(
        x=swept("afedpg", 1, 8, values=[0.01, 0.02]), other=swept("afedpg", 1, values=[0.01]), r=swept("fedpg", 8)
    )
    low, other, rival = [150.0] * 5, [900.0] * 5, [900.0] * 5
    runs = {
        ("x-0.01", 1): low, ("x-0.02", 1): [520.0, 640, 700, 710, 730],
        ("x-0.01", 8): [450.0, 560, 810, 820, 830], ("x-0.02", 8): low,
        ("other-0.01", 1): other, ("r-0.005", 8): rival,
    }  # fmt: skip
    assert choice.thresholds(of, heights(of, runs)) == {"Swimmer": 500}  # 450 is the one in ten that need not
    runs["x-0.01", 8][1] = 460  # two of ten
    assert choice.thresholds(of, heights(of, runs)) == {"Swimmer": 400}
    runs["x-0.01", 8][:2] = [90, 80]
    runs["x-0.02", 8] = [20.0] * 5
    assert choice.thresholds(of, heights(of, runs)) == {"Swimmer": None}


def test_one_high_evaluation_alone_does_not_raise_the_threshold() -> None:
    of = scenario(x=swept("afedpg", 1, values=[0.01]))
    table = heights(of, {("x-0.01", 1): [250.0] * 5})
    table.loc[table["point"] == 40, "eval_return_mean"] = 700
    assert choice.thresholds(of, table) == {"Swimmer": 200}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lineage, "require", lambda *_: None)  # the curves are made up, of no runs
    text = {
        "name": "toy", "title": "t", "tuned": "t", "environments": ["Swimmer"], "seeds": list(range(6)),
        "run": {"steps_per_agent": int(END)}, "thresholds": {"Swimmer": "100 return"},
        "methods": [{"name": "x", **swept("afedpg", 1, values=[0.01, 0.02, 0.04])}],
    }  # fmt: skip
    (tmp_path / "tuning.yaml").write_text(yaml.safe_dump(text))
    of = load_scenario(tmp_path / "tuning.yaml")
    (tmp_path / "toy").mkdir()
    write_csv(tmp_path / "toy" / "curves.csv", times(of, {("x", 1): [4.5, 4.0, 4.5]}))
    command = ["best", str(tmp_path / "tuning.yaml"), "--results", str(tmp_path)]
    assert main([*command, "--rules"]) == 0
    out, err = capsys.readouterr()
    starred = [line.split() for line in out.splitlines() if line.startswith("*")]
    assert [line[1:4] for line in starred] == [["0.02", "5", "100%"]]
    assert out.splitlines()[0] == "Swimmer, x, N = 1: server.step_size"
    assert "40,000 40 x, N = 1" in [" ".join(line.split()) for line in out.splitlines()]
    assert out.splitlines()[-1].split() == ["10000", "Swimmer"]  # they rise by 100 every 10^4 steps
    assert err == "frl: warning: Swimmer, x, N = 1: 3 of 18 runs are not finished\n"
    assert main([*command, "--csv"]) == 0
    (tmp_path / "best.csv").write_text(capsys.readouterr().out)
    kept = pd.read_csv(tmp_path / "best.csv")
    assert list(kept) == list(choice.COLUMNS)
    assert kept[kept["best"]]["value"].tolist() == [0.02]
    plain = {**text, "methods": [{"algorithm": "afedpg", "n_agents": [1]}]}
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(plain))
    assert main(["best", str(tmp_path / "plain.yaml"), "--results", str(tmp_path)]) == 2
    assert "no method has a `sweep`" in capsys.readouterr().err
