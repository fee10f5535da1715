"""`frl watch`: what it says of runs that are done, at work, silent, and left by an earlier start."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pytest
import synthetic

from frl.cli import main
from frl.runs.files import write_atomically
from frl.runs.live import SILENT_S, Live
from frl.runs.paths import progress_path
from frl.spec import RunSpec


@pytest.fixture
def scenario():
    return synthetic.scenario(methods={"afedpg": (1, 2)}, seeds=(0, 1), claims=None)


def say(results: Any, spec: RunSpec, share: float, outcome: str | None = None, last: float | None = None) -> Any:
    path = progress_path(spec, results, "toy")
    budget = spec.env_steps_budget
    facts = {"outcome": outcome, "env_steps_begun": 0, "env_steps_total": int(share * budget)}
    write_atomically(path, json.dumps({**facts, "env_steps_budget": budget, "eval_return_mean": last}))
    return path


def test_runs_at_work_are_listed_and_counted_with_those_that_are_done(scenario, tmp_path):
    first, second, third, fourth = scenario.runs()  # budgets of 100,000 and twice 200,000 steps
    synthetic.write_run(tmp_path, scenario, first)
    now = [0.0]
    live = Live(scenario.runs(), tmp_path, "toy", clock=lambda: now[0])
    (head,) = live.lines()
    assert head == (
        "toy: 1 of 4 runs done, 0 at work, 3 waiting; 17% of 0.60 M steps, 0 steps/s, time to go not known yet"
    )
    say(tmp_path, second, 0.5)
    say(tmp_path, third, 0.25, last=87.25)
    now[0] = 10.0
    head, *runs = live.lines()
    assert "1 of 4 runs done, 2 at work, 1 waiting; 33% of" in head
    assert "0 steps/s" in head  # what was there when a run was first seen is no speed
    assert runs == [f"  {second.run_id}: 50%, no return yet", f"  {third.run_id}: 25%, last return 87.2"]
    say(tmp_path, second, 1, "trained")
    say(tmp_path, third, 0.5, last=90)
    say(tmp_path, fourth, 1, "restored")
    live.history.popleft()
    now[0] = 20.0
    head, *runs = live.lines()
    assert "3 of 4 runs done, 1 at work, 0 waiting; 83% of" in head
    assert "10,000 steps/s, 10 s to go" in head  # 50,000 of each in 10 s; the restored run was not made
    assert len(runs) == 1


def test_what_is_silent_or_was_left_by_an_earlier_start_is_not_at_work(scenario, tmp_path):
    first, second, *_ = scenario.runs()
    silent = say(tmp_path, first, 0.5)
    os.utime(silent, (1e9, 1e9))
    say(tmp_path, second, 1, "trained")  # by other settings, for its files are not there
    live = Live(scenario.runs(), tmp_path, "toy", now=lambda: 1e9 + SILENT_S + 1)
    assert "0 of 4 runs done, 0 at work, 4 waiting" in live.lines()[0]


def test_it_ends_with_the_last_run(scenario, tmp_path, capsys, monkeypatch):
    for spec in scenario.runs():
        synthetic.write_run(tmp_path, scenario, spec)
    stream = io.StringIO()
    Live(scenario.runs(), tmp_path, "toy").watch(stream, interval_s=1e9)
    assert "4 of 4 runs done, 0 at work, 0 waiting; 100%" in stream.getvalue()
    assert "nothing left to do" in stream.getvalue()


def test_the_command_shows_it_once(tmp_path, capsys):
    assert main(["watch", "config/quick.yaml", "--results", str(tmp_path), "--once"]) == 0
    assert "quick: 0 of 21 runs done, 0 at work, 21 waiting" in capsys.readouterr().out
