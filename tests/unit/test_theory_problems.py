"""The lab's problems against other ways to the same numbers: complex steps, value iteration, Riccati, simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from frl.theory.cells.garnet import Garnet, SampledTrajectories
from frl.theory.cells.lqr import LQR
from frl.theory.cells.problems import GaussianNoise, Quadratic

PROBLEMS = {
    "quadratic": Quadratic((1.0, 0.5, 0.1)),
    "garnet": Garnet(10, 4, 3, 0.9, 0.2, seed=0),
    "lqr": LQR(4, 2, 0.9, 0.95, 0.5, seed=0),
}


@pytest.fixture(params=PROBLEMS.values(), ids=PROBLEMS)
def problem(request):
    return request.param


def points(problem, count=4, spread=0.1):
    noise = np.random.default_rng(3).standard_normal((count, len(problem.start)))
    return problem.start + spread * noise


def complex_step(problem, theta):
    """The gradient of J, exact to rounding: Im J(theta + i h e) / h has no cancellation."""
    steps = theta.astype(complex) + 1e-30j * np.eye(len(theta))
    return problem.value(steps).imag / 1e-30


def test_the_gradient_is_that_of_the_value(problem):
    theta_BD = points(problem)
    for theta, gradient in zip(theta_BD, problem.gradient(theta_BD), strict=True):
        np.testing.assert_allclose(gradient, complex_step(problem, theta), rtol=1e-9, atol=1e-8)


def test_the_gradient_agrees_with_real_differences(problem):
    theta, h = points(problem, 1)[0], 1e-4
    shift = h * np.eye(len(theta))
    fourth_order = (
        8 * (problem.value(theta + shift) - problem.value(theta - shift))
        - (problem.value(theta + 2 * shift) - problem.value(theta - 2 * shift))
    ) / (12 * h)
    scale = np.abs(fourth_order).max()
    np.testing.assert_allclose(problem.gradient(theta[None])[0] / scale, fourth_order / scale, atol=1e-8)


def test_points_are_evaluated_independently(problem):
    theta_BD = points(problem)
    np.testing.assert_allclose(problem.value(theta_BD)[2], problem.value(theta_BD[2:3])[0], rtol=1e-12)
    np.testing.assert_allclose(problem.gradient(theta_BD)[2], problem.gradient(theta_BD[2:3])[0], rtol=1e-10)


def test_nothing_is_above_the_optimum(problem):
    assert (problem.value(points(problem, 200, spread=0.5)) <= problem.optimum).all()


def test_ascent_ends_at_the_optimum(problem):
    found = minimize(
        lambda theta: -problem.value(theta[None])[0],
        problem.start,
        jac=lambda theta: -problem.gradient(theta[None])[0],
        options={"gtol": 1e-9, "maxiter": 2000},
    )
    assert problem.optimum + found.fun == pytest.approx(0, abs=1e-9)


def test_the_garnets_optimum_is_that_of_the_softmax_of_its_optimal_values():
    garnet = PROBLEMS["garnet"]
    value_S = garnet.optimal_values()
    q_SA = garnet.reward_SA + garnet.discount * garnet.transition_SAS @ value_S
    logit_SA = q_SA / garnet.temperature
    theta = (logit_SA[:, :-1] - logit_SA[:, -1:]).reshape(1, -1)
    assert garnet.value(theta)[0] == pytest.approx(garnet.optimum, abs=1e-10)
    np.testing.assert_allclose(garnet.gradient(theta), 0, atol=1e-10)


def fisher(garnet, theta):
    """E grad log pi grad log pi' over the discounted visits, (D, D)."""
    policy_SA = np.exp(garnet.log_policy(theta[None])[0])
    moves_SS = np.einsum("sa,sat->st", policy_SA, garnet.transition_SAS)
    visits_S = np.linalg.solve(np.eye(len(moves_SS)) - garnet.discount * moves_SS.T, garnet.first_S)
    free = policy_SA[:, :-1]
    blocks = [d * (np.diag(p) - np.outer(p, p)) for d, p in zip(visits_S, free, strict=True)]
    return np.block([[b if i == j else np.zeros_like(b) for j in range(len(blocks))] for i, b in enumerate(blocks)])


