"""One process at a time, and no lock outlives its process."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys

import pytest

from frl.runs import locks
from frl.runs.locks import Busy, alone, clear_stale, hold, take

HOLD = """
import sys; from pathlib import Path; from frl.runs.locks import take
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


@pytest.fixture
def no_locks(monkeypatch):
    def unsupported(file, operation):
        raise OSError(errno.ENOSYS, "no locks here")

    monkeypatch.setattr(fcntl, "flock", unsupported)


def test_a_file_system_without_locks_guards_nothing_and_refuses_nothing(tmp_path, no_locks):
    assert take(tmp_path / "lock") is None
    hold(tmp_path / "lock", "why")
    with alone(tmp_path / "lock", "x"), alone(tmp_path / "lock", "x"):
        pass


def test_a_lock_whose_file_was_removed_meanwhile_is_none(tmp_path, monkeypatch):
    """Between opening and locking, its holder removes the file and a third process makes and locks a new one."""
    flock, third = fcntl.flock, []

    def late(file, operation):
        if not third:
            third.append(None)
            (tmp_path / "lock").unlink()
            third.append(take(tmp_path / "lock"))
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(Busy):
        take(tmp_path / "lock")
    third[1].close()


def snakemake_locks(tmp_path):
    folder = tmp_path / ".snakemake/locks"
    folder.mkdir(parents=True)
    (folder / "0.output.lock").write_text("results/a/runs/1.csv\nresults/a/runs/2.csv\n")
    (folder / "1.output.lock").write_text("results/ab/runs/1.csv\n")
    return folder


def clear(tmp_path):
    """How many of the two locks are left."""
    clear_stale(tmp_path / "lock", tmp_path / ".snakemake", "results/a/")
    return len(list((tmp_path / ".snakemake/locks").iterdir()))


def test_locks_that_a_killed_snakemake_left_on_this_scenario_are_removed(tmp_path, holder, capsys):
    folder = snakemake_locks(tmp_path)
    holder.kill()
    holder.wait()
    assert clear(tmp_path) == 1
    assert [path.name for path in folder.iterdir()] == ["1.output.lock"]
    assert "removed 1 locks" in capsys.readouterr().err


def test_locks_of_a_living_snakemake_stay(tmp_path, holder, capsys):
    snakemake_locks(tmp_path)
    assert clear(tmp_path) == 2
    assert f"process {holder.pid} on" in capsys.readouterr().err


def test_locks_of_which_nothing_is_known_stay(tmp_path, holder, monkeypatch):
    snakemake_locks(tmp_path)
    holder.kill()
    holder.wait()
    text = (tmp_path / "lock").read_text()
    (tmp_path / "lock").unlink()
    assert clear(tmp_path) == 2  # an older version, --no-hooks, or a Snakemake that is only about to lock
    (tmp_path / "lock").write_text("")
    assert clear(tmp_path) == 2  # the last one ended; who left these is another
    (tmp_path / "lock").write_text(text)
    with monkeypatch.context() as patch:
        patch.setattr(locks.socket, "gethostname", lambda: "elsewhere")
        assert clear(tmp_path) == 2


def test_locks_stay_where_it_cannot_be_known_who_lives(tmp_path, holder, no_locks):
    snakemake_locks(tmp_path)
    assert clear(tmp_path) == 2


def test_what_is_held_to_the_end_says_whether_the_end_was_orderly(tmp_path):
    imports = "import sys; from pathlib import Path; from frl.runs.locks import hold; "
    code = f"{imports}hold(Path(sys.argv[1]), 'why'); exec(sys.argv[2])"
    for end, left in (("pass", ""), ("import os; os.kill(os.getpid(), 9)", "process ")):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "lock"), end], check=False)
        assert (tmp_path / "lock").read_text().startswith(left)
        assert bool((tmp_path / "lock").read_text()) == bool(left)
