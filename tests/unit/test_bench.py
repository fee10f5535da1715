"""Ratios of speeds, with generous bounds: what is slow here is slow for a reason that a commit brought in."""

from __future__ import annotations

import statistics

import pytest
from threadpoolctl import threadpool_limits

from frl.bench import limit, processes, table
from frl.bench.table import Row
from frl.cli import main


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def test_training_is_not_far_from_bare_physics():
    """0.9 on a quiet machine; 0.6 means that what surrounds physics has become five times dearer."""
    training = limit.trainer("Hopper", 8, sampling={"lanes": 16, "segment_steps": 64})
    rates = limit.measure(training, repetitions=5)
    assert statistics.median(a / b for a, b in zip(rates.training, rates.physics, strict=True)) > 0.6
    assert statistics.median(a / b for a, b in zip(rates.training, rates.rollout, strict=True)) > 0.7


def test_whole_trajectories_of_many_agents_are_stepped_together():
    """0.75 on a quiet machine; one lane at a time, as with N = 1, it is 0.42."""
    rates = limit.measure(_swimmer(), repetitions=5)
    assert statistics.median(a / b for a, b in zip(rates.training, rates.physics, strict=True)) > 0.55
    assert 950 < rates.steps / rates.episodes < 1050


def test_a_step_costs_less_with_many_agents():
    rates = processes.turns(["frl_1", "frl_64"], "Swimmer", repetitions=2)
    pairs = zip(rates["frl_1"], rates["frl_64"], strict=True)
    assert statistics.median(one / many for one, many in pairs) < 1


@pytest.fixture(scope="module")
def broken_down():
    """A training, and how long its parts took."""
    training = _swimmer()
    with threadpool_limits(1):
        return training, limit.breakdown(training)


def test_parts_of_the_time_add_up(broken_down):
    training, parts = broken_down
    made, seconds = limit.train(training, 8192)
    whole = 1e6 * seconds / made
    assert min(parts.values()) > -0.1 * whole  # swapping is a difference of two noisy measurements
    assert 0.5 < sum(parts.values()) / whole < 2
    assert parts["bare physics"] > sum(parts.values()) / 2


def test_every_part_takes_time(broken_down):
    """A part whose method is no longer called would be listed with 0."""
    _, parts = broken_down
    assert all(value > 0 for name, value in parts.items() if name != "swapping states")


def _swimmer():
    return limit.trainer("Swimmer", 8)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sampling": {"lanes": 16, "segment_steps": 64}},
        {"algorithm": "fedpg"},
        {"fleet": {"kind": "sqrt"}},
        {"link": {"uplink_bytes_per_s": 1e5}},
    ],
    ids=str,
)
def test_a_measurement_ends_whatever_is_measured(settings):
    training = limit.trainer("Swimmer", 5, **settings)
    made, _ = limit.train(training, 4096)
    assert 4096 <= made <= 4096 + 5 * 2000


def test_replaying_changes_no_later_step():
    """The benchmark borrows the simulations: training goes on as if it had not."""
    plain, measured = _swimmer(), _swimmer()
    for training in (plain, measured):
        limit.train(training, 8192)
    simulations = measured.agents.sampler.env.physics
    _, lanes = limit.recorded(measured, 8192)
    made, _ = limit.train(plain, 8192)
    saved = simulations.save()
    limit.replay(simulations, lanes)
    simulations.restore(saved)
    for training in (plain, measured):
        limit.train(training, 8192)
    assert plain.server.parameters.tobytes() == measured.server.parameters.tobytes()
    assert sum(map(len, lanes)) == made >= 8192


def test_results_are_kept_where_nothing_new_was_measured(tmp_path, monkeypatch):
    def fake(repetitions):
        yield Row("a", "Hopper", "64x64", 2.0 * repetitions, "s", None, None, "<= 5", "yes", "2-2")

    def parts(repetitions):
        for env in table.ROBOTS[:3]:
            yield Row(table.PART + "bare physics", env, "64x64", 30.0, "us per step", None, None, "", "", "")
        yield Row("b", "Swimmer", "64x64", 100.0, table.RATE, 50.0, 2.0, ">= 3", "no", "1.9-2.1")

    monkeypatch.setattr(table, "BENCHMARKS", {"fake": fake, "parts": parts})
    table.run(["fake", "parts"], 1, tmp_path)
    table.run(["fake"], 2, tmp_path)
    rows = table.read(tmp_path / "results.csv")
    assert rows["a", "Hopper", "64x64"].value == 4
    assert rows["b", "Swimmer", "64x64"].baseline == 50
    header = (tmp_path / "results.csv").read_text().splitlines()[0]
    assert header == "benchmark,env,policy,value,unit,baseline,ratio,goal,met,spread,versions,cpu,measured"
    page = (tmp_path / "README.md").read_text()
    assert "| b | Swimmer | 64x64 | 100 steps per CPU second | 50 | 2.00 (1.9-2.1) | >= 3 | no |" in page
    assert "| bare physics | 30.00 | 30.00 | 30.00 |  |" in page


@pytest.mark.parametrize("arguments", [["nonsense"], ["physics", "--repetitions", "0"]])
def test_unusable_arguments_are_refused(arguments, tmp_path, capsys):
    assert main(["bench", *arguments, "--out", str(tmp_path)]) == 2
    assert ("physics, edition, peers" in capsys.readouterr().err) == (arguments == ["nonsense"])


def test_a_benchmark_that_is_stopped_keeps_what_it_has_measured(tmp_path, monkeypatch):
    def stopped(repetitions):
        yield Row("a", "Hopper", "64x64", 2.0, "s", None, None, "", "", "")
        raise KeyboardInterrupt

    monkeypatch.setattr(table, "BENCHMARKS", {"stopped": stopped})
    with pytest.raises(KeyboardInterrupt):
        table.run(["stopped"], 1, tmp_path)
    assert [row.value for row in table.read(tmp_path / "results.csv").values()] == [2.0]
