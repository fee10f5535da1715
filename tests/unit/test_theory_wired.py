"""Cells whose messages have a size: bytes and time by hand, the plain method as without them, Fisher information."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.optimize import minimize

from frl.scenario.loading import load_scenario
from frl.settings import ConstantFleet
from frl.theory.cells import wired
from frl.theory.cells.build import build_oracle, build_problem
from frl.theory.cells.driver import Curves, run
from frl.theory.cells.execute import curves_of, execute
from frl.theory.cells.spec import Cell, GarnetSpec, GaussianSpec, LQRSpec, QuadraticSpec, SampledSpec, Traffic
from frl.theory.cells.wired import Wired
from frl.theory.measured import Measured
from frl.theory.messages import bandwidth, compression, natural

ROOT = Path(__file__).parents[2]
BOWL = QuadraticSpec(kind="quadratic", eigenvalues=(1.0, 0.5, 0.1))
GARNET = GarnetSpec(kind="garnet", states=5, actions=3, branching=2, discount=0.8, temperature=0.2, seed=1)
REGULATOR = LQRSpec(kind="lqr", states=3, inputs=2, discount=0.9, spectral_radius=0.9, exploration=0.5, seed=1)
TOP = {"name": "top_k", "fraction": 0.5}


def cell(algorithm="afedpg", n_agents=3, *, noise=1.0, traffic=None, **settings):
    return Cell(
        **{
            "panel": "compression",
            "problem": "toy",
            "problem_spec": BOWL,
            "gradient": GaussianSpec(kind="gaussian", relative=noise),
            "algorithm": algorithm,
            "n_agents": n_agents,
            "step_size": 0.02,
            "momentum": 0.2,
            "schedule": "constant",
            "fleet": ConstantFleet(seconds_per_1000_steps=1.0),
            "updates": 60,
            "seeds": (0, 1, 2, 3, 4),
            "traffic": None if traffic is None else Traffic(**{"method": "own"} | traffic),
        }
        | settings
    )


def driven(one_cell):
    return curves_of(execute(one_cell))


# --- the driver ---


@pytest.mark.parametrize("algorithm", ["afedpg", "fedpg"])
def test_where_nothing_is_compressed_the_curves_are_those_of_cells_without_bytes(algorithm):
    plain, counted = driven(cell(algorithm)), driven(cell(algorithm, traffic={}))
    assert plain.bytes_SP is None
    np.testing.assert_allclose(counted.gap_SP, plain.gap_SP, rtol=1e-3)
    np.testing.assert_array_equal(counted.time_SP, plain.time_SP)


def test_bytes_are_those_of_both_directions():
    counted = driven(cell(traffic={}))
    tasks, answers = 3 + counted.uploads_P, counted.uploads_P
    np.testing.assert_array_equal(counted.bytes_SP, np.tile((16 + 4 * 3) * (tasks + answers), (5, 1)))
    coded = driven(cell(traffic={"codec": TOP, "downlink": TOP}))  # two of three entries, of six bytes each
    np.testing.assert_array_equal(coded.bytes_SP[0], 3 * (16 + 12) + (16 + 12) * 2 * answers)


def test_an_answer_without_gradient_is_a_byte():
    curves = driven(cell("lazy_afedpg", traffic={}, server={"window": 1, "variance_multiplier": 1e6}))
    first = 3  # each agent uploads at its first task
    assert curves.bytes_SP[0, -1] == 28 * (3 + 60) + first * 28 + (60 - first) * 1


def test_the_time_of_messages_is_their_bytes_over_the_bandwidth():
    curves = driven(cell(n_agents=1, traffic={"codec": TOP}, bandwidth=100.0))
    np.testing.assert_allclose(curves.time_SP[0], curves.uploads_P * (1 + (28 + 28) / 100), rtol=1e-6)
    whole = driven(cell(n_agents=1, traffic={"batch": 4}, bandwidth=100.0))
    np.testing.assert_allclose(whole.time_SP[0], whole.uploads_P * (4 + 56 / 100), rtol=1e-6)


def first_answers(one_cell):
    """Tasks and updates of one seed before anything has arrived."""
    problem = build_problem(one_cell.problem_spec)
    seeded = Wired(one_cell, problem, 0)
    tasks = dict(seeded.unanswered)
    wired._answer(build_oracle(problem, one_cell.gradient), [seeded])
    return problem, tasks, seeded.answers


def test_local_steps_give_the_mean_gradient_along_their_way():
    problem, tasks, answers = first_answers(
        cell(noise=0.0, traffic={"method": "local", "local": {"steps": 3, "step_size": 0.1}})
    )
    theta, gradients = tasks[0].parameters.astype(float), []
    for _ in range(3):
        gradients.append(problem.gradient(theta[None])[0])
        theta = theta + 0.1 * gradients[-1]
    np.testing.assert_allclose(answers[0].gradient, np.mean(gradients, axis=0), rtol=1e-5)


def test_a_batch_has_as_many_times_less_variance():
    problem, _, one = first_answers(cell(n_agents=400, updates=400, traffic={}))
    _, _, four = first_answers(cell(n_agents=400, updates=400, traffic={"batch": 4}))
    exact = problem.gradient(problem.start[None])[0]
    spread = [np.square(np.array([a.gradient for a in some.values()]) - exact).mean() for some in (one, four)]
    assert spread[0] / spread[1] == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize("problem_spec", [GARNET, REGULATOR])
def test_natural_gradients_are_solved_with_the_problems_fisher_information(problem_spec):
    problem, tasks, answers = first_answers(
        cell("afednpg", noise=0.0, problem_spec=problem_spec, server={"damping": 0.05})
    )
    theta = tasks[0].parameters[None].astype(float)
    matrix = problem.fisher(theta)[0] + 0.05 * np.eye(theta.shape[1])
    expected = np.linalg.solve(matrix, problem.gradient(theta)[0])
    np.testing.assert_allclose(answers[0].gradient, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_a_cell_whose_agents_only_upload_runs_as_before():
    assert not cell().wired
    one = cell()
    np.testing.assert_allclose(run(one).gap_SP, driven(one).gap_SP, rtol=1e-6)


# --- Fisher information ---


def test_fisher_information_of_the_garnet_is_the_covariance_of_its_scores():
    problem = build_problem(GARNET)
    theta = np.random.default_rng(0).standard_normal((2, len(problem.start)))
    for point, fisher in zip(theta, problem.fisher(theta), strict=True):
        policy_SA = np.exp(problem.log_policy(point[None])[0])
        moves_SS = np.einsum("sa,sat->st", policy_SA, problem.transition_SAS)
        visits_S, state_S = np.zeros(5), problem.first_S
        for t in range(300):
            visits_S = visits_S + 0.2 * 0.8**t * state_S
            state_S = state_S @ moves_SS
        shifts = point + 1e-20j * np.eye(len(point))
        score_DSA = problem.log_policy(shifts).imag / 1e-20
        expected = np.einsum("s,sa,dsa,esa->de", visits_S, policy_SA, score_DSA, score_DSA)
        np.testing.assert_allclose(fisher, expected, atol=1e-12)


def test_fisher_information_of_the_regulator_is_the_states_covariance_over_the_actions():
    problem = build_problem(REGULATOR)
    gain_UX = 0.1 * np.random.default_rng(0).standard_normal((2, 3))
    closed = problem.drift_XX - problem.input_XU @ gain_UX
    enters = problem.noise_XX + 0.25 * problem.input_XU @ problem.input_XU.T
    covariance, mean = np.eye(3), np.zeros((3, 3))
    for t in range(500):
        mean = mean + 0.1 * 0.9**t * covariance
        covariance = closed @ covariance @ closed.T + enters
    fisher = problem.fisher(gain_UX.reshape(1, -1))[0]
    np.testing.assert_allclose(fisher, np.kron(np.eye(2), mean / 0.25), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "damping", "before", "after"), [("garnet", 1e-3, 93, 3.1), ("lqr", 0.1, 7.1, 2.3)])
def test_what_the_fisher_information_undoes_at_the_optimum_is_what_the_page_says(name, damping, before, after):
    problem = build_problem(load_scenario(ROOT / "config/natural-theory.yaml").problems[name])
    if name == "lqr":
        optimum = problem.optimal_gain().reshape(-1)
    else:
        slope = lambda theta: -problem.gradient(theta[None])[0]  # noqa: E731
        optimum = minimize(lambda theta: -problem.value(theta[None])[0], problem.start, jac=slope, method="BFGS").x
    shifts = 1e-5 * np.eye(len(optimum))
    curvature = (problem.gradient(optimum - shifts) - problem.gradient(optimum + shifts)) / 2e-5
    damped = problem.fisher(optimum[None])[0] + damping * np.eye(len(optimum))
    for matrix, condition in ((curvature, before), (np.linalg.solve(damped, curvature), after)):
        eigenvalues = np.linalg.eigvals(matrix).real
        assert eigenvalues.max() / eigenvalues.min() == pytest.approx(condition, rel=0.05)


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "lapg", "gradient": SampledSpec(kind="sampled", trajectories=1, horizon=5)}, "know their noise"),
        ({"algorithm": "afednpg"}, "no Fisher information"),
        ({"algorithm": "lapg", "traffic": {"local": {"steps": 2, "step_size": 0.1}}}, "uploads no mean of gradients"),
        ({"algorithm": "lapg", "traffic": {"codec": {"name": "qsgd"}}}, "the server of lapg adds up all uploads"),
        ({"traffic": {}, "communication": 0.5}, "adversary, communication: not of cells that count bytes"),
    ],
)
def test_cells_that_lack_what_their_agents_need_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        cell(**{"problem_spec": BOWL} | settings)


def test_what_is_absent_is_in_no_digest_and_no_name():
    plain = cell()
    assert not {"server", "traffic", "bandwidth"} & plain.given().keys()
    assert plain.run_id.startswith("compression/toy/afedpg/noise1-n3-eta0.02-alpha0.2-")
    assert len({cell(traffic=t).run_id for t in ({}, {"batch": 2}, {"codec": TOP})}) == 3


# --- panels ---

POINTS = np.concatenate([[0], np.unique(np.geomspace(1, 10_000, 97).astype(int))])


def made_up(delay, a_message=1.0, seconds=1.0, seeds=8, **settings):
    """A cell whose gap is (K / delay)^-1, with so many bytes and seconds an answer."""
    gap_SP = np.ones((seeds, len(POINTS)))
    gap_SP[:, 1:] = np.minimum(1, delay / POINTS[1:]) * np.linspace(0.9, 1.1, seeds)[:, None]
    one = cell(seeds=tuple(range(seeds)), updates=10_000, **settings)
    sent = np.tile(a_message * POINTS, (seeds, 1))
    return Measured(one, Curves(POINTS, POINTS, np.tile(seconds * POINTS, (seeds, 1)), gap_SP, sent))


def found(rows, quantity, **where):
    (row,) = (r for r in rows if r["quantity"] == quantity and all(r.get(k) == v for k, v in where.items()))
    return row["value"]


def test_compression_compares_bytes_and_samples_with_the_plain_method_and_the_best_control():
    rows = compression(
        [
            made_up(10, 100, traffic={"method": "plain"}),
            made_up(20, 4, traffic={"method": "coded"}),
            made_up(4, 100, traffic={"method": "fewer-4", "batch": 4}),
            made_up(3, 100, traffic={"method": "fewer-16", "batch": 16}),
        ],
        (0.1,),
    )
    assert found(rows, "bytes_saving", method="coded") == pytest.approx(100 / 8, rel=0.05)
    assert found(rows, "bytes_saving", method="plain") == 1
    assert found(rows, "samples_ratio", method="coded") == pytest.approx(2, rel=0.05)
    assert found(rows, "samples_ratio", method="fewer-4") == pytest.approx(4 * 4 / 10, rel=0.05)
    assert found(rows, "bytes_against_control", method="coded") == pytest.approx(30 / 8, rel=0.05)
    assert not [r for r in rows if r["quantity"] == "bytes_against_control" and r["method"].startswith("fewer")]


def test_a_method_that_never_gets_there_saves_nothing():
    rows = compression(
        [made_up(10, 100, traffic={"method": "plain"}), made_up(1e9, 1, traffic={"method": "x"})], (0.1,)
    )
    assert found(rows, "bytes_saving", method="x") == 0
    assert next(r for r in rows if r["quantity"] == "bytes" and r["method"] == "x")["relation"] == ">"


def test_bandwidth_compares_times_at_each_rate():
    rows = bandwidth(
        [
            made_up(10, seconds=s, traffic={"method": method}, bandwidth=rate)
            for rate, plain, coded in ((10.0, 5, 1), (100.0, 2, 2))
            for method, s in (("plain", plain), ("coded", coded))
        ],
        (0.1,),
    )
    assert found(rows, "time_saving", method="coded", bandwidth=10.0) == pytest.approx(5)
    assert found(rows, "time_saving", method="coded", bandwidth=100.0) == pytest.approx(1)


def test_natural_is_compared_with_the_same_method_without():
    measured = [
        made_up(delay, algorithm=name, problem_spec=GARNET, n_agents=n, **({"server": {"damping": d}} if d else {}))
        for n in (1, 4)
        for name, delay, d in (("afedpg", 10, 0), ("afednpg", 4 * n, 0.1))
    ]
    rows = natural(measured, (0.1,))
    assert found(rows, "natural_ratio", n_agents=1) == pytest.approx(0.4, rel=0.05)
    assert found(rows, "natural_ratio", n_agents=4) == pytest.approx(1.6, rel=0.05)
