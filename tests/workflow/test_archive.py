"""From a published archive to the report in a minute, byte for byte, whatever code made the runs."""

from __future__ import annotations

import resource
import shutil
import sys
from pathlib import Path

import pytest
import synthetic

from conftest import Project, copy_project
from frl.runs.store import Store, checksum, dump_meta
from frl.scenario.loading import load_scenario

SCENARIO = """
name: toy
title: Sixty runs
tuned: Nothing was tuned, these runs are made up.
claims: claims.yaml
environments: [Swimmer]
methods:
  - {algorithm: afedpg, n_agents: [1, 2, 4]}
  - {algorithm: fedpg, n_agents: [4]}
  - {algorithm: async_pg, n_agents: [4]}
  - {algorithm: a3c, n_agents: [4]}
seeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
thresholds: {Swimmer: 60 return}
run:
  steps_per_agent: 100_000
  evaluation: {episodes: 10}
"""
CPU_S = 60
"""CPU seconds from the archive to the report: several times what it takes, little beside training sixty runs."""


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def project_with_scenario(root: Path) -> Project:
    project = copy_project(root)
    (root / "config/toy.yaml").write_text(SCENARIO)
    return project


def frl(project: Project, *arguments: str) -> str:
    done = project.run(sys.executable, "-m", "frl", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder ``published/toy`` of a machine that made the runs."""
    project = project_with_scenario(tmp_path_factory.mktemp("publisher") / "project")
    store = Store(project.root / "results")
    for spec in load_scenario(project.root / "config/toy.yaml").runs():
        rows = synthetic.rows(spec)
        table, meta = synthetic.csv_text(rows).encode(), synthetic.meta(spec, rows)
        store.put(meta["digest"], table, dump_meta(meta | {"checksum": checksum(table, meta)}))
    done = project.snakemake("--cores", "2", config="config/toy.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    frl(project, "publish", "config/toy.yaml")
    return project.root / "results/published/toy"


def test_an_archive_becomes_its_report_again_in_no_time(published: Path, tmp_path: Path) -> None:
    project = project_with_scenario(tmp_path / "project")
    # a later state of the code, which alters no byte
    project.edit("src/frl/training/policy.py", "\nclass ", "\nEDITED = 1\n\n\nclass ")
    shutil.copy(published / "runs.tar.xz", tmp_path)
    before = cpu_seconds()
    assert "60 runs imported" in frl(project, "store", "import", str(tmp_path / "runs.tar.xz"))
    done = project.snakemake("--cores", "2", config="config/toy.yaml")
    used = cpu_seconds() - before
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 of 60 runs were put in their places from the store" in done.stderr
    lines = [
        one for one in (done.stdout + done.stderr).splitlines() if "to train them with the code as it is" not in one
    ]
    assert "train" not in "\n".join(lines).replace("training", "")
    assert used < CPU_S, f"{used:.0f} s"
    frl(project, "publish", "config/toy.yaml")
    for file in (path for path in published.rglob("*") if path.is_file()):
        rebuilt = project.root / "results/published/toy" / file.relative_to(published)
        assert rebuilt.read_bytes() == file.read_bytes(), file


def test_runs_that_are_not_published_have_to_be_of_this_code(published: Path, tmp_path: Path) -> None:
    """The same runs without the mark; and published ones of another NUMERICS_VERSION."""
    project = project_with_scenario(tmp_path / "project")
    project.edit("src/frl/training/policy.py", "\nclass ", "\nEDITED = 1\n\n\nclass ")
    frl(project, "store", "import", str(published / "runs.tar.xz"))
    assert "60 stored" in frl(project, "runs", "config/toy.yaml")
    project.edit("src/frl/training/numerics.py", "NUMERICS_VERSION = ", "NUMERICS_VERSION = 1000 + ")
    assert "60 missing" in frl(project, "runs", "config/toy.yaml")
