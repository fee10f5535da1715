"""Collecting runs: what is accepted, what is refused by name, and that the result is the runs' own text."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from frl.analysis import load
from frl.analysis.curves import all_curves
from frl.runs.paths import meta_path, run_paths
from frl.runs.runner import run_one
from frl.runs.store import Store
from frl.scenario.scenario import Scenario
from frl.training.recorder import COLUMNS

SMALL = synthetic.scenario(seeds=(0, 1), methods={"afedpg": (1, 2)})


@pytest.fixture
def results(tmp_path: Path) -> Path:
    synthetic.write_all(tmp_path, SMALL)
    return tmp_path


def first_run(results: Path, scenario: Scenario = SMALL) -> Path:
    return synthetic.run_path(results, scenario, next(scenario.runs()))


def test_collects_every_row_in_order_of_the_grid_without_changing_a_digit(results: Path, tmp_path: Path) -> None:
    load.collect(SMALL, results, tmp_path / "base", partial=False)
    text = (tmp_path / "base" / "curves.csv").read_text()
    parts = [synthetic.run_path(results, SMALL, spec).read_text().split("\n", 1)[1] for spec in SMALL.runs()]
    named = "".join(parts).replace("v4,afedpg,", "v4,afedpg,afedpg,").replace("\n", ",\n")
    assert text == ",".join(COLUMNS).replace("algorithm,", "algorithm,method,") + ",stop_at\n" + named
    frame = load.read_curves(tmp_path / "base")
    assert tuple(frame.columns) == load.CURVES_COLUMNS
    assert frame["uplink_bytes"].dtype == "int64"
    assert len(load.read_missing(tmp_path / "base")) == 0


def test_two_methods_of_one_algorithm_are_two_curves(tmp_path: Path) -> None:
    names = ("slow", "nan")  # what pandas would take for an absent value
    common = {"algorithm": "afedpg", "n_agents": (2,)}
    methods = [{**common, "name": name, "server": {"step_size": i + 1}} for i, name in enumerate(names)]
    scenario = synthetic.scenario(methods=methods, seeds=(0, 1))
    synthetic.write_all(tmp_path, scenario)
    synthetic.run_path(tmp_path, scenario, scenario.resolve("Swimmer", "nan", 2, 1)).unlink()
    load.collect(scenario, tmp_path, tmp_path / "base", partial=True)
    curves = all_curves(load.read_curves(tmp_path / "base"), "sim_time_s")
    assert {cell: one.seeds for cell, one in curves.items()} == {
        ("Swimmer", "slow", 2): (0, 1),
        ("Swimmer", "nan", 2): (0,),
    }
    runs, missing = load.read_runs(tmp_path / "base"), load.read_missing(tmp_path / "base")
    assert list(runs.columns[:6]) == ["environment", "env_version", "algorithm", "method", "n_agents", "seed"]
    assert runs["method"].tolist() == ["slow", "slow", "nan"]
    assert missing.iloc[0].tolist() == ["Swimmer", "afedpg", "nan", 2, 1, "Swimmer/nan/n2/seed1", "not run"]


def test_a_run_restored_under_another_name_is_collected(tmp_path: Path) -> None:
    scenario = real_scenario(names=("one", "two"))
    first, second = scenario.runs()
    assert [run_one(spec, tmp_path, scenario.name) for spec in (first, second)] == ["trained", "restored"]
    assert run_paths(first, tmp_path, "toy")[0].read_bytes() == run_paths(second, tmp_path, "toy")[0].read_bytes()
    load.collect(scenario, tmp_path, tmp_path / "base", partial=False)
    frame = load.read_curves(tmp_path / "base")
    one, two = (frame[frame["method"] == name].drop(columns="method") for name in ("one", "two"))
    assert len(one) > 0
    assert one.reset_index(drop=True).equals(two.reset_index(drop=True))


def test_runs_csv_has_one_flat_row_a_run(results: Path, tmp_path: Path) -> None:
    load.collect(SMALL, results, tmp_path / "base", partial=False)
    runs = load.read_runs(tmp_path / "base")
    assert list(zip(runs["n_agents"], runs["seed"], strict=True)) == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert runs["versions_torch"].iloc[0] == "2.13.0"
    assert runs["git_commit"].iloc[0] == "c0ffee"
    assert runs["peak_memory_mb"].iloc[0] == 321


def test_collecting_twice_gives_equal_bytes(results: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        load.collect(SMALL, results, tmp_path / name, partial=False)
    for name in ("curves.csv", "runs.csv", "missing.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert not [path for path in (tmp_path / "a").iterdir() if path.name.startswith(".")]


def test_a_missing_run_is_an_error_that_names_it_and_is_listed_if_partial(results: Path, tmp_path: Path) -> None:
    first_run(results).unlink()
    with pytest.raises(load.DataError, match=r"1 runs are missing(.|\n)*Swimmer/afedpg/n1/seed0 \(not run\)"):
        load.collect(SMALL, results, tmp_path / "base", partial=False)
    assert not (tmp_path / "base").exists()
    load.collect(SMALL, results, tmp_path / "base", partial=True)
    missing = load.read_missing(tmp_path / "base")
    assert missing[["run_id", "reason"]].to_numpy().tolist() == [["Swimmer/afedpg/n1/seed0", "not run"]]
    assert len(load.read_runs(tmp_path / "base")) == 3


def test_a_run_of_other_settings_does_not_count(results: Path, tmp_path: Path) -> None:
    path = meta_path(first_run(results))
    meta = json.loads(path.read_text())
    meta["spec"]["steps_per_agent"] += 1
    synthetic.write_files(first_run(results), first_run(results).read_text(), meta)
    with pytest.raises(load.DataError, match="made with other settings"):
        load.collect(SMALL, results, tmp_path / "base", partial=False)


def test_no_run_at_all_is_an_error_even_if_partial(tmp_path: Path) -> None:
    with pytest.raises(load.DataError, match="no finished run"):
        load.collect(SMALL, tmp_path, tmp_path / "base", partial=True)


def cut_in_a_line(text: str) -> str:
    return text[: len(text) - 40]


def cut_after_a_line(text: str) -> str:
    return "".join(text.splitlines(keepends=True)[:-3])


def cut_in_a_line_but_closed(text: str) -> str:
    return cut_in_a_line(text).rstrip() + "\n"


def lacks_a_row(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[:5] + lines[6:])


def another_return(text: str) -> str:
    lines = text.splitlines(keepends=True)
    fields = lines[5].split(",")
    fields[COLUMNS.index("eval_return_mean")] = "99999.0"
    return "".join([*lines[:5], ",".join(fields), *lines[6:]])


def lacks_a_column(text: str) -> str:
    return text.replace("uplink_bytes,", "", 1)


def other_seed(text: str) -> str:
    return text.replace("Swimmer,v4,afedpg,1,0,", "Swimmer,v4,afedpg,1,7,")


def time_runs_backwards(text: str) -> str:
    lines = [line.split(",") for line in text.splitlines()]
    lines[4][COLUMNS.index("sim_time_s")] = "0.0"
    return "".join(",".join(line) + "\n" for line in lines)


def no_number(text: str) -> str:
    lines = [line.split(",") for line in text.splitlines()]
    lines[4][COLUMNS.index("uploads")] = "many"
    return "".join(",".join(line) + "\n" for line in lines)


def empty_return(text: str) -> str:
    lines = [line.split(",") for line in text.splitlines()]
    lines[4][COLUMNS.index("eval_return_mean")] = ""
    return "".join(",".join(line) + "\n" for line in lines)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (cut_in_a_line, "truncated"),
        (cut_after_a_line, "truncated: ends at"),
        (cut_in_a_line_but_closed, "line 22 has"),
        (lacks_a_row, "not what was written"),
        (another_return, "not what was written"),
        (lacks_a_column, "columns are"),
        (other_seed, "seed is 7 in the file, 0 by its path"),
        (time_runs_backwards, "column sim_time_s decreases or is empty in line 5"),
        (no_number, "many"),
        (empty_return, "eval_return_mean is empty"),
        (lambda text: text.splitlines(keepends=True)[0], "no row"),
    ],
)
def test_a_damaged_file_is_refused_by_name(
    results: Path, tmp_path: Path, damage, complaint: str, partial: bool
) -> None:
    path = first_run(results)
    path.write_text(damage(path.read_text()))
    with pytest.raises(load.DataError, match=complaint) as error:
        load.collect(SMALL, results, tmp_path / "base", partial=partial)
    assert str(path) in str(error.value)


def test_a_diverged_run_is_accepted_as_it_ends(results: Path, tmp_path: Path) -> None:
    spec = next(SMALL.runs())
    synthetic.write_run(results, SMALL, spec, diverge_at=7)
    load.collect(SMALL, results, tmp_path / "base", partial=False)
    frame = load.read_curves(tmp_path / "base")
    last = frame[(frame["n_agents"] == 1) & (frame["seed"] == 0)].iloc[-1]
    assert (last["point"], last["status"]) == (6, "diverged")
    assert pd.isna(last["eval_return_mean"])
    assert load.read_runs(tmp_path / "base")["status"].tolist() == ["diverged", "ok", "ok", "ok"]


def real_run(results: Path, scenario: Scenario, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
    """Train the scenario's first run for real; with `monkeypatch` it diverges on the way."""
    from frl.training.policy import GaussianPolicy

    if monkeypatch is not None:
        gradient, calls = GaussianPolicy.gradient, []

        def diverging(self: GaussianPolicy, theta: np.ndarray, *rest: object) -> np.ndarray:
            calls.append(1)
            return gradient(self, theta, *rest) * np.float32(1 if len(calls) < 5 else np.nan)  # type: ignore[arg-type]

        monkeypatch.setattr(GaussianPolicy, "gradient", diverging)
    run_one(next(scenario.runs()), results, scenario.name)


