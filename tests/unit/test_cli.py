"""The command line: what it offers, what it refuses, and one real run through it."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import frl.cli
import frl.commands
from frl.cli import main
from frl.scenario.schema import schema_text

TINY = Path(__file__).resolve().parents[1] / "workflow" / "tiny.yaml"
RUN = ["--environment", "Swimmer", "--method", "afedpg", "--n-agents", "2", "--seed", "0"]
COMMANDS = (
    "train", "runs", "collect", "figures", "tables", "verdict", "report", "publish", "schema", "store",
    "bench",
)  # fmt: skip


def test_help_documents_every_command(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert f"    {command} " in text
    assert "frl train config/quick.yaml --environment" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: frl {command}")


def test_help_imports_nothing_heavy():
    code = "import sys, frl.cli; frl.cli.parser(); print({'numpy', 'torch', 'pandas', 'pydantic'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["runs", "absent.yaml"], "absent.yaml: cannot read the scenario"),
        (
            ["train", str(TINY), *RUN[:-4], "--n-agents", "3", "--seed", "0"],
            "method = 'afedpg', n_agents = 3: scenario 'tiny' has afedpg (N = 1, 2), fedpg (N = 2), a3c (N = 2)",
        ),
        (
            ["train", str(TINY), "--environment", "Hopper", *RUN[2:]],
            "--environment = 'Hopper': scenario 'tiny' has Swimmer",
        ),
        (["train", str(TINY), *RUN[:-2], "--seed", "-1"], "seed = -1"),
        (["train", str(TINY), *RUN, "--expect-digest", "12"], "changed since this job was planned"),
        (["store", "import", "absent.tar"], "absent.tar: cannot be read"),
        (["evaluate", "absent.csv"], "absent.csv is not there; a run is named by its CSV"),
        (["collect", str(TINY)], "runs are missing"),
        (["figures", str(TINY)], "curves.csv is not there; run `frl collect SCENARIO.yaml`, or snakemake"),
        (["verdict", str(TINY)], "scenario 'tiny' names no claims"),
        (["tables", str(TINY)], "curves.csv is not there; run `frl collect SCENARIO.yaml`, or snakemake"),
    ],
)
def test_what_cannot_be_used_is_one_message_and_code_2(tmp_path, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


def test_unknown_arguments_are_code_2(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", str(TINY), *RUN, "--tempo", "1"])
    assert "unrecognized arguments: --tempo 1" in capsys.readouterr().err


def test_missing_arguments_are_code_2(capsys):
    assert main(["train", str(TINY), "--environment", "Swimmer"]) == 2
    assert "--method, --n-agents, --seed: required, but not given" in capsys.readouterr().err


def test_full_disk_is_a_message_and_code_1(monkeypatch, capsys):
    def full(arguments):
        raise OSError(28, "No space left on device", "results/x.csv")

    monkeypatch.setattr(frl.commands, "runs", full)
    assert main(["runs", str(TINY)]) == 1
    assert "No space left on device: 'results/x.csv'" in capsys.readouterr().err


def test_a_bug_is_not_dressed_up_as_bad_input(monkeypatch):
    def bug(arguments):
        raise ValueError("shapes do not fit")

    monkeypatch.setattr(frl.commands, "runs", bug)
    with pytest.raises(ValueError, match="shapes do not fit"):
        main(["runs", str(TINY)])


def test_schema_is_printed_and_checked(tmp_path, capsys):
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == schema_text()
    (tmp_path / "schema.json").write_text(schema_text(), encoding="utf-8")
    assert main(["schema", "--check", str(tmp_path / "schema.json")]) == 0
    (tmp_path / "schema.json").write_text("{}", encoding="utf-8")
    assert main(["schema", "--check", str(tmp_path / "schema.json")]) == 2
    assert "out of date" in capsys.readouterr().err


def test_one_real_run_through_the_command_line(tmp_path, monkeypatch, capsys):
    """Headless, as a console script, twice from nothing: the same bytes; then listed, packed, unpacked, restored."""
    script = Path(sys.executable).with_name("frl")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}  # no DISPLAY, no MUJOCO_GL

    def run(*arguments: str) -> str:
        done = subprocess.run([script, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    for results in ("first", "second"):
        outcome, policy = run("train", str(TINY), *RUN, "--results", results).splitlines()
        assert outcome == f"trained: {results}/tiny/runs/Swimmer/afedpg/n2/seed0.csv"
        assert (tmp_path / policy.split()[1]).name == "policy.safetensors"
        assert (tmp_path / policy.split()[1]).is_file()
    files = [tmp_path / results / "tiny/runs/Swimmer/afedpg/n2/seed0.csv" for results in ("first", "second")]
    assert files[0].read_bytes() == files[1].read_bytes()
    monkeypatch.chdir(tmp_path)

    def here(*arguments: str) -> str:
        """The same in this process, which has imported what is needed."""
        assert main(arguments) == 0
        return capsys.readouterr().out

    listed = here("runs", str(TINY), "--results", "first").splitlines()
    assert listed[2] == "finished  Swimmer/afedpg/n2/seed0"
    assert listed[-1] == "8 runs: 7 missing, 1 finished"
    assert here("store", "export", "runs.tar.gz", "--results", "first") == "1 runs exported: runs.tar.gz\n"
    shutil.rmtree(tmp_path / "second")
    assert here("store", "import", "runs.tar.gz", "--results", "second") == "1 runs imported: runs.tar.gz\n"
    assert here("train", str(TINY), *RUN, "--results", "second").startswith("restored: ")
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", "- inf ??"), ("latin-1", "- inf ä?"), ("utf-8", "– ∞ ä漢")])
def test_every_command_prints_on_any_terminal(monkeypatch, encoding, shown):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding=encoding))
    monkeypatch.setattr(frl.commands, "runs", lambda arguments: print("– ∞ ä漢"))
    assert main(["runs", str(TINY)]) == 0
    sys.stdout.flush()
    assert printed.getvalue().decode(encoding).rstrip() == shown


def test_help_keeps_the_case_of_names(capsys):
    for command, words in {
        "figures": "SVG, PDF, PNG",
        "tables": "CSV, Markdown, HTML",
        "publish": "RESULTS/published",
    }.items():
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert words in " ".join(capsys.readouterr().out.split())
