"""Evaluations in a process of their own on the server's machine, so that no answer waits for them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from typing import Any

from frl.engines.links import TRIES, Connect, EngineError, Link, started
from frl.engines.worker import EVALUATION
from frl.spec import RunSpec
from frl.training.checkpoint import pack, unpack
from frl.training.evaluation import Point

Waiting = list[tuple[dict[str, object], Point]]
"""Rows without their evaluations, and the points that they are of."""


class Evaluations:
    """Those under way, in their order.

    Args:
        spec: the run.
        connect: starts what evaluates.
    """

    def __init__(self, spec: RunSpec, connect: Connect):
        self.spec, self.connect = spec, connect
        self._link: Link | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(1)
        self._under_way: list[tuple[Future[Any], Waiting]] = []

    def submit(self, waiting: Waiting) -> None:
        """Evaluate these, too."""
        points = [{each.name: getattr(point, each.name) for each in fields(point)} for _, point in waiting]
        self._under_way.append((self._thread.submit(self._play, pack(points)), waiting))

    def fill_in(self, wait: bool) -> int:
        """Fill in the evaluations that are there, or wait for all; the environment steps that they took."""
        env_steps = 0
        while self._under_way and (wait or self._under_way[0][0].done()):
            done, waiting = self._under_way.pop(0)
            answer = done.result()
            for (row, _), result in zip(waiting, answer["rows"], strict=True):
                row.update(result)
            env_steps += answer["env_steps"]
        return env_steps

    def under_way(self) -> Waiting:
        """The rows that are not filled in."""
        return [one for _, waiting in self._under_way for one in waiting]

    def close(self) -> None:
        """End the process, whatever it does."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._link is not None:
            self._link.stop()

    def _play(self, message: bytes) -> Any:
        """The answer; a process that died is started again."""
        for _ in range(TRIES):
            if self._closed:
                break
            with suppress(EOFError, OSError):
                if self._link is None:
                    self._link = started(self.connect, self.spec, EVALUATION, "what evaluates")[0]
                return unpack(self._link.ask(message))
            self._link = None
        raise EngineError("the process that evaluates dies again and again")
