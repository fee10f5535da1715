"""What leaves an agent, what its lanes cover, and that a result depends on task and agent alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from frl.spec import RunSpec
from frl.training.agent import Agent, make_environment
from frl.training.critic import Critic
from frl.training.loop import Training
from frl.training.policy import GaussianPolicy
from frl.training.servers.base import Task


def spec(**settings):
    base = {"environment": "Hopper", "algorithm": "afedpg", "n_agents": 2, "seed": 0, "steps_per_agent": 1000}
    small = {"policy": {"hidden": (8,)}, "critic": {"hidden": (8,)}, "sampling": {"lanes": 4, "segment_steps": 8}}
    return RunSpec(**{**base, **small, **settings})


def first_tasks(run):
    return Training(run).server.start()


@pytest.mark.parametrize(
    "sampling", [{"lanes": 4, "segment_steps": 8}, {"lanes": 9, "segment_steps": 31}, {"trajectories": 3}]
)
def test_what_leaves_an_agent_does_not_depend_on_how_much_it_sampled(sampling):
    training = Training(spec(sampling=sampling))
    work = training.agents[0].work(training.server.start()[0])
    assert {field.name for field in dataclasses.fields(work.update)} == {
        "agent",
        "step",
        "gradient",
        "critic",
        "normalizer",
    }
    policy = 11 * 8 + 8 + 8 * 3 + 3 + 3
    critic = 11 * 8 + 8 + 8 * 1 + 1
    assert work.update.gradient.shape == (policy,)
    assert work.update.nbytes == 8 + 8 + 4 * policy + 4 * critic + 8 * (1 + 2 * 11)


@pytest.mark.parametrize("mode", ["local", "none"])
def test_nothing_but_the_gradient_leaves_where_critic_and_normaliser_are_not_federated(mode):
    run = spec(critic={"mode": mode, "hidden": (8,)}, normalizer={"mode": mode}, estimator={"name": "reinforce"})
    training = Training(run)
    task = training.server.start()[0]
    assert task.critic is None
    assert task.normalizer is None
    update = training.agents[0].work(task).update
    assert update.critic is None
    assert update.normalizer is None
    moved = not np.array_equal(training.agents[0].phi, training.agents[1].phi)
    assert moved == (mode == "local")
    assert (training.agents[0].sums[0] > 0) == (mode == "local")


@pytest.mark.parametrize("mode", ["federated", "local"])
def test_a_frozen_normaliser_is_sent_and_changed_no_more(mode):
    training = Training(spec(normalizer={"mode": mode, "freeze_after_steps": 100}, steps_per_agent=400))
    while not training.finished:
        training.begin() if not training.recorder.rows else training.advance()
    sums = training.server.shared.normalizer if mode == "federated" else training.agents[0].sums
    counted = sums[0] * (1 if mode == "federated" else 2)
    assert 100 <= counted <= 100 + 2 * 32 * 2  # at most what was in flight when the limit was reached


def test_an_agents_work_is_the_same_for_every_n():
    works = []
    for n_agents in (2, 5):
        run = spec(n_agents=n_agents)
        training = Training(run)
        works.append(training.agents[1].work(training.server.start()[1]))
    np.testing.assert_array_equal(works[0].update.gradient, works[1].update.gradient)


def test_agents_sample_different_data():
    training = Training(spec())
    gradients = [training.agents[task.agent].work(task).update.gradient for task in training.server.start()]
    assert not np.array_equal(gradients[0], gradients[1])


def test_the_gradient_is_taken_at_the_tasks_parameters():
    run = spec()
    policy, critic = GaussianPolicy(11, 3, (8,), 0.0), Critic(11, (8,), 100.0)
    theta, phi = policy.init(run.stream("policy")), critic.init(run.stream("critic"))

    def gradient(shift):
        agent = Agent(run, 0, policy, critic)
        return agent.work(Task(0, 0, theta + np.float32(shift), phi, np.zeros(23))).update.gradient

    np.testing.assert_array_equal(gradient(0), gradient(0))
    assert not np.allclose(gradient(0), gradient(0.1))


@pytest.mark.parametrize("name", ["Swimmer", "HalfCheetah"])
def test_staggered_lanes_cover_all_phases_of_the_episode(name):
    """A batch of a task that never terminates must not see one slice of the episode only."""
    run = spec(environment=name, sampling={"lanes": 64, "segment_steps": 1}, estimator={"discount": 0.99})
    env = make_environment(run, 0)
    lanes = env.all_lanes
    for _ in range(1100):
        _, _, terminated, truncated = env.step(np.zeros((64, env.action_size)))
        assert not terminated.any()
        if truncated.any():
            env.reset(lanes[truncated])
    counts, _ = np.histogram(env.elapsed, bins=5, range=(0, 1000))
    assert counts.min() >= 4  # 64 lanes, 12.8 expected in each fifth of the episode
    unstaggered = make_environment(spec(environment=name, sampling={"trajectories": 64}), 0)
    assert set(unstaggered.limit.tolist()) == {1000}


def test_whole_episode_tasks_end_where_episodes_end():
    training = Training(spec(sampling={"trajectories": 5}))
    work = training.agents[0].work(training.server.start()[0])
    assert len(work.returns) == 5
    assert work.env_steps < 5 * 200  # an untrained hopper falls within a few dozen steps
