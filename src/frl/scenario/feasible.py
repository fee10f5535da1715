"""What a run's settings let happen: how many answers, evaluations, seconds and bytes; and what cannot run at all.

Numbers are of tasks whose length is known beforehand. Where episodes may end early it is open.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from frl.spec import RunSpec
from frl.training.clock import relative_times

SIZES = {
    "Swimmer": (8, 2),
    "Hopper": (11, 3),
    "Walker2d": (17, 6),
    "HalfCheetah": (17, 6),
    "Ant": (105, 8),
    "Humanoid": (376, 17),
}
"""Numbers of observations (of the version that has more) and of actions."""
NEVER_END = ("Swimmer", "HalfCheetah")
"""Environments whose episodes all last `EPISODE_STEPS` steps."""
EPISODE_STEPS = 1000
SYNCHRONOUS = frozenset({"fedpg", "lapg", "random_skip"})
"""Algorithms whose server steps once all N agents have answered."""

MAX_SECONDS = 1e15
"""Simulated time of a run: beyond it, the clock could not tell one task's end from the next."""
MIN_SECONDS = 1e-9
"""Simulated time of a task."""
MAX_POINTS = 100_000
MAX_BYTES = 2**40
"""Memory of a run that no machine is asked for."""


def task_steps(spec: RunSpec) -> int | None:
    """Environment steps of one task; None if they are not known beforehand."""
    sampling = spec.sampling
    if sampling.trajectories is None:
        return sampling.lanes * sampling.segment_steps
    return sampling.trajectories * EPISODE_STEPS if spec.environment in NEVER_END else None


