"""What is kept of a run beside its numbers: where its checkpoint lies, when it began, the time that it took."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from frl.runs.files import remove
from frl.runs.paths import TRACE_SUFFIX


class Keeping:
    """Of a job that is made in one go, such as a cell of the theory lab: there is no checkpoint, and a signal ends it.

    Args:
        results: the results folder.
        digest: what the run's numbers depend on; names the checkpoint, and the trace of a run by the wall clock.
        arithmetic: what the last digits of a run depend on beside code and settings.

    Attributes:
        resumed: how often the run was resumed.
        resumed_at: how far its checkpoint was, this time.
        started: when its first process began, ISO 8601.
    """

    def __init__(self, results: Path, digest: str, arithmetic: dict[str, Any]):
        self.path = results / ".checkpoints" / f"{digest}.npz"
        self.trace = self.path.with_suffix(TRACE_SUFFIX)
        self.digest = digest
        self.arithmetic = arithmetic
        self.resumed = self.resumed_at = 0
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self._before = {"wall_time_s": 0.0, "cpu_time_s": 0.0}  # of the processes that worked on it before
        self._began = time.perf_counter()
        self._cpu_began = time.process_time()

    def spent(self) -> dict[str, float]:
        """Wall and CPU seconds of this run so far, those before a resume included."""
        return {
            "wall_time_s": self._before["wall_time_s"] + time.perf_counter() - self._began,
            "cpu_time_s": self._before["cpu_time_s"] + time.process_time() - self._cpu_began,
        }

    def remove(self) -> None:
        """The run is finished and kept elsewhere, or the checkpoint is of no use."""
        remove(self.path)
        remove(self.trace)

    def on_terminate(self) -> AbstractContextManager[None]:
        """While the context lasts, a signal is treated as the job needs it."""
        return nullcontext()
