"""A project that is built in seconds, what can happen to it, and what its report has to be in the end."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from conftest import copy_project

SCENARIO = """
name: toy
title: First
tuned: Not tuned at all.
claims: toy-claims.yaml
environments: [Swimmer]
methods:
  - {algorithm: afedpg, n_agents: [1, 2], server: {step_size: 0.01}}
seeds: [0]
thresholds: {Swimmer: 5 return}
run:
  steps_per_agent: 32
  policy: {hidden: [4]}
  sampling: {lanes: 2, segment_steps: 8}
  evaluation: {episodes: 1}
"""
CLAIMS = """
claims:
  - id: C1
    title: Final return
    statement: First.
    source: nobody
    environment: Swimmer
    role: exploratory
    test: ratio
    per: samples
    pairs: [{slower: {method: afedpg, n_agents: 1}, faster: {method: afedpg, n_agents: 2}}]
    threshold: 5
    horizon: 32
    margin: 1.25
"""
NOTEBOOK = """# %% tags=["parameters"]
from pathlib import Path

from frl.scenario.loading import load_scenario

scenario = load_scenario("config/toy.yaml")
base = Path("results/toy")

# %%
from frl.analysis.load import read_runs
from frl.report import settings, show

# %% [markdown]
# ## First

# %%
show.frame(settings.settings(scenario)[0])

# %%
show.frame(settings.digests(read_runs(base)))

# %%
show.verdicts(scenario, base)

