"""Answers that come late: from an agent that was given up, or to a server that was busy."""

from __future__ import annotations

import io
import threading

import pytest

from engines import Clock, Local, same_as_replayed, spec, wait_for
from frl.engines.live import Live
from frl.scenario import feasible
from frl.training.checkpoint import unpack
from frl.training.loop import train


@pytest.fixture
def clock(monkeypatch):
    """What the server takes for the time."""
    clock = Clock()
    monkeypatch.setattr("frl.engines.live.time", clock)
    return clock


def test_a_late_answer_is_refused_and_does_not_disturb_the_agent_started_again(capsys, clock):
    """It comes while the successor starts: a next task sent now would get there before the state it begins from."""
    late, greeted = [], threading.Event()

    class Late(Local):
        """As a process: one message at a time."""

        def __init__(self, *args):
            super().__init__(*args)
            self.turn = threading.Lock()

        def ask(self, message):
            with self.turn:
                if late and not greeted.is_set() and unpack(message) is None:
                    greeted.set()
                    wait_for(lambda: made.refused, seconds=20)
                content = super().ask(message)
                if self.asked == 5 and not late:
                    late.append(self)
                    clock.ahead += 61
                    greeted.wait(120)
                return content

    run, file = spec(n_agents=1), io.StringIO()
    with Live(run, Late, Local, file) as made:
        result = train(run, make=lambda _: made)
    same_as_replayed(run, result, file.getvalue())
    assert (made.restarts, made.refused) == (1, 1)
    assert "an answer of agent 0 is refused: it is late, the agent was started again" in capsys.readouterr().err


def test_no_agent_is_started_again_because_the_server_was_busy(clock):
    """Answers wait for it longer than an agent's time."""
    run, file, waiting = spec(), io.StringIO(), []
    with Live(run, Local, Local, file) as made:
        write_row = made._write_row

        def slow(point):
            wait_for(lambda: all(order.back for order in made._orders.values()))
            waiting.extend(made._orders)
            clock.ahead += 61
            write_row(point)

        made._write_row = slow
        result = train(run, make=lambda _: made)
    assert waiting
    assert (made.restarts, made.refused) == (0, 0)
    same_as_replayed(run, result, file.getvalue())


@pytest.mark.parametrize(("sigma", "fits"), [(0.5, True), (1.5, False)])
def test_paced_agents_have_the_time_for_the_longest_draw_of_a_lognormal_fleet(sigma, fits):
    """An agent that is started again sleeps as long as before, so one draw beyond the timeout would end the run."""
    fleet = {"kind": "lognormal", "sigma": sigma}
    run = spec(paced=True, timeout_s=10.0, fleet={**fleet, "seconds_per_1000_steps": 10.0})
    assert (feasible.problem(run) == "") == fits
    if not fits:
        assert "a task of the slowest agent may take 841.8" in feasible.problem(run)
