"""Compression: what is lost and what is not, bytes that are those of the arrays, and runs with it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from frl.scenario import feasible
from frl.spec import SERVERS, RunSpec
from frl.training import checkpoint
from frl.training.codecs.float16 import Float16
from frl.training.codecs.low_rank import LowRank
from frl.training.codecs.qsgd import QSGD
from frl.training.codecs.top_k import TopK
from frl.training.codecs.wire import CODECS, Downlink, Uplink, compression
from frl.training.loop import Training
from frl.training.servers.base import CodedTask, Task, Update

SHAPES = [(11, 16), (16,), (16, 3), (3,), (3,)]
SIZE = 11 * 16 + 16 + 16 * 3 + 3 + 3
SETTINGS = {
    "qsgd-2bit": {"name": "qsgd", "levels": 1},
    "qsgd-4bit": {"name": "qsgd", "levels": 7},
    "top_k": {"name": "top_k", "fraction": 0.05},
    "low_rank": {"name": "low_rank", "rank": 1},
    "float16": {"name": "float16"},
}
BYTES = {
    "qsgd-2bit": 2 * 4 + 62,  # 246 entries in two buckets, 492 bits
    "qsgd-4bit": 2 * 4 + 123,
    "top_k": 12 * (4 + 2),
    "low_rank": 4 * (11 + 16 + 16 + 16 + 3 + 3 + 3),
    "float16": 2 * SIZE,
}


IGNORES = "leaves some uploads out or takes them again; allowed is 'qsgd'"
REFUSED = {(name, True): "adds up all uploads" for name in ("lapg", "random_skip")}
REFUSED |= {(name, False): IGNORES for name in ("rennala", "lazy_afedpg", "robust_afedpg", "robust_fedpg")}
"""(algorithm, whether the method is unbiased) -> what of its server the method's losses do not bear."""


def settings(name):
    (one,) = (c for c in CODECS if c.Settings.model_fields["name"].annotation.__args__[0] == SETTINGS[name]["name"])
    return one.Settings(**SETTINGS[name])


def method(name):
    return compression(settings(name), SHAPES)


def draws(agent, step):
    return np.random.default_rng([agent, step])


def vectors(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, SIZE)).astype(np.float32)


def spec(**given):
    base = {"environment": "Hopper", "algorithm": "afedpg", "n_agents": 3, "seed": 0, "steps_per_agent": 96}
    small = {"policy": {"hidden": (16,)}, "sampling": {"lanes": 4, "segment_steps": 8}}
    return RunSpec(**{**base, **small, "evaluation": {"episodes": 1}, **given})


def finish(training):
    if not training.recorder.rows:
        training.begin()
    while not training.finished:
        training.advance()
    return training


# --- methods ---


def test_every_method_is_tested():
    assert {type(method(name)) for name in SETTINGS} == set(CODECS)


@pytest.mark.parametrize("name", SETTINGS)
def test_bytes_are_those_of_the_arrays_and_the_same_for_every_vector(name):
    one = method(name)
    for vector in (*vectors(3), np.zeros(SIZE, np.float32)):
        coded = one.compress(vector, {}, np.random.default_rng(0))
        assert sum(array.nbytes for array in coded) == BYTES[name] == one.nbytes()
        expanded = one.expand(coded)
        assert (expanded.shape, expanded.dtype) == ((SIZE,), np.float32)
    assert not expanded.any()  # of zeros


@pytest.mark.parametrize("levels", [1, 2, 3, 7, 15, 127])
def test_qsgd_is_unbiased_and_its_variance_within_the_bound(levels):
    one = QSGD(QSGD.Settings(name="qsgd", levels=levels), SHAPES)
    (vector,), stream, count = vectors(1), np.random.default_rng(1), 4000
    expanded = np.array([one.expand(one.compress(vector, {}, stream)) for _ in range(count)], np.float64)
    error = expanded - vector
    spread = error.std(axis=0)
    assert (np.abs(error.mean(axis=0)) <= 5 * spread / np.sqrt(count) + 1e-6).all()
    omega = 1 / one.gain - 1
    for bucket in (slice(0, 128), slice(128, SIZE)):
        share = np.square(error[:, bucket]).sum(axis=1).mean() / np.square(vector[bucket]).sum()
        assert share <= 1.02 * omega


def test_qsgd_sends_multiples_of_the_norm_and_nothing_else():
    one = QSGD(QSGD.Settings(name="qsgd", levels=3), [(200,)])
    vector = np.random.default_rng(0).standard_normal(200).astype(np.float32)
    expanded = one.expand(one.compress(vector, {}, np.random.default_rng(0)))
    for bucket in (slice(0, 128), slice(128, 200)):
        level = 3 * expanded[bucket] / np.linalg.norm(vector[bucket])
        np.testing.assert_allclose(level, np.round(level), atol=1e-5)
        assert np.abs(level).max() <= 3 + 1e-5


