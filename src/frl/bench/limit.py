"""Training beside bare physics: MuJoCo stepped open loop over the states and controls that training just met."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mujoco
import mujoco.rollout
import numpy as np

from frl.spec import RunSpec
from frl.training import agent, critic, envs, loop, physics, policy, sampler
from frl.training.loop import Training
from frl.training.physics import STATE, Float, Physics

CHUNK = 16_384
"""Environment steps of one measurement, about."""

PARTS: tuple[tuple[str, type, str], ...] = (
    ("physics with swapping", physics.Physics, "step"),
    ("observations and rewards", envs.Environment, "step"),
    ("policy, noise, normaliser", sampler._Team, "act"),
    ("lanes, resets, recording", sampler.Sampler, "segments"),
    ("advantages", agent.Agent, "_advantages"),
    ("policy gradient", policy.GaussianPolicy, "gradient"),
    ("critic", critic.Critic, "fit"),
    ("messages, normaliser sums", agent.Agents, "work"),
    ("server, clock, log", loop.Training, "advance"),
)
"""Where time goes: each method's own time, without that of the methods above it in this list that it calls."""


def trainer(environment: str, n_agents: int, hidden: tuple[int, ...] = (64, 64), **settings: Any) -> Training:
    """AFedPG under way, with no evaluation within reach and all that is imported or allocated once behind it."""
    spec = RunSpec.model_validate(
        {
            "environment": environment,
            "algorithm": "afedpg",
            "n_agents": n_agents,
            "seed": 0,
            "steps_per_agent": 2**31,
            "policy": {"hidden": hidden},
            "sampling": {"lanes": 16, "segment_steps": 64},
            "evaluation": {"points": 1, "episodes": 1},
            "fleet": {"kind": "constant"},  # all answers computed together arrive together: whole turns
            **settings,
        }
    )
    training = Training(spec)
    training.begin()
    train(training, CHUNK // 4)
    return training


def train(training: Training, steps: int) -> tuple[int, float]:
    """Train for at least `steps` environment steps and until no computed answer waits; steps and CPU seconds."""
    begun, before = time.process_time(), training.recorder.env_steps_total
    while training.recorder.env_steps_total - before < steps or training._works:
        training.advance()
    return training.recorder.env_steps_total - before, time.process_time() - begun


def recorded(simulations: Physics, advance: Callable[[], Any]) -> list[Float]:
    """For each lane the state rows (T, S), controls included, before each physics step that `advance()` makes."""
    rows: dict[int, list[Float]] = {}
    step = simulations.step

    def recording(lanes: Iterable[int]) -> None:
        for lane in (lanes := list(lanes)):
            rows.setdefault(lane, []).append(simulations.state[lane].copy())
        step(lanes)

    simulations.step = recording  # type: ignore[method-assign]
    try:
        advance()
    finally:
        del simulations.step  # the class's own again
    return [np.stack(lane) for lane in rows.values()]


def replay(simulations: Physics, lanes: list[Float]) -> float:
    """CPU seconds of the bare physics, lane by lane, a state set only where an episode begins."""
    model, data, frame_skip = simulations.model, simulations.data, simulations.frame_skip
    begun = time.process_time()
    for rows in lanes:
        now = np.inf
        for row in rows:
            if row[0] <= now:  # time went back: another episode
                mujoco.mj_setState(model, data, row, STATE)
            data.ctrl[:] = row[-model.nu :]
            mujoco.mj_step(model, data, frame_skip)
            now = row[0]
    return time.process_time() - begun


def replay_as_shipped(xml: Path, simulations: Physics, lanes: list[Float]) -> float:
    """CPU seconds of `mujoco.rollout`, one call an episode, with the wheel's defaults: timers and islands on."""
    model = mujoco.MjModel.from_xml_path(str(xml))
    data = mujoco.MjData(model)  # installs the timer
    physical = 1 + model.nq + model.nv + model.na
    calls = []
    for rows in lanes:
        starts = np.flatnonzero(np.diff(rows[:, 0], prepend=np.inf) <= 0)
        for episode in np.split(rows, starts[1:]):
            controls = np.repeat(episode[:, -model.nu :], simulations.frame_skip, axis=0)
            calls.append((episode[:1, :physical].copy(), controls[None]))
    begun = time.process_time()
    for state, controls in calls:
        mujoco.rollout.rollout(model, data, state, controls)
    seconds = time.process_time() - begun
    mujoco.set_mjcb_time(None)
    return seconds


def measure(environment: str, hidden: tuple[int, ...], repetitions: int) -> dict[str, list[float]]:
    """Steps per CPU second of `training` (N = 8, 16 x 64), bare `physics` and `rollout` as shipped, turn by turn."""
    training = trainer(environment, 8, hidden)
    env = training.agents.sampler.env
    rates: dict[str, list[float]] = {"training": [], "physics": [], "rollout": []}
    for _ in range(repetitions):
        steps, seconds = train(training, CHUNK)
        rates["training"].append(steps / seconds)
        lanes = recorded(env.physics, lambda: train(training, CHUNK // 2))
        saved, steps = env.physics.save(), sum(map(len, lanes))
        rates["physics"].append(steps / replay(env.physics, lanes))
        rates["rollout"].append(steps / replay_as_shipped(physics.model_path(env.xml), env.physics, lanes))
        env.physics.restore(saved)
    return rates


def breakdown(environment: str, hidden: tuple[int, ...]) -> dict[str, float]:
    """Microseconds per environment step of each of `PARTS`, with bare physics apart from swapping."""
    training = trainer(environment, 8, hidden)
    simulations = training.agents.sampler.env.physics
    own, steps, bare, swapping = dict.fromkeys((name for name, _, _ in PARTS), 0.0), 0, [], []
    for _ in range(8):
        with _timed(own):
            steps += train(training, CHUNK // 2)[0]
        paired = dict.fromkeys(own, 0.0)
        with _timed(paired):
            lanes = recorded(simulations, lambda: train(training, CHUNK // 4))
        saved, made = simulations.save(), sum(map(len, lanes))
        bare.append(1e6 * replay(simulations, lanes) / made)
        swapping.append(1e6 * paired["physics with swapping"] / made - bare[-1])
        simulations.restore(saved)
    parts = {name: 1e6 * seconds / steps for name, seconds in own.items()}
    del parts["physics with swapping"]
    return {"bare physics": statistics.median(bare), "swapping states": statistics.median(swapping), **parts}


@contextmanager
def _timed(own: dict[str, float]) -> Iterator[None]:
    """Add each part's own CPU seconds to `own` while the context lasts."""
    stack: list[float] = []  # time of the parts called inside each part under way
    originals = [(owner, method, getattr(owner, method)) for _, owner, method in PARTS]

    def wrapped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            stack.append(0.0)
            begun = time.thread_time()
            result = function(*arguments, **keywords)
            seconds = time.thread_time() - begun
            own[name] += seconds - stack.pop()
            if stack:
                stack[-1] += seconds
            return result

        return call

    for (name, owner, method), (_, _, original) in zip(PARTS, originals, strict=True):
        setattr(owner, method, wrapped(name, original))
    try:
        yield
    finally:
        for owner, method, original in originals:
            setattr(owner, method, original)
