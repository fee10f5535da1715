"""One run end to end: repeatable, on its grid, and honest when it diverges."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from frl.spec import SERVERS, RunSpec
from frl.training import kept
from frl.training.evaluation import Evaluator, Point
from frl.training.loop import Training, train
from frl.training.recorder import COLUMNS


def spec(algorithm="afedpg", **settings):
    base = {"environment": "Swimmer", "n_agents": 3, "seed": 0, "steps_per_agent": 512}
    small = {
        "policy": {"hidden": (8,)},
        "sampling": {"lanes": 8, "segment_steps": 8},
        "evaluation": {"episodes": 1},
    }
    return RunSpec(**{**base, **small, "algorithm": algorithm, **settings})


SHORT_EPISODES = {"environment": "Hopper"}
"""Evaluations take next to no time, unlike Swimmer's of a thousand steps."""


@pytest.mark.parametrize("algorithm", SERVERS)
def test_two_runs_of_a_spec_are_equal(algorithm):
    run, other = spec(algorithm, **SHORT_EPISODES), spec(algorithm, **SHORT_EPISODES, seed=1)
    first = train(run)
    assert first == train(run)
    assert first.status == "ok"
    assert first.rows[-1]["eval_return_mean"] != train(other).rows[-1]["eval_return_mean"]


WHOLE_EPISODES = {**SHORT_EPISODES, "sampling": {"trajectories": 2}}


MALICIOUS = {**WHOLE_EPISODES, "adversary": {"attack": "alie", "number": 2}}


@pytest.mark.parametrize(
    "settings", [SHORT_EPISODES, WHOLE_EPISODES, MALICIOUS], ids=["segments", "whole episodes", "malicious agents"]
)
@pytest.mark.parametrize("algorithm", SERVERS)
def test_when_answers_are_computed_changes_no_bit(algorithm, settings):
    """At dispatch, each alone; or with all others, as late as can be."""
    run = spec(algorithm, **{"n_agents": 5, **settings})
    late, early = Training(run), Training(run)

    def at_once(tasks):
        for task in tasks:
            early.recorder.sent(task.nbytes)
            early.clock.dispatch(task.agent, task.nbytes)
            (work,) = early.agents.work([task])
            early._works[task.agent] = work
            early.clock.answer(task.agent, work.env_steps, work.update.nbytes)

    early._dispatch = at_once
    for training in (late, early):
        training.begin()
        while not training.finished:
            training.advance()
    assert late.recorder.rows == early.recorder.rows


@pytest.mark.parametrize("algorithm", SERVERS)
def test_rows_sit_on_the_grid_and_axes_add_up(algorithm):
    result = train(spec(algorithm))
    rows = result.rows
    assert all(tuple(row) == COLUMNS for row in rows)
    assert [row["point"] for row in rows] == list(range(9))
    for row in rows:
        assert row["env_steps_total"] >= row["point"] * 64 * 3
        assert row["env_steps_per_agent"] == row["env_steps_total"] / 3
        answers = row["env_steps_total"] / 64
        assert row["uploads"] <= answers if SERVERS[algorithm].lazy else row["uploads"] == answers
        assert row["env_steps_agent_min"] <= row["env_steps_per_agent"] <= row["env_steps_agent_max"]
    for before, after in itertools.pairwise(rows):
        for column in ("env_steps_total", "sim_time_s", "server_step", "uplink_bytes", "downlink_bytes"):
            waits = (algorithm, column) == ("rennala", "server_step")  # for more gradients than lie between two points
            assert after[column] > before[column] or (waits and after[column] == before[column])
    assert rows[0]["eval_return_mean_action"] is not None
    assert rows[8]["eval_return_mean_action"] is not None
    assert rows[1]["eval_return_mean_action"] is None
    assert sum(result.facts["env_steps_agents"]) == result.facts["env_steps_total"] == rows[-1]["env_steps_total"]
    assert result.facts["eval_steps"] == (9 + 2) * 1000


