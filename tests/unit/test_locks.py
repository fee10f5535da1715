"""One process at a time, and no lock outlives its process."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys

import pytest

from frl.locks import Busy, alone, clear_stale, take

HOLD = """
import sys; from pathlib import Path; from frl.locks import take
file = take(Path(sys.argv[1])); print(flush=True); input()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path/lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_a_held_lock_names_its_process_and_ends_with_it(tmp_path, holder):
    with pytest.raises(Busy, match=rf"process {holder.pid} on \S+ holds .*lock"):
        take(tmp_path / "lock")
    holder.kill()
    holder.wait()
    take(tmp_path / "lock").close()


def test_children_do_not_inherit_it(tmp_path):
    file = take(tmp_path / "lock")
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    file.close()
    take(tmp_path / "lock").close()
    child.kill()
    child.wait()


def test_alone_waits_and_says_for_whom(tmp_path, holder, capsys):
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 2:
            holder.kill()
            holder.wait()

    with alone(tmp_path / "lock", "it trains x", sleep), pytest.raises(Busy):
        take(tmp_path / "lock")
    assert len(waits) >= 2
    said = capsys.readouterr().err
    assert said.count("waiting") == 1
    assert f"process {holder.pid} on" in said
    assert "it trains x" in said
    assert not (tmp_path / "lock").exists()


def test_a_file_system_without_locks_guards_nothing_and_refuses_nothing(tmp_path, monkeypatch):
    def unsupported(file, operation):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with alone(tmp_path / "lock", "x"), alone(tmp_path / "lock", "x"):
        pass


def snakemake_locks(tmp_path):
    folder = tmp_path / ".snakemake/locks"
    folder.mkdir(parents=True)
    (folder / "0.output.lock").write_text("results/a/runs/1.csv\nresults/a/runs/2.csv\n")
    (folder / "1.output.lock").write_text("results/ab/runs/1.csv\n")
    return folder


def test_stale_locks_of_this_scenario_are_removed(tmp_path, capsys):
    folder = snakemake_locks(tmp_path)
    clear_stale(tmp_path / "lock", folder.parent, "results/a/")
    assert [path.name for path in folder.iterdir()] == ["1.output.lock"]
    assert "removed 1 locks" in capsys.readouterr().err


def test_locks_of_a_living_snakemake_stay(tmp_path, holder, capsys):
    folder = snakemake_locks(tmp_path)
    clear_stale(tmp_path / "lock", folder.parent, "results/a/")
    assert len(list(folder.iterdir())) == 2
    assert f"process {holder.pid} on" in capsys.readouterr().err
