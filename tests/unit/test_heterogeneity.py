"""Agents with environments of their own: the factors, the physics, the weights, and what stays as it was."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from frl.spec import RunSpec
from frl.training.agents import make_environment
from frl.training.envs import MAKE
from frl.training.evaluation import Evaluator, Point
from frl.training.heterogeneity import Variant, variants
from frl.training.loop import Training
from frl.training.normalizer import Normalizer


def spec(environment="Hopper", **settings):
    base = {"environment": environment, "algorithm": "fedpg", "n_agents": 2, "seed": 0, "steps_per_agent": 1000}
    small = {
        "policy": {"hidden": (8,)},
        "sampling": {"lanes": 4, "segment_steps": 8},
    }
    return RunSpec(**{**base, **small, **settings})


def stream(seed):
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def test_an_agents_factors_are_in_the_range_its_own_and_the_same_for_every_n():
    ranges = {"gravity": (0.5, 2.0), "gear": (0.8, 1.25)}
    few, many = (variants(spec(n_agents=n, heterogeneity=ranges)) for n in (2, 5))
    assert many[:2] == few
    assert len({variant.gravity for variant in many}) == 5
    assert all(0.5 <= v.gravity <= 2 and 0.8 <= v.gear <= 1.25 and v.friction == 1 for v in many)
    assert len({round(np.log(v.gravity) / np.log(v.gear), 6) for v in many}) == 5  # drawn apart
    assert few != variants(spec(seed=1, heterogeneity=ranges))


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("Hopper", Variant(gravity=1.3, friction=0.7, gear=0.8, reset_noise=2.0)),
        ("Swimmer", Variant(gear=1.5, density=0.6, reset_noise=0.5)),
        ("Ant", Variant(gravity=0.8, friction=1.5)),
    ],
)
@pytest.mark.filterwarnings("ignore:.*out of date.*:DeprecationWarning", "ignore::DeprecationWarning")
def test_a_lane_equals_gymnasium_with_the_same_changes_bit_for_bit(name, variant):
    """Beside lanes of other models, so that nothing of a neighbour's leaks in."""
    reference = gymnasium.make(f"{name}-v4")
    inner = reference.unwrapped
    inner.model.opt.gravity *= variant.gravity
    inner.model.opt.density *= variant.density
    inner.model.geom_friction *= variant.friction
    inner.model.actuator_gear *= variant.gear
    inner._reset_noise_scale *= variant.reset_noise
    others = [Variant(), Variant(gear=3.0)]
    lanes = MAKE[name]("v4", [stream(7), stream(0), stream(8)], None, [others[0], variant, others[1]])
    np.testing.assert_array_equal(lanes.observe(lanes.all_lanes)[1], reference.reset(seed=0)[0])
    actions, ended = np.random.default_rng(0), 0
    for _ in range(400):
        action = actions.uniform(lanes.action_low, lanes.action_high, (3, lanes.action_size))
        observation, reward, terminated, truncated = lanes.step(action)
        expected = reference.step(action[1])
        np.testing.assert_array_equal(observation[1], expected[0])
        assert (reward[1], terminated[1]) == expected[1:3]
        for lane in np.flatnonzero(terminated | truncated):
            first = lanes.reset(np.array([lane]))[0]
            if lane == 1:
                np.testing.assert_array_equal(first, reference.reset()[0])
                ended += 1
    assert ended > 0 or name != "Hopper"


def test_factors_of_one_change_nothing():
    plain, ones = (MAKE["Hopper"]("v4", [stream(0)], None, own) for own in (None, [Variant()]))
    for _ in range(50):
        for mine, its in zip(plain.step(np.ones((1, 3))), ones.step(np.ones((1, 3))), strict=True):
            np.testing.assert_array_equal(mine, its)


def test_every_agents_lanes_have_its_own_model():
    run = spec(heterogeneity={"gear": (0.5, 2.0)})
    own = variants(run)
    models = make_environment(run, range(2)).physics._models
    for lane, model in enumerate(models):
        assert model.actuator_gear[0, 0] == own[lane // 4].gear * models[0].actuator_gear[0, 0] / own[0].gear
    assert len({id(model) for model in models}) == 2


def test_a_reward_scale_scales_the_gradient_and_no_logged_return():
    def works(scale):
        run = spec(
            environment="Hopper",
            heterogeneity={"reward_scale": (scale, scale)},
            critic={"mode": "none"},
            estimator={"name": "reward_to_go", "standardize": False},
            sampling={"trajectories": 2},
        )
        training = Training(run)
        return training.agents.work(training.server.start())

    for one, four in zip(works(1), works(4), strict=True):
        np.testing.assert_allclose(four.update.gradient, 4 * one.update.gradient, rtol=1e-5)
        assert one.returns == four.returns


def test_the_evaluation_gives_every_environment_its_share_and_weighs_it_with_its_rewards():
    run = spec(
        n_agents=2,
        heterogeneity={"gravity": (0.3, 3.0), "reward_scale": (0.2, 5.0)},
        estimator={"standardize": False},
        evaluation={"episodes": 6},
    )
    training = Training(run)
    point = Point(1, training.server.parameters, Normalizer(None, 10), True)
    row = training.evaluator.evaluate([point])[0]

    own, means = variants(run), []
    for agent in range(2):  # the same episodes, one agent's environment at a time
        evaluator = Evaluator(run, training.policy)
        lanes = len(evaluator.sampler.env.streams)
        env = MAKE["Hopper"](run.env_version, evaluator.sampler.env.streams, None, [own[agent]] * lanes)
        evaluator.sampler.env = env
        returns = evaluator._play([(point, True)])[0].returns
        assert len(returns) == 6
        means.append(np.mean(returns))
    assert row["eval_return_agent_min"] < row["eval_return_mean"] < row["eval_return_agent_max"]
    weights = [variant.reward_scale for variant in own]
    assert weights[0] != weights[1]
    low, high = row["eval_return_agent_min"], row["eval_return_agent_max"]
    of_agents = (low, high) if means[0] < means[1] else (high, low)
    assert row["eval_return_mean"] == pytest.approx(np.average(of_agents, weights=weights))


def test_where_agents_are_alike_there_is_no_spread_to_report():
    training = Training(spec())
    training.begin()
    training._evaluate()
    assert training.recorder.rows[0]["eval_return_agent_min"] is None


@pytest.mark.parametrize(
    ("environment", "settings", "message"),
    [
        ("Hopper", {"heterogeneity": {"gear": (2, 1)}}, "heterogeneity.gear"),
        ("Hopper", {"heterogeneity": {"gear": (0, 1)}}, "heterogeneity.gear"),
        ("Hopper", {"heterogeneity": {"density": (1, 2)}}, "no effect in Hopper"),
        ("Swimmer", {"heterogeneity": {"gravity": (1, 2)}}, "no effect in Swimmer"),
        ("Hopper", {"heterogeneity": {"reward_scale": (1, 2)}}, "estimator.standardize"),
        ("Hopper", {"heterogeneity": {"gear": (1, 2)}, "normalizer": {"mode": "local"}}, "normalizer.mode = 'local'"),
        ("Hopper", {"heterogeneity": {"gear": (1, 2)}, "evaluation": {"episodes": 5}}, "multiple of n_agents = 2"),
    ],
)
def test_what_makes_no_sense_is_refused(environment, settings, message):
    with pytest.raises(ValueError, match=message):
        spec(environment, **settings)
