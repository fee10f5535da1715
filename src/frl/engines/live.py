"""A run by the wall clock: the unmodified server, and agents each at the end of a link.

A link may be a process or an actor of Ray. What it loses is sent again: every answer brings what its agent keeps, so an
agent that died is started from its last answer, and the answer to a task is the same whoever computes it. The order in
which answers were taken is the run's trace.
"""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Protocol, TextIO

import numpy as np

from frl.engines import trace
from frl.engines.contract import NotFinite, Refused, check
from frl.engines.trace import Arrival
from frl.engines.worker import EVALUATION, facts
from frl.spec import RunSpec
from frl.training.checkpoint import CheckpointError, pack, unpack
from frl.training.evaluation import Point
from frl.training.server_side import ServerSide
from frl.training.servers.base import CodedTask, Task
from frl.training.work import Work

TRIES = 5
"""How often a task is sent before the run gives up."""
WAKE_S = 0.2
"""How often the server looks up while nothing arrives."""


class EngineError(OSError):
    """A run that cannot go on with the agents that there are; the message says why."""


class Link(Protocol):
    """One agent, somewhere."""

    def ask(self, message: bytes) -> bytes:
        """Its answer to a message; one at a time. Raises whatever tells that the agent is gone."""

    def stop(self) -> None:
        """End it, whatever it does; an `ask` under way raises."""


Connect = Callable[[RunSpec, int], Link]
"""Starts an agent, or with `EVALUATION` the evaluation."""


@dataclass
class Order:
    """A task that is not answered."""

    number: int
    task: Task | CodedTask
    tries: int = 0
    sent: float = field(default=0.0)
    """When it was sent last."""


class Came(NamedTuple):
    """What came of a message."""

    seconds: float
    """When, by this process's clock."""
    agent: int
    link: Link
    number: int
    """Of the task that was sent."""
    content: bytes | Exception
    """The answer, or what tells that there will be none."""


