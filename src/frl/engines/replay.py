"""The simulated engine in the order of a trace: the same run, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence

from threadpoolctl import threadpool_limits

from frl.engines.trace import Arrival, TraceError
from frl.spec import RunSpec
from frl.training.execute import csv_bytes
from frl.training.loop import Progress, Training
from frl.training.server_side import Result, result_of
from frl.training.servers.base import Task
from frl.training.work import Work


class Replay(Training):
    """All agents in this process; who comes next, and when, is what the trace says."""

    def __init__(self, spec: RunSpec, arrivals: Sequence[Arrival]):
        super().__init__(spec)
        self._arrivals = list(arrivals)
        self._place = 0
        self._numbers: dict[int, int] = {}  # by agent, of its task
        self._sent = 0

    @property
    def now(self) -> float:
        """Wall seconds of the last arrival."""
        return self._arrivals[self._place - 1].wall_time_s if self._place else 0.0

    @property
    def ended(self) -> bool:
        """Whether the trace is at its end: of a run that was killed it ends before the run."""
        return self.finished or self._place == len(self._arrivals)

    def _dispatch(self, tasks: list[Task]) -> None:
        super()._dispatch(tasks)
        for task in tasks:
            self._numbers[task.agent] = self._sent
            self._sent += 1

    def _next(self) -> Work:
        arrival = self._arrivals[self._place]
        self._place += 1
        if self._numbers.pop(arrival.agent, None) != arrival.task:
            raise TraceError(f"arrival {self._place}: agent {arrival.agent} had no task {arrival.task} to answer")
        while arrival.agent not in self._works:
            self._works |= {work.update.agent: work for work in self.agents.advance()}
        work = self._works.pop(arrival.agent)
        if work.update.step != arrival.step:
            raise TraceError(f"arrival {self._place}: k' is {arrival.step}, and {work.update.step} when replayed")
        return work


def replay(spec: RunSpec, arrivals: Sequence[Arrival], progress: Progress | None = None) -> tuple[bytes, Result]:
    """The run of a trace, or as much of it as the trace holds; what the trace holds beyond the run's end is not read.

    Args:
        spec: the run's settings.
        arrivals: its trace.
        progress: see :func:`frl.training.loop.train`.

    Returns:
        Its CSV, byte for byte what the run wrote if that came to its end, and what the run was like.

    Raises:
        TraceError: if the trace is not one of this run.
    """
    with threadpool_limits(1):
        run = Replay(spec, arrivals)
        run.begin()
        while not run.ended:
            run.advance()
            if progress is not None:
                progress(run.progress())
        run._evaluate()
    return csv_bytes(run.recorder.rows), result_of(run)
