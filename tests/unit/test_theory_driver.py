"""The lab drives the very servers and clock that train, the same way every time; closed forms of the quadratic."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from frl.scenario.theory import Sweep
from frl.settings import AdversarySpec, ConstantFleet, LognormalFleet, StragglerFleet
from frl.spec import SERVERS, gradients_uploaded
from frl.theory.cells.build import build_oracle, build_problem
from frl.theory.cells.driver import Seeded, advance, points_of_record, run
from frl.theory.cells.spec import (
    AlgorithmName,
    Cell,
    GarnetSpec,
    GaussianSpec,
    QuadraticSpec,
    SampledSpec,
    ServerOptions,
)
from frl.training.clock import Clock
from frl.training.servers.base import Server

SECOND = {"seconds_per_1000_steps": 1.0}
GARNET = GarnetSpec(kind="garnet", states=5, actions=3, branching=2, discount=0.8, temperature=0.2, seed=1)


def cell(algorithm="afedpg", n_agents=8, *, noise=3.0, eta=0.01, alpha=0.1, fleet=None, updates=300, **settings):
    return Cell(
        **{
            "panel": "speedup",
            "problem": "toy",
            "problem_spec": QuadraticSpec(kind="quadratic", eigenvalues=(1.0, 0.5, 0.1)),
            "gradient": GaussianSpec(kind="gaussian", relative=noise),
            "algorithm": algorithm,
            "n_agents": n_agents,
            "step_size": eta,
            "momentum": alpha,
            "schedule": "constant",
            "fleet": fleet or ConstantFleet(**SECOND),
            "updates": updates,
            "seeds": (0, 1, 2),
        }
        | settings
    )


def driven(one_cell, arrivals):
    """A seed of the cell after so many arrivals; yields it after each."""
    problem = build_problem(one_cell.problem_spec)
    oracle = build_oracle(problem, one_cell.gradient)
    seeded = Seeded(one_cell, problem, 0)
    for _ in range(arrivals):
        before = seeded.server.parameters
        advance(oracle, [seeded])
        yield seeded, before, problem


@pytest.mark.parametrize("algorithm", [name for name in get_args(AlgorithmName) if name in gradients_uploaded()])
def test_server_and_clock_are_the_ones_that_train(algorithm):
    seeded, _, _ = next(driven(cell(algorithm), 1))
    assert type(seeded.server) is SERVERS[algorithm]
    assert type(seeded.clock) is Clock
    # their agents upload the gradient itself, as the driver does
    assert SERVERS[algorithm].agent_gradient.__func__ is Server.agent_gradient.__func__


@pytest.mark.parametrize(
    "one_cell",
    [
        cell(fleet=LognormalFleet(kind="lognormal", sigma=0.5, **SECOND)),
        cell(fleet=StragglerFleet(ratio=7.0, **SECOND)),
        cell("fedpg"),
        cell(problem_spec=GARNET, gradient=SampledSpec(kind="sampled", trajectories=2, horizon=20), updates=60),
        cell(adversary=AdversarySpec(attack="random_noise", number=3)),
    ],
    ids=["lognormal", "straggler", "rounds", "sampled", "malicious"],
)
def test_a_seed_has_the_same_curve_every_time_and_in_any_company(one_cell):
    all_three, again, alone = run(one_cell), run(one_cell), run(one_cell.model_copy(update={"seeds": (1,)}))
    np.testing.assert_array_equal(all_three.gap_SP, again.gap_SP)
    np.testing.assert_array_equal(all_three.time_SP[1], alone.time_SP[0])
    np.testing.assert_allclose(all_three.gap_SP[1], alone.gap_SP[0], rtol=1e-7)
    assert not np.allclose(all_three.gap_SP[0], all_three.gap_SP[1], rtol=1e-3)


def test_delays_are_those_of_the_clock():
    straggler = cell(n_agents=4, fleet=StragglerFleet(ratio=10.0, **SECOND))
    delays = {0: [], 3: []}
    for seeded, _, _ in driven(straggler, 400):
        if seeded.arriving in delays:  # its next task is out, stamped with this step
            delays[seeded.arriving].append(seeded.server.step)
    assert np.diff(delays[0])[5:].mean() == pytest.approx(3.1, abs=0.02)  # 3 fast agents and a tenth of a slow one
    assert np.diff(delays[3])[2:].mean() == pytest.approx(31, abs=0.2)


def test_rounds_are_recorded_when_they_are_complete():
    rounds = points_of_record(cell("fedpg", n_agents=8, updates=803))
    assert set(rounds % 8) == {0}
    assert rounds[-1] == 800
    assert points_of_record(cell(updates=803))[-1] == 803


def test_with_one_agent_the_lookahead_is_exact():
    """d is the gradient at theta_{k-1} itself, however much momentum: the Hessian's error of the momentum cancels."""
    curved = cell(n_agents=1, noise=0, alpha=0.05, eta=0.02)
    errors = [
        np.abs(seeded.server.d - problem.gradient(before[None])[0]).max()
        for seeded, before, problem in driven(curved, 100)
    ]
    assert max(errors) < 1e-14


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("algorithm", ["afedpg", "async_pg"])
def test_with_eight_agents_the_bias_is_staleness_and_without_lookahead_momentum_too(algorithm, alpha):
    """eta H (delta - 1) with the lookahead, eta H [(delta - 1) + (1 - alpha) / alpha] without, on a straight path."""
    eta, curvature = 1e-4, 2.0
    straight = cell(
        algorithm, noise=0, alpha=alpha, eta=eta,
        problem_spec=QuadraticSpec(kind="quadratic", eigenvalues=(curvature,)),
    )  # fmt: skip
    *_, (seeded, before, problem) = driven(straight, 600)
    bias = np.abs(seeded.server.d - problem.gradient(before[None])[0])[0]
    momentum = 0 if algorithm == "afedpg" else (1 - alpha) / alpha
    assert bias == pytest.approx(eta * curvature * (7 + momentum), rel=1e-6)


