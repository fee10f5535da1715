"""The lookahead on noiseless quadratics: what it removes exactly, and what it leaves."""

from __future__ import annotations

import numpy as np
import pytest

from frl.training.servers.afedpg import AFedPG
from frl.training.servers.async_pg import AsyncPG
from frl.training.servers.base import Update


def directions(server_class, gradient, theta, n_agents, updates, **settings):
    """(theta_{k-1}, d_k) for k = 1, 2, ... with agents that answer in a cycle."""
    server = server_class(theta, n_agents, server_class.Settings(**settings))
    queue, pairs = server.start(), []
    for _ in range(updates):
        task, before = queue.pop(0), server.parameters
        queue += server.receive(_update(task, gradient(task.parameters)))
        pairs.append((before, server.d.copy()))
    return pairs


def _update(task, gradient):
    return Update(task.agent, task.step, gradient)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5])
def test_one_agent_with_lookahead_has_the_exact_gradient(alpha):
    rng = np.random.default_rng(0)
    hessian = -np.diag(rng.uniform(0.5, 2, 5))
    optimum = rng.standard_normal(5)

    def gradient(theta):
        return hessian @ (theta - optimum)

    pairs = directions(AFedPG, gradient, np.zeros(5), 1, 200, step_size=0.01, momentum=alpha)
    for before, d in pairs:
        np.testing.assert_allclose(d, gradient(before), rtol=0, atol=1e-12)
    vanilla = directions(AsyncPG, gradient, np.zeros(5), 1, 200, step_size=0.01, momentum=alpha)
    assert max(np.abs(d - gradient(before)).max() for before, d in vanilla) > 0.01


@pytest.mark.parametrize("n_agents", [2, 4, 8])
@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5])
def test_bias_of_the_direction_is_the_formula(n_agents, alpha):
    """On a straight path the bias of d_k is eta h [(delta - 1) + (1 - alpha) / alpha], without the last term
    under the lookahead: it removes the momentum's part, not the staleness itself."""
    eta, curvature = 0.01, 0.5

    def gradient(theta):  # strong constant pull along x keeps the path straight; curvature acts on x
        return np.array([100.0 - curvature * theta[0], 0.0])

    def bias(server_class):
        pairs = directions(server_class, gradient, np.zeros(2), n_agents, 400, step_size=eta, momentum=alpha)
        return np.mean([d[0] - gradient(before)[0] for before, d in pairs[-n_agents:]])

    staleness = eta * curvature * (n_agents - 1)
    momentum = eta * curvature * (1 - alpha) / alpha
    assert bias(AFedPG) == pytest.approx(staleness, rel=0.05)
    assert bias(AsyncPG) == pytest.approx(staleness + momentum, rel=0.05)


@pytest.mark.parametrize(("alpha", "share"), [(0.1, 9 / 16), (0.2, 4 / 11), (0.5, 1 / 8)])
def test_share_of_the_bias_removed_at_eight_agents(alpha, share):
    def gradient(theta):
        return np.array([100.0 - 0.5 * theta[0], 0.0])

    biases = []
    for server_class in (AFedPG, AsyncPG):
        pairs = directions(server_class, gradient, np.zeros(2), 8, 400, step_size=0.01, momentum=alpha)
        biases.append(np.mean([d[0] - gradient(before)[0] for before, d in pairs[-8:]]))
    assert 1 - biases[0] / biases[1] == pytest.approx(share, rel=0.05)


def test_own_alpha_differs_from_arrival_alpha_only_under_a_schedule():
    def gradient(theta):  # anisotropic: the direction of a step must depend on where it is taken
        return -np.array([1.0, 3.0, 10.0]) * theta

    def final(**settings):
        return directions(AFedPG, gradient, np.ones(3), 4, 50, step_size=0.05, momentum=0.9, **settings)[-1][0]

    np.testing.assert_array_equal(final(lookahead_alpha="own"), final(lookahead_alpha="arrival"))
    different = final(lookahead_alpha="own", schedule="global"), final(schedule="global")
    assert np.abs(different[0] - different[1]).max() > 1e-6
