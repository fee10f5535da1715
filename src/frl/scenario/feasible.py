"""What a run's settings let happen: how many answers, steps, seconds and bytes; and what cannot run at all.

Where episodes may end early, numbers are those of tasks of the greatest length.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from frl.settings import LognormalFleet
from frl.spec import SERVERS, RunSpec
from frl.training.clock import relative_times
from frl.training.codecs.wire import CodecSpec, compression
from frl.training.mlp import MLP

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
"""Environments whose episodes all last their 1,000 steps."""

MAX_SECONDS = 1e15
"""Simulated time of a run: beyond it, the clock could not tell one task's end from the next."""
MIN_SECONDS = 1e-9
"""Simulated time of a task."""
MAX_EVALUATIONS = 100_000
PROCESS_BYTES = 150_000_000
"""Memory of an agent's process beside what its lanes need."""
MAX_BYTES = 2**40
"""Memory of a run that no machine is asked for."""


def agent_seconds(spec: RunSpec) -> NDArray[np.float64]:
    """Simulated time from one answer of each agent to its next, (N,); of lognormal fleets the mean."""
    fleet, link = spec.fleet, spec.link
    compute = np.array(relative_times(fleet, spec.n_agents)) * fleet.seconds_per_1000_steps
    ways = ((link.downlink_bytes_per_s, spec.downlink), (link.uplink_bytes_per_s, spec.codec))
    messages = 2 * link.latency_s + sum(message_bytes(spec, codec) / b for b, codec in ways if b is not None)
    with np.errstate(over="ignore"):
        seconds: NDArray[np.float64] = spec.steps_per_upload / 1000 * compute + fleet.overhead_s + messages
    return seconds


def _longest(spec: RunSpec) -> float:
    """Time of the longest task; of lognormal fleets, of all but one in a billion."""
    seconds = float(agent_seconds(spec).max())
    if not isinstance(spec.fleet, LognormalFleet):
        return seconds
    factor = math.exp(6 * spec.fleet.sigma - spec.fleet.sigma**2 / 2)
    return seconds + max(factor - 1, 0) * spec.steps_per_upload / 1000 * spec.fleet.seconds_per_1000_steps


def message_bytes(spec: RunSpec, codec: CodecSpec | None = None) -> int:
    """Bytes of a task, and of an update that carries all that it can; a lazy agent that is silent sends fewer.

    Args:
        codec: what the message is compressed with.
    """
    sums = 8 * (1 + 2 * SIZES[spec.environment][0]) if spec.normalizer.mode == "federated" else 0
    observations, actions = SIZES[spec.environment]
    shapes = [*MLP((observations, *spec.policy.hidden, actions)).shapes, (actions,)]
    vector = 4 * parameters(spec) if codec is None else compression(codec, shapes).nbytes()
    return 2 * 8 + vector + sums  # two counters


