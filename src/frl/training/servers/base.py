"""The contract between a server and its agents: two messages and two methods.

A server has :meth:`Server.start` and :meth:`Server.receive`, both returning the tasks to send out, and nothing
else: no clock, no sockets, no sampling. Time and transport belong to the caller, so an algorithm reads like its
box in the paper and can be tested on a quadratic.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Array = NDArray[Any]


class Settings(BaseModel):
    """Base of every settings model: frozen, unknown keys and non-finite numbers refused, help under a field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    def given(self) -> dict[str, Any]:
        """Every setting as JSON values, but for those that are empty unless given, and were not."""
        values = self.model_dump(mode="json")
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Settings):
                values[name] = value.given()
            elif value is None and field.default is None:
                del values[name]
        return values


class ServerSettings(Settings):
    """Base of an algorithm's own settings."""


class Message:
    """What crosses between server and agent; its size is that of its arrays and counters."""

    @property
    def nbytes(self) -> int:
        """Bytes on the wire: the arrays in their own dtype, 8 for each counter, nothing for an absent field."""
        return sum(_nbytes(getattr(self, field.name)) for field in fields(self))  # type: ignore[arg-type, misc]


def _nbytes(value: int | Array | tuple[Array, ...] | None) -> int:
    if value is None:
        return 0
    if isinstance(value, tuple):
        return sum(array.nbytes for array in value)
    return 8 if isinstance(value, int) else value.nbytes


@dataclass(frozen=True)
class Task(Message):
    """Server to agent: sample at these parameters. Snapshots, never views of the server's state."""

    agent: int
    """Index of the agent, 0..N-1."""
    step: int
    """k', the server step at which the task was sent."""
    parameters: Array
    """theta~, shape (d,): the point at which to sample and differentiate."""
    normalizer: Array | None = None
    """Sums over all observations so far, shape (1 + 2 O,): count, sum, sum of squares; if federated."""


@dataclass(frozen=True)
class CodedTask(Message):
    """A task on its way to an agent that holds an earlier point: how to move it, in place of the parameters."""

    agent: int
    step: int
    coded: tuple[Array, ...]
    """What a codec made of theta~ less the point that the agent holds, each array in the dtype that travels."""
    normalizer: Array | None = None


@dataclass(frozen=True)
class Update(Message):
    """Agent to server: all that may leave an agent. No observation, action, reward or trajectory is among it."""

    agent: int
    """Index of the agent."""
    step: int
    """k' of the task that this answers."""
    gradient: Array | None
    """g, shape (d,): estimate of the gradient of J at the task's parameters (ascent direction); None: not uploaded."""
    normalizer: Array | None = None
    """Sums over this task's new observations only, shape (1 + 2 O,)."""
    coded: tuple[Array, ...] | None = None
    """What a codec put in the place of other fields, each array in the dtype that travels."""

    @property
    def nbytes(self) -> int:
        """As every message's; an update that carries nothing is one byte, a flag that says so."""
        if self.gradient is None and self.normalizer is None and self.coded is None:
            return 1
        return super().nbytes


class Codec(Protocol):
    """Compression of the uplink, one object for both sides. What each agent remembers is in its own memory."""

    def encode(self, update: Update, memory: dict[str, Array]) -> Update:
        """On the agent: the update that travels, with `coded` in place of the fields it codes."""

    def decode(self, update: Update) -> Update:
        """On the server, before the method sees it: the update without `coded`."""


@dataclass(frozen=True)
class Payload:
    """All of an update that an adversary may replace: not the agent, not the step, not what the run logs."""

    gradient: Array | None
    normalizer: Array | None


class Adversary(Protocol):
    """What malicious agents do; one object for all that collude, so it knows what they have seen and nothing else.

    An answer is forged when it arrives, in the order of simulated time: when it was computed decides nothing.
    """

    def rewards(self, reward_TB: Array) -> Array:
        """The rewards that the agent learns from, (T, B), in place of those it met."""

    def answer(self, agent: int, honest: Payload) -> Payload:
        """What the server reads instead of the agent's honest answer; fields that are None stay None."""


@dataclass(frozen=True)
class Sample:
    """What an agent has in hand when it has sampled; its side of the method decides what of it to upload."""

    task: Task
    gradient: Array
    """g, shape (d,): the policy gradient at the task's parameters."""
    variance: Callable[[], float]
    """Estimates E ||g - E g||^2, the noise of g, from the differences between the agent's lanes or episodes."""
    stream: np.random.Generator
    """Of this agent, for methods that draw."""
    n_agents: int
    """N."""
    fisher: Callable[[Array], Array] | None = None
    """v (d,) -> F v, with the policy's Fisher information F at the task's parameters, averaged over the batch."""


