"""The server's side of a run: server, log and evaluations, whoever carries tasks and answers."""

from __future__ import annotations

import bisect
import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from frl.spec import SERVERS, RunSpec
from frl.training import adversaries, kept
from frl.training import normalizer as observations
from frl.training.evaluation import Evaluator, Point
from frl.training.links import downlink, uplink
from frl.training.normalizer import Normalizer
from frl.training.numerics import NUMERICS_VERSION
from frl.training.policy import GaussianPolicy
from frl.training.recorder import WALL, Recorder
from frl.training.servers.base import Adversary, Codec, CodedTask, Payload, SharedState, Task, Update
from frl.training.work import Work

EVALUATE_EVERY_S = 30.0
"""Wall seconds after which evaluations no longer wait for others, so that progress shows them; changes no bit."""


@dataclass(frozen=True)
class Result:
    """A finished run: its log, and facts for the meta file."""

    rows: list[dict[str, object]]
    status: str
    facts: dict[str, Any]
    policy: bytes
    """The last policy and its normaliser (:mod:`frl.training.kept`)."""


def result_of(run: ServerSide) -> Result:
    """What is left of a run at its end."""
    facts = {
        "env_steps_total": run.recorder.env_steps_total,
        "env_steps_agents": run.recorder.env_steps.tolist(),
        "eval_steps": run.evaluator.env_steps,
        "numerics_version": NUMERICS_VERSION,
    }
    return Result(run.recorder.rows, run.status, facts, kept.to_bytes(run.server.parameters, run.normalizer()))


