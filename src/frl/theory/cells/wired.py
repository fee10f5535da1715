"""Cells whose agents do all that agents do, with messages that have a size: codecs, local steps, lazy uploads, F.

Answers are computed as soon as tasks leave, since the bytes of an answer decide when it arrives. Parameters and
gradients are float32, as where agents train, so that bytes mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from frl.theory.cells.driver import Seeded
from frl.theory.cells.problems import Array, Oracle, Problem
from frl.theory.cells.spec import TASK_STEPS, Cell, Traffic
from frl.training.codecs.wire import Downlink, Uplink, compression
from frl.training.servers.base import Sample, Task, Update


@dataclass
class _Agent:
    """What one agent remembers."""

    stream: np.random.Generator
    own: dict[str, Array] = field(default_factory=dict)
    codec: dict[str, Array] = field(default_factory=dict)
    held: dict[str, Array] = field(default_factory=dict)


class Wired(Seeded):
    """One seed of a cell, with its codecs, the agents' memories and the bytes sent so far."""

    dtype = np.float32

    def __init__(self, cell: Cell, problem: Problem, seed: int):
        self.spec = spec = cell.run_spec(seed)
        self.traffic = cell.traffic or Traffic(method="plain")
        self.problem, self.bytes = problem, 0
        self.agents = [_Agent(spec.stream("agent", agent, "upload")) for agent in range(cell.n_agents)]
        up, down = (c and compression(c, problem.shapes) for c in (self.traffic.codec, self.traffic.downlink))
        self.uplink = Uplink(up, partial(spec.stream, "uplink")) if up else None
        self.downlink = Downlink(down, partial(spec.stream, "downlink")) if down else None
        super().__init__(cell, problem, seed)

    def send(self, tasks: list[Task]) -> None:
        """Put tasks into flight."""
        for task in tasks:
            sent = task if self.downlink is None else self.downlink.encode(task)
            self.bytes += sent.nbytes
            self.clock.dispatch(task.agent, sent.nbytes)
            held = self.agents[task.agent].held
            self.unanswered[task.agent] = task if self.downlink is None else self.downlink.decode(sent, held)

    def receive(self) -> None:
        """The server takes the answer that is due, decoded, and sends what it sends."""
        update = self.answers.pop(self.arriving)
        self.bytes += update.nbytes
        self.send(self.server.receive(update if self.uplink is None else self.uplink.decode(update)))

    def answer(self, task: Task, gradient: Array, variance: float, fisher: Array | None) -> None:
        """What the agent makes of its gradient (D,), and when that arrives.

        Args:
            variance: E ||gradient - E gradient||^2.
            fisher: F at the task's parameters, (D, D).
        """
        agent, product = self.agents[task.agent], None
        if fisher is not None:
            product = partial(np.matmul, fisher.astype(self.dtype))
        sample = Sample(task, gradient, lambda: variance, agent.stream, self.server.n_agents, product)
        uploaded = self.server.agent_gradient(sample, agent.own, self.server.settings)
        update = Update(task.agent, task.step, uploaded)
        if self.uplink is not None:
            update = self.uplink.encode(update, agent.codec)
        self.answers[task.agent] = update
        self.clock.answer(task.agent, TASK_STEPS * self.traffic.samples, update.nbytes)


def advance(oracle: Oracle, each: list[Wired]) -> None:
    """One arrival in every seed."""
    _answer(oracle, each)
    for one in each:
        one.arriving = one.clock.receive()
        one.receive()


def _answer(oracle: Oracle, each: list[Wired]) -> None:
    """Compute, in one call a local step, the gradients of all tasks of all seeds that left."""
    owners = [(one, task) for one in each for _, task in sorted(one.unanswered.items())]
    if not owners:
        return
    traffic = each[0].traffic
    steps, eta = (1, 0.0) if traffic.local is None else (traffic.local.steps, traffic.local.step_size)
    theta_BD = np.array([task.parameters for _, task in owners])
    fisher_BDD = each[0].problem.fisher(theta_BD.astype(np.float64)) if _natural(each[0]) else [None] * len(owners)
    gradients = []
    for _ in range(steps):
        random_BR = np.concatenate([oracle.draw(one.stream, traffic.batch) for one, _ in owners])
        points = np.repeat(theta_BD.astype(np.float64), traffic.batch, axis=0)
        estimates = oracle.estimate(points, random_BR).reshape(len(owners), traffic.batch, -1)
        gradients.append(estimates.mean(axis=1).astype(np.float32))
        theta_BD = theta_BD + np.float32(eta) * gradients[-1]
    mean_BD = np.array(gradients).mean(axis=0, dtype=np.float64).astype(np.float32)
    for (one, task), gradient, fisher in zip(owners, mean_BD, fisher_BDD, strict=True):
        one.answer(task, gradient, oracle.variance / traffic.samples, fisher)
    for one in each:
        one.unanswered.clear()


def _natural(one: Wired) -> bool:
    return hasattr(one.server.settings, "damping")
