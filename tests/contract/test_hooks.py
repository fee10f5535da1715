"""Places in which later methods do something of their own: what each gets, what it may change, and that bytes count."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from frl.settings import AdversarySpec
from frl.spec import RunSpec
from frl.training import checkpoint
from frl.training.agents import Agents
from frl.training.loop import Training
from frl.training.servers.base import Payload, Update


def spec(**settings):
    base = {"environment": "Hopper", "algorithm": "afedpg", "n_agents": 3, "seed": 0, "steps_per_agent": 96}
    small = {"policy": {"hidden": (8,)}, "sampling": {"lanes": 4, "segment_steps": 8}}
    return RunSpec(**{**base, **small, "evaluation": {"episodes": 1}, **settings})


def finish(training):
    if not training.recorder.rows:
        training.begin()
    while not training.finished:
        training.advance()
    return training


class Halves:
    """A codec: the gradient as float16, what that loses is kept and added to the next."""

    def encode(self, update, memory):
        wanted = update.gradient + memory.get("lost", np.float32(0))
        sent = wanted.astype(np.float16)
        memory["lost"] = wanted - sent
        return dataclasses.replace(update, gradient=None, coded=(sent,))

    def decode(self, update):
        return dataclasses.replace(update, gradient=update.coded[0].astype(np.float32), coded=None)


def coded(run):
    training = Training(run)
    training.codec = Halves()
    for agent in training.agents.each.values():
        agent.codec = training.codec
    return training


def test_a_codec_is_paid_for_what_it_sends_and_the_server_gets_what_it_decodes():
    plain, training = finish(Training(spec())), coded(spec())
    size, seen = training.policy.size, []
    receive = training.server.receive
    training.server.receive = lambda update: (seen.append(update), receive(update))[1]
    finish(training)
    assert {update.gradient.dtype for update in seen} == {np.dtype(np.float32)}
    assert {update.coded for update in seen} == {None}
    uploads = training.recorder.uploads
    assert uploads == len(seen) == plain.recorder.uploads
    assert plain.recorder.uplink_bytes - training.recorder.uplink_bytes == uploads * 2 * size
    assert np.abs(training.agents.each[0].codec_memory["lost"]).max() > 0


def test_what_a_codec_remembers_and_sends_is_in_the_checkpoint():
    original = coded(spec())
    original.begin()
    for _ in range(4):
        original.advance()
    assert any(work.update.coded is not None for work in original._works.values())
    resumed = coded(spec())
    checkpoint.restore(resumed, checkpoint.read(checkpoint.save(original, {}))[1])
    assert finish(resumed).recorder.rows == finish(original).recorder.rows


class Flipping:
    """An adversary: rewards and gradient turned around."""

    def __init__(self):
        self.agents = []

    def rewards(self, reward_TB):
        return -reward_TB

    def answer(self, agent, honest):
        self.agents.append(agent)
        return dataclasses.replace(honest, gradient=-2 * honest.gradient)


def received(training):
    """The first round's updates, by agent, as the server reads them."""
    seen, receive = {}, training.server.receive
    training.server.receive = lambda update: (seen.setdefault(update.agent, update), receive(update))[1]
    training.begin()
    while len(seen) < 3:
        training.advance()
    return seen


def test_an_adversary_may_replace_the_payload_and_its_rewards_and_nothing_else():
    assert {field.name for field in dataclasses.fields(Payload)} == {"gradient", "normalizer"}
    plain = {"estimator": {"name": "reward_to_go", "standardize": False}, "critic": {"mode": "none"}}
    run = spec(algorithm="fedpg", sampling={"trajectories": 2}, **plain)
    attacked = run.model_copy(update={"adversary": AdversarySpec(attack="sign_flip", number=1)})
    honest, malicious = Training(run), Training(attacked)
    adversary = malicious.adversary = malicious.agents.each[0].adversary = Flipping()
    before, after = received(honest), received(malicious)
    assert adversary.agents == [0]
    for agent in (1, 2):
        np.testing.assert_array_equal(before[agent].gradient, after[agent].gradient)
    one, other = before[0], after[0]
    assert (one.agent, one.step) == (other.agent, other.step)
    np.testing.assert_array_equal(one.normalizer, other.normalizer)
    np.testing.assert_allclose(other.gradient, 2 * one.gradient, rtol=1e-6)  # -2 times -g
    assert honest.recorder.env_steps.tolist() == malicious.recorder.env_steps.tolist()


def test_a_method_may_turn_its_gradient_into_a_natural_direction(monkeypatch):
    from frl.training.servers.afedpg import AFedPG

    def natural(sample, memory, settings):
        x = np.zeros_like(sample.gradient)
        for _ in range(200):  # (F + I) x = g, by Richardson's iteration
            x = x + 0.2 * (sample.gradient - x - sample.fisher(x))
        residual = sample.fisher(x) + x - sample.gradient
        assert np.linalg.norm(residual) < 1e-4 * np.linalg.norm(sample.gradient)
        return x

    (plain,) = Training(spec()).agents.work(Training(spec()).server.start()[:1])
    monkeypatch.setattr(AFedPG, "agent_gradient", staticmethod(natural))
    (turned,) = Training(spec()).agents.work(Training(spec()).server.start()[:1])
    assert turned.update.gradient.dtype == plain.update.gradient.dtype
    assert turned.update.gradient @ plain.update.gradient > 0
    assert not np.allclose(turned.update.gradient, plain.update.gradient)


@pytest.mark.parametrize("sampling", [{"lanes": 4, "segment_steps": 8}, {"trajectories": 2}])
def test_an_agent_with_its_own_lanes_only_answers_as_among_all(sampling):
    run = spec(sampling=sampling, heterogeneity={"gear": (0.5, 2)}, evaluation={"episodes": 3})
    everyone = Training(run)
    alone = {index: Agents(run, everyone.policy, only=[index]) for index in range(3)}
    assert len(alone[2].sampler.env.all_lanes) == len(everyone.agents.sampler.env.all_lanes) // 3
    tasks = everyone.server.start()
    for _ in range(2):
        for work, task in zip(everyone.agents.work(tasks), tasks, strict=True):
            (mine,) = alone[task.agent].work([task])
            assert (mine.env_steps, mine.returns) == (work.env_steps, work.returns)
            for field in dataclasses.fields(Update):
                np.testing.assert_array_equal(getattr(mine.update, field.name), getattr(work.update, field.name))
