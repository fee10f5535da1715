"""spec -> clock + server + agents -> rows: one training run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from frl.spec import RunSpec
from frl.training.agents import Agents
from frl.training.clock import Clock
from frl.training.server_side import Result, ServerSide, result_of
from frl.training.servers.base import Task
from frl.training.work import Work

Progress = Callable[[dict[str, Any]], None]


class Keeper(Protocol):
    """Who keeps a run's state outside of it (:class:`frl.runs.checkpoints.Keeper`)."""

    def resume(self, spec: RunSpec, make: Callable[[RunSpec], ServerSide]) -> ServerSide | None:
        """The run where it was, put into a new one; None if it has to begin."""

    def keep(self, run: ServerSide) -> None:
        """Called between arrivals."""


def train(
    spec: RunSpec,
    progress: Progress | None = None,
    keeper: Keeper | None = None,
    make: Callable[[RunSpec], ServerSide] | None = None,
) -> Result:
    """Train to the end that the spec sets (:meth:`ServerSide.advance`), or until the run diverges.

    Args:
        progress: called a few times a second with env_steps_total, env_steps_budget and eval_return_mean (of the
            last point that is evaluated: they wait for each other, up to EVALUATE_EVERY_S).
        keeper: what to begin from, if not from nothing, and who is told after every arrival.
        make: the run, not begun; none means a simulated one.
    """
    if make is None:
        if spec.engine is not None:
            raise ValueError("engine: a run by the wall clock cannot be simulated; frl.engines makes it")
        make = Training
    run = keeper.resume(spec, make) if keeper is not None else None
    if run is None:
        run = make(spec)
        run.begin()
    shown = time.monotonic()
    while not run.finished:
        run.advance()
        if keeper is not None and not run.finished:
            keeper.keep(run)
        if progress is not None and (run.finished or time.monotonic() - shown > 0.5):
            shown = time.monotonic()
            progress(run.progress())
    return result_of(run)


class Training(ServerSide):
    """The whole state of a simulated run between two arrivals: all agents in this process, and the simulated clock."""

    def __init__(self, spec: RunSpec):
        super().__init__(spec)
        self.clock = Clock(spec)
        self.agents = Agents(spec, self.policy)
        self._works: dict[int, Work] = {}  # by agent: answer computed, not arrived

    @property
    def now(self) -> float:
        """Simulated seconds."""
        return self.clock.now

    def _dispatch(self, tasks: list[Task]) -> None:
        for task in tasks:
            sent = self._outgoing(task)
            self.clock.dispatch(sent.agent, sent.nbytes)
            self.agents.begin(sent)

    def _next(self) -> Work:
        """The answer that arrives next. Agents are kept busy until it is certain which: no bit depends on how long."""
        while not self.clock.decided(self.agents.at_least):
            for work in self.agents.advance():
                self._works[work.update.agent] = work
                self.clock.answer(work.update.agent, work.env_steps, work.update.nbytes)
        return self._works.pop(self.clock.receive())

    def saved(self) -> dict[str, Any]:
        """Clock, agents, and answers that have not arrived."""
        clock = {name: vars(self.clock)[name] for name in ("now", "_queue", "_open", "_sent", "_streams")}
        return {"works": self._works, "clock": clock, **self.agents.save()}

    def resume(self, saved: dict[str, Any]) -> None:
        """Go on from a saved moment, byte for byte."""
        self._works = saved["works"]
        vars(self.clock).update(saved["clock"])
        self.agents.restore(saved)
