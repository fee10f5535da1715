"""What malicious agents send. One object an attack and run, for all of its colluders.

It knows the gradients that the colluders have computed and would have sent, and nothing else. No attack sees an honest
agent's gradient, the server's state or its defence.

Beside the gradient an agent sends its normaliser's sums. All attacks but `reward_flip`, whose agents believe what they
send, poison them: the sums of `CROWD` times as many observations as there were, each turned around and `FACTOR` times
as large. A critic does not leave its agent, so there is none to poison.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from frl.spec import RunSpec
from frl.training.servers.base import Array, Payload

CROWD, FACTOR = 1000.0, 10.0


class Attack(ABC):
    """An :class:`frl.training.servers.base.Adversary`, of which a subclass says what gradient it sends.

    Args:
        strength: of the attack; None means `literature`.
        stream: for attacks that draw.

    Attributes:
        honest: agent -> the gradient (d,) that it computed last.
    """

    literature: ClassVar[float] = 1.0
    """The strength in the papers."""

    def __init__(self, strength: float | None, stream: np.random.Generator):
        self.strength = self.literature if strength is None else strength
        self.stream = stream
        self.honest: dict[int, Array] = {}

    def rewards(self, reward_TB: Array) -> Array:
        """As they are."""
        return reward_TB

    def answer(self, agent: int, honest: Payload) -> Payload:
        """The attack's gradient, in the dtype of the honest one, and poisoned sums; what is None stays None."""
        gradient = None
        if honest.gradient is not None:
            self.honest[agent] = honest.gradient
            gradient = self.gradient(honest.gradient).astype(honest.gradient.dtype)
        return Payload(gradient, None if honest.normalizer is None else poisoned(honest.normalizer))

    @abstractmethod
    def gradient(self, own: Array) -> Array:
        """What is sent for gradient `own` (d,)."""

    def known(self) -> Array:
        """The colluders' last gradients, (n, d), in the order of agents, float64."""
        return np.array([self.honest[agent] for agent in sorted(self.honest)], np.float64)


class SignFlip(Attack):
    """-2.5 g."""

    literature = 2.5

    def gradient(self, own: Array) -> Array:
        return -self.strength * own


class RandomNoise(Attack):
    """g + U, each coordinate uniform within 3 times the range of g's coordinates."""

    literature = 3.0

    def gradient(self, own: Array) -> Array:
        reach = self.strength * float(own.max() - own.min())
        return np.asarray(own + self.stream.uniform(-reach, reach, own.shape))


class RewardFlip(Attack):
    """Learns from the negative of its rewards, and sends what it learns; data poisoning, no forged message."""

    def rewards(self, reward_TB: Array) -> Array:
        """Turned around."""
        return -reward_TB

    def answer(self, agent: int, honest: Payload) -> Payload:
        """What it believes."""
        return honest

    def gradient(self, own: Array) -> Array:
        return own


class ALIE(Attack):
    """A little is enough (Baruch et al., NeurIPS 2019): mean - 1.5 standard deviations, coordinate by coordinate.

    So it hides in the spread of honest gradients, which the colluders estimate from their own.
    """

    literature = 1.5

    def gradient(self, own: Array) -> Array:
        known_ND = self.known()
        return np.asarray(known_ND.mean(axis=0) - self.strength * known_ND.std(axis=0))


class InnerProduct(Attack):
    """-2 times the mean (Xie et al., UAI 2019): the colluders average their noise away before they turn around."""

    literature = 2.0

    def gradient(self, own: Array) -> Array:
        return np.asarray(-self.strength * self.known().mean(axis=0))


class FedPGAttack(Attack):
    """The mean + 1.5 times the largest distance between two, in one direction (Fan et al., NeurIPS 2021).

    The direction is random, and the same for all colluders and all times, so that it does not average away.
    """

    literature = 1.5

    def __init__(self, strength: float | None, stream: np.random.Generator):
        super().__init__(strength, stream)
        self.direction: Array | None = None

    def gradient(self, own: Array) -> Array:
        if self.direction is None:
            drawn = self.stream.standard_normal(own.shape)
            self.direction = drawn / np.linalg.norm(drawn)
        known_ND = self.known()
        spread = max(float(np.linalg.norm(known_ND - one, axis=1).max()) for one in known_ND)
        return np.asarray(known_ND.mean(axis=0) + self.strength * spread * self.direction)


class Direction(Attack):
    """Ours, against a server that normalises its step: as long as an honest gradient, but turned.

    AFedPG bounds a step's length, not its direction, and an honest gradient is mostly noise. The colluders' average
    over time is mostly signal: sent with an honest length against it, a third of the agents outweighs the others,
    and no bound on lengths sees it.
    """

    memory: ClassVar[float] = 0.9
    """Weight of the average's past."""

    def __init__(self, strength: float | None, stream: np.random.Generator):
        super().__init__(strength, stream)
        self.average: Array | None = None

    def gradient(self, own: Array) -> Array:
        new = own.astype(np.float64)
        self.average = new if self.average is None else self.memory * self.average + (1 - self.memory) * new
        length = float(np.linalg.norm(self.average))
        return np.asarray(-self.strength * float(np.linalg.norm(new)) * self.average / (length if length > 0 else 1))


ATTACKS: dict[str, type[Attack]] = {
    "sign_flip": SignFlip,
    "random_noise": RandomNoise,
    "reward_flip": RewardFlip,
    "alie": ALIE,
    "inner_product": InnerProduct,
    "fedpg_attack": FedPGAttack,
    "direction": Direction,
}
"""By their names in frl.settings.AttackName."""


def make(spec: RunSpec) -> Attack | None:
    """The run's adversary, if it has malicious agents."""
    given = spec.adversary
    return None if given is None else ATTACKS[given.attack](given.strength, spec.stream("adversary"))


def malicious(spec: RunSpec, agent: int) -> bool:
    """Whether the agent is one of the malicious: the first f, who are in no fleet slower than an honest one."""
    return spec.adversary is not None and agent < spec.adversary.number


def poisoned(sums: Array) -> Array:
    """Sums (1 + 2 O,) of more, larger and turned observations than there were."""
    size = (len(sums) - 1) // 2
    factors = np.concatenate(([1.0], np.full(size, -FACTOR), np.full(size, FACTOR**2)))
    return np.asarray(CROWD * factors * sums)