class SharedState:
    """The federated observation normaliser, kept by the server beside the policy's parameters.

    Args:
        normalizer: initial sums, shape (1 + 2 O,), or None.
        freeze_after: observation count after which the normaliser no longer changes; None means never.
    """

    def __init__(self, normalizer: Array | None = None, freeze_after: int | None = None):
        self.normalizer = normalizer
        self.freeze_after = freeze_after

    def absorb(self, update: Update) -> None:
        """Add an update's sums (exactly)."""
        if self.normalizer is not None and update.normalizer is not None and not self.frozen:
            self.normalizer = self.normalizer + update.normalizer

    @property
    def frozen(self) -> bool:
        """Whether the normaliser has seen all the observations it is to see."""
        return self.freeze_after is not None and self.normalizer is not None and self.normalizer[0] >= self.freeze_after


class Server(ABC):
    """State of one algorithm on the server.

    Args:
        parameters: theta_0, shape (d,); the server works in its dtype.
        n_agents: N.
        settings: an instance of the class's own `Settings`.
        shared: federated normaliser, if any.

    Attributes:
        parameters: theta_k, shape (d,): the policy that is evaluated.
        step: k, the number of server updates so far.
        direction_norm: norm of the last step's direction before normalisation; nan before the first.
    """

    Settings: ClassVar[type[ServerSettings]]
    lazy: ClassVar[bool] = False
    """Whether its agents may keep a gradient to themselves; the log then says who uploaded when."""
    synchronous: ClassVar[bool] = False
    """Whether it answers nobody before all N agents have answered, and then steps once."""
    every_upload_once: ClassVar[bool] = True
    """Whether each upload counts, and counts once; else no later upload can make up for what a codec lost of it."""

    def __init__(self, parameters: Array, n_agents: int, settings: Any, shared: SharedState | None = None):
        self.parameters = parameters.copy()
        self.n_agents = n_agents
        self.settings = settings
        self.shared = shared if shared is not None else SharedState()
        self.step = 0
        self.direction_norm = float("nan")

    def start(self) -> list[Task]:
        """Broadcast theta_0 to all N agents."""
        return [self.task(agent, self.parameters) for agent in range(self.n_agents)]

    @abstractmethod
    def receive(self, update: Update) -> list[Task]:
        """Take one agent's answer; return the tasks to send now (none while a round is incomplete)."""

    def task(self, agent: int, parameters: Array) -> Task:
        """A task for `agent` at `parameters`, stamped with the current step and the shared state.

        From now on these arrays are read-only: a server replaces its parameters, it does not change them in place.
        """
        for array in (parameters, self.shared.normalizer):
            if array is not None:
                array.flags.writeable = False
        return Task(agent, self.step, parameters, self.shared.normalizer)

    @classmethod
    def agent_gradient(cls, sample: Sample, memory: dict[str, Array], settings: Any) -> Array | None:
        """The agent's side of the method: what is uploaded for the gradient g that the agent computed.

        Most methods upload g itself; None uploads nothing. `memory` belongs to the agent and survives from task to
        task.
        """
        del memory, settings
        return sample.gradient


Schedule = Literal["constant", "global", "first_order"]
StepSize = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Momentum = Annotated[float, Field(gt=0, le=1)]

# Exponents (of alpha, of eta) in c * (2 / (k + 2))^p: rates K^-2/5 (global) and K^-2/7 (first order).
_EXPONENTS = {"constant": (0.0, 0.0), "global": (4 / 5, 1.0), "first_order": (4 / 7, 5 / 7)}


class MomentumSettings(ServerSettings):
    """Step sizes eta_k and momentum weights alpha_k of the normalised momentum recursion."""

    step_size: StepSize = 0.02
    """eta_0: length of a normalised step in parameter space."""
    momentum: Momentum = 0.2
    """alpha_0: weight of the arriving gradient in d."""
    schedule: Schedule = "constant"
    """constant; global: alpha ~ k^-4/5, eta ~ k^-1; first_order: alpha ~ k^-4/7, eta ~ k^-5/7."""

    def alpha(self, k: int) -> float:
        """alpha_k, in (0, 1]."""
        return float(self.momentum * (2 / (k + 2)) ** _EXPONENTS[self.schedule][0])

    def eta(self, k: int) -> float:
        """eta_k > 0."""
        return float(self.step_size * (2 / (k + 2)) ** _EXPONENTS[self.schedule][1])


def uploaded(update: Update) -> Array:
    """The gradient of an update, for methods whose agents always upload one.

    Raises:
        ValueError: if there is none.
    """
    if update.gradient is None:
        raise ValueError(f"agent {update.agent} uploaded no gradient, which this method does not expect")
    return update.gradient


def normalized(direction: Array) -> tuple[Array, float]:
    """d / ||d|| and ||d||; d = 0 stays 0, so that no step is taken."""
    norm = float(np.linalg.norm(direction))
    return (direction / direction.dtype.type(norm) if norm > 0 else direction), norm