def test_top_k_keeps_the_largest():
    one = TopK(TopK.Settings(name="top_k", fraction=0.02), SHAPES)
    (vector,) = vectors(1)
    expanded = one.expand(one.compress(vector, {}, np.random.default_rng(0)))
    (kept,) = np.nonzero(expanded)
    assert len(kept) == one.k == 5
    np.testing.assert_array_equal(expanded[kept], vector[kept])
    assert np.abs(vector[kept]).min() >= np.abs(np.delete(vector, kept)).max()


def test_top_k_has_room_for_large_places():
    one = TopK(TopK.Settings(name="top_k", fraction=1e-5), [(300, 300)])
    vector = np.zeros(90_000, np.float32)
    vector[89_999] = 1
    np.testing.assert_array_equal(one.expand(one.compress(vector, {}, np.random.default_rng(0))), vector)


def test_low_rank_is_exact_where_the_rank_is_and_gets_there_by_its_warm_start():
    one = LowRank(LowRank.Settings(name="low_rank", rank=2), [(20, 12), (12,)])
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((20, 2)) @ rng.standard_normal((2, 12))
    vector = np.concatenate((matrix.ravel(), rng.standard_normal(12))).astype(np.float32)
    np.testing.assert_allclose(one.expand(one.compress(vector, {}, rng)), vector, atol=1e-5)

    full = rng.standard_normal((20, 12))
    vector = np.concatenate((full.ravel(), np.zeros(12))).astype(np.float32)
    memory, errors = {}, []
    for _ in range(60):
        expanded = one.expand(one.compress(vector, memory, rng))
        errors.append(np.linalg.norm(expanded - vector))
    best = np.sqrt(np.square(np.linalg.svd(full, compute_uv=False)[2:]).sum())
    assert errors[0] > 1.01 * best
    assert errors[-1] == pytest.approx(best, rel=1e-3)


def test_low_rank_recovers_from_a_matrix_of_zeros():
    one = LowRank(LowRank.Settings(name="low_rank", rank=1), SHAPES)
    memory, rng = {}, np.random.default_rng(0)
    one.compress(np.zeros(SIZE, np.float32), memory, rng)
    assert one.expand(one.compress(vectors(1)[0], memory, rng))[: 11 * 16].any()


def test_float16_cuts_what_is_too_large_and_feedback_sends_it_later():
    one = Uplink(Float16(Float16.Settings(name="float16"), [(2,)]), draws)
    memory, received = {}, np.zeros(2)
    for step, gradient in enumerate(([100_000, 1], [0, 0], [0, 0])):
        update = one.decode(one.encode(Update(0, step, np.array(gradient, np.float32)), memory))
        assert np.isfinite(update.gradient).all()
        received += update.gradient
    np.testing.assert_array_equal(received, [100_000, 1])


# --- messages ---


@pytest.mark.parametrize("name", [name for name in SETTINGS if not method(name).unbiased])
def test_error_feedback_sums_to_the_truth(name):
    one, memory, received = Uplink(method(name), draws), {}, np.zeros(SIZE)
    gradients = vectors(40)
    for step, gradient in enumerate(gradients):
        sent = one.encode(Update(0, step, gradient), memory)
        received += one.decode(sent).gradient
    np.testing.assert_allclose(received + memory["lost"], gradients.sum(axis=0, dtype=float), atol=1e-3)
    assert np.linalg.norm(memory["lost"]) > 0


@pytest.mark.parametrize("name", SETTINGS)
def test_an_update_without_gradient_passes(name):
    one, update = Uplink(method(name), draws), Update(0, 3, None, np.ones(5))
    assert one.decode(one.encode(update, {})) == update


@pytest.mark.parametrize("name", SETTINGS)
def test_the_downlink_is_held_alike_on_both_sides_and_gets_to_a_point_that_stands_still(name):
    one, memory = Downlink(method(name), draws), {}
    first, goal = vectors(2)
    task = Task(1, 0, first, np.ones(3))
    assert one.encode(task) is task
    assert one.decode(task, memory) is task
    distances = []
    for step in range(1, 400):
        sent = one.encode(Task(1, step, goal, np.ones(3)))
        assert isinstance(sent, CodedTask)
        assert sent.nbytes == 8 + 8 + BYTES[name] + 24
        received = one.decode(sent, memory)
        assert (received.agent, received.step) == (1, step)
        np.testing.assert_array_equal(received.parameters, one.held[1])
        np.testing.assert_array_equal(received.normalizer, np.ones(3))
        distances.append(np.linalg.norm(received.parameters - goal))
    assert distances[-1] < 1e-3 * np.linalg.norm(first - goal)


