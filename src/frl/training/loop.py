"""spec -> clock + server + agents -> rows: one training run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from frl.spec import SERVERS, RunSpec
from frl.training import NUMERICS_VERSION
from frl.training import normalizer as observations
from frl.training.agent import Agents, Work
from frl.training.clock import Clock
from frl.training.critic import Critic
from frl.training.envs import MAKE
from frl.training.evaluation import Evaluator, Point
from frl.training.normalizer import Normalizer
from frl.training.policy import GaussianPolicy
from frl.training.recorder import Recorder
from frl.training.servers.base import SharedState, Task

EVALUATE_EVERY_S = 30.0
"""Wall seconds after which evaluations no longer wait for others, so that progress shows them; changes no bit."""

Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Result:
    """A finished run: its log, and facts for the meta file."""

    rows: list[dict[str, object]]
    status: str
    facts: dict[str, Any]


class Keeper(Protocol):
    """Who keeps a run's state outside of it (:class:`frl.runs.checkpoints.Keeper`)."""

    def resume(self, spec: RunSpec) -> Training | None:
        """The run where it was; None if it has to begin."""

    def keep(self, training: Training) -> None:
        """Called between arrivals."""


def train(spec: RunSpec, progress: Progress | None = None, keeper: Keeper | None = None) -> Result:
    """Train until `spec.env_steps_budget` environment steps have arrived at the server, or the run diverges.

    Args:
        progress: called a few times a second with env_steps_total, env_steps_budget and eval_return_mean (of the
            last point that is evaluated: they wait for each other, up to EVALUATE_EVERY_S).
        keeper: what to begin from, if not from nothing, and who is told after every arrival.
    """
    run = keeper.resume(spec) if keeper is not None else None
    if run is None:
        run = Training(spec)
        run.begin()
    shown = time.monotonic()
    while not run.finished:
        run.advance()
        if keeper is not None and not run.finished:
            keeper.keep(run)
        if progress is not None and (run.finished or time.monotonic() - shown > 0.5):
            shown = time.monotonic()
            progress(run.progress())
    facts = {
        "env_steps_total": run.recorder.env_steps_total,
        "env_steps_agents": run.recorder.env_steps.tolist(),
        "eval_steps": run.evaluator.env_steps,
        "numerics_version": NUMERICS_VERSION,
    }
    return Result(run.recorder.rows, run.status, facts)


