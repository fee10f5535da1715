"""The baselines: whose value function an agent uses, how it learns, and what of it travels.

One class for each `critic.mode`. Where the critic is shared, phi comes with the task, and what :meth:`learn` returns
goes up with the update; :class:`frl.training.servers.base.SharedState` takes it in.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from frl.spec import CriticSpec
from frl.training.adam import Adam
from frl.training.critic import Critic, shuffled
from frl.training.mlp import Float32

Elapsed = NDArray[np.int64]


class Baseline(Protocol):
    """The value function on an agent's side."""

    def value(self, phi: Float32 | None, observation: Float32, elapsed: Elapsed) -> Float32:
        """V, (n,), of normalised observations (n, O) made `elapsed` (n,) steps after a reset."""

    def learn(self, phi: Float32 | None, observation: Float32, elapsed: Elapsed, target: Float32) -> Float32 | None:
        """Take in targets (n,); what to send to the server."""


class NoBaseline:
    """V = 0."""

    def value(self, phi: Float32 | None, observation: Float32, elapsed: Elapsed) -> Float32:
        """Zeros."""
        return np.zeros(len(observation), np.float32)

    def learn(self, phi: Float32 | None, observation: Float32, elapsed: Elapsed, target: Float32) -> None:
        """Nothing."""


class Network:
    """The network, its settings, and the agent's own Adam."""

    def __init__(self, critic: Critic, settings: CriticSpec, shuffle: np.random.Generator, phi: Float32):
        self.critic = critic
        self.settings = settings
        self.shuffle = shuffle
        self.adam = Adam(critic.size, settings.learning_rate)
        self.phi = phi  # where the critic is the agent's own; every agent starts from the same phi_0

    def value(self, phi: Float32 | None, observation: Float32, elapsed: Elapsed) -> Float32:
        """By the network."""
        return self.critic.value(self.phi if phi is None else phi, observation)

    def _fit(self, phi: Float32, observation: Float32, target: Float32) -> Float32:
        settings = self.settings
        return self.critic.fit(phi, observation, target, self.adam, settings.epochs, settings.minibatches, self.shuffle)


class Own(Network):
    """`local`: each agent keeps a network of its own."""

    def learn(self, phi: Float32 | None, observation: Float32, elapsed: Elapsed, target: Float32) -> None:
        """Fit it to the batch."""
        self.phi = self._fit(self.phi, observation, target)


class SharedChange(Network):
    """`average`, `delta`: agents send the change of phi that their own fit makes."""

    def learn(self, phi: Float32 | None, observation: Float32, elapsed: Elapsed, target: Float32) -> Float32:
        """Change of phi, (c,)."""
        assert phi is not None
        return self._fit(phi, observation, target) - phi


class SharedGradients(Network):
    """`gradients`: agents send gradients at the phi they were given; one Adam, the server's, applies each."""

    def learn(self, phi: Float32 | None, observation: Float32, elapsed: Elapsed, target: Float32) -> Float32:
        """One gradient for each minibatch of each epoch, all at `phi`: (K, c)."""
        assert phi is not None
        settings = self.settings
        parts = [
            rows for _ in range(settings.epochs) for rows in shuffled(len(target), settings.minibatches, self.shuffle)
        ]
        return np.stack([self.critic.gradient(phi, observation[rows], target[rows]) for rows in parts])


class Linear:
    """`linear`: each agent keeps a linear regression on its own recent data, solved to convergence; nothing travels.

    Features of an observation o at t = elapsed / 100 steps (Duan et al. 2016): o, o^2, t, t^2, t^3, 1. Each batch's
    sums weigh `MEMORY` times those of the next.
    """

    MEMORY: ClassVar[float] = 0.8
    RIDGE: ClassVar[float] = 1e-5

    def __init__(self, observation_size: int):
        size = 2 * observation_size + 4
        self.moments = np.zeros((size, size))
        self.products = np.zeros(size)
        self.weight = np.zeros(size)

    def value(self, phi: Float32 | None, observation: Float32, elapsed: Elapsed) -> Float32:
        """By the regression; 0 before the first batch."""
        value: Float32 = (_features(observation, elapsed) @ self.weight).astype(np.float32)
        return value

    def learn(self, phi: Float32 | None, observation: Float32, elapsed: Elapsed, target: Float32) -> None:
        """Add the batch's sums and solve."""
        x = _features(observation, elapsed)
        self.moments = self.MEMORY * self.moments + x.T @ x
        self.products = self.MEMORY * self.products + x.T @ target.astype(np.float64)
        ridge = self.RIDGE * self.moments[-1, -1] * np.eye(len(self.weight))  # the last feature counts samples
        self.weight = np.linalg.solve(self.moments + ridge, self.products)


def _features(observation: Float32, elapsed: Elapsed) -> NDArray[np.float64]:
    o, t = observation.astype(np.float64), elapsed[:, None] / 100
    return np.concatenate((o, np.square(o), t, t**2, t**3, np.ones_like(t)), axis=1)


def make_baseline(critic: Critic, settings: CriticSpec, shuffle: np.random.Generator, phi: Float32) -> Baseline:
    """The one that `critic.mode` names; phi is phi_0."""
    if settings.mode == "none":
        return NoBaseline()
    if settings.mode == "linear":
        return Linear(critic.mlp.shapes[0][0])
    if settings.mode == "local":
        return Own(critic, settings, shuffle, phi)
    return (SharedGradients if settings.mode == "gradients" else SharedChange)(critic, settings, shuffle, phi)
