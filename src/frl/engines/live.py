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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TextIO

import numpy as np

from frl.engines import trace
from frl.engines.contract import NotFinite, Refused, check
from frl.engines.evaluations import Evaluations
from frl.engines.links import TRIES, Connect, EngineError, Link, greet, started
from frl.engines.trace import Arrival
from frl.spec import RunSpec
from frl.training.checkpoint import CheckpointError, pack, unpack
from frl.training.evaluation import Point
from frl.training.server_side import ServerSide
from frl.training.servers.base import CodedTask, Task
from frl.training.work import Work

WAKE_S = 0.2
"""How often the server looks up while nothing arrives."""


@dataclass
class Order:
    """A task that is not answered."""

    number: int
    task: Task | CodedTask
    tries: int = 0
    sent: float = field(default=0.0)
    """When it was sent last."""
    not_finite: bool = False
    """Whether an answer to it held a number that is not finite."""
    back: Link | None = None
    """Whose answer to it, or failure, came last."""


class Came(NamedTuple):
    """What came of a message."""

    seconds: float
    """When, by this process's clock."""
    agent: int
    link: Link
    content: bytes | Exception
    """The answer, or what tells that there will be none."""


class Live(ServerSide):
    """The server's process of a run by the wall clock; a context, at whose end all agents are stopped.

    Args:
        spec: the run.
        connect: starts an agent.
        connect_evaluation: starts what evaluates.
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
        self.connect, self.file, self.idle = connect, file, idle
        self.arrivals: list[Arrival] = []
        self.restarts = self.refused = 0
        self.arithmetic: list[Any] = []
        self._orders: dict[int, Order] = {}  # by agent
        self._sent = 0
        self._states: dict[int, np.ndarray[Any, Any]] = {}  # by agent: what it kept after its last answer
        self._links: dict[int, Link] = {}
        self._new: set[int] = set()  # agents whose links were not told yet where to begin
        self._inbox: queue.SimpleQueue[Came] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(2 * spec.n_agents + 1)
        self._evaluations = Evaluations(spec, connect_evaluation)
        self._began = 0.0

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *exception: object) -> None:
        self._evaluations.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for _ in range(2):  # the second time those that were still being started
            for link in list(self._links.values()):
                link.stop()
            self._threads.shutdown()

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
        list(self._threads.map(self._meet, range(self.spec.n_agents)))
        self._began = time.perf_counter() - self.now

    def _meet(self, agent: int) -> None:
        self._links[agent], arithmetic = started(self.connect, self.spec, agent, f"agent {agent}")
        self._note(arithmetic)

    def _note(self, arithmetic: Any) -> None:
        if arithmetic not in self.arithmetic:
            self.arithmetic.append(arithmetic)

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
        self._threads.submit(self._carry, agent, self._links[agent], order, message, anew)

    def _carry(self, agent: int, link: Link, order: Order, message: bytes, anew: bool) -> None:
        answer: bytes | Exception
        try:
            if anew:
                self._note(greet(link))
            answer = link.ask(message)
        except Exception as error:  # whatever tells that the agent is gone
            answer = error
        order.back = link
        self._inbox.put(Came(time.perf_counter(), agent, link, answer))

    def _next(self) -> Work:
        self.evaluator.env_steps += self._evaluations.fill_in(wait=False)
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
        agent = came.agent
        if self._links[agent] is not came.link:  # its successor has the task, and may not take another before
            if not isinstance(came.content, Exception):
                self._refuse(agent, "it is late, the agent was started again")
            return None
        if isinstance(came.content, Exception):
            self._again(agent, f"is gone ({type(came.content).__name__})", came.content)
            return None
        order = self._orders[agent]
        try:
            answer = unpack(came.content)
            work = check(answer, order.number, order.task, self)
        except NotFinite as error:
            self._refuse(agent, str(error))
            if not order.not_finite:
                order.not_finite = True
                self._again(agent, "sent a number that is not finite")
                return None
            work = error.work  # twice the same: the run diverges, and its status will say so
        except (Refused, CheckpointError) as error:
            self._refuse(agent, str(error))
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
            if order.sent < late and order.back is not self._links[agent]:  # else the server is late, not the agent
                self._again(agent, f"did not answer for {self.settings.timeout_s:g} s")

    # ----------------------------------------------------------------------------------------------
    # Evaluations, for which the run itself waits with stop_at

    def _evaluate(self) -> None:
        if self.spec.stop_at is not None:
            super()._evaluate()
            return
        if self._unevaluated:
            self._evaluations.submit(self._unevaluated)
        self._unevaluated, self._evaluated = [], time.monotonic()
        self.evaluator.env_steps += self._evaluations.fill_in(wait=self.finished)

    def unevaluated(self) -> list[tuple[dict[str, object], Point]]:
        """The rows whose evaluations are not there yet, with their points."""
        return self._evaluations.under_way() + self._unevaluated

    # ----------------------------------------------------------------------------------------------
    # Killed and resumed

    def saved(self) -> dict[str, Any]:
        """Tasks in flight, what each agent kept after its last answer, the trace, and what was noted on the way."""
        return {
            "orders": [(order.number, order.task) for order in self._orders.values()],
            "sent": self._sent,
            "states": self._states,
            "arrivals": trace.to_text(self.arrivals),
            "counts": (self.restarts, self.refused),
            "arithmetic": self.arithmetic,
        }

    def resume(self, saved: dict[str, Any]) -> None:
        """Start the agents where they were, and send the tasks that were in flight again."""
        self._orders = {task.agent: Order(number, task) for number, task in saved["orders"]}
        self._sent, self._states = saved["sent"], saved["states"]
        self.arrivals = trace.from_text(saved["arrivals"])
        self.restarts, self.refused = saved["counts"]
        self.arithmetic = saved["arithmetic"]
        self._start()
        for agent in self._orders:
            self._send(agent)
