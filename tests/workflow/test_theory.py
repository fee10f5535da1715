"""The theory lab as a workflow: a job is a cell, what is finished is kept, an edit makes anew what depends on it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from conftest import ROOT, Project, copy_project
from frl.runs.paths import run_paths
from frl.runs.store import Store
from frl.scenario.loading import load_scenario
from frl.scenario.products import files, record, steps_of

CONFIG = "config/theory-tiny.yaml"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of the project with a part of the tiny scenario: six cells."""
    project = copy_project(tmp_path / "project")
    data = yaml.safe_load((ROOT / "tests/workflow/theory-tiny.yaml").read_text(encoding="utf-8"))
    data["panels"] = {panel: data["panels"][panel] for panel in ("rates", "time")}
    (project.root / CONFIG).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    shutil.copy(ROOT / "tests/workflow/theory-tiny-claims.yaml", project.root / "config")
    project.scenario = load_scenario(project.root / CONFIG)
    return project


def kill_after_a_cell(project: Project) -> set[str]:
    """Start the workflow, kill it and all its jobs once a cell is kept; the cells that are kept by then."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", CONFIG]
    environment = {**os.environ, "PYTHONPATH": str(project.root / "src")}
    store = Store(project.root / "results")
    with (project.root / "killed.log").open("w") as log:
        started = subprocess.Popen(
            command, cwd=project.root, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        while not store.known() and started.poll() is None:
            time.sleep(0.05)
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
    return store.known()


def test_killed_and_started_again_it_runs_the_other_cells_and_makes_every_product(project: Project) -> None:
    kept = kill_after_a_cell(project)
    folders = {digest: Store(project.root / "results").folder(digest) for digest in kept}
    began = {digest: (folder / "meta.json").read_bytes() for digest, folder in folders.items()}
    assert 1 <= len(kept) < 6
    done = project.snakemake("--cores", "2", config=CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    base = project.root / "results/theory-tiny"
    outcomes = [log.read_text(encoding="utf-8").partition(":")[0] for log in (base / "logs/train").rglob("*.log")]
    assert outcomes.count("trained") == 6 - len(kept)
    scenario = project.scenario
    for step in steps_of(scenario):
        assert all((base / name).is_file() for name in (*files(step, scenario), record(step)))
    for cell in scenario.runs():
        assert all(path.is_file() for path in run_paths(cell, project.root / "results", scenario.name))
    assert {digest: (folder / "meta.json").read_bytes() for digest, folder in folders.items()} == began
    report = (base / "report.html").read_text(encoding="utf-8")
    for shown in ("7 parts of the claims: 7 replicated", "Rates: the gap falls as K^", "Time: ", "Not tuned at all."):
        assert shown in report
    assert "theory-speedup" not in report

    assert not project.planned(config=CONFIG).jobs
    for old, new, trained, others in (
        ("title: Tiny", "title: Other", 0, {"report"}),
        ("accept: [0.5, 2]", "accept: [0.5, 3]", 0, {"verdict", "report"}),
        ("  - 0.5\n  garnet", "  - 0.4\n  garnet", 0, {"collect", "verdict", "figures", "report"}),
        ("- 0.05\n", "- 0.04\n", 4, {"collect", "verdict", "figures", "report"}),
    ):
        file = "config/theory-tiny-claims.yaml" if old.startswith("accept") else CONFIG
        project.edit(file, old, new)
        planned = project.planned(config=CONFIG).jobs
        assert planned["train"] == trained, old
        assert set(planned) - {"train", "all"} == others, old
        project.edit(file, new, old)
    project.edit("src/frl/theory/cells/driver.py", "POINTS_PER_DECADE = 24", "POINTS_PER_DECADE = 23")
    assert project.planned(config=CONFIG).jobs["train"] == 6
