"""Training throughput beside the limit that physics sets, measured in one process, interleaved.

The limit is MuJoCo stepped open loop, with the same switches, from the same states under the same controls that
training has just used; nothing else runs in that loop. CPU seconds, so that a busy machine disturbs little.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from typing import Any

import mujoco
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from frl.spec import RunSpec
from frl.training.loop import Training
from frl.training.physics import STATE, Float, Physics

GOAL = 0.70


def recorded(physics: Physics, advance: Any) -> list[Float]:
    """State rows (B, S), controls included, before every physics step that `advance()` makes."""
    states: list[Float] = []
    step = physics.step

    def recording(lanes: Iterable[int]) -> None:
        states.append(physics.state.copy())
        step(lanes)

    physics.step = recording  # type: ignore[method-assign]
    try:
        advance()
    finally:
        physics.step = step  # type: ignore[method-assign]
    return states


def replay_seconds(physics: Physics, states: list[Float]) -> float:
    """CPU seconds of the bare physics of `states`: lane by lane, a state set only where an episode begins."""
    model, data, frame_skip = physics.model, physics.data, physics.frame_skip
    nu = model.nu
    lanes = [np.stack([row[lane] for row in states]) for lane in range(len(states[0]))]
    begun = time.process_time()
    for rows in lanes:
        now = np.inf
        for row in rows:
            if row[0] <= now:  # time went back: another episode
                mujoco.mj_setState(model, data, row, STATE)
            data.ctrl[:] = row[-nu:]
            mujoco.mj_step(model, data, frame_skip)
            now = row[0]
    return time.process_time() - begun


def measure(environment: str, repetitions: int, hidden: tuple[int, ...]) -> dict[str, float]:
    """Medians over interleaved repetitions: training and physics steps per CPU second, and their ratio."""
    spec = RunSpec(
        environment=environment,  # type: ignore[arg-type]
        algorithm="afedpg",
        n_agents=1,
        seed=0,
        steps_per_agent=2**31,
        policy={"hidden": hidden},  # type: ignore[arg-type]
        evaluation={"points": 1, "episodes": 1},  # type: ignore[arg-type]
        server={},  # type: ignore[arg-type]
    )
    training = Training(spec)
    training.begin()
    physics = training.agents.sampler.env.physics
    for _ in range(3):
        training.advance()
    ratios, train_rates, physics_rates = [], [], []
    for _ in range(repetitions):
        before, begun = training.recorder.env_steps_total, time.process_time()
        for _ in range(4):
            training.advance()
        seconds = time.process_time() - begun
        steps = training.recorder.env_steps_total - before
        states = recorded(physics, training.advance)
        saved = physics.save()
        rate = len(states) * len(states[0]) / replay_seconds(physics, states)
        physics.restore(saved)
        train_rates.append(steps / seconds)
        physics_rates.append(rate)
        ratios.append(train_rates[-1] / rate)
    return {
        "train_steps_per_cpu_s": statistics.median(train_rates),
        "physics_steps_per_cpu_s": statistics.median(physics_rates),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def compare(environments: Sequence[str], repetitions: int, hidden: tuple[int, ...]) -> None:
    """Print one line for each environment: both rates, their ratio, and whether it is at least `GOAL`."""
    print("environment  training steps/s  physics steps/s  ratio (min-max)    goal")
    torch.set_num_threads(1)
    for environment in environments:
        with threadpool_limits(1):
            row = measure(environment, repetitions, hidden)
        spread = f"{row['ratio']:.2f} ({row['ratio_min']:.2f}-{row['ratio_max']:.2f})"
        print(
            f"{environment:<12} {row['train_steps_per_cpu_s']:>16,.0f} {row['physics_steps_per_cpu_s']:>16,.0f}"
            f"  {spread:<18} >= {GOAL} {'met' if row['ratio'] >= GOAL else 'MISSED'}",
            flush=True,
        )
