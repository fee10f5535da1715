"""Stepping lanes under a policy: segments of running episodes, or whole episodes from a reset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from frl.training.envs import MAX_EPISODE_STEPS, Bool, Environment, Lanes
from frl.training.mlp import Float32
from frl.training.normalizer import Normalizer
from frl.training.physics import Float

Act = Callable[[Float32], Float32]
"""Normalised observations (L, O) to actions (L, A)."""


@dataclass
class Batch:
    """T steps of B lanes. Where `valid_TB` is False nothing was sampled and the entries are 0."""

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
    truncations: list[tuple[int, NDArray[np.intp], Float32]] = field(default_factory=list)
    """(t, lanes, their normalised true last observations) of episodes cut at t."""
    returns: list[float] = field(default_factory=list)
    """Undiscounted returns of the episodes that ended."""
    lengths: list[int] = field(default_factory=list)
    """Their lengths in steps."""

    @classmethod
    def empty(cls, steps: int, lanes: int, observation_size: int, action_size: int) -> Batch:
        """Zeros, nothing valid."""
        return cls(
            np.zeros((steps, lanes, observation_size), np.float32),
            np.zeros((steps, lanes, observation_size), np.float32),
            np.zeros((steps, lanes, action_size), np.float32),
            np.zeros((steps, lanes)),
            np.zeros((steps, lanes), bool),
            np.zeros((steps, lanes), bool),
            np.zeros((steps, lanes), np.int64),
            np.zeros((steps, lanes), bool),
            np.zeros((lanes, observation_size), np.float32),
        )

    @property
    def env_steps(self) -> int:
        """Environment steps in the batch."""
        return int(self.valid_TB.sum())


class Sampler:
    """Keeps the lanes of one environment and their unfinished episodes."""

    def __init__(self, env: Environment):
        self.env = env
        self.raw = env.observe(env.all_lanes).astype(np.float32)
        self.running_return = np.zeros(len(env.all_lanes))
        # a staggered first episode is shorter than the task: it is no training return
        self.whole = env.limit == MAX_EPISODE_STEPS

    def segments(self, steps: int, normalizer: Normalizer, act: Act) -> Batch:
        """`steps` steps of every lane; episodes run on from the last call and into the next."""
        env = self.env
        batch = Batch.empty(steps, len(env.all_lanes), env.observation_size, env.action_size)
        batch.valid_TB[:] = True
        every = slice(None)
        for t in range(steps):
            batch.elapsed_TB[t] = env.elapsed
            raw, done = self._step(batch, t, every, self.raw, normalizer, act)
            if done.any():
                lanes = np.flatnonzero(done)
                self._finish(batch, t, lanes, raw[lanes], normalizer)
                raw[lanes] = env.reset(lanes)
            self.raw = raw
        batch.last_BO[:] = normalizer(self.raw)
        return batch

    def episodes(self, normalizer: Normalizer, act: Act) -> Batch:
        """One whole episode in every lane, from a reset; lanes that ended are not stepped further."""
        env = self.env
        batch = Batch.empty(MAX_EPISODE_STEPS, len(env.all_lanes), env.observation_size, env.action_size)
        self.running_return[:] = 0
        self.whole[:] = True
        lanes, raw, t = env.all_lanes, env.reset(env.all_lanes).astype(np.float32), 0
        while lanes.size:
            batch.valid_TB[t, lanes] = True
            batch.elapsed_TB[t, lanes] = t
            raw, done = self._step(batch, t, lanes, raw, normalizer, act)
            if done.any():
                self._finish(batch, t, lanes[done], raw[done], normalizer)
                lanes, raw = lanes[~done], raw[~done]
            t += 1
        for name in ("raw_TBO", "observation_TBO", "action_TBA", "reward_TB", "terminated_TB", "truncated_TB"):
            setattr(batch, name, getattr(batch, name)[:t])
        batch.elapsed_TB, batch.valid_TB = batch.elapsed_TB[:t], batch.valid_TB[:t]
        return batch

    def _step(
        self, batch: Batch, t: int, lanes: Lanes, raw: Float32, normalizer: Normalizer, act: Act
    ) -> tuple[Float32, Bool]:
        """One step of `lanes`, written into row t; next raw observations and which episodes ended."""
        env = self.env
        observation = normalizer(raw)
        action = act(observation)
        clipped = np.minimum(np.maximum(action, env.action_low), env.action_high)
        after, reward, terminated, truncated = env.step(clipped, lanes)
        batch.raw_TBO[t, lanes] = raw
        batch.observation_TBO[t, lanes] = observation
        batch.action_TBA[t, lanes] = action
        batch.reward_TB[t, lanes] = reward
        batch.terminated_TB[t, lanes] = terminated
        batch.truncated_TB[t, lanes] = truncated
        self.running_return[lanes] += reward
        return after.astype(np.float32), terminated | truncated

    def _finish(self, batch: Batch, t: int, lanes: NDArray[np.intp], last: Float32, normalizer: Normalizer) -> None:
        """Book the episodes of `lanes` that ended at t with the raw observations `last` (len(lanes), O)."""
        cut = batch.truncated_TB[t, lanes] & ~batch.terminated_TB[t, lanes]
        if cut.any():
            batch.truncations.append((t, lanes[cut], normalizer(last[cut])))
        for lane in lanes[self.whole[lanes]]:
            batch.returns.append(float(self.running_return[lane]))
            batch.lengths.append(int(self.env.elapsed[lane]))
        self.running_return[lanes] = 0
        self.whole[lanes] = True
