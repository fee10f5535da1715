"""Snakemake killed, two at once, damaged files: said clearly, nothing lost, and the next start completes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frl.runs.runner import run_one
from frl.scenario.loading import load_scenario

TINY = Path(__file__).with_name("tiny.yaml")
SLOW = ("steps_per_agent: 512", "steps_per_agent: 4_000")
RUNS = [f"results/tiny/runs/Swimmer/{run}.csv" for run in ("afedpg/n2/seed0", "fedpg/n2/seed0", "a3c/n2/seed0")]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The runs' CSVs as they have to be."""
    folder = tmp_path_factory.mktemp("whole")
    scenario = folder / "tiny.yaml"
    scenario.write_text(TINY.read_text().replace(*SLOW))
    for spec in load_scenario(scenario).runs():
        if f"results/tiny/runs/{spec.run_id}.csv" in RUNS:
            run_one(spec, folder / "results", "tiny")
    return {run: (folder / run).read_bytes() for run in RUNS}


@pytest.fixture
def project(project):
    """The tiny scenario with runs of some seconds."""
    project.edit("config/tiny.yaml", *SLOW)
    return project


@pytest.fixture
def start():
    """Starts Snakemake; what is left of it at the end is killed, its jobs too."""
    started = []

    def start(project, *arguments):
        environment = {**os.environ, "PYTHONPATH": str(project.root / "src")}
        command = [sys.executable, "-m", "snakemake", *arguments, "--configfile", "config/tiny.yaml"]
        process = subprocess.Popen(
            command, cwd=project.root, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if not process.stderr.closed:
            process.communicate()


def wait_for(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def under_way(project):
    """Process ids of the runs that are being trained."""
    found = []
    for path in (project.root / "results/.checkpoints").glob("*.lock"):
        with contextlib.suppress(FileNotFoundError):  # a run that ends removes its lock
            found += [int(text.split()[1]) for text in [path.read_text()] if text]
    return found


def stop_when_under_way(project, count):
    """Stop as many training processes as soon as each is seen, however short its run is; their ids."""
    stopped = []

    def all_are():
        for pid in set(under_way(project)).difference(stopped):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
        return len(stopped) == count

    wait_for(all_are)
    return stopped


def go_on(pids):
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def logs(project):
    return "".join(path.read_text() for path in (project.root / "results/tiny/logs/train").rglob("*.log"))


def files(project):
    return {run: (project.root / run).read_bytes() for run in RUNS}


def test_a_killed_snakemake_needs_no_unlock_and_its_runs_are_not_made_twice(project, expected, start):
    first = start(project, "--cores", "2", *RUNS)
    orphans = stop_when_under_way(project, 2)
    first.kill()
    first.wait()  # not communicate: its jobs live on, and hold its stderr
    assert list((project.root / ".snakemake/locks").glob("*.lock"))
    second = start(project, "--cores", "2", *RUNS)
    wait_for(lambda: logs(project).count("waiting: process") == 2)
    go_on(orphans)
    _, said = second.communicate()
    assert second.returncode == 0, said
    assert re.search(r"removed \d locks of a Snakemake that was killed", said)
    assert files(project) == expected
    assert len(re.findall("^(restored|present): ", logs(project), re.MULTILINE)) == 2
    assert logs(project).count("trained: ") == 1
    assert not under_way(project)


def test_ctrl_c_and_again(project, expected, start):
    first = start(project, "--cores", "2", *RUNS)
    stopped = stop_when_under_way(project, 2)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does: to the jobs as well
    go_on(stopped)
    first.communicate()
    assert first.returncode != 0
    again = project.snakemake("--cores", "2", *RUNS)
    assert again.returncode == 0, again.stderr
    assert files(project) == expected


def test_of_two_at_once_the_second_is_refused_and_names_the_first(project, expected, start):
    first = start(project, "--cores", "2", *RUNS)
    stopped = stop_when_under_way(project, 2)
    second = project.snakemake("--cores", "2", *RUNS)
    assert second.returncode == 1
    assert f"process {first.pid} on" in second.stderr
    assert "at work on the same scenario" in second.stderr
    assert project.snakemake("-n", *RUNS).returncode == 0  # to look is allowed
    go_on(stopped)
    _, said = first.communicate()
    assert first.returncode == 0, said
    assert files(project) == expected


def test_a_second_that_snakemake_itself_lets_through_is_refused(project, start):
    """Snakemake removes all locks when one of several scenarios in a folder ends; --nolock asks for none."""
    first = start(project, "--cores", "1", RUNS[0])
    stopped = stop_when_under_way(project, 1)
    second = project.snakemake("--cores", "1", "--nolock", RUNS[1])
    go_on(stopped)
    assert second.returncode != 0
    assert "another Snakemake is at work on this scenario" in second.stderr
    assert not (project.root / RUNS[1]).exists()
    first.communicate()
    assert first.returncode == 0


def test_what_another_machine_left_locked_is_said_and_passed_by_nolock(project):
    locks = project.root / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text(f"{RUNS[0]}\n")
    (project.root / ".snakemake/frl-tiny.lock").write_text("process 1 on elsewhere")
    refused = project.snakemake("--cores", "1", RUNS[0])
    assert refused.returncode == 1
    assert "process 1 on elsewhere left" in refused.stderr
    assert project.snakemake("--cores", "1", "--nolock", RUNS[0]).returncode == 0
