"""What a process of a run by the wall clock does: an agent answers tasks, the evaluation plays policies.

Messages are bytes that hold plain values and arrays and nothing executable (:func:`frl.training.checkpoint.pack`).
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from frl.spec import RunSpec
from frl.training import kept
from frl.training.agents import Agents
from frl.training.checkpoint import pack, unpack
from frl.training.clock import Clock
from frl.training.evaluation import Evaluator, Point
from frl.training.numerics import NUMERICS_VERSION, arithmetic

EVALUATION = -1
"""In the place of an agent's index: the process that evaluates."""

Wait = Callable[[float], object]
Answer = Callable[[bytes, Wait], bytes]
"""Message and what waits so many seconds -> answer."""


@functools.cache
def facts() -> dict[str, Any]:
    """What has to be the same in all processes of a run (`code`), and what should be (`arithmetic`)."""
    names = ("numpy", "mujoco", "gymnasium")
    versions = {name: importlib.metadata.version(name).split("+")[0] for name in names}
    return {"code": {"numerics_version": NUMERICS_VERSION, **versions}, "arithmetic": arithmetic()}


def answering(settings: str, index: int) -> Answer:
    """What answers the messages to an agent, or with `EVALUATION` those to the evaluation.

    Args:
        settings: the run's :meth:`RunSpec.to_json`.
        index: of the agent.
    """
    spec = RunSpec.model_validate(json.loads(settings))
    answer = Evaluation(spec).answer if index == EVALUATION else OneAgent(spec, index).answer

    def answer_on_one_thread(message: bytes, wait: Wait) -> bytes:
        order = unpack(message)
        with threadpool_limits(1), np.errstate(over="ignore", invalid="ignore"):
            return pack(facts() if order is None else answer(order, wait))

    return answer_on_one_thread


class OneAgent:
    """An agent with its own lanes only.

    With every answer goes all that it keeps, for the server to begin from should the process die.
    """

    def __init__(self, spec: RunSpec, index: int):
        self.spec, self.index = spec, index
        self.agents = Agents(spec, kept.make_policy(spec), only=[index])
        self.clock = Clock(spec)

    def answer(self, order: Any, wait: Wait) -> dict[str, Any]:
        """The answer to a task; if the agent is paced, when its time is over."""
        began = time.perf_counter()
        if order["state"] is not None:
            state = unpack(order["state"].tobytes())
            self.agents.restore(state["agents"])
            self.clock = Clock(self.spec)
            self.clock._streams = state["streams"]
        task = order["task"]
        (work,) = self.agents.work([task])
        seconds = self._seconds(work.env_steps, task.nbytes, work.update.nbytes)
        state = {"agents": self.agents.save(), "streams": self.clock._streams}
        answer = {"number": order["number"], "work": work, "state": np.frombuffer(pack(state), np.uint8)}
        if (rest := began + seconds - time.perf_counter()) > 0:
            wait(rest)
        return answer

    def _seconds(self, env_steps: int, downlink_bytes: int, uplink_bytes: int) -> float:
        """What the task takes by the simulated clock."""
        if self.spec.engine is None or not self.spec.engine.paced:
            return 0.0
        before = self.clock.now
        self.clock.send(self.index, env_steps, downlink_bytes, uplink_bytes)
        self.clock.receive()
        return self.clock.now - before


class Evaluation:
    """Plays the server's policies."""

    def __init__(self, spec: RunSpec):
        self.evaluator = Evaluator(spec, kept.make_policy(spec))

    def answer(self, points: list[dict[str, Any]], wait: Wait) -> dict[str, Any]:
        """Evaluation columns of each point, and the environment steps that this took."""
        del wait
        before = self.evaluator.env_steps
        rows = self.evaluator.evaluate([Point(**point) for point in points])
        return {"rows": rows, "env_steps": self.evaluator.env_steps - before}
