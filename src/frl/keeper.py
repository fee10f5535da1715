"""Checkpoints of a run under way: when they are written, where, and what happens when the process is told to stop.

``<results>/.checkpoints/<digest>.npz`` is no output of the workflow, which would delete it before a retry. It is
replaced atomically and removed when the run is in the store.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from frl.files import write_atomically
from frl.training import checkpoint
from frl.training.loop import Training

STOPPED = 143
"""Exit code of a run that was told to stop (SIGTERM) and has written its checkpoint; as the shell's 128 + 15."""


class Keeper:
    """Keeps one run's checkpoint.

    Args:
        results: the results folder.
        digest: what the run's numbers depend on; names the file, and only a checkpoint that states it is used.
        every_s: wall seconds between checkpoints.
    """

    def __init__(self, results: Path, digest: str, every_s: float):
        self.path = results / ".checkpoints" / f"{digest}.npz"
        self.digest = digest
        self.every_s = every_s
        self.resumed = 0
        self._stop = False
        self._before = {"wall_time_s": 0.0, "cpu_time_s": 0.0}  # of the processes that worked on it before
        self._began = self._saved = time.perf_counter()
        self._cpu_began = time.process_time()

    def spent(self) -> dict[str, float]:
        """Wall and CPU seconds of this run so far, those before a resume included."""
        return {
            "wall_time_s": self._before["wall_time_s"] + time.perf_counter() - self._began,
            "cpu_time_s": self._before["cpu_time_s"] + time.process_time() - self._cpu_began,
        }

    def resume(self, training: Training) -> bool:
        """Bring `training` to the last checkpoint, if there is one that can be used."""
        try:
            facts, state = checkpoint.read(self.path.read_bytes())
            if facts.get("digest") != self.digest:
                raise checkpoint.CheckpointError("it was made by other settings or other code")
        except FileNotFoundError:
            return False
        except checkpoint.CheckpointError as error:
            print(f"frl: {self.path}: {error}; the run starts over", file=sys.stderr)
            self.path.unlink(missing_ok=True)
            return False
        checkpoint.restore(training, state)
        self._before = {name: facts[name] for name in self._before}
        self.resumed = facts["resumed"] + 1
        print(f"frl: resumed at {training.recorder.env_steps_total:,} steps from {self.path}", file=sys.stderr)
        return True

    def keep(self, training: Training) -> None:
        """Write a checkpoint if one is due.

        Raises:
            SystemExit: after the checkpoint, if the process was told to stop meanwhile.
        """
        if not self._stop and time.perf_counter() - self._saved < self.every_s:
            return
        facts = {"digest": self.digest, "resumed": self.resumed, **self.spent()}
        try:
            write_atomically(self.path, checkpoint.save(training, facts))
            kept = f"{self.path} holds the state, the next start goes on from it"
        except OSError as error:  # a full disk: the run itself may still come to its end
            kept = f"no checkpoint could be written ({error})"
            print(f"frl: {kept}", file=sys.stderr)
        self._saved = time.perf_counter()
        if self._stop:
            print(f"frl: stopped; {kept}", file=sys.stderr)
            raise SystemExit(STOPPED)

    def remove(self) -> None:
        """The run is finished and kept elsewhere."""
        self.path.unlink(missing_ok=True)

    @contextmanager
    def on_terminate(self) -> Iterator[None]:
        """While the context lasts, SIGTERM asks for a checkpoint instead of killing."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._stop = True

        before = signal.signal(signal.SIGTERM, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