def real_scenario(names: tuple[str, ...] = ("afedpg",)) -> Scenario:
    run = {"steps_per_agent": 512, "sampling": {"lanes": 8, "segment_steps": 8}}
    methods = [{"name": name, "algorithm": "afedpg", "n_agents": [1]} for name in names]
    data = SMALL.model_dump() | {"seeds": [0], "methods": methods}
    return Scenario(**data | {"run": run | {"evaluation": {"ratio": 3.0, "episodes": 1}}})


def test_a_run_that_really_diverged_is_collected_and_aligned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = real_scenario()
    real_run(tmp_path, scenario, monkeypatch)
    load.collect(scenario, tmp_path, tmp_path / "base", partial=False)
    frame = load.read_curves(tmp_path / "base")
    assert frame["status"].tolist() == ["ok", "ok", "ok", "diverged"]
    assert frame["point"].tolist() == [0, 1, 2, 2]
    (curves,) = all_curves(frame, "env_steps_per_agent").values()
    assert curves.diverged.tolist() == [True]
    assert curves.returns_SG[0, -1] == frame["eval_return_mean"][2]


def test_a_run_that_stopped_at_its_threshold_is_whole_and_one_that_was_cut_is_not(tmp_path: Path) -> None:
    scenario = real_scenario()
    low = scenario.model_dump() | {"thresholds": {"Swimmer": "-1000 return"}, "claims": None}
    stopping = Scenario(**low | {"run": scenario.run | {"stop_at": -1000}})
    longer = Scenario(**scenario.model_dump() | {"run": scenario.run | {"steps_per_agent": 64, "sim_seconds": 1e6}})
    (spec,) = stopping.runs()
    real_run(tmp_path, stopping)
    table = run_paths(spec, tmp_path, stopping.name)[0].read_text()
    for each, complaint in ((stopping, ""), (scenario, "environment steps"), (longer, "simulated seconds")):
        problems = list(load._problems(pd.read_csv(io.StringIO(table), dtype=load.DTYPES), next(each.runs())))
        assert len(problems) == bool(complaint)
        assert all("truncated" in problem and complaint in problem for problem in problems)


