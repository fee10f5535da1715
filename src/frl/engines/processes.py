"""Agents as processes of this machine, each at the end of a pipe: nothing listens on a network."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

from frl.engines.worker import answering
from frl.spec import RunSpec

CONTEXT = multiprocessing.get_context("forkserver")
"""A server of forks has the modules loaded already, so that an agent starts in no time and shares their memory."""
CONTEXT.set_forkserver_preload(["frl.engines.worker"])


class Process:
    """The link to one agent's process."""

    def __init__(self, spec: RunSpec, agent: int):
        self.connection, end = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=serve, args=(end, spec.to_json(), agent), daemon=True)
        self.process.start()
        end.close()
        self._turn = threading.Lock()

    def ask(self, message: bytes) -> bytes:
        """The process's answer.

        Raises:
            EOFError, OSError: if the process is gone.
        """
        with self._turn:
            self.connection.send_bytes(message)
            return self.connection.recv_bytes()

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()


def serve(connection: Connection, settings: str, agent: int) -> None:
    """An agent's process: answers until the other end of the pipe is gone. Signals are the server's business."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    answer = answering(settings, agent)
    with suppress(EOFError, OSError):
        while True:
            connection.send_bytes(answer(connection.recv_bytes(), connection.poll))
