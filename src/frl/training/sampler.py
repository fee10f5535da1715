"""What sampling is about: what a group of lanes is to do, the data that comes of it, and how many groups act at once.

Groups of lanes, one for each agent, are stepped together, every group under a policy of its own: physics is the cost,
and what surrounds it is paid once for all. What a group does is bit for bit what it would do alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from frl.training.envs import Bool, Environment, Index
from frl.training.mlp import Float32, Layers, forward
from frl.training.normalizer import Normalizer
from frl.training.physics import Float
from frl.training.policy import GaussianPolicy


@dataclass(frozen=True)
class Play:
    """What one group of lanes is to do."""

    group: int
    theta: Float32
    """Parameters of the policy, (d,)."""
    normalizer: Normalizer
    noise: np.random.Generator | None
    """Stream of the action noise; None plays the mean action."""


@dataclass
class Episodes:
    """Those of one group that ended."""

    returns: list[float] = field(default_factory=list)
    """Undiscounted."""
    lengths: list[int] = field(default_factory=list)
    """In steps."""


@dataclass
class Batch:
    """T steps of the B lanes of a group. Where `valid_TB` is False nothing was sampled and the entries are 0."""

    raw_TBO: Float32
    """Observations as the environment gave them."""
    observation_TBO: Float32
    """The same, normalised with the task's snapshot."""
    action_TBA: Float32
    """As sampled; clipped to the bounds only on the way into the environment."""
    reward_TB: Float
    terminated_TB: Bool
    truncated_TB: Bool
    elapsed_TB: NDArray[np.int64]
    """Steps of the episode before this one."""
    valid_TB: Bool
    last_BO: Float32
    """Normalised observation after the last step of each lane (meaningful where that step ended no episode)."""
    truncations: list[tuple[int, Index, Float32]]
    """(t, lanes, their normalised true last observations) of episodes cut at t."""
    returns: list[float]
    """Undiscounted returns of the episodes that ended."""

    @property
    def env_steps(self) -> int:
        """Environment steps in the batch."""
        return int(self.valid_TB.sum())


class Sampler(Protocol):
    """Plays what it is given, several groups at a time."""

    env: Environment

    def begin(self, play: Play) -> None:
        """The play's group, which must be idle, begins."""

    def advance(self) -> list[tuple[int, Batch]]:
        """Go on with all groups under way; those that are done now, with what they sampled."""

    def at_least(self, group: int) -> int:
        """Environment steps that the play under way will have when it is done, or fewer."""

    def save(self) -> dict[str, Any]:
        """All that :meth:`restore` needs to continue bit for bit, but for the plays under way."""

    def restore(self, saved: dict[str, Any], plays: list[Play]) -> None:
        """Back to a saved moment, with the plays that were under way."""


_View = tuple[Layers, Float32, Float32, Float32, Float32, Float32]


class Ensemble:
    """The policies and normalisers of S groups of B lanes side by side, so that one pass acts for all of them."""

    def __init__(self, policy: GaussianPolicy, groups: int, lanes: int):
        sizes = policy.mlp.shapes
        observation_size = sizes[0][0]
        self.policy = policy
        self.shape = (groups, lanes)
        self.layers: Layers = [
            (np.zeros((groups, *weight), np.float32), np.zeros((groups, 1, *bias), np.float32))
            for weight, bias in zip(sizes[::2], sizes[1::2], strict=True)
        ]
        self.std = np.zeros((groups, 1, policy.action_size), np.float32)
        self.mean, self.inverse_std = (np.zeros((groups, 1, observation_size), np.float32) for _ in range(2))
        self.low, self.high = (np.zeros((groups, 1, 1), np.float32) for _ in range(2))
        self._views: dict[tuple[int, int], _View] = {}

    def put(self, slot: int, theta: Float32, normalizer: Normalizer) -> None:
        """From now on `slot` acts with these parameters (d,) and this normaliser."""
        for (weights, biases), (weight, bias) in zip(self.layers, self.policy.mlp.layers(theta), strict=True):
            weights[slot], biases[slot] = weight, bias
        self.std[slot] = self.policy.std(theta)
        self.mean[slot], self.inverse_std[slot] = normalizer.mean, normalizer.inverse_std
        self.low[slot], self.high[slot] = -normalizer.clip, normalizer.clip

    def act(self, first: int, raw: Float32, noise: Float32) -> Float32:
        """Actions (n B, A) of n slots from `first` on, for raw observations (n B, O) and standard normal noise."""
        lanes = self.shape[1]
        layers, std, mean, inverse_std, low, high = self._view(first, first + len(raw) // lanes)
        observation = raw.reshape(-1, lanes, raw.shape[1]) - mean
        observation *= inverse_std
        np.minimum(observation, high, out=observation)
        np.maximum(observation, low, out=observation)
        action = forward(layers, observation)[-1]
        action += std * noise.reshape(action.shape)
        return action.reshape(len(raw), -1)

    def _view(self, first: int, stop: int) -> _View:
        """What slots `first` to `stop` act with, made once: every step would pay for it."""
        if (first, stop) not in self._views:
            layers = [(weight[first:stop], bias[first:stop]) for weight, bias in self.layers]
            arrays = (self.std, self.mean, self.inverse_std, self.low, self.high)
            std, mean, inverse_std, low, high = (array[first:stop] for array in arrays)
            self._views[first, stop] = layers, std, mean, inverse_std, low, high
        return self._views[first, stop]
