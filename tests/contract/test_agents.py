"""What leaves an agent, what its lanes cover, and that a result depends on task and agent alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from frl.spec import RunSpec
from frl.training import envs
from frl.training.agents import Agents, make_environment
from frl.training.evaluation import Point
from frl.training.loop import Training
from frl.training.normalizer import Normalizer
from frl.training.policy import GaussianPolicy
from frl.training.servers.base import Task


def spec(**settings):
    base = {"environment": "Hopper", "algorithm": "afedpg", "n_agents": 2, "seed": 0, "steps_per_agent": 1000}
    small = {"policy": {"hidden": (8,)}, "sampling": {"lanes": 4, "segment_steps": 8}}
    return RunSpec(**{**base, **small, **settings})


def first_tasks(run):
    return Training(run).server.start()


@pytest.mark.parametrize(
    "sampling", [{"lanes": 4, "segment_steps": 8}, {"lanes": 9, "segment_steps": 31}, {"trajectories": 3}]
)
def test_what_leaves_an_agent_does_not_depend_on_how_much_it_sampled(sampling):
    training = Training(spec(sampling=sampling))
    work = training.agents.work(training.server.start()[:1])[0]
    assert {field.name for field in dataclasses.fields(work.update)} == {
        "agent",
        "step",
        "gradient",
        "normalizer",
        "coded",
    }
    assert work.update.coded is None
    policy = 11 * 8 + 8 + 8 * 3 + 3 + 3
    assert work.update.gradient.shape == (policy,)
    assert work.update.nbytes == 8 + 8 + 4 * policy + 8 * (1 + 2 * 11)


@pytest.mark.parametrize("mode", ["local", "none"])
def test_nothing_but_the_gradient_leaves_where_the_normaliser_is_not_federated(mode):
    run = spec(
        normalizer={"mode": mode},
        estimator={"name": "reward_to_go"},
        sampling={"trajectories": 2},
    )
    training = Training(run)
    task = training.server.start()[0]
    assert task.normalizer is None
    update = training.agents.work([task])[0].update
    assert update.normalizer is None
    assert (training.agents.each[0].sums[0] > 0) == (mode == "local")


@pytest.mark.parametrize("mode", ["federated", "local"])
def test_a_frozen_normaliser_is_sent_and_changed_no_more(mode):
    training = Training(spec(normalizer={"mode": mode, "freeze_after_steps": 100}, steps_per_agent=400))
    while not training.finished:
        training.begin() if not training.recorder.rows else training.advance()
    sums = training.server.shared.normalizer if mode == "federated" else training.agents.each[0].sums
    counted = sums[0] * (1 if mode == "federated" else 2)
    assert 100 <= counted <= 100 + 2 * 32 * 2  # at most what was in flight when the limit was reached


def test_an_agents_work_is_the_same_for_every_n():
    works = []
    for n_agents in (2, 5):
        run = spec(n_agents=n_agents)
        training = Training(run)
        works.append(training.agents.work(training.server.start()[1:2])[0])
    np.testing.assert_array_equal(works[0].update.gradient, works[1].update.gradient)


@pytest.mark.parametrize(
    ("name", "sampling", "hidden"),
    [
        ("Hopper", {"lanes": 5, "segment_steps": 24}, (64, 64)),
        ("Hopper", {"trajectories": 3}, (8,)),
        ("Swimmer", {"lanes": 16, "segment_steps": 8}, (256, 256)),
        ("Humanoid", {"lanes": 2, "segment_steps": 30}, (8,)),
        ("Ant", {"trajectories": 2}, (64, 64)),
    ],
)
def test_agents_sampled_together_answer_bit_for_bit_as_alone(name, sampling, hidden):
    run = spec(environment=name, n_agents=4, sampling=sampling, policy={"hidden": hidden})
    together, alone = Training(run), Training(run)
    size = together.policy.size
    for chosen in ([0, 1, 2, 3], [0, 3], [1, 2], [3]):
        tasks = []
        for agent in chosen:
            theta = together.server.parameters + 0.1 * run.stream("test", agent).standard_normal(size, np.float32)
            sums = (
                together.server.shared.normalizer
                + run.stream("test", agent).random() * np.r_[5, np.ones(len(together.server.shared.normalizer) - 1)]
            )
            tasks.append(Task(agent, 0, theta, sums))
        for work, task in zip(together.agents.work(tasks), tasks, strict=True):
            (other,) = alone.agents.work([task])
            assert (work.env_steps, work.returns) == (other.env_steps, other.returns)
            for field in ("gradient", "normalizer"):
                np.testing.assert_array_equal(getattr(work.update, field), getattr(other.update, field))


@pytest.mark.parametrize("name", ["Hopper", "Swimmer"])
def test_points_evaluated_together_are_bit_for_bit_as_alone(name, monkeypatch):
    monkeypatch.setattr(envs, "MAX_EPISODE_STEPS", 150)  # Swimmer never ends by itself
    training = Training(spec(environment=name, evaluation={"episodes": 20, "mean_action_every": 2}))
    evaluator, size = training.evaluator, training.policy.size
    assert evaluator.group == 3
    points = [
        Point(
            index,
            training.server.parameters + 0.1 * training.spec.stream("t", index).standard_normal(size, np.float32),
            training.normalizer(),
            mean_action=index != 1,
        )
        for index in range(4)
    ]
    together = evaluator.evaluate(points)
    assert ["eval_return_mean_action" in row for row in together] == [True, False, True, True]
    assert together == [evaluator.evaluate([point])[0] for point in points]


def test_agents_sample_different_data():
    training = Training(spec())
    gradients = [work.update.gradient for work in training.agents.work(training.server.start())]
    assert not np.array_equal(gradients[0], gradients[1])


def test_the_gradient_is_taken_at_the_tasks_parameters():
    run = spec()
    policy = GaussianPolicy(11, 3, (8,), 0.0)
    theta = policy.init(run.stream("policy"))

    def gradient(shift):
        task = Task(0, 0, theta + np.float32(shift), np.zeros(23))
        return Agents(run, policy).work([task])[0].update.gradient

    np.testing.assert_array_equal(gradient(0), gradient(0))
    assert not np.allclose(gradient(0), gradient(0.1))


@pytest.mark.parametrize("name", ["Swimmer", "HalfCheetah"])
def test_staggered_lanes_cover_all_phases_of_the_episode(name):
    """A batch of a task that never terminates must not see one slice of the episode only."""
    run = spec(environment=name, n_agents=1, sampling={"lanes": 64, "segment_steps": 1})
    env = make_environment(run, [0])
    lanes = env.all_lanes
    for _ in range(1100):
        _, _, terminated, truncated = env.step(np.zeros((64, env.action_size)))
        assert not terminated.any()
        if truncated.any():
            env.reset(lanes[truncated])
    counts, _ = np.histogram(env.elapsed, bins=5, range=(0, 1000))
    assert counts.min() >= 4  # 64 lanes, 12.8 expected in each fifth of the episode
    unstaggered = make_environment(spec(environment=name, sampling={"trajectories": 64}), [0])
    assert set(unstaggered.limit.tolist()) == {1000}


def test_whole_episode_tasks_end_where_episodes_end():
    training = Training(spec(sampling={"trajectories": 5}))
    work = training.agents.work(training.server.start()[:1])[0]
    assert len(work.returns) == 5
    assert work.env_steps < 5 * 200  # an untrained hopper falls within a few dozen steps


# --- from the environment's steps to advantages, against an independent loop over what the environment returned ---


def watched(training):
    """The sampler with every step of agent 0's environment and every batch of agent 0 recorded."""
    agent = training.agents.each[0]
    steps, batches, env = [], [], training.agents.sampler.env
    step, learn = env.step, agent.learn

    def recording_step(action, lanes=slice(None)):
        result = step(action, lanes)
        steps.append((env.all_lanes[lanes].copy(), *result))
        return result

    def recording_learn(task, batch):
        batches.append(batch)
        return learn(task, batch)

    env.step, agent.learn = recording_step, recording_learn
    return agent, steps, batches


