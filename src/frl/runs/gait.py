"""One episode of a finished run's policy, step by step, to be looked at: of the last policy or of an earlier one.

A run ends by its budget alone, so a run with a smaller budget is its beginning, bit for bit. An earlier policy is made
by training that beginning again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from frl.runs.evaluate import EvaluateError, last_policy, spec_of, unpacked
from frl.runs.named import NamedRun
from frl.runs.paths import results_of
from frl.runs.reproduce import first_difference, made_here, remade
from frl.spec import RunSpec
from frl.training import kept
from frl.training.envs import MAKE
from frl.training.episodes import WholeEpisodes
from frl.training.heterogeneity import variants
from frl.training.loop import Training
from frl.training.physics import Float
from frl.training.sampler import Play

Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, eq=False)
class Gait:
    """An episode.

    Attributes:
        spec: the run; `method`: what it is filed under.
        steps_per_agent: what each agent had sampled on average when the policy was there.
        seed: of the episode's start and noise, as that of `frl evaluate`.
        mean_action: whether the policy's mean action was played, not a sample.
        positions: MuJoCo's qpos at the start and after every step, (T + 1, nq); `dt`: seconds a step.
        episode_return: undiscounted, of all T steps.
        evaluated: the mean return of the run's last evaluation of this policy or before.
        note: why the policy may not be the one that the run had; empty if it is.
    """

    spec: RunSpec
    method: str
    steps_per_agent: float
    seed: int
    mean_action: bool
    positions: Float
    dt: float
    episode_return: float
    evaluated: float
    note: str = ""


def gait(
    run: NamedRun, at: int | None = None, seed: int = 0, mean_action: bool = False, progress: Progress | None = None
) -> Gait:
    """An episode of a run's policy: the first that `frl evaluate` plays with this seed.

    Where the agents' environments differ it is played in that of the first agent.

    Args:
        run: the run.
        at: the policy after so many steps per agent, at the first arrival with which they are complete; None: the last.
        seed: of start and noise, 0 or more: together with the run's own.
        mean_action: play the policy's mean action, not a sample.
        progress: told of the training that makes an earlier policy, see :func:`frl.training.loop.train`.

    Raises:
        EvaluateError: if there is no such policy or seed, or the policy could not be made here.
    """
    if seed < 0:
        raise EvaluateError(f"--seed = {seed}: must be 0 or more")
    spec = spec_of(run)
    note, steps = "", run.meta["env_steps_total"] / spec.n_agents
    if at is None:
        policy = last_policy(run)
    else:
        policy, steps, note = _earlier(run, spec, at, steps, progress)
    method = run.path.resolve().parents[1].name if results_of(run.path) is not None else spec.method
    mean = _evaluated(run.table, steps)
    with threadpool_limits(1):
        return Gait(spec, method, steps, seed, mean_action, *_episode(spec, policy, seed, mean_action), mean, note)


def _earlier(run: NamedRun, spec: RunSpec, at: int, made: float, progress: Progress | None) -> tuple[bytes, float, str]:
    """The policy after `at` of the `made` steps per agent, after how many it is, and why it may be another."""
    if not 0 <= at <= made:
        raise EvaluateError(f"--at = {at}: must be steps per agent, from 0 to the {made:,.0f} that the run made")
    if not made_here(run):
        raise EvaluateError(
            f"{run.path}: made with another NUMERICS_VERSION or other libraries, so --at cannot train it again"
        )
    if at == 0:
        start = Training(spec)
        return kept.to_bytes(start.server.parameters, start.normalizer()), 0.0, ""
    table, result = remade(beginning(spec, at), run.meta, progress)
    if result.status == "diverged":
        raise EvaluateError(f"--at = {at}: the run diverged before, so it has no policy there")
    head = b"".join(table.splitlines(keepends=True)[:-1])  # the last row is an evaluation out of turn
    lines = len(head.splitlines())
    difference = first_difference(b"".join(run.table.splitlines(keepends=True)[:lines]), head)
    note = f"this processor rounds otherwise, so the policy is another draw of the same seed: {difference}"
    return result.policy, result.facts["env_steps_total"] / spec.n_agents, note if difference else ""


def _evaluated(table: bytes, steps_per_agent: float) -> float:
    """The mean return of the last evaluation after at most so many steps per agent."""
    rows = csv.DictReader(io.StringIO(table.decode()))
    means = [float(row["eval_return_mean"]) for row in rows if float(row["env_steps_per_agent"]) <= steps_per_agent]
    return means[-1]


def beginning(spec: RunSpec, steps_per_agent: int) -> RunSpec:
    """The run that is the beginning of another, up to so many steps per agent."""
    return spec.model_copy(update={"steps_per_agent": steps_per_agent, "sim_seconds": 0.0, "stop_at": None})


def _episode(spec: RunSpec, policy: bytes, seed: int, mean_action: bool) -> tuple[Float, float, float]:
    """Positions, seconds a step and return."""
    shape, theta, normalizer = unpacked(spec, policy)
    point = -1 - seed  # a run's own points are numbered from 0
    varied = variants(spec)[:1] if spec.heterogeneity.any else None
    env = MAKE[spec.environment](spec.env_version, [spec.stream("probe")], None, varied)
    env.streams[:] = [spec.stream("evaluation", point, 0)]
    episodes = WholeEpisodes(env, 1, shape, record=False)
    noise = None if mean_action else spec.stream("evaluation", point, "noise")
    episodes.begin(Play(0, theta, normalizer, noise))
    positions, done = [env.physics.qpos[0].copy()], False
    while not done:
        done = bool(episodes.step())
        positions.append(env.physics.qpos[0].copy())
    return np.array(positions), env.physics.dt, episodes.outcome(0).returns[0]
