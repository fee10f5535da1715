"""Training beside bare physics: MuJoCo stepped open loop over the states and controls that training just met."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mujoco
import mujoco.rollout
import numpy as np

from frl.runs.calibrate import computed
from frl.spec import RunSpec
from frl.training import agent, agents, critic, envs, episodes, loop, physics, policy, sampler
from frl.training.loop import Training
from frl.training.physics import STATE, Float, Physics

CHUNK = 8_192
"""Environment steps of one measurement, about."""

WARM_UP = 32_768
"""Environment steps before the first measurement, about: an untrained walker falls at once."""

EXPERIMENT: dict[str, Any] = {
    "estimator": {"name": "reward_to_go", "discount": 0.9995},
    "sampling": {"trajectories": 1},
    "server": {"step_size": 0.01, "momentum": 0.2},
}
"""The experiment's settings: an upload is one whole trajectory, the critic is the baseline."""

PARTS: tuple[tuple[str, type, str], ...] = (
    ("physics with swapping", physics.Physics, "step"),
    ("observations and rewards", envs.Environment, "step"),
    ("policy, noise, normaliser", sampler.Ensemble, "act"),
    ("lanes, resets, recording", episodes.WholeEpisodes, "begin"),
    ("lanes, resets, recording", episodes.WholeEpisodes, "advance"),
    ("advantages", agent.Agent, "_advantages"),
    ("policy gradient", policy.GaussianPolicy, "gradient"),
    ("critic", critic.Critic, "value"),
    ("critic", critic.Critic, "fit"),
    ("messages, normaliser sums", agents.Agents, "advance"),
    ("server, clock, log", loop.Training, "advance"),
)
"""Where time goes: each method's own time, without that of the others in this list that it calls."""


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
            "evaluation": {"ratio": 1e9, "episodes": 1},
            **EXPERIMENT,
            **settings,
        }
    )
    training = Training(spec)
    training.begin()
    train(training, CHUNK // 2)
    return training


def train(training: Training, steps: int) -> tuple[int, float]:
    """Train until at least `steps` environment steps are made; how many they were, and CPU seconds."""
    begun, before = time.process_time(), computed(training)
    while (made := computed(training) - before) < steps:
        training.advance()
    return made, time.process_time() - begun


def recorded(training: Training, steps: int) -> tuple[float, list[Float]]:
    """As :func:`train`, keeping the states.

    Returns:
        CPU seconds, without those of keeping; for each lane the state rows (T, S), controls included, before each
        physics step.
    """
    simulations = training.agents.sampler.env.physics
    kept: list[tuple[list[int], Float]] = []
    keeping, step = 0.0, simulations.step

    def recording(lanes: Iterable[int]) -> None:
        nonlocal keeping
        begun = time.process_time()
        kept.append((lanes := list(lanes), simulations.state[lanes]))
        keeping += time.process_time() - begun
        step(lanes)

    simulations.step = recording  # type: ignore[method-assign]
    try:
        _, seconds = train(training, steps)
    finally:
        del simulations.step  # the class's own again
    rows: dict[int, list[Float]] = {}
    for lanes, states in kept:
        for lane, state in zip(lanes, states, strict=True):
            rows.setdefault(lane, []).append(state)
    return seconds - keeping, [np.stack(lane) for lane in rows.values()]


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


@dataclass
class Rates:
    """Of each turn: steps per CPU second of training, and of both replays of the same steps."""

    training: list[float] = field(default_factory=list)
    physics: list[float] = field(default_factory=list)
    rollout: list[float] = field(default_factory=list)
    steps: int = 0
    episodes: int = 0
    """How many began."""


def measure(training: Training, repetitions: int) -> Rates:
    """Go on with a training and replay what it stepped through, in turns."""
    env, rates = training.agents.sampler.env, Rates()
    train(training, WARM_UP)
    for _ in range(repetitions):
        seconds, lanes = recorded(training, CHUNK)
        saved, steps = env.physics.save(), sum(map(len, lanes))
        rates.training.append(steps / seconds)
        rates.physics.append(steps / replay(env.physics, lanes))
        rates.rollout.append(steps / replay_as_shipped(physics.model_path(env.xml), env.physics, lanes))
        env.physics.restore(saved)
        rates.steps += steps
        rates.episodes += sum(int(np.count_nonzero(rows[:, 0] == 0)) for rows in lanes)
    return rates


def breakdown(training: Training) -> dict[str, float]:
    """Microseconds per environment step of each of `PARTS`, with bare physics apart from swapping."""
    simulations = training.agents.sampler.env.physics
    own: dict[str, list[float]] = {name: [] for name in ("bare physics", "swapping states", *(n for n, _, _ in PARTS))}
    for _ in range(5):
        turn = {name: 0.0 for name, _, _ in PARTS}
        with _timed(turn):
            _, lanes = recorded(training, CHUNK)
        saved, steps = simulations.save(), sum(map(len, lanes))
        turn["bare physics"] = replay(simulations, lanes)
        turn["swapping states"] = turn["physics with swapping"] - turn["bare physics"]
        simulations.restore(saved)
        for name, seconds in turn.items():
            own[name].append(1e6 * seconds / steps)
    del own["physics with swapping"]
    return {name: statistics.median(values) for name, values in own.items()}


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