def answers(spec: RunSpec) -> int:
    """Answers that reach the server before the run ends, unless a threshold stops it."""
    of_steps = -(-spec.env_steps_budget // spec.steps_per_upload)
    seconds = agent_seconds(spec)
    if SERVERS[spec.algorithm].synchronous:
        rounds, rest = divmod(spec.sim_seconds, float(seconds.max()))
        of_time = spec.n_agents * int(rounds) + int((seconds < rest).sum()) + 1
    else:
        of_time = int((np.ceil(spec.sim_seconds / seconds) - 1).sum()) + 1
    return max(of_steps, of_time if spec.sim_seconds else 0)


def run_seconds(spec: RunSpec) -> float:
    """Time of the run by its clock, unless a threshold stops it; of lognormal fleets about."""
    seconds = agent_seconds(spec)
    rate = spec.n_agents / seconds.max() if SERVERS[spec.algorithm].synchronous else (1 / seconds).sum()
    return float(answers(spec) / rate)


def expected(spec: RunSpec) -> RunSpec:
    """The run with the budget of the steps that it will make: whole tasks, and all of its simulated time."""
    steps = answers(spec) * spec.steps_per_upload
    return spec.model_copy(update={"steps_per_agent": -(-steps // spec.n_agents)})


def parameters(spec: RunSpec) -> int:
    """d, the number of parameters of the policy."""
    observations, actions = SIZES[spec.environment]
    layers = itertools.pairwise((observations, *spec.policy.hidden, actions))
    return sum((a + 1) * b for a, b in layers) + actions


def memory_bytes(spec: RunSpec) -> int:
    """About what a run needs, rounded up."""
    policy, features = parameters(spec), 2 * SIZES[spec.environment][0] + 4
    sampling, episodes, n = spec.sampling, spec.evaluation.episodes, spec.n_agents
    width = max(sum(spec.policy.hidden), 2 * features)  # float64
    row = 4 * (6 * SIZES[spec.environment][0] + 3 * width + 30)
    lanes = n * (sampling.trajectories or sampling.lanes) + max(64, episodes)
    return (
        300_000_000  # Python and its libraries
        + 40 * policy
        + n * (4 * policy + 8 * features**2 + 10_000)
        + 3_000 * lanes
        + (spec.steps_per_upload + max(64, episodes)) * row
        + (n * PROCESS_BYTES if spec.engine is not None else 0)
    )


def problem(spec: RunSpec) -> str:
    """Why these settings cannot run, in one sentence; empty if they can."""
    if (needed := memory_bytes(spec)) > MAX_BYTES:
        return (
            f"needs about {needed / 1e9:,.0f} GB of memory (n_agents, sampling, policy.hidden, "
            f"evaluation.episodes); at most {MAX_BYTES / 1e9:,.0f} GB are allowed"
        )
    seconds = agent_seconds(spec)
    if seconds.min() < MIN_SECONDS:
        return f"fleet: a task of {seconds.min():.3g} s of simulated time; at least {MIN_SECONDS:.0e} s are needed"
    longest = max(float(seconds.max()) * -(-spec.env_steps_budget // spec.steps_per_upload), spec.sim_seconds)
    if not longest <= MAX_SECONDS:
        return (
            f"sim_seconds, fleet and link: up to {longest:.3g} s of simulated time; "
            f"at most {MAX_SECONDS:.0e} s are allowed"
        )
    if spec.engine is not None and spec.engine.paced and not (task := _longest(spec)) < spec.engine.timeout_s:
        slowest = f"a task of the slowest agent may take {task:g} s (fleet, link)"
        return f"engine.timeout_s = {spec.engine.timeout_s:g}: {slowest}; more is needed, or paced = false"
    if (count := _evaluations(spec)) > MAX_EVALUATIONS:
        told = f"evaluation.ratio = {spec.evaluation.ratio}: {count:,} evaluations"
        return f"{told}; at most {MAX_EVALUATIONS:,} are allowed"
    return _never_answers(spec, seconds)


def _evaluations(spec: RunSpec) -> int:
    """About how many there will be: one after each upload an agent, then fewer and fewer."""
    uploads, ratio = answers(spec) / spec.n_agents, spec.evaluation.ratio
    each = min(uploads, 1 / (ratio - 1))
    return round(each + math.log(max(uploads / each, 1)) / math.log(ratio))


def _task(spec: RunSpec) -> str:
    """The steps of a task, and the settings that make them."""
    sampling, local = spec.sampling, "" if spec.local is None else f"local.steps = {spec.local.steps} × "
    if sampling.trajectories is not None:
        factors = f"{local}sampling.trajectories = {sampling.trajectories} × 1,000"
    else:
        factors = f"{local}sampling.lanes = {sampling.lanes} × sampling.segment_steps = {sampling.segment_steps}"
    return f"{spec.steps_per_upload:,} steps ({factors})"


def _never_answers(spec: RunSpec, seconds: NDArray[np.float64]) -> str:
    """Whether the run ends before every agent has answered once."""
    if spec.sampling.trajectories is not None and spec.environment not in NEVER_END:
        return ""  # tasks may be short, and many
    count, task = answers(spec), f"one task is {_task(spec)}"
    told = f"steps_per_agent = {spec.steps_per_agent}: the run would end before its slowest agent answered once"
    if count < spec.n_agents:
        return f"{told}; {task}"
    before = int((np.ceil(seconds.max() / seconds * (1 - 1e-9)) - 1).sum())
    if count <= before and not SERVERS[spec.algorithm].synchronous:
        return f"{told}; {task}, and the others answer {before} times before"
    return ""
