"""Checkpoints of a run under way: when they are written, where, and what happens when the process is told to stop.

``<results>/.checkpoints/<digest>.npz`` is no output of the workflow, which would delete it before a retry. It is
replaced atomically and removed when the run is in the store.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from frl.engines.links import EngineError
from frl.runs.files import write_atomically
from frl.runs.keeping import Keeping
from frl.spec import RunSpec
from frl.training import checkpoint
from frl.training.checkpoint import CheckpointError
from frl.training.loop import Training
from frl.training.numerics import arithmetic
from frl.training.server_side import ServerSide

STOPPING = (signal.SIGTERM, signal.SIGINT)
"""Signals at which a run writes its checkpoint and ends, with the shell's exit code 128 + signal: 143, 130 (Ctrl-C)."""


class Keeper(Keeping):
    """Keeps one run's checkpoint.

    Args:
        results: the results folder.
        digest: what the run's numbers depend on; names the file, and only a checkpoint that states it is used.
        every_s: wall seconds between checkpoints.
    """

    def __init__(self, results: Path, digest: str, every_s: float):
        super().__init__(results, digest, arithmetic())
        self.every_s = every_s
        self._stop = 0  # the signal, once one has come
        self._saved = self._began

    def resume(self, spec: RunSpec, make: Callable[[RunSpec], ServerSide] = Training) -> ServerSide | None:
        """The run at its last checkpoint, put into a new one; None if there is none that can be used.

        Raises:
            EngineError: if the agents cannot be started; the checkpoint stays.
        """
        try:
            facts, state = checkpoint.read(self.path.read_bytes())
            for name, here in {"digest": self.digest, **self.arithmetic}.items():
                if facts[name] != here:
                    raise CheckpointError(f"it was made with another {name}: {facts[name]}, here {here}")
            training = make(spec)
            checkpoint.restore(training, state)
            self._before = {name: facts[name] for name in self._before}
            self.resumed, self.started = facts["resumed"] + 1, facts["started"]
        except FileNotFoundError:
            return None
        except EngineError:
            raise
        except Exception as error:  # whatever is wrong with it, the run itself can be made
            reason = str(error) if isinstance(error, CheckpointError) else f"{type(error).__name__}: {error}"
            print(f"frl: {self.path} cannot be used: {reason}; the run starts over", file=sys.stderr)
            self.remove()
            return None
        self.resumed_at = training.recorder.env_steps_total
        print(f"frl: resumed at {self.resumed_at:,} steps from {self.path}", file=sys.stderr)
        return training

    def keep(self, training: ServerSide) -> None:
        """Write a checkpoint if one is due. That it cannot be written is no reason to stop.

        Raises:
            SystemExit: if the process was told to stop; after the checkpoint.
        """
        if not self._stop and time.perf_counter() - self._saved < self.every_s:
            return
        facts: dict[str, Any] = {"digest": self.digest, "resumed": self.resumed, "started": self.started}
        try:
            write_atomically(self.path, checkpoint.save(training, {**facts, **self.arithmetic, **self.spent()}))
            kept = f"{self.path} holds the state, the next start goes on from it"
        except Exception as error:  # a full disk, no memory, a server with an attribute that cannot be saved
            cause: BaseException = error
            while cause.__context__ is not None:  # what came first; closing a file that could not be written fails too
                cause = cause.__context__
            kept = f"no checkpoint could be written ({type(cause).__name__}: {cause})"
            print(f"frl: {kept}", file=sys.stderr)
        self._saved = time.perf_counter()
        if self._stop:
            print(f"frl: stopped; {kept}", file=sys.stderr)
            raise SystemExit(128 + self._stop)

    @contextmanager
    def on_terminate(self) -> Iterator[None]:
        """While the context lasts, a signal of `STOPPING` asks for a checkpoint and does not kill (in the main thread).

        A second Ctrl-C does not wait for it.
        """

        def stop(number: int, frame: FrameType | None) -> None:
            if self._stop == signal.SIGINT == number:
                raise KeyboardInterrupt
            self._stop = number

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, stop) for number in STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