def test_runs_of_other_training_code_are_not_mixed_in(results: Path, tmp_path: Path) -> None:
    path = first_run(results)
    facts = json.loads(meta_path(path).read_text()) | {"digest": "0" * 64}
    synthetic.write_files(path, path.read_text(), facts)
    with pytest.raises(load.DataError, match="made by other training code"):
        load.collect(SMALL, results, tmp_path / "base", partial=False)
    load.collect(SMALL, results, tmp_path / "part", partial=True)
    assert load.read_missing(tmp_path / "part")["seed"].tolist() == [0]
    assert len(load.read_runs(tmp_path / "part")) == 3


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def not_utf8(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"o", b"\xff", 1))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("place", [lambda path: path, meta_path], ids=["CSV", "meta"])
@pytest.mark.parametrize("damage", [cut, not_utf8, empty, folder, gone])
def test_an_unreadable_file_is_written_again_from_the_store(
    results: Path, tmp_path: Path, damage, place, capsys
) -> None:
    path = first_run(results)
    whole = path.read_bytes(), meta_path(path).read_bytes()
    load.collect(SMALL, results, tmp_path / "before", partial=False)
    damage(place(path))
    if damage is not gone:
        with pytest.raises(load.DataError, match=r"seed0.*remove it, and it is trained again"):
            load.collect(SMALL, results, tmp_path / "base", partial=False)
    Store(results).put(json.loads(whole[1])["digest"], *whole)
    load.collect(SMALL, results, tmp_path / "base", partial=False)
    assert ("written again from the store" in capsys.readouterr().err) == (damage is not gone)
    assert (path.read_bytes(), meta_path(path).read_bytes()) == whole
    assert (tmp_path / "base/curves.csv").read_bytes() == (tmp_path / "before/curves.csv").read_bytes()
