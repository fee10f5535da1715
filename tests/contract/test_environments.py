"""Every environment, v4 and v5: equal to Gymnasium's step by step, exactly restorable, lanes independent."""

from __future__ import annotations

import gymnasium
import mujoco
import numpy as np
import pytest

from frl.training.envs import MAKE
from frl.training.physics import Physics, model_path

TASKS = [(name, version) for name in MAKE for version in ("v4", "v5")]
LANES, STEPS = 2, 1100  # beyond the 1,000-step limit, so that truncation is compared too


def streams(*seeds):
    return [np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))) for seed in seeds]


@pytest.mark.parametrize(("name", "version"), TASKS)
@pytest.mark.filterwarnings("ignore:.*out of date.*:DeprecationWarning", "ignore::DeprecationWarning")
def test_equals_gymnasium_bit_for_bit(name, version):
    lanes = MAKE[name](version, streams(*range(LANES)))
    references = [gymnasium.make(f"{name}-{version}") for _ in range(LANES)]
    first = np.stack([env.reset(seed=lane)[0] for lane, env in enumerate(references)])
    np.testing.assert_array_equal(lanes.observe(lanes.all_lanes), first)

    actions = np.random.default_rng(0)
    ends = {"terminated": 0, "truncated": 0}
    for _ in range(STEPS):
        # beyond the bounds as well: MuJoCo clamps the force, the cost takes the raw action
        action = 1.3 * actions.uniform(lanes.action_low, lanes.action_high, (LANES, lanes.action_size))
        observation, reward, terminated, truncated = lanes.step(action)
        for lane, env in enumerate(references):
            obs, rew, term, trunc, _ = env.step(action[lane])
            np.testing.assert_array_equal(observation[lane], obs)
            np.testing.assert_array_equal(reward[lane], rew)
            assert (terminated[lane], truncated[lane]) == (term, trunc)
            if term or trunc:
                np.testing.assert_array_equal(lanes.reset(np.array([lane]))[0], env.reset()[0])
                ends["terminated"] += term
                ends["truncated"] += trunc
    expected = {"Swimmer": ["truncated"], "HalfCheetah": ["truncated"], "Ant": ["terminated", "truncated"]}
    assert sum(ends[kind] for kind in expected.get(name, ["terminated"])) >= LANES


@pytest.mark.parametrize(("name", "version"), TASKS)
def test_restores_exactly(name, version):
    def play(env, steps, seed):
        rng = np.random.default_rng(seed)
        trace = []
        for _ in range(steps):
            out = env.step(rng.uniform(env.action_low, env.action_high, (3, env.action_size)))
            if (done := np.flatnonzero(out[2] | out[3])).size:
                env.reset(done)
            trace.append(np.concatenate([out[0].ravel(), out[1], out[2], out[3]]))
        return np.stack(trace)

    env = MAKE[name](version, streams(1, 2, 3), first_limits=[20, 40, 60])
    play(env, 30, 0)
    saved = env.save()
    expected = play(env, 50, 1)
    env.restore(saved)
    np.testing.assert_array_equal(play(env, 50, 1), expected)
    other = MAKE[name](version, streams(7, 8, 9))
    other.restore(saved)
    np.testing.assert_array_equal(play(other, 50, 1), expected)


@pytest.mark.parametrize("name", MAKE)
def test_a_lane_does_not_depend_on_its_neighbours(name):
    together, alone = MAKE[name]("v4", streams(1, 2, 3)), MAKE[name]("v4", streams(2))
    rng = np.random.default_rng(0)
    for _ in range(20):
        action = rng.uniform(-1, 1, (3, alone.action_size)) * alone.action_high
        some = together.step(action[[0, 1]], np.array([0, 1]))
        np.testing.assert_array_equal(some[0][1], alone.step(action[[1]])[0][0])


FILES = ("swimmer.xml", "half_cheetah.xml", "hopper.xml", "walker2d.xml", "walker2d_v5.xml", "ant.xml", "humanoid.xml")
CONTACT = ("geom", "dim", "dist", "pos", "frame", "friction", "solref", "solreffriction", "solimp", "includemargin")


@pytest.mark.parametrize("xml", FILES)
def test_contacts_are_those_of_the_file_in_its_order_however_the_robot_lies(xml):
    original = mujoco.MjModel.from_xml_path(str(model_path(xml)))
    physics, expected = Physics(xml, 1, 1), mujoco.MjData(original)
    rng, contacts = np.random.default_rng(0), 0
    for _ in range(300):
        qpos = original.qpos0 + rng.normal(0, 1, original.nq)  # limbs through each other and through the floor
        expected.qpos[:], expected.qvel[:], expected.qacc_warmstart[:] = qpos, 0, 0
        physics.reset(0, qpos, np.zeros(original.nv))
        mujoco.mj_forward(original, expected)
        for name in CONTACT:
            np.testing.assert_array_equal(
                getattr(physics.data.contact, name), getattr(expected.contact, name), err_msg=name
            )
        np.testing.assert_array_equal(physics.data.qacc, expected.qacc)
        contacts += expected.ncon
    assert contacts > 300 or xml == "swimmer.xml"