class Training:
    """The whole state of a run between two arrivals."""

    def __init__(self, spec: RunSpec):
        self.spec = spec
        self.status = "ok"
        self.finished = False
        self._next_point = 0
        self.clock = Clock(spec)
        self.evaluator, self.policy, critic = _build(spec)
        self.agents = Agents(spec, self.policy, critic)
        self.local_sums = [agent.sums for agent in self.agents.each]
        self.server = SERVERS[spec.algorithm](
            self.policy.init(spec.stream("policy")), spec.n_agents, spec.server, _shared_state(spec, critic)
        )
        identity = spec.model_dump(include={"environment", "env_version", "algorithm", "n_agents", "seed"})
        env = self.agents.sampler.env
        step_bytes = 4 * (env.observation_size + env.action_size + 1)  # observation, action, reward as float32
        self.recorder = Recorder(identity, spec.n_agents, step_bytes, SERVERS[spec.algorithm].lazy)
        # without whole episodes (whose length is open) and a price per byte, the time of an answer is known beforehand
        self._computes_when_due = spec.sampling.trajectories is None and spec.link.uplink_bytes_per_s is None
        self._tasks: dict[int, Task] = {}  # by agent: sent out, answer not computed
        self._works: dict[int, Work] = {}  # by agent: answer computed, not arrived
        self._unevaluated: list[tuple[dict[str, object], Point]] = []
        self._evaluated = -math.inf

    def begin(self) -> None:
        """Evaluate theta_0 and send the first tasks."""
        self._write_row()
        self._dispatch(self.server.start())

    def advance(self) -> None:
        """One arrival: the server takes it, sends what it sends, and a row is written if one is due."""
        work = self._work(self.clock.receive())
        update, recorder = work.update, self.recorder
        gradient_norm = float(np.linalg.norm(update.gradient)) if update.gradient is not None else None
        staleness = self.server.step + 1 - update.step
        recorder.arrived(update.agent, work.env_steps, update.nbytes, staleness, gradient_norm, work.returns)
        self.local_sums[update.agent] = work.sums
        tasks = self.server.receive(update)
        if not (gradient_norm is None or np.isfinite(gradient_norm)) or not self._server_is_finite():
            self.status, self.finished = "diverged", True
            self._write_row()
            self._evaluate()
            return
        spec, points = self.spec, self.spec.evaluation.points
        self.finished = recorder.env_steps_total >= spec.env_steps_budget
        if recorder.env_steps_total * points >= self._next_point * spec.env_steps_budget:
            self._write_row()
        waited = time.monotonic() - self._evaluated > EVALUATE_EVERY_S
        if self.finished or waited or len(self._unevaluated) >= self.evaluator.group:
            self._evaluate()
        if not self.finished:
            self._dispatch(tasks)

    def progress(self) -> dict[str, Any]:
        """Where the run stands."""
        returns = [row["eval_return_mean"] for row in self.recorder.rows if row["eval_return_mean"] is not None]
        return {
            "env_steps_total": self.recorder.env_steps_total,
            "env_steps_budget": self.spec.env_steps_budget,
            "eval_return_mean": returns[-1] if returns else None,
        }

    def _dispatch(self, tasks: list[Task]) -> None:
        """Send tasks. Their answers are computed when the first of all in flight is due, together, if that can be."""
        for task in tasks:
            self.recorder.sent(task.nbytes)
            self._tasks[task.agent] = task
        if tasks and not self._computes_when_due:
            self._compute()
        sampling = self.spec.sampling
        for task in tasks:
            env_steps, uplink_bytes = sampling.lanes * sampling.segment_steps, 0
            if (work := self._works.get(task.agent)) is not None:
                env_steps, uplink_bytes = work.env_steps, work.update.nbytes
            self.clock.send(task.agent, env_steps, task.nbytes, uplink_bytes)

    def _work(self, agent: int) -> Work:
        """The answer of `agent`, due now."""
        if agent not in self._works:
            self._compute()
        return self._works.pop(agent)

    def _compute(self) -> None:
        """Answer every task in flight that is not answered yet. When this happens changes no bit of any answer."""
        tasks = [self._tasks[agent] for agent in sorted(self._tasks)]
        self._tasks.clear()
        self._works.update((work.update.agent, work) for work in self.agents.work(tasks))

    def _server_is_finite(self) -> bool:
        critic = self.server.shared.critic
        return bool(np.isfinite(self.server.parameters).all() and (critic is None or np.isfinite(critic).all()))

    def _write_row(self) -> None:
        total, spec = self.recorder.env_steps_total, self.spec
        point = total * spec.evaluation.points // spec.env_steps_budget  # the last grid point reached
        point = min(point, spec.evaluation.points)
        self._next_point = point + 1
        row = self.recorder.write(
            point=point,
            sim_time_s=self.clock.now,
            server_step=self.server.step,
            direction_norm=self.server.direction_norm,
            policy_std=float(self.policy.std(self.server.parameters).mean()),
            status=self.status,
        )
        if self.status == "ok":
            self.server.parameters.flags.writeable = False  # the point may wait
            self._unevaluated.append((row, Point(point, self.server.parameters, self._normalizer())))

    def _evaluate(self) -> None:
        """Fill in the evaluations of the rows that wait for them."""
        results = self.evaluator.evaluate([point for _, point in self._unevaluated])
        for (row, _), result in zip(self._unevaluated, results, strict=True):
            row.update(result)
        self._unevaluated.clear()
        self._evaluated = time.monotonic()

    def _normalizer(self) -> Normalizer:
        """The evaluated policy's normaliser: the server's, or all local ones pooled (the server sees none)."""
        settings = self.spec.normalizer
        if settings.mode == "none":
            return Normalizer(None, settings.clip)
        if settings.mode == "local":
            return Normalizer(np.sum(self.local_sums, axis=0), settings.clip)
        return Normalizer(self.server.shared.normalizer, settings.clip)


def _build(spec: RunSpec) -> tuple[Evaluator, GaussianPolicy, Critic]:
    """Evaluator, policy and critic; their sizes are the environment's."""
    probe = MAKE[spec.environment](spec.env_version, [spec.stream("probe")])
    policy = GaussianPolicy(probe.observation_size, probe.action_size, spec.policy.hidden, spec.policy.log_std_init)
    critic = Critic(probe.observation_size, spec.critic.hidden, spec.critic.value_scale)
    return Evaluator(spec, policy), policy, critic


def _shared_state(spec: RunSpec, critic: Critic) -> SharedState:
    """What the server keeps beside theta: federated critic and normaliser."""
    observation_size = critic.mlp.shapes[0][0]
    return SharedState(
        critic=critic.init(spec.stream("critic")) if spec.critic.mode == "federated" else None,
        mixing=spec.critic.mixing if spec.critic.mixing is not None else 1 / spec.n_agents,
        normalizer=observations.empty_sums(observation_size) if spec.normalizer.mode == "federated" else None,
        freeze_after=spec.normalizer.freeze_after_steps,
    )
