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
    """0.88 on a quiet machine; 0.6 means that what surrounds physics has become five times dearer."""
    rates = limit.measure("Hopper", (64, 64), repetitions=5)
    assert statistics.median(a / b for a, b in zip(rates["training"], rates["physics"], strict=True)) > 0.6
    assert statistics.median(a / b for a, b in zip(rates["training"], rates["rollout"], strict=True)) > 0.7


def test_a_step_costs_no_more_with_many_agents():
    rates = processes.turns(["frl_few_lanes", "frl_many_agents"], "Swimmer", repetitions=2)
    pairs = zip(rates["frl_few_lanes"], rates["frl_many_agents"], strict=True)
    assert statistics.median(one / many for one, many in pairs) < 1.5


def test_parts_of_the_time_add_up():
    parts = limit.breakdown("Swimmer", (64, 64))
    whole = 1e6 * statistics.median(seconds / steps for steps, seconds in (limit.train(t, 8192) for t in [_swimmer()]))
    assert min(parts.values()) > -1  # swapping is a difference of two measurements
    assert 0.5 < sum(parts.values()) / whole < 2
    assert parts["bare physics"] > sum(parts.values()) / 2


def _swimmer():
    return limit.trainer("Swimmer", 8)


@pytest.mark.parametrize(
    "settings",
    [
        {"sampling": {"trajectories": 1}},
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
        for env in table.ROBOTS:
            yield Row(table.PART + "bare physics", env, "64x64", 30.0, "us per step", None, None, "", "", "")
        yield Row("b", "Swimmer", "64x64", 100.0, table.RATE, 50.0, 2.0, ">= 3", "no", "1.9-2.1")

    monkeypatch.setattr(table, "BENCHMARKS", {"fake": fake, "parts": parts})
    table.run(["fake", "parts"], 1, tmp_path)
    table.run(["fake"], 2, tmp_path)
    rows = table.read(tmp_path / "results.csv")
    assert rows["a", "Hopper", "64x64"].value == 4
    assert rows["b", "Swimmer", "64x64"].baseline == 50
    header = (tmp_path / "results.csv").read_text().splitlines()[0]
    assert header == "benchmark,env,policy,value,unit,baseline,ratio,goal,met,spread,versions,cpu"
    page = (tmp_path / "README.md").read_text()
    assert "| b | Swimmer | 64x64 | 100 steps per CPU second | 50 | 2.00 (1.9-2.1) | >= 3 | no |" in page
    assert "| bare physics | 30.00 | 30.00 | 30.00 | 30.00 |" in page


@pytest.mark.parametrize("arguments", [["nonsense"], ["physics", "--repetitions", "0"]])
def test_unusable_arguments_are_refused(arguments, tmp_path, capsys):
    assert main(["bench", *arguments, "--out", str(tmp_path)]) == 2
    assert ("physics, peers" in capsys.readouterr().err) == (arguments == ["nonsense"])