def test_synchronous_agents_make_equal_steps_and_the_straggler_fewer_in_asynchronous_runs():
    synchronous, asynchronous = train(spec("fedpg")), train(spec("afedpg"))
    assert len(set(synchronous.facts["env_steps_agents"])) == 1
    steps = asynchronous.facts["env_steps_agents"]
    assert steps[2] < steps[0]
    assert asynchronous.rows[-1]["sim_time_s"] < synchronous.rows[-1]["sim_time_s"]
    assert {row["staleness_max"] for row in synchronous.rows[1:]} == {1}
    assert max(row["staleness_max"] for row in asynchronous.rows[1:]) > 3


def test_fedpg_learns_the_same_on_every_fleet():
    columns = ("env_steps_total", "eval_return_mean", "gradient_norm_mean", "uplink_bytes")
    fleets = ({"kind": "constant"}, {"kind": "straggler", "ratio": 10.0}, {"kind": "lognormal", "sigma": 1.0})
    runs = [train(spec("fedpg", fleet=fleet)).rows for fleet in fleets]
    # gradient_norm_mean is over arrivals between rows, which are the same whole rounds on every fleet
    curves = [[[row[column] for column in columns] for row in rows] for rows in runs]
    np.testing.assert_allclose(np.array(curves[1], dtype=float), np.array(curves[0], dtype=float), rtol=1e-12)
    np.testing.assert_allclose(np.array(curves[2], dtype=float), np.array(curves[0], dtype=float), rtol=1e-12)
    assert runs[0][-1]["sim_time_s"] < runs[1][-1]["sim_time_s"]


def test_simulated_time_is_compute_plus_the_bytes_that_were_sent():
    link = {"uplink_bytes_per_s": 1000.0, "downlink_bytes_per_s": 500.0, "latency_s": 0.25}
    fleet = {"kind": "constant", "seconds_per_1000_steps": 2.0}
    last = train(spec(n_agents=1, link=link, fleet=fleet)).rows[-1]
    uploads = last["uploads"]
    sent, received = last["uplink_bytes"], last["downlink_bytes"]
    expected = uploads * (0.064 * 2.0 + 2 * 0.25) + sent / 1000.0 + received / 500.0
    assert uploads == 8
    assert last["sim_time_s"] == pytest.approx(expected)


@pytest.mark.parametrize("where", ["gradient", "parameters"])
def test_a_diverged_run_ends_with_a_status(monkeypatch, where):
    training = Training(spec())
    training.begin()
    for _ in range(10):
        training.advance()
    agent = training.agents.each[0]
    if where == "gradient":
        monkeypatch.setattr(agent.policy, "gradient", lambda theta, *_: np.full_like(theta, np.nan))
    else:
        monkeypatch.setattr(training.server, "settings", training.spec.server.model_copy(update={"step_size": 3e38}))
    while not training.finished:
        training.advance()
    last = training.recorder.rows[-1]
    assert (training.status, last["status"], last["eval_return_mean"]) == ("diverged", "diverged", None)
    assert training.recorder.env_steps_total < training.spec.env_steps_budget
    assert {row["status"] for row in training.recorder.rows[:-1]} == {"ok"}


def test_progress_reports_the_end():
    seen = []
    train(spec(), seen.append)
    assert seen[-1]["env_steps_total"] >= seen[-1]["env_steps_budget"] == 1536


# --- where a run is evaluated, and where it ends ---


def test_the_evaluation_grid_is_geometric_and_the_same_for_every_n():
    runs = [spec(n_agents=n, steps_per_agent=1_000_000, sampling={"trajectories": 2}) for n in (1, 8)]
    one, eight = (list(itertools.islice(run.evaluation_grid(), 80)) for run in runs)
    assert [8 * steps for steps in one] == eight
    assert one[:11] == [2000 * uploads for uploads in range(11)]
    ratios = [after / before for before, after in itertools.pairwise(one[10:])]
    assert max(ratios) <= 1.1
    assert min(ratios[20:]) > 1.08
    assert runs[0].evaluations == len([steps for steps in one if steps < 1_000_000]) + 1