class ServerSide(ABC):
    """The server of a run, its log and its evaluations between two arrivals; who carries tasks and answers is not here.

    An engine adds that: :class:`frl.training.loop.Training` simulates, those of :mod:`frl.engines` do it live.
    """

    def __init__(self, spec: RunSpec):
        self.spec = spec
        self.status = "ok"
        self.finished = False
        self._next_point = 0
        self._grid, self._points = [-1], spec.evaluation_grid()
        self.policy = kept.make_policy(spec)
        self.evaluator = Evaluator(spec, self.policy)
        self.local_sums = [observations.empty_sums(self.policy.mlp.shapes[0][0])] * spec.n_agents
        self.server = SERVERS[spec.algorithm](
            self.policy.init(spec.stream("policy")), spec.n_agents, spec.server, _shared_state(spec, self.policy)
        )
        identity = spec.model_dump(include={"environment", "env_version", "algorithm", "n_agents", "seed"})
        env = self.evaluator.sampler.env
        step_bytes = 4 * (env.observation_size + env.action_size + 1)  # observation, action, reward as float32
        self.recorder = Recorder(identity, spec.n_agents, step_bytes, SERVERS[spec.algorithm].lazy)
        self.codec: Codec | None = uplink(spec, self.policy)
        self.downlink = downlink(spec, self.policy)
        self.adversary: Adversary | None = adversaries.make(spec)
        self.forging: Codec | None = uplink(spec, self.policy, "forged")
        self.forged: dict[int, dict[str, Any]] = {}  # malicious agent -> what it remembers of what it forged
        self._unevaluated: list[tuple[dict[str, object], Point]] = []
        self._evaluated = -math.inf

    def _outgoing(self, task: Task) -> Task | CodedTask:
        """What travels for a task, counted."""
        sent = task if self.downlink is None else self.downlink.encode(task)
        self.recorder.sent(sent.nbytes)
        return sent

    @property
    @abstractmethod
    def now(self) -> float:
        """Seconds from the first task to the last arrival, by the run's clock."""

    @abstractmethod
    def _dispatch(self, tasks: list[Task]) -> None:
        """Send tasks to their agents."""

    @abstractmethod
    def _next(self) -> Work:
        """The answer that arrives next."""

    @abstractmethod
    def saved(self) -> dict[str, Any]:
        """All that the engine keeps between two arrivals, and :meth:`resume` needs to go on."""

    @abstractmethod
    def resume(self, saved: dict[str, Any]) -> None:
        """Go on from a saved moment."""

    def begin(self) -> None:
        """Evaluate theta_0 and send the first tasks."""
        self._write_row(0)
        self._dispatch(self.server.start())

    @np.errstate(over="ignore", invalid="ignore")  # a run that diverges says so by its status
    def advance(self) -> None:
        """One arrival: the server takes it, sends what it sends, and a row is written if one is due.

        The run ends with the arrival that completes both its steps and its time, or at the second of two
        successive evaluations that reach `spec.stop_at`.
        """
        work = self._next()
        update, recorder, spec = self._forged(self._decoded(work.update)), self.recorder, self.spec
        gradient_norm = float(np.linalg.norm(update.gradient)) if update.gradient is not None else None
        staleness = self.server.step + 1 - update.step
        recorder.arrived(update.agent, work.env_steps, work.update.nbytes, staleness, gradient_norm, work.returns)
        self.local_sums[update.agent] = work.sums
        tasks = self.server.receive(update)
        reached = self._reached()
        if not (gradient_norm is None or np.isfinite(gradient_norm)) or not self._server_is_finite():
            self.status, self.finished = "diverged", True
            self._write_row(reached)
            self._evaluate()
            return
        self.finished = recorder.env_steps_total >= spec.env_steps_budget and self.now >= spec.sim_seconds
        if self.finished or reached >= self._next_point:
            self._write_row(max(reached, self._next_point))
        waited = time.monotonic() - self._evaluated > EVALUATE_EVERY_S
        if self.finished or waited or len(self._unevaluated) >= self._together():
            self._evaluate()
        self.finished = self.finished or self._stops()
        if not self.finished:
            self._dispatch(tasks)

    def _reached(self) -> int:
        """The last point of the evaluation grid that is reached."""
        total = self.recorder.env_steps_total
        while self._grid[-1] <= total:
            self._grid.append(next(self._points))
        return bisect.bisect_right(self._grid, total) - 2  # the first entry is no point

    def _together(self) -> int:
        """How many points are evaluated at once: as many as it takes to know in time whether the run stops."""
        threshold = self.spec.stop_at
        if threshold is None:
            return self.evaluator.group
        known = [row["eval_return_mean"] for row in self.recorder.rows if row["eval_return_mean"] is not None]
        may_stop_next = bool(known) and float(str(known[-1])) >= threshold
        return 1 if may_stop_next else 2

    def _stops(self) -> bool:
        threshold, last = self.spec.stop_at, self.recorder.rows[-2:]
        if threshold is None or len(last) < 2 or self._unevaluated:
            return False
        return all(float(str(row["eval_return_mean"])) >= threshold for row in last)

    def _decoded(self, update: Update) -> Update:
        return update if self.codec is None else self.codec.decode(update)

    def _forged(self, update: Update) -> Update:
        """What the server reads of a malicious agent: through the codec too, as many bytes as its honest answer."""
        if self.adversary is None or not adversaries.malicious(self.spec, update.agent):
            return update
        payload = self.adversary.answer(update.agent, Payload(update.gradient, update.normalizer))
        forged = replace(update, gradient=payload.gradient, normalizer=payload.normalizer)
        if self.forging is None or payload.gradient is update.gradient:
            return forged
        return self.forging.decode(self.forging.encode(forged, self.forged.setdefault(update.agent, {})))

    def progress(self) -> dict[str, Any]:
        """Where the run stands."""
        returns = [row["eval_return_mean"] for row in self.recorder.rows if row["eval_return_mean"] is not None]
        return {
            "env_steps_total": self.recorder.env_steps_total,
            "env_steps_budget": self.spec.env_steps_budget,
            "eval_return_mean": returns[-1] if returns else None,
        }

    def _server_is_finite(self) -> bool:
        return bool(np.isfinite(self.server.parameters).all())

    def _write_row(self, point: int) -> None:
        self._next_point = point + 1
        row = self.recorder.write(
            point=point,
            sim_time_s=self.now,
            server_step=self.server.step,
            direction_norm=self.server.direction_norm,
            policy_std=float(self.policy.std(self.server.parameters).mean()),
            status=self.status,
        )
        if self.spec.engine is not None:
            row[WALL] = self.now
        if self.status == "ok":
            self.server.parameters.flags.writeable = False  # the point may wait
            mean_action = self.finished or point % self.spec.evaluation.mean_action_every == 0
            self._unevaluated.append((row, Point(point, self.server.parameters, self.normalizer(), mean_action)))

    def _evaluate(self) -> None:
        """Fill in the evaluations of the rows that wait for them."""
        results = self.evaluator.evaluate([point for _, point in self._unevaluated])
        for (row, _), result in zip(self._unevaluated, results, strict=True):
            row.update(result)
        self._unevaluated.clear()
        self._evaluated = time.monotonic()

    def unevaluated(self) -> list[tuple[dict[str, object], Point]]:
        """The rows whose evaluations are not there yet, with their points."""
        return self._unevaluated

    def normalizer(self) -> Normalizer:
        """The evaluated policy's normaliser: the server's, or all local ones pooled (the server sees none)."""
        settings = self.spec.normalizer
        if settings.mode == "none":
            return Normalizer(None, settings.clip)
        if settings.mode == "local":
            return Normalizer(np.sum(self.local_sums, axis=0), settings.clip)
        return Normalizer(self.server.shared.normalizer, settings.clip)


def _shared_state(spec: RunSpec, policy: GaussianPolicy) -> SharedState:
    """What the server keeps beside theta: the shared normaliser."""
    size = policy.mlp.shapes[0][0]
    return SharedState(
        normalizer=observations.empty_sums(size) if spec.normalizer.mode == "federated" else None,
        freeze_after=spec.normalizer.freeze_after_steps,
    )
