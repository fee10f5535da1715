"""Stepping lanes under policies: segments of running episodes, or whole episodes from a reset.

Groups of lanes, one for each agent, are stepped together, every group under a policy of its own: physics is the cost,
and what surrounds it is paid once for all. What a group does is bit for bit what it would do alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from frl.training import normalizer
from frl.training.envs import MAX_EPISODE_STEPS, Bool, Environment, Index, Lanes
from frl.training.mlp import Float32
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


class Sampler:
    """Keeps the lanes of one environment and their unfinished episodes.

    Args:
        env: its lanes g B ... (g + 1) B - 1 are group g's.
        groups: number of groups; B = lanes / groups.
        policy: what the groups' parameters belong to.
    """

    def __init__(self, env: Environment, groups: int, policy: GaussianPolicy):
        self.env = env
        self.policy = policy
        self.lanes_per_group = len(env.all_lanes) // groups
        self.raw = env.observe(env.all_lanes).astype(np.float32)
        self.running_return = np.zeros(len(env.all_lanes))
        # a staggered first episode is shorter than the task: it is no training return
        self.whole = env.limit == MAX_EPISODE_STEPS

    def segments(self, plays: Sequence[Play], steps: int) -> list[Batch]:
        """`steps` steps of every lane; episodes run on from the last call and into the next."""
        team = _Team(self, plays)
        record = _Record(team, steps)
        raw, every = self.raw[team.lanes], slice(None)
        for t in range(steps):
            step = self._step(team, raw, every)
            record.write(t, step)
            raw = step.after
            if (done := step.terminated | step.truncated).any():
                ended = np.flatnonzero(done)
                self._finish(team, ended)
                raw[ended] = self.env.reset(team.index[ended])
        self.raw[team.lanes] = raw
        return record.batches(raw)

    def episodes(self, plays: Sequence[Play]) -> list[Batch]:
        """One whole episode in every lane, from a reset; lanes that ended are not stepped further."""
        team = _Team(self, plays)
        record = _Record(team, MAX_EPISODE_STEPS)
        for t, step in enumerate(self._whole_episodes(team)):
            record.write(t, step)
        return record.batches(np.zeros_like(record.raw[0]))

    def outcomes(self, plays: Sequence[Play]) -> list[Episodes]:
        """As :meth:`episodes`, but only returns and lengths are kept."""
        team = _Team(self, plays)
        for _ in self._whole_episodes(team):
            pass
        return team.episodes

    def _whole_episodes(self, team: _Team) -> Iterator[_Step]:
        self.running_return[team.lanes] = 0
        self.whole[team.lanes] = True
        raw = self.env.reset(team.index).astype(np.float32)
        running: Index = np.arange(len(raw))
        while running.size:
            team.playing = np.unique(running // self.lanes_per_group).tolist()
            step = self._step(team, raw, running)
            yield step
            raw[running] = step.after
            done = step.terminated | step.truncated
            self._finish(team, running[done])
            running = running[~done]

    def _step(self, team: _Team, raw: Float32, rows: Lanes) -> _Step:
        """One step of `rows` of the team, whose raw observations are `raw` (L, O)."""
        env, lanes = self.env, team.lanes if isinstance(rows, slice) else team.index[rows]
        action = team.act(raw)[rows]
        elapsed = env.elapsed[lanes].copy()
        clipped = np.minimum(np.maximum(action, env.action_low), env.action_high)
        after, reward, terminated, truncated = env.step(clipped, lanes)
        self.running_return[lanes] += reward
        return _Step(rows, raw[rows], action, reward, terminated, truncated, elapsed, after.astype(np.float32))

    def _finish(self, team: _Team, rows: Index) -> None:
        """Book the episodes that ended in `rows` of the team."""
        lanes = team.index[rows]
        for row, lane in zip(rows, lanes, strict=True):
            if self.whole[lane]:
                episodes = team.episodes[row // self.lanes_per_group]
                episodes.returns.append(float(self.running_return[lane]))
                episodes.lengths.append(int(self.env.elapsed[lane]))
        self.running_return[lanes] = 0
        self.whole[lanes] = True


class _Step(NamedTuple):
    """One step of R rows of a team."""

    rows: Lanes
    raw: Float32
    action: Float32
    reward: Float
    terminated: Bool
    truncated: Bool
    elapsed: NDArray[np.int64]
    after: Float32


class _Team:
    """The groups that play together: L = S B lanes, in the order of their plays."""

    def __init__(self, sampler: Sampler, plays: Sequence[Play]):
        groups, size = [play.group for play in plays], sampler.lanes_per_group
        self.plays = plays
        self.shape = (len(plays), size)
        self.index = sampler.env.all_lanes.reshape(-1, size)[groups].ravel()
        following = groups == list(range(groups[0], groups[0] + len(groups)))
        self.lanes: Lanes = slice(groups[0] * size, (groups[-1] + 1) * size) if following else self.index
        self.actor = sampler.policy.actor([play.theta for play in plays])
        self.normalizer = normalizer.stack([play.normalizer for play in plays], sampler.env.observation_size)
        self.action_size = sampler.env.action_size
        self.playing = list(range(len(plays)))
        """Those with a lane under way; the others draw no noise, as if they were alone."""
        self.episodes = [Episodes() for _ in plays]

    def act(self, raw: Float32) -> Float32:
        """Actions (L, A) for raw observations (L, O)."""
        noise = np.zeros((*self.shape, self.action_size), np.float32)
        for s in self.playing:
            if (stream := self.plays[s].noise) is not None:
                stream.standard_normal(dtype=np.float32, out=noise[s])
        observation = self.normalizer(raw.reshape(*self.shape, -1))
        return GaussianPolicy.act(self.actor, observation, noise).reshape(len(raw), -1)


class _Record:
    """Everything that a team's steps showed, T steps at most."""

    def __init__(self, team: _Team, steps: int):
        self.team = team
        shape = (steps, len(team.index))
        self.raw = np.zeros((*shape, team.normalizer.mean.shape[-1]), np.float32)
        self.action = np.zeros((*shape, team.action_size), np.float32)
        self.reward = np.zeros(shape)
        self.terminated, self.truncated, self.valid = (np.zeros(shape, bool) for _ in range(3))
        self.elapsed = np.zeros(shape, np.int64)
        self.cuts: list[tuple[int, Index, Float32]] = []

    def write(self, t: int, step: _Step) -> None:
        """Row t."""
        rows = step.rows
        self.raw[t, rows] = step.raw
        self.action[t, rows] = step.action
        self.reward[t, rows] = step.reward
        self.terminated[t, rows] = step.terminated
        self.truncated[t, rows] = step.truncated
        self.elapsed[t, rows] = step.elapsed
        self.valid[t, rows] = True
        if (cut := step.truncated & ~step.terminated).any():
            everyone = np.arange(len(self.team.index))
            self.cuts.append((t, everyone[rows][cut], step.after[cut]))

    def batches(self, last: Float32) -> list[Batch]:
        """One batch for each group, as long as its own longest lane; `last` (L, O) are the raw observations after."""
        size = self.team.shape[1]
        batches = []
        for s, play in enumerate(self.team.plays):
            mine = slice(s * size, (s + 1) * size)
            steps = int(self.valid[:, mine].any(axis=1).sum())
            of = functools.partial(_part, slice(steps), mine)
            truncations = []
            for t, rows, after in self.cuts:
                if (own := rows // size == s).any():
                    truncations.append((t, rows[own] - s * size, play.normalizer(after[own])))
            batches.append(
                Batch(
                    raw_TBO=of(self.raw),
                    observation_TBO=play.normalizer(of(self.raw)),
                    action_TBA=of(self.action),
                    reward_TB=of(self.reward),
                    terminated_TB=of(self.terminated),
                    truncated_TB=of(self.truncated),
                    elapsed_TB=of(self.elapsed),
                    valid_TB=of(self.valid),
                    last_BO=play.normalizer(last[mine]),
                    truncations=truncations,
                    returns=self.team.episodes[s].returns,
                )
            )
        return batches


def _part(steps: slice, lanes: slice, array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array[steps, lanes])
