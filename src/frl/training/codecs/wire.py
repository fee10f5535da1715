"""Messages coded and decoded: gradients on the way up, parameters as differences on the way down; or fewer of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from frl.training.codecs.base import Compression, Shapes, layout
from frl.training.codecs.float16 import Float16
from frl.training.codecs.low_rank import LowRank
from frl.training.codecs.qsgd import QSGD
from frl.training.codecs.top_k import TopK
from frl.training.servers.base import Array, CodedTask, Settings, Task, Update

CODECS: tuple[type[Compression], ...] = (QSGD, TopK, LowRank, Float16)
CodecSpec = Annotated[QSGD.Settings | TopK.Settings | LowRank.Settings | Float16.Settings, Field(discriminator="name")]
Draws = Callable[..., np.random.Generator]
"""(agent, k') -> the stream of that message's own draws; (agent, k', number) for a further message of the same k'."""


class LocalSpec(Settings):
    """Local steps: the agent moves by its own gradient and samples again, several times before it uploads."""

    steps: Annotated[int, Field(ge=2, strict=True)]
    """H: an upload is the mean of H gradients, each at the next point; a task asks for H times the samples."""
    step_size: Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
    """Length of a local step, in multiples of the gradient."""


def _own(draws: Draws, message: Task | Update, memory: dict[str, Array]) -> np.random.Generator:
    """The stream of a message's own draws. The memory holds `sent`: the k' of its sender's last one, and how many."""
    step, count = memory.get("sent", (-1, 0))
    count = int(count) + 1 if step == message.step else 1
    memory["sent"] = np.array((message.step, count))
    return draws(message.agent, message.step, *([count - 1] if count > 1 else []))


def compression(settings: CodecSpec, shapes: Shapes) -> Compression:
    """The method of these settings."""
    (method,) = (each for each in CODECS if isinstance(settings, each.Settings))
    return method(settings, shapes)


class Uplink:
    """The gradient of an update, coded. What a biased method loses is added to the agent's next gradient.

    An update without gradient passes as it is.
    """

    def __init__(self, method: Compression, draws: Draws):
        self.method, self.draws, self.layout = method, draws, method.layout()

    def encode(self, update: Update, memory: dict[str, Array]) -> Update:
        """On the agent; its memory holds `lost`, and the method's own."""
        if update.gradient is None:
            return update
        wanted = update.gradient
        if not self.method.unbiased and "lost" in memory:
            wanted = wanted + memory["lost"]
        coded = self.method.compress(wanted, memory, _own(self.draws, update, memory))
        if not self.method.unbiased:
            memory["lost"] = wanted - self.method.expand(coded)
        return replace(update, gradient=None, coded=coded)

    def decode(self, update: Update) -> Update:
        """On the server.

        Raises:
            ValueError: if the arrays are not those of the method.
        """
        if update.coded is None:
            return update
        if type(update.coded) is not tuple or layout(update.coded) != self.layout:
            raise ValueError("they are not the arrays of the codec")
        return replace(update, gradient=self.method.expand(update.coded), coded=None)


class Downlink:
    """Parameters as the coded difference to what the agent holds; both sides add it up, so no error accumulates.

    The first task travels whole. The agent samples at the point that it holds: near theta~, and known to the server.

    Attributes:
        held: agent -> the point that it holds, as the server knows it.
        memories: agent -> what the method remembers of the messages to it.
    """

    def __init__(self, method: Compression, draws: Draws):
        self.method, self.draws = method, draws
        self.held: dict[int, Array] = {}
        self.memories: dict[int, dict[str, Array]] = {}

    def encode(self, task: Task) -> Task | CodedTask:
        """On the server: what travels."""
        held = self.held.get(task.agent)
        if held is None:
            self.held[task.agent] = task.parameters
            return task
        memory = self.memories.setdefault(task.agent, {})
        coded = self.method.compress(task.parameters - held, memory, _own(self.draws, task, memory))
        self.held[task.agent] = self._moved(held, coded)
        return CodedTask(task.agent, task.step, coded, task.normalizer)

    def decode(self, sent: Task | CodedTask, memory: dict[str, Array]) -> Task:
        """On the agent, whose memory has the point that it holds: the task at its new point."""
        if isinstance(sent, Task):
            memory["held"] = sent.parameters
            return sent
        memory["held"] = self._moved(memory["held"], sent.coded)
        return Task(sent.agent, sent.step, memory["held"], sent.normalizer)

    def _moved(self, held: Array, coded: tuple[Array, ...]) -> Array:
        moved: Array = held + held.dtype.type(self.method.gain) * self.method.expand(coded)
        return moved
