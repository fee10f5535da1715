"""The simulated clock against closed forms: rates, staleness, waiting, communication, conservation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from frl.spec import SERVERS, RunSpec
from frl.training.clock import Clock, relative_times
from frl.training.servers.base import Update

STEPS = 1000


def spec(n_agents=4, **settings):
    return RunSpec(
        environment="Swimmer", algorithm="afedpg", n_agents=n_agents, seed=0, steps_per_agent=1000, **settings
    )


def simulate(algorithm, run, until, env_steps=STEPS):
    """Drive a real server with the clock alone; (arrival time, agent, staleness) of each update."""
    server = SERVERS[algorithm](np.zeros(2), run.n_agents, SERVERS[algorithm].Settings())
    clock, log, times = Clock(run), [], []
    outstanding = {}

    def send(tasks):
        for task in tasks:
            assert task.agent not in outstanding  # one task at a time
            outstanding[task.agent] = task.step
            clock.send(task.agent, env_steps, task.nbytes, 16)

    send(server.start())
    while clock.now < until:
        agent = clock.receive()
        times.append(clock.now)
        update = Update(agent, outstanding.pop(agent), np.ones(2))
        log.append((clock.now, update.agent, server.step + 1 - update.step))
        send(server.receive(update))
        assert len(clock) == len(outstanding)
    assert times == sorted(times)
    return log, server


FLEETS = [
    {"kind": "constant"},
    {"kind": "straggler", "ratio": 4.0},
    {"kind": "linear"},
    {"kind": "sqrt"},
]


@pytest.mark.parametrize("fleet", FLEETS, ids=lambda f: f["kind"])
@pytest.mark.parametrize("n_agents", [1, 2, 8])
def test_update_rates_are_the_closed_forms(fleet, n_agents):
    run = spec(n_agents, fleet=fleet)
    seconds = [run.fleet.seconds_per_1000_steps * t for t in relative_times(run.fleet, n_agents)]
    horizon = 400 * max(seconds)

    asynchronous, _ = simulate("afedpg", run, horizon)
    assert len(asynchronous) / horizon == pytest.approx(sum(1 / t for t in seconds), rel=0.02)
    synchronous, server = simulate("fedpg", run, horizon)
    assert len(synchronous) / horizon == pytest.approx(n_agents / max(seconds), rel=0.02)
    assert server.step == pytest.approx(horizon / max(seconds), rel=0.02)
    assert {staleness for _, _, staleness in synchronous} == {1}


def test_poster_fleet_gives_the_waiting_gain_of_the_paper():
    for n_agents, gain in ((4, 3.25), (8, 3.625)):
        run = spec(n_agents, fleet={"kind": "straggler", "ratio": 4.0})
        ratio = len(simulate("afedpg", run, 4000)[0]) / len(simulate("fedpg", run, 4000)[0])
        assert ratio == pytest.approx(gain, rel=0.01)


@pytest.mark.parametrize("n_agents", [1, 2, 8])
def test_staleness_of_a_homogeneous_fleet_is_n_once_it_runs(n_agents):
    log, _ = simulate("afedpg", spec(n_agents, fleet={"kind": "constant"}), 100)
    assert [staleness for _, _, staleness in log[n_agents:]] == [n_agents] * (len(log) - n_agents)
    assert [agent for _, agent, _ in log[: 2 * n_agents]] == [*range(n_agents)] * 2


def test_time_is_proportional_to_the_steps_of_a_task():
    run = spec(4, fleet={"kind": "straggler", "ratio": 4.0, "seconds_per_1000_steps": 2.0})
    clock = Clock(run)
    assert clock.compute_seconds(0, 1000) == 2.0
    assert clock.compute_seconds(0, 500) == 1.0
    assert clock.compute_seconds(3, 500) == 4.0
    assert Clock(spec(1, fleet={"kind": "straggler", "ratio": 4.0})).compute_seconds(0, 1000) == 1.6  # nobody else
    with_overhead = spec(2, fleet={"kind": "constant", "seconds_per_1000_steps": 1.0, "overhead_s": 0.25})
    assert Clock(with_overhead).compute_seconds(1, 2000) == 2.25


def test_lognormal_times_have_mean_tau_vary_and_repeat():
    run = spec(2, fleet={"kind": "lognormal", "sigma": 0.5, "seconds_per_1000_steps": 2.0})
    clock, again = Clock(run), Clock(run)
    times = np.array([clock.compute_seconds(0, 1000) for _ in range(20_000)])
    assert times.mean() == pytest.approx(2.0, rel=0.02)
    assert np.log(times).std() == pytest.approx(0.5, rel=0.02)
    np.testing.assert_array_equal(times[:50], [again.compute_seconds(0, 1000) for _ in range(50)])
    assert clock.compute_seconds(1, 1000) != times[0]


def test_communication_time_is_latency_plus_bytes_over_bandwidth():
    run = spec(
        1,
        fleet={"kind": "constant", "seconds_per_1000_steps": 1.0},
        link={"uplink_bytes_per_s": 100.0, "downlink_bytes_per_s": 1000.0, "latency_s": 0.5},
    )
    clock = Clock(run)
    clock.send(0, 1000, downlink_bytes=2000, uplink_bytes=300)
    assert clock.receive() == 0
    assert clock.now == 2 * 0.5 + 2000 / 1000 + 1.0 + 300 / 100


def test_ties_are_broken_by_order_of_sending_and_silence_is_an_error():
    clock = Clock(spec(3, fleet={"kind": "constant"}))
    for agent in (2, 0, 1):
        clock.send(agent, 1000, 0, 0)
    assert [clock.receive() for _ in range(3)] == [2, 0, 1]
    with pytest.raises(RuntimeError, match="no task is in flight"):
        clock.receive()


def test_relative_times():
    assert relative_times(spec(fleet={"kind": "linear"}).fleet, 3) == [1, 2, 3]
    assert relative_times(spec(fleet={"kind": "sqrt"}).fleet, 2) == [1, math.sqrt(2)]
