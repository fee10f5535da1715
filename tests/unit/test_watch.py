"""What is said of runs that are done, at work, silent, and left by an earlier start."""

from __future__ import annotations

import io
import json
import os
import time
from typing import Any

import pytest
import synthetic

from frl.cli import main
from frl.runs.files import write_atomically
from frl.runs.paths import progress_path
from frl.runs.watch import SILENT_S, Watch
from frl.spec import RunSpec


@pytest.fixture
def scenario():
    return synthetic.scenario(methods={"afedpg": (1, 2)}, seeds=(0, 1), claims=None)


def say(results: Any, spec: RunSpec, share: float, outcome: str | None = None, begun: float = 0, **more: Any) -> Any:
    """Write what a run says that has made a share of its budget, and had `begun` of it from a checkpoint."""
    path, whole = progress_path(spec, results, "toy"), spec.env_steps_budget
    facts = {"outcome": outcome, "env_steps_begun": int(begun * whole), "env_steps_total": int(share * whole)}
    write_atomically(path, json.dumps({**facts, "env_steps_budget": whole, "eval_return_mean": None, **more}))
    return path


def test_runs_at_work_are_listed_and_counted_with_those_that_are_done(scenario, tmp_path):
    first, second, third, fourth = scenario.runs()  # two budgets of 100,000 and two of 200,000 steps
    now = [0.0]
    watch = Watch(scenario.runs(), tmp_path, "toy", {first.run_id}, clock=lambda: now[0])
    (head,) = watch.lines()
    assert head == (
        "toy: 1 of 4 runs done, 0 at work, 3 waiting; 17% of 0.60 M steps, 0 steps/s, time to go not known yet"
    )
    say(tmp_path, second, 0.5)
    say(tmp_path, third, 0.25, begun=0.2, eval_return_mean=87.25)
    now[0] = 10.0
    head, *runs = watch.lines()
    assert "1 of 4 runs done, 2 at work, 1 waiting; 33% of" in head
    assert "6,000 steps/s, 1 min to go" in head  # 50,000 and 10,000 in 10 s; the checkpoint's 40,000 are no speed
    assert runs == [f"  {second.run_id}: 50%, no return yet", f"  {third.run_id}: 25%, last return 87.2"]
    say(tmp_path, second, 1, "trained")
    say(tmp_path, third, 0.5, begun=0.2)
    say(tmp_path, fourth, 1, "restored")
    watch.history.popleft()
    now[0] = 20.0
    head, *runs = watch.lines()
    assert "3 of 4 runs done, 1 at work, 0 waiting; 83% of" in head
    assert "10,000 steps/s, 10 s to go" in head  # 50,000 of each in 10 s; the restored run was not made
    assert len(runs) == 1


def test_what_is_silent_or_was_left_by_an_earlier_start_is_not_at_work(scenario, tmp_path):
    first, second, *_ = scenario.runs()
    silent = say(tmp_path, first, 0.5)
    os.utime(silent, (1e9, 1e9))
    say(tmp_path, second, 1, "trained")  # by other settings, for nobody says that it is done
    watch = Watch(scenario.runs(), tmp_path, "toy", now=lambda: 1e9 + SILENT_S + 1)
    assert "0 of 4 runs done, 0 at work, 4 waiting" in watch.lines()[0]
    say(tmp_path, second, 1, "trained", started="now")
    assert "1 of 4 runs done, 0 at work, 3 waiting" in watch.lines()[0]


def test_a_run_that_fails_is_no_longer_at_work_and_makes_no_steps_undone(scenario, tmp_path):
    first, *_ = scenario.runs()
    now = [0.0]
    watch = Watch(scenario.runs(), tmp_path, "toy", clock=lambda: now[0])
    path = say(tmp_path, first, 0.5)
    assert "1 at work" in watch.lines()[0]
    path.unlink()
    now[0] = 10.0
    assert "0 at work, 4 waiting; 0% of 0.60 M steps, 0 steps/s" in watch.lines()[0]


def test_it_is_shown_until_the_last_run_is_done(scenario, tmp_path):
    stream = io.StringIO()
    Watch(scenario.runs(), tmp_path, "toy", [spec.run_id for spec in scenario.runs()]).show(stream, interval_s=1e9)
    assert "4 of 4 runs done, 0 at work, 0 waiting; 100%" in stream.getvalue()
    assert "nothing left to do" in stream.getvalue()


def test_it_speaks_from_a_thread_until_the_last_run_is_done(scenario, tmp_path):
    stream = io.StringIO()
    watch = Watch(scenario.runs(), tmp_path, "toy")
    for spec in scenario.runs():
        say(tmp_path, spec, 1, "trained")
    watch.start(stream, interval_s=0.01)
    end = time.monotonic() + 60
    while "4 of 4 runs" not in stream.getvalue() and time.monotonic() < end:
        time.sleep(0.01)
    assert "4 of 4 runs" in stream.getvalue()


def test_the_command_counts_finished_runs_as_done(scenario, tmp_path, capsys, monkeypatch):
    for spec in list(scenario.runs())[:3]:
        synthetic.write_run(tmp_path, scenario, spec)
    monkeypatch.setattr("frl.commands._scenario", lambda arguments: scenario)
    assert main(["watch", "toy.yaml", "--results", str(tmp_path), "--once"]) == 0
    assert "toy: 3 of 4 runs done, 0 at work, 1 waiting" in capsys.readouterr().out
