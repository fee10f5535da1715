"""Published runs count whatever code made them; who takes them is told so, once, and how to have them trained."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import synthetic

import frl.scenario.loading
from frl import commands, run_commands
from frl.cli import main
from frl.runs import validity
from frl.runs.paths import run_paths
from frl.runs.provenance import SRC
from frl.runs.store import Store, mark_published
from frl.runs.validity import run_digest, state
from frl.runs.workflow import Jobs
from frl.scenario.scenario import Scenario

SAID = re.compile(
    r"(frl: note: )?2 published runs count as they are, made by earlier code \(commit \w+\); to train .*\n"
)


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    """Two finished runs, and two published ones that were imported; every command is given this scenario."""
    monkeypatch.chdir(tmp_path)
    scenario = synthetic.scenario(environments=("Swimmer",), seeds=(0, 1), methods={"afedpg": (4,), "fedpg": (4,)})
    synthetic.write_all(Path("results"), scenario)
    store = Store(Path("results"))
    for spec in scenario.runs():
        paths = run_paths(spec, Path("results"), scenario.name)
        entry = paths[0].read_bytes(), paths[1].read_bytes()
        published = spec.algorithm == "afedpg"
        store.put(run_digest(spec), *(mark_published(entry, "s") if published else entry))
        for path in paths if published else ():
            path.unlink()
    monkeypatch.setattr(frl.scenario.loading, "load_scenario", lambda _: scenario)
    return scenario


@pytest.fixture
def edit(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Edits the code of AFedPG."""
    real = validity.code_digest

    def apply() -> None:
        monkeypatch.setattr(
            validity, "code_digest", lambda spec: "edited" if spec.algorithm == "afedpg" else real(spec)
        )

    return apply


def asked(scenario: Scenario) -> dict[str, Callable[[], object]]:
    """All that takes published runs, by name."""
    jobs = Jobs(Path("s.yaml"), scenario, Path("notebooks"))
    of = argparse.Namespace(scenario=Path("s.yaml"), results=Path("results"), partial=False)
    return {
        "frl runs": lambda: commands.runs(of),
        "plan": lambda: jobs.settle(write=False),
        "workflow": lambda: jobs.settle(write=True),
        "frl collect": lambda: commands.collect(of),
    }


def test_published_runs_of_other_code_are_told_once_by_whoever_takes_them(
    scenario: Scenario, edit: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, ask in asked(scenario).items():
        ask()
        assert "published" not in capsys.readouterr().err, name  # the present code made them
    edit()
    for name, ask in asked(scenario).items():
        ask()
        assert len(SAID.findall(capsys.readouterr().err)) == 1, name


def test_train_says_of_its_run_that_other_code_made_it(
    scenario: Scenario, edit: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    edit()
    of = {"environment": "Swimmer", "n_agents": 4, "seed": 1, "scenario": Path("s.yaml"), "results": Path("results")}
    more = {"cell": None, "engine": None, "checkpoint_every": None, "expect_digest": None, "quiet": False}
    for method, count in (("afedpg", 1), ("fedpg", 0)):
        run_commands.train(argparse.Namespace(method=method, **of, **more))
        said = capsys.readouterr()
        assert said.out.startswith("restored: " if count else "present: ")
        assert said.err.count("1 published run counts as it is, made by earlier code (commit ") == count


def test_what_it_says_has_them_trained_and_keeps_the_others(
    scenario: Scenario, edit: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    edit()
    asked(scenario)["workflow"]()
    (command,) = re.findall(r"as it is now: (rm -r .*)\n", capsys.readouterr().err)
    subprocess.run(command, shell=True, check=True)
    states = {spec.run_id: state(spec, Path("results"), scenario.name) for spec in scenario.runs()}
    assert states == {s.run_id: "missing" if s.algorithm == "afedpg" else "stored" for s in scenario.runs()}


def test_the_commands_of_the_published_results_work_in_a_fresh_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = SRC.parent / "results/published/README.md"
    lines = [line for block in re.findall(r"```bash\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
             for line in block.splitlines()]  # fmt: skip
    assert "frl best config/sensitivity.yaml --partial" in lines
    for folder in ("config", "results/published/sensitivity"):
        shutil.copytree(SRC.parent / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    for line in lines:
        command, *arguments = shlex.split(line)
        assert command == "frl"
        assert main(arguments) == 0, line
    assert re.search(
        r"^\* +0\.01 +10 +90% +13,691", capsys.readouterr().out, re.MULTILINE
    )  # the lookahead pair's choice