@pytest.mark.parametrize(
    ("name", "sampling"),
    [
        ("Hopper", {"lanes": 6, "segment_steps": 32}),
        ("Hopper", {"trajectories": 5}),
        ("Swimmer", {"trajectories": 2}),
    ],
)
def test_advantages_bootstrap_where_they_must(name, sampling):
    discount, gae_lambda = 0.97, 0.9
    estimator = {"standardize": False, "discount": discount, "gae_lambda": gae_lambda}
    training = Training(spec(environment=name, sampling=sampling, estimator=estimator, normalizer={"mode": "none"}))
    agent, steps, batches = watched(training)
    critic = agent.critic
    critic.weight = np.random.default_rng(0).normal(0, 0.3, critic.weight.shape)
    critic.fit = lambda *_: None
    if "lanes" in sampling:
        training.agents.sampler.env.limit[:6] = np.arange(5, 29, 4)  # truncations inside a segment
    task = training.server.start()[0]
    ends = {"terminated": 0, "truncated": 0}
    for _ in range(2):
        steps.clear()
        training.agents.work([task])
        batch = batches[-1]
        advantage, target = agent._advantages(batch)
        observed = batch.observation_TBO.reshape(-1, batch.observation_TBO.shape[2])
        values = critic.value(observed, batch.elapsed_TB.reshape(-1))
        value_TB = values.reshape(batch.reward_TB.shape)
        for lane in range(batch.reward_TB.shape[1]):
            mine = [(t, int(np.flatnonzero(s[0] == lane)[0]), s) for t, s in enumerate(steps) if lane in s[0]]
            assert batch.valid_TB[:, lane].sum() == len(mine)
            carried = 0.0
            for t, row, (_, observation, reward, terminated, truncated) in reversed(mine):
                next_elapsed = batch.elapsed_TB[t, lane][None] + 1
                after = critic.value(observation[row].astype(np.float32)[None], next_elapsed)[0]
                ended = terminated[row] or truncated[row]
                delta = reward[row] + discount * (0.0 if terminated[row] else after) - value_TB[t, lane]
                carried = delta + (0.0 if ended else discount * gae_lambda * carried)
                assert advantage[t, lane] == pytest.approx(carried, abs=1e-3)
                assert target[t, lane] == pytest.approx(carried + value_TB[t, lane], abs=1e-3)
                ends["terminated"] += terminated[row]
                ends["truncated"] += truncated[row] and not terminated[row]
    assert ends["terminated"] + ends["truncated"] >= 2
    assert ends["truncated"] > 0 or "trajectories" in sampling