def test_what_the_first_agents_send_is_forged_and_of_the_others_nothing():
    honest, forged = cell("fedpg"), cell("fedpg", adversary=AdversarySpec(attack="sign_flip", number=3))
    read = []
    for one_cell in (honest, forged):
        rounds = driven(one_cell, 8)
        seeded, _, _ = next(rounds)
        round_of = dict(seeded.server.round)
        for _ in range(6):
            next(rounds)
            round_of |= seeded.server.round
        read.append(round_of)
    assert len(read[0]) == len(read[1]) == 7
    for agent, update in read[0].items():
        factor = -2.5 if agent < 3 else 1
        np.testing.assert_allclose(read[1][agent].gradient, factor * update.gradient)


def test_an_agent_that_goes_on_at_its_point_does_not_pay_for_communication_again():
    """Two agents, M = 3: both fetch theta_0 and answer at 3 s; going on there takes 1 s, a new point 3 s again."""
    pays = cell("rennala", 2, communication=2.0, server=ServerOptions(batch=3))
    times = [(seeded.clock.now, seeded.server.step) for seeded, _, _ in driven(pays, 6)]
    assert times == [(3, 0), (3, 0), (4, 1), (4, 1), (7, 1), (7, 1)]
    always = [seeded.clock.now for seeded, _, _ in driven(cell("afedpg", 2, communication=2.0), 4)]
    assert always == [3, 3, 6, 6]


def test_cells_without_extensions_keep_their_names_and_settings():
    plain = cell()
    assert not {"server", "adversary", "communication"} & plain.given().keys()
    assert plain.run_id == "speedup/toy/afedpg/noise3-n8-eta0.01-alpha0.1-10add4d3"


def test_the_lab_has_no_rewards_to_flip():
    with pytest.raises(ValueError, match="come from no rewards"):
        cell(adversary=AdversarySpec(attack="reward_flip", number=1))


@pytest.mark.parametrize("given", [{"attacks": ("none", "alie")}, {"malicious": 3}])
def test_attacks_and_their_number_are_given_together(given: dict[str, object]) -> None:
    one = {"problem": "bowl", "gradients": [{"kind": "gaussian", "relative": 1.0}], "n_agents": [4],
           "step_size": [0.1], "momentum": [0.2], "updates": 10}  # fmt: skip
    assert [cell["adversary"] for cell in Sweep(**one).extensions()] == [None]
    both = Sweep(**one, attacks=("none", "alie"), malicious=3)
    assert [cell["adversary"] for cell in both.extensions()] == [None, AdversarySpec(attack="alie", number=3)]
    with pytest.raises(ValidationError, match="malicious: give it with `attacks`, and only there"):
        Sweep(**one, **given)
