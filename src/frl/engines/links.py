"""What an engine offers: links to agents, each somewhere else, that may be lost at any moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from frl.engines.worker import facts
from frl.spec import RunSpec
from frl.training.checkpoint import pack, unpack

TRIES = 5
"""How often an agent is started, or a task is sent, before the run gives up."""


class EngineError(OSError):
    """A run that cannot go on with the agents that there are; the message says why."""


class Link(Protocol):
    """One agent, somewhere."""

    def ask(self, message: bytes) -> bytes:
        """Its answer to a message; one at a time. Raises whatever tells that the agent is gone."""

    def stop(self) -> None:
        """End it, whatever it does; an `ask` under way raises."""


Connect = Callable[[RunSpec, int], Link]
"""Starts an agent, or with :data:`frl.engines.worker.EVALUATION` what evaluates."""


def greet(link: Link) -> Any:
    """Wait until the agent is there; how its machine rounds.

    Raises:
        EngineError: if it runs other code.
    """
    theirs, ours = unpack(link.ask(pack(None))), facts()
    if theirs["code"] != ours["code"]:
        raise EngineError(f"an agent has {theirs['code']}, the server {ours['code']}")
    return theirs["arithmetic"]


def started(connect: Connect, spec: RunSpec, index: int, name: str) -> tuple[Link, Any]:
    """A link to an agent that is there, and how its machine rounds.

    Raises:
        EngineError: if it dies again and again, or runs other code.
    """
    for _ in range(TRIES):
        link = connect(spec, index)
        try:
            return link, greet(link)
        except EngineError:
            link.stop()
            raise
        except Exception as error:  # whatever tells that it is gone
            cause = f"{type(error).__name__}: {error}"
            link.stop()
    raise EngineError(f"{name} could not be started ({cause})")
