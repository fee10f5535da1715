"""Trials: one row a run with what was tried, kept in one file over many calls, and ranked by mean return."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
import yaml

from frl.analysis import load
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
