"""A copy of the project in a temporary folder, whose sources a test may edit, and Snakemake run in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from frl.runs.store import Store, checksum, dump_meta
from frl.runs.validity import run_digest
from frl.scenario.loading import load_scenario
from frl.scenario.scenario import Scenario

ROOT = Path(__file__).resolve().parents[2]
TINY = Path(__file__).with_name("tiny.yaml")


@dataclass
class Project:
    """A copy of the project; `scenario` is tests/workflow/tiny.yaml, at config/tiny.yaml in the copy."""

    root: Path
    scenario: Scenario

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the copy, with the copy's sources imported instead of the installed ones."""
        environment = {**os.environ, "PYTHONPATH": str(self.root / "src")}
        environment.pop("SNAKEMAKE_PROFILE", None)
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=900)

    def snakemake(self, *arguments: str, config: str | None = "config/tiny.yaml") -> subprocess.CompletedProcess[str]:
        """Snakemake with one scenario file (None: no --configfile at all)."""
        chosen = [] if config is None else ["--configfile", config]
        return self.run(sys.executable, "-m", "snakemake", *arguments, *chosen)

    def planned(self, *targets: str, config: str | None = "config/tiny.yaml") -> Plan:
        """What a dry-run says it would do."""
        done = self.snakemake("-n", *targets, config=config)
        assert done.returncode == 0, done.stdout + done.stderr
        return Plan.read(done.stdout + done.stderr)

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace one piece of text in a source file of the copy."""
        path = self.root / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r}: the test needs another place to edit"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def fill_store(self) -> None:
        """Put an entry for every run into the store, made up, as if each had been trained by the present code."""
        for spec in self.scenario.runs():
            digest = run_digest(spec)
            table = f"environment,seed\n{spec.environment},{spec.seed}\n".encode()
            meta = {"spec": spec.given(), "digest": digest, "status": "ok"}
            meta["checksum"] = checksum(table, meta)
            Store(self.root / "results").put(digest, table, dump_meta(meta))


@dataclass
class Plan:
    """Jobs of a dry-run: how many of each rule, and how many train jobs of each method, or of each cell."""

    jobs: Counter[str]
    train: Counter[str]

    @classmethod
    def read(cls, output: str) -> Plan:
        table = re.search(r"^Job stats:\n.*\n-.*\n((?:\S.*\n)+)", output, flags=re.MULTILINE)
        rows = [line.split() for line in table[1].splitlines()] if table else []
        train = Counter(re.findall(r"^Job \d+: (?:Train|Run the cell) (\S+)", output, flags=re.MULTILINE))
        jobs = Counter({name: int(count) for name, count in rows if name != "total"})
        assert train.total() == jobs["train"], output
        return cls(jobs, train)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return copy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy whose runs are all there, put in place by Snakemake from the store; not to be edited."""
    project = copy_project(tmp_path_factory.mktemp("finished") / "project")
    project.fill_store()
    done = project.snakemake("--cores", "2", "--until", "train")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def editable(finished: Project, tmp_path: Path) -> Project:
    """A copy of `finished`, file times and Snakemake's records included."""
    shutil.copytree(finished.root, tmp_path / "project", copy_function=shutil.copy2)
    return Project(tmp_path / "project", finished.scenario)


def copy_project(root: Path) -> Project:
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("src", "workflow", "config", "notebooks"):
        shutil.copytree(ROOT / name, root / name, ignore=skip)
    for name in ("environment.yml", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    shutil.copy(TINY, root / "config" / "tiny.yaml")
    return Project(root, load_scenario(TINY))