@pytest.mark.parametrize("sampling", [{"lanes": 5, "segment_steps": 40}, {"trajectories": 4}])
def test_batches_are_standardised_weighted_and_counted_over_real_steps_only(sampling):
    estimator = {"name": "gpomdp", "discount": 0.9}
    training = Training(spec(sampling=sampling, estimator=estimator))
    agent, _, batches = watched(training)
    seen, advantages = [], agent._advantages

    def watched_advantages(batch):
        seen.append((result := advantages(batch))[0])
        return result

    agent._advantages = watched_advantages
    work = training.agents.work(training.server.start()[:1])[0]
    batch = batches[-1]
    advantage = seen[-1]
    valid = batch.valid_TB
    assert work.env_steps == valid.sum() == work.update.normalizer[0]
    standardised = (advantage / 0.9**batch.elapsed_TB)[valid]
    assert standardised.mean() == pytest.approx(0, abs=1e-4)
    assert standardised.std() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(work.update.normalizer[1:12], batch.raw_TBO[valid].sum(axis=0), rtol=1e-4)
    for lane in range(valid.shape[1]):  # elapsed counts the steps since the last end of an episode
        expected = 0
        for t in np.flatnonzero(valid[:, lane]):
            assert batch.elapsed_TB[t, lane] == expected
            expected = 0 if batch.terminated_TB[t, lane] or batch.truncated_TB[t, lane] else expected + 1


def test_sums_are_of_raw_observations_whatever_the_task_normalises_with():
    training = Training(spec())
    _, _, batches = watched(training)
    task = dataclasses.replace(
        training.server.start()[0], normalizer=np.r_[10.0, np.full(11, 30.0), np.full(11, 140.0)]
    )
    update = training.agents.work([task])[0].update
    assert not np.allclose(batches[-1].observation_TBO, batches[-1].raw_TBO)
    np.testing.assert_allclose(update.normalizer[1:12], batches[-1].raw_TBO.reshape(-1, 11).sum(axis=0), rtol=1e-4)


def test_a_cut_first_episode_is_no_training_return():
    run = spec(environment="Swimmer", sampling={"lanes": 8, "segment_steps": 100})
    training = Training(run)
    agents, task = training.agents, training.server.start()[0]
    phases = agents.sampler.env.limit[:8].copy()
    seen = [
        value for _ in range(10) for value in agents.work([task])[0].returns
    ]  # 1,000 steps: all first episodes ended
    assert len(seen) == (phases == 1000).sum()
    assert len([value for _ in range(10) for value in agents.work([task])[0].returns]) == 8


def test_no_two_lanes_of_agents_or_evaluation_share_a_stream():
    training = Training(spec())
    starts = training.agents.sampler.raw
    training.evaluator.evaluate([Point(1, training.server.parameters, training.normalizer(), False)])
    streams = training.evaluator.sampler.env.streams
    assert len(np.unique(starts, axis=0)) == len(starts)
    draws = [stream.random() for stream in streams]
    draws += [stream.random() for stream in training.agents.sampler.env.streams]
    assert len(set(draws)) == len(draws)


def test_evaluation_uses_the_servers_parameters_and_normaliser():
    training = Training(spec(steps_per_agent=128, evaluation={"episodes": 3}))
    training.begin()
    while not training.finished:
        training.advance()
    row = training.recorder.rows[-1]
    again = Training(training.spec).evaluator
    normalizer = Normalizer(training.server.shared.normalizer, 10.0)
    both = (normalizer, Normalizer(None, 10.0))
    same, other = (Point(row["point"], training.server.parameters, used, True) for used in both)
    assert again.evaluate([same])[0].items() <= row.items()
    assert again.evaluate([other])[0]["eval_return_mean"] != row["eval_return_mean"]


def test_a_local_normaliser_is_evaluated_as_of_the_arrivals():
    training = Training(spec(normalizer={"mode": "local"}))
    training.begin()
    assert [sums[0] for sums in training.local_sums] == [0, 0]  # both tasks are under way, nothing has arrived
    training.advance()
    assert sorted(sums[0] for sums in training.local_sums) == [0, 32]
