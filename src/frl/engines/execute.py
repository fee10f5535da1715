"""One run by the wall clock from its specification to its CSV and its trace."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from frl.engines import processes, trace
from frl.engines.links import Connect
from frl.engines.live import Live
from frl.spec import RunSpec
from frl.training import loop
from frl.training.execute import csv_bytes
from frl.training.loop import Keeper, Progress
from frl.training.server_side import Result, ServerSide


def connecting(spec: RunSpec) -> AbstractContextManager[Connect]:
    """What starts the agents of the run."""
    if spec.engine is not None and spec.engine.kind == "ray":
        from frl.engines import actors

        return actors.connecting()
    return nullcontext(processes.Process)


def execute(
    spec: RunSpec,
    path: Path,
    progress: Progress | None = None,
    keeper: Keeper | None = None,
    connect: Callable[[RunSpec], AbstractContextManager[Connect]] = connecting,
) -> tuple[bytes, Result, dict[str, Any]]:
    """Train `spec` with agents of their own, by the wall clock.

    Args:
        spec: the run, with an engine.
        path: where the trace is written, line by line.
        progress: see :func:`frl.training.loop.train`.
        keeper: see :func:`frl.training.loop.train`; told also while nothing arrives.
        connect: what starts agents.

    Returns:
        The run's CSV, what the run was like, and facts for the meta file, with the trace.

    Raises:
        EngineError: if an agent cannot be started, or fails at the same task again and again.
    """

    def idle(run: ServerSide) -> None:
        if keeper is not None:
            keeper.keep(run)

    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack, threadpool_limits(1):
        file = stack.enter_context(path.open("w+", encoding="utf-8"))
        start = stack.enter_context(connect(spec))
        runs: list[Live] = []

        def make(spec: RunSpec) -> Live:
            runs.append(stack.enter_context(Live(spec, start, processes.Process, file, idle)))
            return runs[-1]

        result = loop.train(spec, progress, keeper, make)
    run = runs[-1]
    facts = {"restarts": run.restarts, "refused_answers": run.refused, "arithmetic": run.arithmetic}
    return csv_bytes(result.rows), result, {"engine": facts, "trace": trace.to_text(run.arrivals)}
