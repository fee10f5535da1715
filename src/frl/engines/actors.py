"""Agents as actors of Ray, on this machine or on the nodes of a cluster.

Without $RAY_ADDRESS a Ray of the run's own is started, which listens on loopback alone and asks for a token that only
this process and its children know. With it the run joins the cluster there, whose token $RAY_AUTH_TOKEN or Ray's file
holds.
"""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from frl.engines.links import Connect, EngineError
from frl.engines.worker import answering
from frl.errors import SpecError
from frl.spec import RunSpec

LOOPBACK = "127.0.0.1"
STORE_BYTES = 200 * 2**20
"""Shared memory of a Ray of one's own; messages are small."""


class Agent:
    """What an actor is; `ask` is all that it does."""

    def __init__(self, settings: str, index: int):
        self.answer = answering(settings, index)

    def ask(self, message: bytes) -> bytes:
        """The agent's answer."""
        return self.answer(message, time.sleep)


class Actor:
    """The link to one actor. Actors are spread over the nodes, and claim no core: paced ones sleep most of the time."""

    def __init__(self, spec: RunSpec, agent: int):
        import ray

        options = {"num_cpus": 0, "max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
        make: Any = ray.remote(**options)(Agent)
        self.actor = make.remote(spec.to_json(), agent)

    def ask(self, message: bytes) -> bytes:
        """The actor's answer.

        Raises:
            ray.exceptions.RayError: if the actor is gone.
        """
        import ray

        answer: bytes = ray.get(self.actor.ask.remote(message))
        return answer

    def stop(self) -> None:
        """End the actor, whatever it does."""
        import ray

        ray.kill(self.actor)


@contextmanager
def connecting() -> Iterator[Connect]:
    """What starts an agent's actor, while there is a Ray.

    Raises:
        SpecError: if Ray is not installed.
        OSError: if there is none at $RAY_ADDRESS, or one's own would listen beyond loopback.
    """
    address = os.environ.get("RAY_ADDRESS", "local")
    environment = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
    if address == "local":
        # the second is how Ray is told, on any system, that there will be no other machine
        environment |= {"RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        told = "engine.kind = 'ray': Ray is not installed; pip install -e '.[ray]' -c requirements.lock"
        raise SpecError(told) from None
    own = {"include_dashboard": False, "_node_ip_address": LOOPBACK, "object_store_memory": STORE_BYTES}
    with _handlers_kept():
        ray.init(address, log_to_driver=False, logging_level="error", **(own if address == "local" else {}))
    try:
        if address == "local" and (where := ray.util.get_node_ip_address()) != LOOPBACK:
            raise EngineError(f"Ray would listen on {where}, as it was imported before with other settings")
        yield Actor
    finally:
        with _handlers_kept():
            ray.shutdown()


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray sets a handler of its own for SIGTERM, at which a run writes its checkpoint."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