class Live(ServerSide):
    """The server's process of a run by the wall clock; a context, at whose end all agents are stopped.

    Args:
        spec: the run.
        connect: starts an agent.
        connect_evaluation: starts the evaluation, which has a process of its own on the server's machine.
        file: where the trace is written; emptied first.
        idle: called now and then while nothing arrives.

    Attributes:
        arrivals: the trace.
        restarts: how often an agent was started again.
        refused: how many answers were refused.
        arithmetic: how the agents' machines round.
    """

    def __init__(
        self,
        spec: RunSpec,
        connect: Connect,
        connect_evaluation: Connect,
        file: TextIO,
        idle: Callable[[ServerSide], object] = lambda run: None,
    ):
        super().__init__(spec)
        assert spec.engine is not None
        self.settings = spec.engine
        self.connect, self.connect_evaluation = connect, connect_evaluation
        self.file, self.idle = file, idle
        self.arrivals: list[Arrival] = []
        self.restarts = self.refused = 0
        self.arithmetic: list[Any] = []
        self._facts = facts()
        self._orders: dict[int, Order] = {}  # by agent
        self._sent = 0
        self._states: dict[int, np.ndarray[Any, Any]] = {}  # by agent: what it kept after its last answer
        self._links: dict[int, Link] = {}
        self._new: set[int] = set()  # agents whose links were not told yet where to begin
        self._closed = False
        self._inbox: queue.SimpleQueue[Came] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(2 * spec.n_agents + 1)
        self._evaluations: list[tuple[Future[Any], list[tuple[dict[str, object], Point]]]] = []
        self._began = 0.0

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for link in self._links.values():
            link.stop()

    # ----------------------------------------------------------------------------------------------
    # The engine

    @property
    def now(self) -> float:
        """Wall seconds of the last arrival."""
        return self.arrivals[-1].wall_time_s if self.arrivals else 0.0

    def begin(self) -> None:
        """Start the agents, then the clock."""
        self._start()
        super().begin()

    def _start(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.file.write(trace.first_line(self.spec) + trace.to_text(self.arrivals))
        self.file.flush()
        self._new = set(range(self.spec.n_agents))
        list(self._threads.map(self._meet, (*range(self.spec.n_agents), EVALUATION)))
        self._began = time.perf_counter() - self.now

    def _meet(self, agent: int) -> None:
        """Start an agent, or the evaluation, and wait until it is there.

        Raises:
            EngineError: if it dies again and again, or runs other code.
        """
        for _ in range(TRIES):
            link = (self.connect_evaluation if agent == EVALUATION else self.connect)(self.spec, agent)
            self._links[agent] = link
            try:
                self._greet(link)
                return
            except EngineError:
                raise
            except Exception as error:  # whatever tells that it is gone
                cause = f"{type(error).__name__}: {error}"
                link.stop()
            if self._closed:
                break
        name = "the evaluation" if agent == EVALUATION else f"agent {agent}"
        raise EngineError(f"{name} could not be started ({cause})")

    def _greet(self, link: Link) -> None:
        """Wait until it is there.

        Raises:
            EngineError: if it runs other code.
        """
        theirs = unpack(link.ask(pack(None)))
        if theirs["code"] != self._facts["code"]:
            raise EngineError(f"an agent has {theirs['code']}, the server {self._facts['code']}")
        if theirs["arithmetic"] not in self.arithmetic:
            self.arithmetic.append(theirs["arithmetic"])

    def _dispatch(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._orders[task.agent] = Order(self._sent, self._outgoing(task))
            self._sent += 1
            self._send(task.agent)

    def _send(self, agent: int, anew: bool = False) -> None:
        order = self._orders[agent]
        order.tries += 1
        order.sent = time.monotonic()
        state = self._states.get(agent) if agent in self._new else None
        self._new.discard(agent)
        message = pack({"number": order.number, "task": order.task, "state": state})
        self._threads.submit(self._carry, agent, self._links[agent], order.number, message, anew)

    def _carry(self, agent: int, link: Link, number: int, message: bytes, anew: bool) -> None:
        answer: bytes | Exception
        try:
            if anew:
                self._greet(link)
            answer = link.ask(message)
        except Exception as error:  # whatever tells that the agent is gone
            answer = error
        self._inbox.put(Came(time.perf_counter(), agent, link, number, answer))

    def _next(self) -> Work:
        self._fill_in(wait=False)
        while True:
            try:
                work = self._taken(self._inbox.get(timeout=WAKE_S))
            except queue.Empty:
                self.idle(self)
                work = None
            self._restart_what_hangs()
            if work is not None:
                return work

    def _taken(self, came: Came) -> Work | None:
        """The work of an answer that is taken, and noted in the trace; None if it is refused or the agent is gone."""
        agent, order = came.agent, self._orders.get(came.agent)
        if order is None or came.number != order.number:
            if not isinstance(came.content, Exception):
                self._refuse(agent, f"task {came.number} was answered before")
            return None
        current = self._links[agent] is came.link
        if isinstance(came.content, Exception):
            if current:
                self._again(agent, f"is gone ({type(came.content).__name__})", came.content)
            return None
        try:
            answer = unpack(came.content)
            work = check(answer, order.number, order.task, self)
        except NotFinite as error:
            self._refuse(agent, str(error))
            if order.tries < 2:
                self._again(agent, "sent a number that is not finite")
                return None
            work = error.work  # twice the same: the run diverges, and its status will say so
        except (Refused, CheckpointError) as error:
            self._refuse(agent, str(error))
            if current:
                self._again(agent, "answered with something else")
            return None
        self._states[agent] = answer["state"]
        del self._orders[agent]
        arrival = Arrival(agent, order.task.step, order.number, max(came.seconds - self._began, self.now))
        self.arrivals.append(arrival)
        self.file.write(arrival.line())
        self.file.flush()
        return work

    def _refuse(self, agent: int, why: str) -> None:
        self.refused += 1
        print(f"frl: an answer of agent {agent} is refused: {why}", file=sys.stderr)

    def _again(self, agent: int, why: str, cause: Exception | None = None) -> None:
        """Start the agent where its last answer left it, and send its task again.

        Raises:
            EngineError: if that was tried often enough, or is of no use.
        """
        order = self._orders[agent]
        if isinstance(cause, EngineError):
            raise cause
        if order.tries >= TRIES:
            raise EngineError(f"agent {agent} {why}; task {order.number} was sent {order.tries} times")
        print(f"frl: agent {agent} {why}; it is started again", file=sys.stderr)
        self.restarts += 1
        self._links[agent].stop()
        self._links[agent] = self.connect(self.spec, agent)
        self._new.add(agent)
        self._send(agent, anew=True)

    def _restart_what_hangs(self) -> None:
        late = time.monotonic() - self.settings.timeout_s
        for agent, order in list(self._orders.items()):
            if order.sent < late:
                self._again(agent, f"did not answer for {self.settings.timeout_s:g} s")

    # ----------------------------------------------------------------------------------------------
    # Evaluations: in a process of their own, so that no answer waits for them; with stop_at the run itself waits

    def _evaluate(self) -> None:
        if self.spec.stop_at is not None:
            super()._evaluate()
            return
        points = [{each.name: getattr(point, each.name) for each in fields(point)} for _, point in self._unevaluated]
        self._evaluations.append((self._threads.submit(self._play, pack(points)), self._unevaluated))
        self._unevaluated, self._evaluated = [], time.monotonic()
        self._fill_in(wait=self.finished)

    def _fill_in(self, wait: bool) -> None:
        """Fill in the evaluations that are there."""
        while self._evaluations and (wait or self._evaluations[0][0].done()):
            done, waiting = self._evaluations.pop(0)
            answer = done.result()
            for (row, _), result in zip(waiting, answer["rows"], strict=True):
                row.update(result)
            self.evaluator.env_steps += answer["env_steps"]

    def _play(self, message: bytes) -> Any:
        """The evaluation's answer; a process that died is started again."""
        for _ in range(TRIES):
            with suppress(EOFError, OSError):
                return unpack(self._links[EVALUATION].ask(message))
            if self._closed:
                break
            self._links[EVALUATION].stop()
            self._meet(EVALUATION)
        raise EngineError("the process that evaluates dies again and again")

    def unevaluated(self) -> list[tuple[dict[str, object], Point]]:
        """The rows whose evaluations are not there yet, with their points."""
        return [one for _, waiting in self._evaluations for one in waiting] + self._unevaluated

    # ----------------------------------------------------------------------------------------------
    # Killed and resumed

    def saved(self) -> dict[str, Any]:
        """Tasks in flight, what each agent kept after its last answer, and the trace."""
        return {
            "orders": [(order.number, order.task) for order in self._orders.values()],
            "sent": self._sent,
            "states": self._states,
            "arrivals": trace.to_text(self.arrivals),
            "counts": (self.restarts, self.refused),
        }

    def resume(self, saved: dict[str, Any]) -> None:
        """Start the agents where they were, and send the tasks that were in flight again."""
        self._orders = {task.agent: Order(number, task) for number, task in saved["orders"]}
        self._sent, self._states = saved["sent"], saved["states"]
        self.arrivals = trace.from_text(saved["arrivals"])
        self.restarts, self.refused = saved["counts"]
        self._start()
        for agent in self._orders:
            self._send(agent)