def test_the_garnets_fisher_matrix_is_bounded_away_from_zero_from_start_to_optimum():
    garnet = PROBLEMS["garnet"]
    q_SA = garnet.reward_SA + garnet.discount * garnet.transition_SAS @ garnet.optimal_values()
    logit_SA = q_SA / garnet.temperature
    best = (logit_SA[:, :-1] - logit_SA[:, -1:]).ravel()
    for share in (0.0, 0.5, 1.0):
        assert np.linalg.eigvalsh(fisher(garnet, share * best)).min() > 1e-4


def test_the_regulators_optimum_is_the_riccati_equations():
    lqr = PROBLEMS["lqr"]
    p = np.zeros((4, 4))
    for _ in range(5000):  # value iteration of the discounted Riccati recursion
        slope = lqr.discount * lqr.input_XU.T @ p
        gain = np.linalg.solve(np.eye(2) + slope @ lqr.input_XU, slope @ lqr.drift_XX)
        closed = lqr.drift_XX - lqr.input_XU @ gain
        p = np.eye(4) + gain.T @ gain + lqr.discount * closed.T @ p @ closed
    np.testing.assert_allclose(lqr.optimal_gain(), gain, atol=1e-10)
    np.testing.assert_allclose(lqr.gradient(lqr.optimal_gain().reshape(1, -1)), 0, atol=1e-9)


def test_the_regulators_value_is_the_mean_of_simulated_costs():
    lqr, stream = PROBLEMS["lqr"], np.random.default_rng(0)
    theta = points(lqr, 1)[0]
    gain, n = theta.reshape(2, 4), 20_000
    x, total = stream.standard_normal((n, 4)), np.zeros(n)
    for t in range(150):
        u = -x @ gain.T + lqr.exploration * stream.standard_normal((n, 2))
        total -= lqr.discount**t * ((x**2).sum(axis=1) + (u**2).sum(axis=1))
        x = x @ lqr.drift_XX.T + u @ lqr.input_XU.T + 0.1 * stream.standard_normal((n, 4))
    assert lqr.value(theta[None])[0] == pytest.approx(total.mean(), abs=5 * total.std() / np.sqrt(n))


def test_an_unstable_regulator_has_no_value():
    lqr = PROBLEMS["lqr"]
    assert lqr.value(np.full((1, 8), 50.0))[0] == -np.inf


def test_the_noise_has_the_covariance_that_it_is_said_to_have():
    problem, stream = PROBLEMS["quadratic"], np.random.default_rng(0)
    oracle = GaussianNoise(problem, relative=3.0)
    theta_BD = np.repeat(problem.start[None], 100_000, axis=0)
    noise_BD = oracle.estimate(theta_BD, oracle.draw(stream, len(theta_BD))) - problem.gradient(theta_BD)
    variance = 9 * np.square(problem.gradient(problem.start[None])).sum() / 3
    np.testing.assert_allclose(np.cov(noise_BD.T), variance * np.eye(3), atol=0.02 * variance)


def test_sampled_gradients_have_the_exact_gradient_as_their_mean():
    garnet, stream = PROBLEMS["garnet"], np.random.default_rng(1)
    oracle = SampledTrajectories(garnet, trajectories=2, horizon=80)  # what is cut off is 0.9^80 = 2e-4 of J
    theta = points(garnet, 1, spread=1.0)[0]
    theta_BD = np.repeat(theta[None], 20_000, axis=0)
    sampled_BD = oracle.estimate(theta_BD, oracle.draw(stream, len(theta_BD)))
    z = (sampled_BD.mean(axis=0) - garnet.gradient(theta[None])[0]) / (sampled_BD.std(axis=0) / np.sqrt(len(theta_BD)))
    assert np.abs(z).max() < 4
    assert np.square(z).mean() < 2
