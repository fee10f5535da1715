"""What `frl export` writes, read as the other tools read it."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic

from frl.analysis import load
from frl.analysis.curves import STEPS, all_curves
from frl.analysis.load import DataError
from frl.cli import main
from frl.errors import SpecError
from frl.report import export


@pytest.fixture
def frame():
    """Two seeds of three algorithms on two tasks, of which the second has one less."""
    scenario = synthetic.scenario(("Swimmer", "Hopper"), (0, 1), {"afedpg": (1, 4), "fedpg": (4,)}, claims=None)
    rows = synthetic.frame(scenario)
    return rows[(rows["environment"] == "Swimmer") | (rows["method"] == "afedpg")]


def events(folder: Path) -> list[Any]:
    """The records of the one event file in a folder: length, its checksum, the event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.glob("events.out.tfevents.*")
    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        found.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return found


def test_tensorboard_gets_every_run_over_steps_per_agent_and_simulated_time(frame, tmp_path):
    for _ in range(2):  # a second export replaces the first
        export.tensorboard(frame, tmp_path)
    folders = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("events.out.tfevents.*")}
    assert len(folders) == frame.groupby(["environment", "method", "n_agents", "seed"]).ngroups == 10
    rows = frame[(frame["environment"] == "Hopper") & (frame["n_agents"] == 4) & (frame["seed"] == 1)]
    scalars = [
        (event.step, event.wall_time, value.simple_value)
        for event in events(tmp_path / "Hopper/afedpg/n4/seed1")
        for value in event.summary.value
        if value.tag == "eval_return_mean"
    ]
    steps, seconds, returns = zip(*scalars, strict=True)
    assert list(steps) == [round(value) for value in rows["env_steps_per_agent"]]
    assert seconds == pytest.approx(list(rows["sim_time_s"]))
    assert returns == pytest.approx(list(rows["eval_return_mean"]))


def test_tensorboards_library_is_named_where_it_is_missing(frame, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(SpecError, match=r"tensorboardX is not installed; pip install -e '\.\[tensorboard\]'"):
        export.tensorboard(frame, tmp_path)


def test_rliable_gets_final_returns_of_runs_by_tasks(frame, tmp_path, capsys):
    (path,) = export.rliable(frame, tmp_path)
    scores = dict(np.load(path))
    assert list(scores) == ["PG (N = 1)", "AFedPG, N = 4"]
    assert {array.shape for array in scores.values()} == {(2, 2)}
    finals = all_curves(frame, STEPS)["Hopper", "afedpg", 4].final_S
    assert scores["AFedPG, N = 4"][:, 1] == pytest.approx(finals)
    said = capsys.readouterr()
    assert said.out == "tasks: Swimmer, Hopper\n"
    assert "left out: FedPG, N = 4" in said.err


def test_rliable_takes_the_seeds_that_every_task_has(frame, tmp_path):
    less = frame[(frame["environment"] == "Swimmer") | (frame["seed"] == 1)]
    scores = dict(np.load(*export.rliable(less, tmp_path)))
    assert {array.shape for array in scores.values()} == {(1, 2)}
    none = frame[(frame["environment"] == "Swimmer") == (frame["seed"] == 0)]
    with pytest.raises(DataError, match="no algorithm has a seed with a final return on each of Swimmer, Hopper"):
        export.rliable(none, tmp_path)


def test_the_command_writes_beside_the_curves(tmp_path, monkeypatch, capsys):
    scenario = synthetic.scenario(methods={"afedpg": (1,)}, seeds=(0,), claims=None)
    synthetic.write_all(tmp_path, scenario)
    load.collect(scenario, tmp_path, tmp_path / "toy", partial=False)
    monkeypatch.setattr("frl.commands._training", lambda arguments: scenario)
    command = ["export", "toy.yaml", "--results", str(tmp_path), "--format", "rliable"]
    assert main(command) == 0
    path = tmp_path / "toy/export/rliable/rliable.npz"
    assert capsys.readouterr().out.splitlines() == ["tasks: Swimmer", str(path)]
    assert path.exists()
    (tmp_path / "toy/curves.csv").unlink()
    assert main(command) == 2
    assert "frl collect" in capsys.readouterr().err
