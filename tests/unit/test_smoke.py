"""The smoke test of a cluster: what it asks for, and what it says when the runs do not come."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from frl.cli import main
from frl.runs import smoke
from frl.runs.runner import run_one
from frl.scenario.loading import load_training

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """One that needs nothing, in a project whose runs are tiny."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(smoke, "SCENARIO", Path("tests/workflow/tiny.yaml"))
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile/config.yaml").write_text("cores: 1\n")
    return tmp_path / "profile"


def answering(monkeypatch, script):
    """In place of Snakemake a script of the shell."""
    monkeypatch.setattr(smoke, "_command", lambda *_: ["sh", "-c", script])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (None, "not a profile of Snakemake's"),
        ("executor: [", "not a profile of Snakemake's"),
        ("executor: no-such", "executor no-such is not installed: pip install -e '.[cluster]'"),
        ("executor: slurm", "sbatch, squeue, scancel not found: start it where jobs are submitted"),
    ],
)
def test_what_a_profile_needs_is_asked_for_first(profile, monkeypatch, capsys, settings, told):
    monkeypatch.setenv("PATH", "/nonexistent")
    file = profile / "config.yaml"
    file.unlink() if settings is None else file.write_text(settings)
    results = profile.parent / "results"
    assert main(["smoke", str(profile), "--results", str(results)]) == 2
    assert told in capsys.readouterr().err
    assert not results.exists()


def test_elsewhere_than_in_the_project_it_says_so(profile, monkeypatch, capsys):
    monkeypatch.chdir(profile)
    assert main(["smoke", str(profile)]) == 2
    assert "workflow/Snakefile is not here: start it in the project's folder" in capsys.readouterr().err


def test_it_passes_with_runs_that_can_be_made_again_and_leaves_nothing(profile, monkeypatch, capsys):
    def train(_, work, tables):
        for spec in list(load_training(smoke.SCENARIO).runs())[: len(tables)]:
            run_one(spec, work / "results", "tiny")
        return ["true"]

    monkeypatch.setattr(smoke, "_command", train)
    results = profile.parent / "results"
    assert main(["smoke", str(profile), "--results", str(results)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == ["ok", "ok", "ok", "pass"]
    assert "beside the same run made here: identical, byte for byte" in told[2]
    assert not list(results.iterdir())


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'sbatch: error: Invalid partition specified: x'; exit 1",
         ("exit code 1", "error: Invalid partition", "Perhaps: set slurm_partition")),
        ("echo MissingOutputException; exit 1", ("Perhaps: what a node writes must be seen here",)),
        ("exit 0", ("Snakemake ended with exit code 0",)),
        ("echo waiting; exec sleep 60", ("not done after 0.01 minutes", "PartitionTimeLimit",
                                         "Perhaps: the partition allows less time", "waiting")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_do_and_the_logs_are_kept(profile, monkeypatch, capsys, script, told):
    answering(monkeypatch, script)
    monkeypatch.setenv("PATH", f"{profile}:{Path(str(shutil.which('sh'))).parent}")
    (profile / "squeue").write_text("#!/bin/sh\necho '7 frl PENDING PartitionTimeLimit'\n")
    (profile / "squeue").chmod(0o755)
    results = profile.parent / "results"
    with pytest.raises(SystemExit) as ended:
        main(["smoke", str(profile), "--results", str(results), "--minutes", "0.01"])
    assert ended.value.code == 1
    said = capsys.readouterr().out
    for words in ("failed: ", "Logs are kept in ", *told):
        assert words in said
    assert (next(results.iterdir()) / "snakemake.log").exists()
