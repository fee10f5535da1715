"""Lazy AFedPG: its agents' condition, and a server that takes the last gradient again."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from frl.training.servers.afedpg import AFedPG
from frl.training.servers.base import Sample, Task, Update
from frl.training.servers.lazy_afedpg import LazyAFedPG

SETTINGS = LazyAFedPG.Settings(step_size=0.1, window=2, xi=0.5, variance_multiplier=3.0)


def sample(theta, gradient, variance=0.0, n_agents=4):
    task = Task(0, 5, np.array(theta, float))
    return Sample(task, np.array(gradient, float), lambda: variance, np.random.default_rng(0), n_agents)


def remembered():
    """An agent that has uploaded (3, 4) and since then met points at distances of 0.2 and 0.4."""
    memory = {}
    for theta, gradient in (([0, 0], [1, 0]), ([0.2, 0], [3, 4])):
        assert LazyAFedPG.agent_gradient(sample(theta, gradient), memory, SETTINGS) is not None
    return memory


def test_at_first_everything_is_uploaded():
    remembered()


@pytest.mark.parametrize("factor", [0.99, 1.01])
@pytest.mark.parametrize("variance", [0.0, 2.0])
def test_the_condition_is_the_formula(factor, variance):
    progress = 0.5 * (5**2 - variance) * (0.2**2 + 0.4**2) / (4 * 0.1) ** 2
    change = factor * np.sqrt(progress + 3 * variance)
    memory, gradient = remembered(), np.array([3 + change, 4])
    sent = LazyAFedPG.agent_gradient(sample([0.2, 0.4], gradient, variance), memory, SETTINGS)
    if factor < 1:
        assert sent is None
        np.testing.assert_array_equal(memory["last"], [3, 4])
    else:
        np.testing.assert_array_equal(sent, gradient)
        np.testing.assert_array_equal(memory["last"], gradient)


def test_the_server_takes_the_last_gradient_of_that_agent_again():
    lazy = LazyAFedPG(np.zeros(2), 2, LazyAFedPG.Settings(momentum=0.3))
    plain = AFedPG(np.zeros(2), 2, AFedPG.Settings(momentum=0.3))
    last = {}
    lazy_queue, queue = lazy.start(), plain.start()
    for gradient in ([1.0, 0], [0, 1.0], None, [2.0, 1], None, None):
        agent, step = queue[0].agent, queue[0].step
        assert (lazy_queue[0].agent, lazy_queue[0].step) == (agent, step)
        last[agent] = last.get(agent) if gradient is None else np.array(gradient)
        lazy_queue = lazy_queue[1:] + lazy.receive(Update(agent, step, gradient and np.array(gradient)))
        queue = queue[1:] + plain.receive(Update(agent, step, last[agent]))
        np.testing.assert_array_equal(lazy.parameters, plain.parameters)
        np.testing.assert_array_equal(lazy_queue[-1].parameters, queue[-1].parameters)
    assert lazy.step == 6


def test_an_agent_must_have_uploaded_once():
    server = LazyAFedPG(np.zeros(2), 2, LazyAFedPG.Settings())
    with pytest.raises(ValueError, match="agent 1 uploaded no gradient"):
        server.receive(Update(1, 0, None))


def test_without_weights_every_change_is_uploaded_and_no_noise_is_asked_for():
    settings, memory = LazyAFedPG.Settings(window=1, xi=0, variance_multiplier=0), {}
    for step in range(5):
        one = dataclasses.replace(sample([step, 0], [step, 1]), variance=None)  # of one episode it is unknown
        assert LazyAFedPG.agent_gradient(one, memory, settings) is not None
