"""Natural gradients: conjugate gradients against a dense solve, Fisher information against torch's, and runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from frl.spec import RunSpec
from frl.training.loop import Training
from frl.training.policy import GaussianPolicy
from frl.training.servers.base import Sample, Task
from frl.training.servers.natural import NaturalGradients, NaturalSettings, conjugate_gradients


def sample(policy, theta, observation, gradient):
    return Sample(
        Task(0, 0, theta),
        gradient,
        lambda: 0.0,
        np.random.default_rng(0),
        1,
        lambda vector: policy.fisher_product(theta, observation, vector),
    )


def torch_fisher(policy, theta, observation):
    """Mean over states of the Hessian of KL(pi_theta || pi_theta') in theta' at theta, (d, d)."""

    sizes, states = policy.mlp.shapes, torch.tensor(observation)

    def mean_and_std(flat):
        x, place = states, 0
        for index, (weight, bias) in enumerate(zip(sizes[::2], sizes[1::2], strict=True)):
            count = weight[0] * weight[1]
            x = x @ flat[place : place + count].reshape(weight) + flat[place + count : place + count + bias[0]]
            place += count + bias[0]
            x = torch.tanh(x) if index < len(sizes) // 2 - 1 else x
        return x, torch.exp(flat[place:])

    old_mean, old_std = (value.detach() for value in mean_and_std(torch.tensor(theta)))

    def divergence(flat):
        mean, std = mean_and_std(flat)
        ratio = (old_std**2 + (old_mean - mean) ** 2) / (2 * std**2)
        return (torch.log(std / old_std) + ratio - 0.5).sum(dim=1).mean()

    return torch.func.jacrev(torch.func.grad(divergence))(torch.tensor(theta)).detach().numpy()


def natural_gradient(one, settings):
    return NaturalGradients.agent_gradient(one, {}, settings)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    policy = GaussianPolicy(4, 2, (6, 5), -0.3)
    theta = policy.init(rng).astype(np.float64) + 0.3 * rng.standard_normal(policy.size)
    return policy, theta, rng.standard_normal((50, 4)), rng.standard_normal(policy.size)


@pytest.mark.parametrize("damping", [0.1, 0.001])
def test_the_natural_gradient_is_that_of_a_dense_solve_with_torchs_fisher_information(problem, damping):
    policy, theta, observation, gradient = problem
    fisher = torch_fisher(policy, theta, observation)
    expected = np.linalg.solve(fisher + damping * np.eye(len(theta)), gradient)
    settings = NaturalSettings(damping=damping, iterations=500)
    x = natural_gradient(sample(policy, theta, observation, gradient), settings)
    residual = fisher @ x + damping * x - gradient
    assert np.linalg.norm(residual) <= 1.01e-6 * np.linalg.norm(gradient)
    np.testing.assert_allclose(x, expected, atol=1e-6 / damping * np.linalg.norm(gradient))


def test_in_single_precision_it_is_nearly_as_good(problem):
    policy, theta, observation, gradient = problem
    fisher = torch_fisher(policy, theta, observation)
    single = [array.astype(np.float32) for array in (theta, observation, gradient)]
    x = natural_gradient(sample(policy, *single), NaturalSettings(iterations=20))
    assert x.dtype == np.float32
    residual = fisher @ x + 0.1 * x - gradient
    assert np.linalg.norm(residual) <= 1e-2 * np.linalg.norm(gradient)


def test_conjugate_gradients_end_after_as_many_steps_as_there_are_eigenvalues():
    matrix = np.diag([1.0, 1, 2, 2, 5, 5])
    calls = []

    def product(v):
        calls.append(v)
        return matrix @ v

    x = conjugate_gradients(product, np.arange(1.0, 7), 100)
    np.testing.assert_allclose(matrix @ x, np.arange(1.0, 7), rtol=1e-6)
    assert len(calls) == 3


def test_the_natural_gradient_of_nothing_is_nothing(problem):
    policy, theta, observation, gradient = problem
    assert not natural_gradient(sample(policy, theta, observation, 0 * gradient), NaturalSettings()).any()


def test_without_fisher_information_it_says_so():
    bare = Sample(Task(0, 0, np.zeros(2)), np.ones(2), lambda: 0.0, np.random.default_rng(0), 1)
    with pytest.raises(ValueError, match="Fisher information"):
        natural_gradient(bare, NaturalSettings())


@pytest.mark.parametrize(("natural", "plain"), [("afednpg", "afedpg"), ("fednpg", "fedpg")])
def test_with_great_damping_a_run_is_that_of_plain_gradients(natural, plain):
    base = {"environment": "Hopper", "n_agents": 2, "seed": 0, "steps_per_agent": 96, "policy": {"hidden": (8,)}}
    small = {"sampling": {"lanes": 4, "segment_steps": 8}, "evaluation": {"episodes": 1}}
    ends = []
    for algorithm, server in ((natural, {"damping": 1e5}), (plain, {}), (natural, {})):
        training = Training(RunSpec(**base, **small, algorithm=algorithm, server=server))
        training.begin()
        while not training.finished:
            training.advance()
        ends.append(training.server.parameters)
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-4)
    assert np.abs(ends[2] - ends[1]).max() > 1e-3