# %%
show.figure(scenario, base, "sample_complexity", "Return")
"""
"""Shows settings, runs, verdicts and a figure, and nothing that differs between two trainings of a run."""

STEPS = ("train", "collect", "verdict", "figures", "tables", "report")
EDITS: dict[str, tuple[str, str, str]] = {
    "a setting": ("config/toy.yaml", "step_size: 0.01", "step_size: 0.02"),
    "the title": ("config/toy.yaml", "title: First", "title: Second"),
    "the seeds": ("config/toy.yaml", "seeds: [0]", "seeds: [0, 1]"),
    "the claims": ("config/toy-claims.yaml", "statement: First.", "statement: Second."),
    "the notebook": ("notebooks/1.py", "# ## First", "# ## Second"),
    "training code": ("src/frl/training/servers/afedpg.py", "eta * direction", "2 * eta * direction"),
    "a table's code": ("src/frl/report/tables/verdict.py", '"Verdicts"', '"Verdicts, edited"'),
}


class Toy:
    """A copy of the project with the toy scenario.

    Args:
        root: where to put it, or where it is.
    """

    def __init__(self, root: Path):
        self.root = root
        self.stash = root.parent / f"{root.name}-stash"

    @classmethod
    def fresh(cls, root: Path) -> Toy:
        """A project in which nothing was built yet; it draws figures in one form of three, the report's."""
        copy_project(root)
        for path in (root / "notebooks").glob("*.py"):
            path.unlink()
        (root / "notebooks/1.py").write_text(NOTEBOOK)
        (root / "config/toy.yaml").write_text(SCENARIO)
        (root / "config/toy-claims.yaml").write_text(CLAIMS)
        toy = cls(root)
        toy.replace("src/frl/report/figures/style.py", "for kind in _METADATA:", 'for kind in ("svg",):')
        toy.replace("src/frl/scenario/products.py", '".pdf", ".png", ', "")
        toy.replace("src/frl/scenario/products.py", '"-narrow.pdf", "-narrow.png", ', "")
        return toy

    def copy(self, root: Path, results: bool = True) -> Toy:
        """The project elsewhere, with or without what was built."""
        skip = shutil.ignore_patterns("__pycache__", *([] if results else ["results", ".snakemake"]))
        shutil.copytree(self.root, root, ignore=skip)
        return Toy(root)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the project."""
        environment = {**os.environ, "PYTHONPATH": str(self.root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=900)

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Snakemake with the toy scenario."""
        command = (sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", "config/toy.yaml")
        return self.run(*command)

    def frl(self, step: str) -> None:
        """A command of frl; it may refuse, in one message."""
        run = ["--environment", "Swimmer", "--method", "afedpg", "--n-agents", "1", "--seed", "0"]
        done = self.run(sys.executable, "-m", "frl", step, "config/toy.yaml", *(run if step == "train" else []))
        assert done.returncode in (0, 2), done.stderr
        assert "Traceback" not in done.stderr

    def edit(self, what: str) -> None:
        """Make one of `EDITS`, or take it back."""
        file, one, other = EDITS[what]
        old, new = (other, one) if other in (self.root / file).read_text() else (one, other)
        self.replace(file, old, new)

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace one piece of text in a file."""
        text = (self.root / file).read_text()
        assert old in text, f"{file} has no {old!r}: the test needs another place to edit"
        (self.root / file).write_text(text.replace(old, new, 1))

    def delete(self, name: str) -> None:
        """A file or folder, if it is there."""
        path = self.root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def damage(self, name: str) -> None:
        """A byte that is not UTF-8, in a file that is there."""
        path = self.root / name
        if path.is_file():
            path.write_bytes(path.read_bytes() + b"\xff")

    def become_a_folder(self, name: str) -> None:
        """In the place of a file that is there."""
        if (path := self.root / name).is_file():
            path.unlink()
            path.mkdir()

    def set_aside(self) -> None:
        """A copy of what is built now."""
        self.stash.mkdir(exist_ok=True)
        for name in ("figures", "tables", "provenance", "report.html", "curves.csv"):
            source, target = self.root / "results/toy" / name, self.stash / name
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy(source, target)

    def bring_back(self, *names: str) -> None:
        """Part of the copy over what is built now: a tree that was half updated, or copied from another scenario."""
        for name in names:
            source, target = self.stash / name, self.root / "results/toy" / name
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)

    def travel(self) -> None:
        """Every source and every result comes from one hour ahead."""
        for folder in ("config", "notebooks", "results", "src"):
            for path in (self.root / folder).rglob("*"):
                os.utime(path, (time.time() + 3600,) * 2)

    def lose_times(self) -> None:
        """As a copy or checkout of the tree may: what was made last is the oldest now."""
        for path in (self.root / "results").rglob("*"):
            os.utime(path, (2e9 - path.stat().st_mtime,) * 2)

    def state(self) -> str:
        """Digest of all that the report depends on: configuration, notebooks, code."""
        digest = hashlib.sha256()
        for folder in ("config", "notebooks", "src"):
            for path in sorted((self.root / folder).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    digest.update(path.read_bytes())
        return digest.hexdigest()

    def products(self) -> dict[str, bytes]:
        """What a reader sees of settings, runs and verdicts."""
        base = self.root / "results/toy"
        names = ("report.html", "curves.csv", "tables/verdict.csv", "tables/final_return.csv")
        return {name: (base / name).read_bytes() for name in names}


RUN = "results/toy/runs/Swimmer/afedpg/n1/seed0"
ACTIONS: dict[str, Callable[[Toy], object]] = {
    **{f"edit {what}": (lambda toy, what=what: toy.edit(what)) for what in EDITS},
    **{
        f"delete {name}": (lambda toy, name=name: toy.delete(name))
        for name in (
            *(".snakemake", "results/toy", "results/.store", "results/toy/report.html", "results/toy/curves.csv"),
            *("results/toy/figures", "results/toy/provenance", f"{RUN}.csv", f"{RUN}.meta.json"),
            "results/toy/provenance/tables.json",
        )
    },
    **{
        f"damage {name}": (lambda toy, name=name: toy.damage(name))
        for name in (f"{RUN}.csv", f"{RUN}.meta.json", "results/toy/curves.csv", "results/toy/report.html")
    },
    "a folder for a run": lambda toy: toy.become_a_folder(f"{RUN}.csv"),
    "a folder for a table": lambda toy: toy.become_a_folder("results/toy/tables/verdict.csv"),
    "set aside": lambda toy: toy.set_aside(),
    "bring back figures": lambda toy: toy.bring_back("figures", "provenance/figures.json"),
    "bring back all": lambda toy: toy.bring_back("figures", "tables", "provenance", "report.html", "curves.csv"),
    "bring back the report": lambda toy: toy.bring_back("report.html"),
    "travel": lambda toy: toy.travel(),
    "lose times": lambda toy: toy.lose_times(),
    **{f"frl {step}": (lambda toy, step=step: toy.frl(step)) for step in STEPS},
    "snakemake": lambda toy: toy.snakemake(),
    "snakemake -n": lambda toy: toy.snakemake("-n"),
    "snakemake partial": lambda toy: toy.snakemake("partial"),
    "snakemake of a run": lambda toy: toy.snakemake(f"{RUN}.csv"),
}


def built_anew(toy: Toy, root: Path) -> dict[str, bytes]:
    """The products of the same sources, made from nothing in one go, without Snakemake."""
    fresh = toy.copy(root, results=False)
    steps = "".join(f"    main([{step!r}, file])\n" for step in STEPS[1:])
    code = (
        "from pathlib import Path\nfrom frl.cli import main\nfrom frl.runs.runner import run_one\n"
        "from frl.scenario.loading import load_scenario\nfile = 'config/toy.yaml'\nif __name__ == '__main__':\n"
        "    for spec in load_scenario(file).runs():\n        run_one(spec, Path('results'), 'toy')\n" + steps
    )
    done = fresh.run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    return fresh.products()