def answers(spec: RunSpec) -> int | None:
    """Answers that reach the server before the run ends; None if they are not known beforehand."""
    steps = task_steps(spec)
    return None if steps is None else -(-spec.env_steps_budget // steps)


def points(spec: RunSpec) -> int:
    """Points of the curve after the first that are evaluated: one at most for each answer."""
    count, asked = answers(spec), spec.evaluation.points
    return asked if count is None else min(count, asked)


def training_steps(spec: RunSpec) -> int:
    """Environment steps until the run ends: whole tasks."""
    count, steps = answers(spec), task_steps(spec)
    return spec.env_steps_budget if count is None or steps is None else count * steps


def evaluation_steps(spec: RunSpec) -> int:
    """Environment steps of all evaluations of a run, if every episode lasts as long as it can."""
    settings, count, steps = spec.evaluation, answers(spec), task_steps(spec)
    if count is None or steps is None or count >= settings.points:
        return settings.env_steps_at_most
    reached = [min(k * steps * settings.points // spec.env_steps_budget, settings.points) for k in range(count + 1)]
    mean_action = sum(point % settings.mean_action_every == 0 or point == settings.points for point in reached)
    return (count + 1 + mean_action) * settings.episodes * EPISODE_STEPS


def memory_bytes(spec: RunSpec) -> int:
    """About what a run needs; measured runs need between a half and all of it."""
    observations, actions = SIZES[spec.environment]
    policy = _parameters((observations, *spec.policy.hidden, actions)) + actions
    critic = _parameters((observations, *spec.critic.hidden, 1)) if spec.critic.mode != "none" else 0
    sampling, evaluation, n = spec.sampling, spec.evaluation, spec.n_agents
    lanes = sampling.trajectories or sampling.lanes
    steps = lanes * (sampling.segment_steps if sampling.trajectories is None else EPISODE_STEPS)
    widths = sum(spec.policy.hidden), sum(spec.critic.hidden) if critic else 0
    row = 4 * (6 * observations + 3 * max(widths) + 30)
    evaluated = max(64, evaluation.episodes)
    return (
        300_000_000  # Python and its libraries
        + 40 * (policy + critic)
        + n * (4 * policy + 12 * critic + 10_000)
        + (n * lanes + evaluated) * 3_000
        + (steps + evaluated) * row
        + points(spec) * 2_000
    )


def _parameters(sizes: tuple[int, ...]) -> int:
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


def problem(spec: RunSpec) -> str:
    """Why these settings cannot run, in one sentence; empty if they can."""
    if (needed := memory_bytes(spec)) > MAX_BYTES:
        return (
            f"needs about {needed / 1e9:,.0f} GB of memory (n_agents, sampling, policy.hidden, critic.hidden, "
            f"evaluation.episodes); at most {MAX_BYTES / 1e9:,.0f} GB are allowed"
        )
    if points(spec) > MAX_POINTS:
        return f"evaluation.points = {spec.evaluation.points}: at most {MAX_POINTS:,} are allowed"
    return _learns_nothing(spec) or _impossible_time(spec) or _never_answers(spec)


def _learns_nothing(spec: RunSpec) -> str:
    sampling = spec.sampling
    what = "sampling.lanes x segment_steps"
    batch, size = sampling.lanes * sampling.segment_steps, f"= {sampling.lanes} x {sampling.segment_steps}"
    if sampling.trajectories is not None:
        what, size = "sampling.trajectories", f"= {sampling.trajectories}, which is"
        batch = sampling.trajectories * EPISODE_STEPS
        size += f" {batch} steps at most,"
    if batch == 1 and spec.estimator.standardize:
        return f"{what} {size}: the one advantage, standardised (estimator.standardize), is 0, and so is every gradient"
    if spec.critic.mode != "none" and spec.critic.minibatches > batch:
        return f"critic.minibatches = {spec.critic.minibatches}: more than the {batch} steps of a task ({what})"
    return ""


def _impossible_time(spec: RunSpec) -> str:
    quickest, slowest = task_seconds(spec)
    count = answers(spec)
    total = slowest * (spec.env_steps_budget if count is None else count)
    if not total <= MAX_SECONDS:
        return f"fleet and link: up to {total:.3g} s of simulated time; at most {MAX_SECONDS:.0e} s are allowed"
    if quickest < MIN_SECONDS:
        return f"fleet: a task of {quickest:.3g} s of simulated time; at least {MIN_SECONDS:.0e} s are needed"
    return ""


def task_seconds(spec: RunSpec) -> tuple[float, float]:
    """Simulated time of the quickest agent's task, without communication, and of the slowest's, with it."""
    fleet, link, n = spec.fleet, spec.link, spec.n_agents
    factor = {"straggler": getattr(fleet, "ratio", 1.0) if n > 1 else 1.0, "linear": float(n), "sqrt": n**0.5}
    steps = task_steps(spec) or EPISODE_STEPS * (spec.sampling.trajectories or 1)
    quickest = fleet.overhead_s + steps / 1000 * fleet.seconds_per_1000_steps
    slowest = fleet.overhead_s + steps / 1000 * fleet.seconds_per_1000_steps * factor.get(fleet.kind, 1.0)
    observations, _ = SIZES[spec.environment]
    message = 8 * sum(_parameters((observations, *hidden, 17)) for hidden in (spec.policy.hidden, spec.critic.hidden))
    for bandwidth in (link.uplink_bytes_per_s, link.downlink_bytes_per_s):
        slowest += message / bandwidth if bandwidth else 0.0
    return quickest, slowest + 2 * link.latency_s


def _never_answers(spec: RunSpec) -> str:
    """Whether the run ends before every agent has answered once."""
    count, steps = answers(spec), task_steps(spec)
    if count is None or steps is None:
        return ""
    told = f"steps_per_agent = {spec.steps_per_agent}: the run would end before its slowest agent answered once"
    if count < spec.n_agents:
        return f"{told}; one task is {steps} steps"
    link = spec.link
    free = link.uplink_bytes_per_s is None and link.downlink_bytes_per_s is None and not link.latency_s
    if spec.algorithm in SYNCHRONOUS or not free:
        return ""
    each = spec.fleet.overhead_s + np.array(relative_times(spec.fleet, spec.n_agents)) * (
        spec.fleet.seconds_per_1000_steps * steps / 1000
    )
    before = int(np.sum(np.ceil(each.max() / each * (1 - 1e-9)) - 1))
    if count <= before:
        return f"{told}: the others answer {before} times before, and {count} tasks of {steps} steps are all"
    return ""


def notes(specs: Iterable[RunSpec]) -> list[str]:
    """What does not stop the runs but is other than asked for, a sentence each."""
    fewer: dict[tuple[int, int], list[str]] = {}
    for spec in specs:
        if points(spec) < spec.evaluation.points:
            labels = fewer.setdefault((spec.evaluation.points, points(spec)), [])
            labels.append(f"{spec.environment}, {spec.method}, N = {spec.n_agents}")
    texts = []
    for (asked, reached), labels in fewer.items():
        others = f" and {len(set(labels)) - 1} others" if len(set(labels)) > 1 else ""
        texts.append(
            f"evaluation.points = {asked}, but only {reached} answers arrive in a run of ({labels[0]}){others}: "
            f"the curve has {reached} points after the first"
        )
    return texts