# --- runs ---


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("algorithm", SERVERS)
def test_every_method_runs_with_every_algorithm_and_pays_for_what_it_sends(name, algorithm):
    given = {"algorithm": algorithm, "codec": SETTINGS[name], "downlink": SETTINGS[name]}
    if why := REFUSED.get((algorithm, name.startswith("qsgd"))):
        with pytest.raises(ValidationError, match=f"codec.name = .* the server of {algorithm} {why}"):
            spec(**given)
        return
    run = spec(**given)
    training = finish(Training(run))
    recorder, sums = training.recorder, 8 * (1 + 2 * 11)
    answers = recorder.env_steps_total // 32
    assert recorder.uplink_bytes == answers * (16 + sums) + recorder.uploads * BYTES[name]
    tasks = 3 * training.server.step if SERVERS[algorithm].synchronous else answers
    last = 3 if SERVERS[algorithm].synchronous else 1  # the run ends before its last tasks are sent
    assert recorder.downlink_bytes == 3 * (16 + 4 * SIZE + sums) + (tasks - last) * (16 + BYTES[name] + sums)
    assert training.status == "ok"
    assert feasible.message_bytes(run, run.codec) == 16 + BYTES[name] + sums


@pytest.mark.parametrize(
    "given",
    [
        *({"codec": one, "downlink": one} for one in SETTINGS.values()),
        {"local": {"steps": 3, "step_size": 0.01}, "codec": SETTINGS["top_k"]},
        {"local": {"steps": 2, "step_size": 0.01}, "sampling": {"trajectories": 2}},
        {"algorithm": "lazy_afedpg", "server": {"window": 1}},
    ],
)
def test_a_run_resumed_between_any_two_arrivals_ends_in_the_same_bytes(given):
    run = spec(**given, link={"uplink_bytes_per_s": 1000, "downlink_bytes_per_s": 1000})
    original, states = Training(run), []
    original.begin()
    while not original.finished:
        states.append(checkpoint.save(original, {}))
        original.advance()
    for state in states:
        resumed = Training(run)
        checkpoint.restore(resumed, checkpoint.read(state)[1])
        assert finish(resumed).recorder.rows == original.recorder.rows
        np.testing.assert_array_equal(resumed.server.parameters, original.server.parameters)


def test_the_link_is_as_fast_as_the_coded_bytes_say():
    rates = {"uplink_bytes_per_s": 100.0, "downlink_bytes_per_s": 50.0}
    run = spec(n_agents=1, codec=SETTINGS["top_k"], downlink=SETTINGS["float16"], link=rates, steps_per_agent=64)
    run = run.model_copy(update={"normalizer": run.normalizer.model_copy(update={"mode": "none"})})
    training = finish(Training(run))
    compute, up = 2 * 32 / 1000 * 1.6, 2 * (16 + BYTES["top_k"]) / 100
    down = (16 + 4 * SIZE + 16 + BYTES["float16"]) / 50
    assert training.clock.now == pytest.approx(compute + up + down)


def test_local_steps_upload_the_mean_gradient_along_their_way():
    plain = {"critic": {"mode": "none"}, "estimator": {"name": "reward_to_go", "standardize": False}}
    sampling = {"sampling": {"trajectories": 2}}
    one, three = (
        Training(spec(**plain, **sampling, **given)) for given in ({}, {"local": {"steps": 3, "step_size": 0.05}})
    )
    (task,) = three.server.start()[:1]
    (answer,) = three.agents.work([task])
    theta, gradients, steps, sums = task.parameters, [], 0, 0
    for _ in range(3):
        (work,) = one.agents.work([Task(0, 0, theta, task.normalizer)])
        gradients.append(work.update.gradient)
        theta = theta + np.float32(0.05) * work.update.gradient
        steps, sums = steps + work.env_steps, sums + work.update.normalizer
    np.testing.assert_allclose(answer.update.gradient, np.mean(gradients, axis=0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(answer.update.gradient, (theta - task.parameters) / (3 * 0.05), rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(answer.update.normalizer, sums)
    assert (answer.env_steps, len(answer.returns)) == (steps, 6)
    assert answer.update.nbytes == work.update.nbytes
    assert not three.agents.each[0].steps


@pytest.mark.parametrize("algorithm", SERVERS)
def test_local_steps_are_for_methods_whose_agents_upload_their_gradient(algorithm):
    local = {"steps": 2, "step_size": 0.1}
    allowed = ("afedpg", "fedpg", "async_pg", "rennala", "robust_afedpg", "robust_fedpg")
    if algorithm in allowed:
        run = spec(algorithm=algorithm, local=local)
        assert run.steps_per_upload == 2 * spec().steps_per_upload
        assert finish(Training(run)).recorder.uploads == 5  # of 64 steps, from the 288 of three agents
    else:
        with pytest.raises(ValidationError, match=f"local: an agent of {algorithm} .*; {', '.join(allowed)} do"):
            spec(algorithm=algorithm, local=local)


def test_what_is_not_asked_for_is_in_no_digest():
    assert not {"codec", "downlink", "local"} & json.loads(spec().to_json()).keys()
    run = spec(codec=SETTINGS["qsgd-4bit"], downlink=SETTINGS["low_rank"], local={"steps": 2, "step_size": 0.1})
    assert RunSpec.model_validate_json(run.to_json()) == run