def test_the_last_row_is_at_the_end_of_the_run_and_not_on_the_grid():
    run = spec(steps_per_agent=1600, evaluation={"ratio": 2.0, "episodes": 1})  # 25 uploads an agent
    rows = train(run).rows
    assert [row["point"] for row in rows] == [0, 1, 2, 3, 4, 5, 6]
    uploads = [row["uploads"] / 3 for row in rows]
    assert uploads == [0, 1, 2, 4, 8, 16, 25]
    assert run.evaluations == 7


def stopping(**settings):
    hopper = {"environment": "Hopper", "steps_per_agent": 1024, "evaluation": {"episodes": 4}}
    return spec(**{**hopper, **settings})


def test_a_run_stops_at_the_second_of_two_successive_evaluations_at_the_threshold():
    whole = train(stopping())
    returns = [row["eval_return_mean"] for row in whole.rows]
    threshold = sorted(returns)[len(returns) // 3]
    second = next(i for i in range(1, len(returns)) if min(returns[i - 1], returns[i]) >= threshold)
    assert second < len(returns) - 1
    assert min(returns[:second]) < threshold, "the threshold would hold from the start"
    stopped = train(stopping(stop_at=threshold))
    assert stopped.rows == whole.rows[: second + 1]
    assert train(stopping(stop_at=max(returns) + 1)).rows == whole.rows


def test_points_are_evaluated_by_twos_where_the_run_cannot_stop_at_the_first(monkeypatch):
    sizes, evaluate = [], Evaluator.evaluate
    monkeypatch.setattr(Evaluator, "evaluate", lambda self, points: sizes.append(len(points)) or evaluate(self, points))
    train(stopping(stop_at=1e9))
    assert set(sizes[1:-1]) == {2}  # the first is shown at once
    sizes.clear()
    train(stopping(stop_at=-1e9))
    assert sizes == [1, 1]


def test_a_run_goes_on_until_its_simulated_time_is_over():
    short = train(spec())
    longer = train(spec(sim_seconds=2 * short.rows[-1]["sim_time_s"]))
    times = [row["sim_time_s"] for row in longer.rows]
    assert times[-2] < 2 * short.rows[-1]["sim_time_s"] <= times[-1]
    assert longer.rows[: len(short.rows) - 1] == short.rows[:-1]
    assert longer.rows[-1]["env_steps_total"] > short.rows[-1]["env_steps_total"]


def test_the_log_has_the_staleness_of_every_arrival():
    rows = train(spec(n_agents=4)).rows
    assert rows[0]["staleness_counts"] is None
    arrivals = 0
    for row in rows[1:]:
        counts = dict(map(int, pair.split(":")) for pair in row["staleness_counts"].split("/"))
        arrivals += sum(counts.values())
        assert row["staleness_mean"] == pytest.approx(
            sum(delay * count for delay, count in counts.items()) / sum(counts.values())
        )
        assert row["staleness_max"] == max(counts)
    assert arrivals == rows[-1]["uploads"]


# --- the policy that is kept ---


@pytest.mark.parametrize("mode", ["federated", "local", "none"])
def test_the_kept_policy_is_the_last_one_evaluated(mode):
    run = spec(environment="Hopper", normalizer={"mode": mode}, evaluation={"episodes": 3})
    result = train(run)
    theta, normalizer = kept.from_bytes(result.policy)
    assert kept.to_bytes(theta, normalizer) == result.policy == train(run).policy
    last = result.rows[-1]
    (row,) = Evaluator(run, kept.make_policy(run)).evaluate([Point(last["point"], theta, normalizer, True)])
    assert row.items() <= last.items()
    with pytest.raises(ValueError, match="not a kept policy"):
        kept.from_bytes(result.policy[:-1])
