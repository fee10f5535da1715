"""Drives the servers of `frl.spec.SERVERS` and the clock, unchanged, on an exactly known problem: one cell, all seeds.

The seeds advance together, arrival by arrival, so that their gradients are one call; every seed has a server, a clock
and a stream of its own, and what becomes of it does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from frl.spec import SERVERS
from frl.theory.cells.build import build_oracle, build_problem
from frl.theory.cells.problems import Array, Oracle, Problem
from frl.theory.cells.spec import TASK_STEPS, Cell
from frl.training import adversaries
from frl.training.clock import Clock
from frl.training.servers.base import Payload, Task, Update

POINTS_PER_DECADE = 24


@dataclass(frozen=True)
class Curves:
    """What a cell measured. Axes: S seeds, P points of record, the first before any gradient."""

    uploads_P: Array
    """Gradients that have arrived: the theorem's K, of all agents together."""
    server_step_P: Array
    time_SP: Array
    """Simulated seconds."""
    gap_SP: Array
    """J* - J(theta); inf where J is not defined."""
    bytes_SP: Array | None = None
    """Sent so far in both directions, of cells that count them."""


class Seeded:
    """One seed of a cell: server, clock, tasks in flight."""

    dtype: ClassVar[type[np.floating[Any]]] = np.float64
    """Of parameters and gradients."""
    bytes = 0
    """Sent so far; here messages have no size."""

    def __init__(self, cell: Cell, problem: Problem, seed: int):
        self.spec = spec = cell.run_spec(seed)
        self.adversary = adversaries.make(spec)
        self.communication = cell.communication or 0.0
        self.clock = Clock(spec)
        self.stream = spec.stream("gradients")
        self.server = SERVERS[cell.algorithm](problem.start.astype(self.dtype), cell.n_agents, spec.server)
        self.tasks: dict[int, Task] = {}
        self.unanswered: dict[int, Task] = {}
        self.answers: dict[int, Update] = {}
        self.arriving = -1
        self.send(self.server.start())

    def send(self, tasks: list[Task]) -> None:
        """Put tasks into flight; an agent that goes on at the point it has spares itself the communication."""
        for task in tasks:
            known = task.agent in self.tasks and self.tasks[task.agent].step == task.step
            self.tasks[task.agent] = self.unanswered[task.agent] = task
            steps = TASK_STEPS if known else round(TASK_STEPS * (1 + self.communication))
            self.clock.send(task.agent, steps, 0, 0)

    def receive(self) -> None:
        """The server takes the answer that is due, forged if its agent is malicious, and sends what it sends."""
        update = self.answers.pop(self.arriving)
        if self.adversary is not None and adversaries.malicious(self.spec, self.arriving):
            forged = self.adversary.answer(self.arriving, Payload(update.gradient, None))
            update = replace(update, gradient=forged.gradient)
        self.send(self.server.receive(update))


def run(
    cell: Cell,
    progress: Callable[[int], object] | None = None,
    kind: type[Seeded] = Seeded,
    step: Callable[[Oracle, list[Any]], None] | None = None,
) -> Curves:
    """All seeds of a cell.

    Args:
        progress: told at each point how many gradients of all seeds have arrived.
        kind: of which each seed is one.
        step: one arrival in every seed; empty: :func:`advance`.
    """
    step = step or advance
    problem = build_problem(cell.problem_spec)
    oracle = build_oracle(problem, cell.gradient)
    each = [kind(cell, problem, seed) for seed in cell.seeds]
    points = points_of_record(cell)
    rows = [_record(problem, each)]
    for arrivals in range(1, int(points[-1]) + 1):
        step(oracle, each)
        if arrivals == points[len(rows)]:
            rows.append(_record(problem, each))
            if progress is not None:
                progress(arrivals * cell.samples * len(each))
    steps, times, gaps, sent = (np.array(column).T for column in zip(*rows, strict=True))
    return Curves(points, steps, times, gaps, sent if cell.traffic else None)


def advance(oracle: Oracle, each: list[Seeded]) -> None:
    """One arrival in every seed."""
    for one in each:
        one.arriving = one.clock.receive()
    _answer(oracle, [one for one in each if one.arriving in one.unanswered])
    for one in each:
        one.receive()


def points_of_record(cell: Cell) -> Array:
    """Gradients arrived at each point, equidistant in the logarithm; after whole rounds where the server waits."""
    round_size = cell.n_agents if SERVERS[cell.algorithm].synchronous else 1
    rounds = cell.updates // round_size
    count = int(np.ceil(POINTS_PER_DECADE * np.log10(max(rounds, 2)))) + 1
    grid = np.unique(np.round(np.geomspace(1, rounds, count)).astype(np.int64))
    return np.concatenate([[0], grid * round_size])


def _answer(oracle: Oracle, each: list[Seeded]) -> None:
    """Compute, in one call, the gradients of all unanswered tasks of these seeds."""
    if not each:
        return
    tasks = [[one.unanswered[agent] for agent in sorted(one.unanswered)] for one in each]
    random_BR = np.concatenate([oracle.draw(one.stream, len(some)) for one, some in zip(each, tasks, strict=True)])
    theta_BD = np.array([task.parameters for some in tasks for task in some])
    gradients = iter(oracle.estimate(theta_BD, random_BR))
    for one, some in zip(each, tasks, strict=True):
        one.answers.update((task.agent, Update(task.agent, task.step, next(gradients))) for task in some)
        one.unanswered.clear()


def _record(problem: Problem, each: list[Seeded]) -> tuple[int, list[float], Array, list[int]]:
    """Server steps, times, gaps and bytes now."""
    theta_SD = np.array([one.server.parameters for one in each], np.float64)
    gap_S = problem.optimum - problem.value(theta_SD)
    return each[0].server.step, [one.clock.now for one in each], gap_S, [one.bytes for one in each]
