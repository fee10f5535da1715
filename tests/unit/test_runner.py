"""From a specification to files: trained once, then kept, restored, and never mistaken for another run."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import frl.training.loop
from frl.runs.paths import run_paths
from frl.runs.progress import Progress
from frl.runs.runner import RunError, run_one
from frl.runs.store import Store, verify
from frl.runs.validity import run_digest, state
from frl.spec import RunSpec
from frl.training.execute import csv_bytes

SPEC = RunSpec(environment="Swimmer", algorithm="afedpg", n_agents=2, seed=3, steps_per_agent=100)


@pytest.fixture
def trained(monkeypatch) -> list[RunSpec]:
    """The specifications that were trained; training itself is made up."""
    calls: list[RunSpec] = []

    def train(spec, progress=None, keeper=None):
        calls.append(spec)
        facts = {
            "env_steps_total": 200,
            "env_steps_agents": np.array([150, 50]),
            "eval_steps": 7,
            "numerics_version": 1,
        }
        rows = [{"environment": spec.environment, "eval_return_mean": 0.1 * spec.seed, "status": "ok"}]
        status = "ok"
        if spec.seed == 666:
            rows, status = [{**rows[0], "eval_return_mean": None, "status": "diverged"}], "diverged"
        return SimpleNamespace(rows=rows, status=status, facts=facts, policy=b"policy")

    monkeypatch.setattr(frl.training.loop, "train", train)
    return calls


def test_run_is_trained_once_and_restored_after_a_loss(tmp_path, trained):
    assert state(SPEC, tmp_path, "s") == "missing"
    assert run_one(SPEC, tmp_path, "s") == "trained"
    table, meta = run_paths(SPEC, tmp_path, "s")
    assert table == tmp_path / "s/runs/Swimmer/afedpg/n2/seed3.csv"
    assert meta == tmp_path / "s/runs/Swimmer/afedpg/n2/seed3.meta.json"
    written = table.read_bytes(), meta.read_bytes()
    assert run_one(SPEC, tmp_path, "s") == "present"
    table.unlink()
    assert state(SPEC, tmp_path, "s") == "stored"
    assert run_one(SPEC, tmp_path, "s") == "restored"
    assert (table.read_bytes(), meta.read_bytes()) == written
    assert run_one(SPEC, tmp_path, "another scenario") == "restored"
    assert len(trained) == 1


def test_meta_data_say_what_made_the_run(tmp_path, trained):
    run_one(SPEC, tmp_path, "s")
    table, path = run_paths(SPEC, tmp_path, "s")
    meta = verify(table.read_bytes(), path.read_bytes(), run_digest(SPEC))
    assert RunSpec(**meta["spec"]) == SPEC
    assert meta["env_steps_agents"] == [150, 50]
    assert meta["status"] == "ok"
    assert meta["versions"]["mujoco"] == "3.4.0"
    assert meta["peak_memory_mb"] > 10
    assert {"code_digest", "git", "cpu", "platform", "started", "wall_time_s", "env_steps_per_s"} <= set(meta)
    assert meta["blas"]
    assert meta["cpu_capability"]


def test_damaged_and_stale_files_are_known_and_repaired(tmp_path, trained):
    run_one(SPEC, tmp_path, "s")
    table, meta = run_paths(SPEC, tmp_path, "s")
    table.write_bytes(table.read_bytes()[:-5])
    assert state(SPEC, tmp_path, "s") == "stored"
    (tmp_path / ".store").rename(tmp_path / "elsewhere")
    assert state(SPEC, tmp_path, "s") == "damaged"
    (tmp_path / "elsewhere").rename(tmp_path / ".store")
    assert run_one(SPEC, tmp_path, "s") == "restored"
    other = SPEC.model_copy(update={"steps_per_agent": 101})
    assert state(other, tmp_path, "s") == "stale"
    assert run_one(other, tmp_path, "s") == "trained"
    assert json.loads(meta.read_bytes())["spec"]["steps_per_agent"] == 101
    assert run_one(SPEC, tmp_path, "s") == "restored"
    assert len(trained) == 2


def test_corrupt_store_entry_is_trained_again(tmp_path, trained, capsys):
    run_one(SPEC, tmp_path, "s")
    run_paths(SPEC, tmp_path, "s")[0].unlink()
    (Store(tmp_path).folder(run_digest(SPEC)) / "run.csv").write_bytes(b"half")
    assert run_one(SPEC, tmp_path, "s") == "trained"
    assert "ignoring the stored run" in capsys.readouterr().err
    assert state(SPEC, tmp_path, "s") == "finished"


def test_files_without_a_store_are_kept_and_stored(tmp_path, trained):
    """Results that came in a zip, without the hidden folder."""
    run_one(SPEC, tmp_path, "s")
    entry = Store(tmp_path).folder(run_digest(SPEC))
    entry.rename(tmp_path / "gone")
    assert run_one(SPEC, tmp_path, "s") == "present"
    assert Store(tmp_path).get(run_digest(SPEC)) is not None
    assert len(trained) == 1


def test_diverged_run_is_finished(tmp_path, trained):
    spec = SPEC.model_copy(update={"seed": 666})
    assert run_one(spec, tmp_path, "s") == "trained"
    assert state(spec, tmp_path, "s") == "diverged"
    assert run_one(spec, tmp_path, "s") == "present"


def test_changed_code_or_settings_stop_a_planned_job(tmp_path, trained):
    assert run_one(SPEC, tmp_path, "s", expect_digest=run_digest(SPEC)) == "trained"
    with pytest.raises(RunError, match="changed since this job was planned"):
        run_one(SPEC, tmp_path, "s", expect_digest="0" * 64)


def test_failed_training_leaves_no_file(tmp_path, monkeypatch):
    def broken(spec, progress=None, keeper=None):
        raise RuntimeError("physics")

    monkeypatch.setattr(frl.training.loop, "train", broken)
    with pytest.raises(RuntimeError, match="physics"):
        run_one(SPEC, tmp_path, "s")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_csv_gives_every_float_back():
    values = [0.1, 1 / 3, 1e-300, np.float64(2) / 3, np.float32(0.1), -0.0, 1e22, math.inf]
    text = csv_bytes([{"x": value} for value in values]).decode()
    assert text.endswith("\n")
    assert "\r" not in text
    assert [float(line) for line in text.splitlines()[1:]] == [float(value) for value in values]


def test_csv_cells():
    row = {"a": None, "b": math.nan, "c": np.int64(7), "d": "ok", "e": np.float64(0.5), "f": 3, "g": np.float32("nan")}
    assert csv_bytes([row]) == b"a,b,c,d,e,f,g\n,,7,ok,0.5,3,\n"


def test_csv_refuses_no_rows_and_uneven_rows():
    with pytest.raises(ValueError, match="without any row"):
        csv_bytes([])
    with pytest.raises(ValueError, match=r"columns differ between rows: \['b'\]"):
        csv_bytes([{"a": 1}, {"a": 1, "b": 2}])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def facts(steps: int, returns: float | None = None) -> dict[str, object]:
    return {"env_steps_total": steps, "env_steps_budget": 4000, "eval_return_mean": returns}


def test_progress_elsewhere_is_a_line_every_15_seconds():
    now, stream = [0.0], io.StringIO()
    with Progress("run", stream, clock=lambda: now[0]) as progress:
        for second in range(1, 41):
            now[0] = float(second)
            progress(facts(100 * second, 12.34))
    assert stream.getvalue().splitlines() == [
        "run: 1,500 of 4,000 steps (38%), return 12.3, 100 steps/s, 0:00:25 to go",
        "run: 3,000 of 4,000 steps (75%), return 12.3, 100 steps/s, 0:00:10 to go",
    ]


def test_progress_before_the_first_step_and_evaluation():
    progress = Progress("run", io.StringIO(), clock=lambda: 0.0)
    assert progress.line(facts(0)) == "run: 0 of 4,000 steps (0%), return -, 0 steps/s, unknown time to go"


def test_progress_on_a_terminal_is_a_bar(tmp_path: Path):
    stream = Terminal()
    with Progress("run", stream) as progress:
        progress(facts(1000, 5.0))
        progress(facts(4100, 6.0))
    assert "run: 100%" in stream.getvalue()
    assert "return 6.0" in stream.getvalue()


def test_bytes_do_not_depend_on_the_threads_of_the_environment(tmp_path):
    """Through the Python interface too, where nobody sets OMP_NUM_THREADS; wide layers, which BLAS would split."""
    code = (
        "import sys; from pathlib import Path; from frl.runs.runner import run_one; from frl.spec import RunSpec\n"
        "spec = RunSpec(environment='Walker2d', algorithm='afedpg', n_agents=1, seed=0, steps_per_agent=2048,"
        " policy={'hidden': (256, 256)}, evaluation={'ratio': 1e9, 'episodes': 1})\n"
        "run_one(spec, Path(sys.argv[1]), 'threads')"
    )
    tables = []
    for threads in ("1", "2"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / threads)], env=environment, check=True)
        tables.append((tmp_path / threads / "threads/runs/Walker2d/afedpg/n1/seed0.csv").read_bytes())
    assert tables[0] == tables[1]


def test_training_does_not_import_torch():
    """It would take a second, which is long beside a short run."""
    code = "import sys, frl.training.execute, frl.training.checkpoint; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
