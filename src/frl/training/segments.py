"""Segments of running episodes: T steps of every lane of a group, from where the last segment ended."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from frl.training.envs import MAX_EPISODE_STEPS, Bool, Environment, Index, Lanes
from frl.training.mlp import Float32
from frl.training.physics import Float
from frl.training.policy import GaussianPolicy
from frl.training.sampler import Batch, Ensemble, Episodes, Play

TOGETHER_BYTES = 2**26
"""Memory for the batches of groups that are sampled together; with more, they come in several teams."""


class Segments:
    """Keeps the lanes of one environment and their unfinished episodes.

    Args:
        env: its lanes g B ... (g + 1) B - 1 are group g's.
        groups: number of groups; B = lanes / groups.
        policy: what the groups' parameters belong to.
        steps: T.
    """

    def __init__(self, env: Environment, groups: int, policy: GaussianPolicy, steps: int):
        self.env = env
        self.steps = steps
        self.lanes_per_group = len(env.all_lanes) // groups
        self.raw = env.observe(env.all_lanes).astype(np.float32)
        self.running_return = np.zeros(len(env.all_lanes))
        # a staggered first episode is shorter than the task: it is no training return
        self.whole = env.limit == MAX_EPISODE_STEPS
        self._ensemble = Ensemble(policy, groups, self.lanes_per_group)
        self._waiting: dict[int, Play] = {}
        floats = 3 * env.observation_size + env.action_size + 10  # raw, copied, normalised
        self._together = max(1, TOGETHER_BYTES // (4 * floats * steps * self.lanes_per_group))

    def begin(self, play: Play) -> None:
        """The play waits for others, to be played together."""
        self._waiting[play.group] = play

    def at_least(self, group: int) -> int:
        """All segments are of one length."""
        return self.steps * self.lanes_per_group

    def advance(self) -> list[tuple[int, Batch]]:
        """Play those that wait, as many as memory allows."""
        chosen = sorted(self._waiting)[: self._together]
        return list(zip(chosen, self._play([self._waiting.pop(group) for group in chosen]), strict=True))

    def save(self) -> dict[str, Any]:
        """Environment, last observations and unfinished episodes."""
        own = {name: getattr(self, name) for name in ("raw", "running_return", "whole")}
        return {"environment": self.env.save(), **own}

    def restore(self, saved: dict[str, Any], plays: Sequence[Play]) -> None:
        """Back to a saved moment; plays that waited wait again."""
        self.env.restore(saved["environment"])
        vars(self).update({name: saved[name] for name in ("raw", "running_return", "whole")})
        self._waiting = {play.group: play for play in plays}

    def _play(self, plays: Sequence[Play]) -> list[Batch]:
        team = _Team(self, plays)
        record = _Record(team, self.steps)
        raw = self.raw[team.lanes]
        for t in range(self.steps):
            step = self._step(team, raw)
            record.write(t, step)
            raw = step.after
            if (done := step.terminated | step.truncated).any():
                ended = np.flatnonzero(done)
                self._finish(team, ended)
                raw[ended] = self.env.reset(team.index[ended])
        self.raw[team.lanes] = raw
        return record.batches(raw)

    def _step(self, team: _Team, raw: Float32) -> _Step:
        """One step of the team, whose raw observations are `raw` (L, O)."""
        env, lanes = self.env, team.lanes
        action = self._ensemble.act(0, raw, team.draw())
        elapsed = env.elapsed[lanes].copy()
        clipped = np.minimum(np.maximum(action, env.action_low), env.action_high)
        after, reward, terminated, truncated = env.step(clipped, lanes)
        self.running_return[lanes] += reward
        return _Step(raw, action, reward, terminated, truncated, elapsed, after.astype(np.float32))

    def _finish(self, team: _Team, rows: Index) -> None:
        """Book the episodes that ended in `rows` of the team."""
        lanes = team.index[rows]
        for row, lane in zip(rows, lanes, strict=True):
            if self.whole[lane]:
                team.episodes[row // self.lanes_per_group].returns.append(float(self.running_return[lane]))
        self.running_return[lanes] = 0
        self.whole[lanes] = True


class _Step(NamedTuple):
    """One step of the L lanes of a team."""

    raw: Float32
    action: Float32
    reward: Float
    terminated: Bool
    truncated: Bool
    elapsed: NDArray[np.int64]
    after: Float32


class _Team:
    """The groups that play together: L = S B lanes, in the order of their plays."""

    def __init__(self, sampler: Segments, plays: Sequence[Play]):
        groups, size = [play.group for play in plays], sampler.lanes_per_group
        self.plays = plays
        self.index = sampler.env.all_lanes.reshape(-1, size)[groups].ravel()
        following = groups == list(range(groups[0], groups[0] + len(groups)))
        self.lanes: Lanes = slice(groups[0] * size, (groups[-1] + 1) * size) if following else self.index
        self.shape = (len(plays), size, sampler.env.action_size)
        self.observation_size = sampler.env.observation_size
        self.episodes = [Episodes() for _ in plays]
        for slot, play in enumerate(plays):
            sampler._ensemble.put(slot, play.theta, play.normalizer)

    def draw(self) -> Float32:
        """Standard normal noise for one step, (S, B, A); 0 where the mean action is played."""
        noise = np.zeros(self.shape, np.float32)
        for slot, play in enumerate(self.plays):
            if play.noise is not None:
                play.noise.standard_normal(dtype=np.float32, out=noise[slot])
        return noise


class _Record:
    """Everything that a team's T steps showed."""

    def __init__(self, team: _Team, steps: int):
        self.team = team
        shape = (steps, len(team.index))
        self.raw = np.zeros((*shape, team.observation_size), np.float32)
        self.action = np.zeros((*shape, team.shape[2]), np.float32)
        self.reward = np.zeros(shape)
        self.terminated, self.truncated = (np.zeros(shape, bool) for _ in range(2))
        self.elapsed = np.zeros(shape, np.int64)
        self.cuts: list[tuple[int, Index, Float32]] = []

    def write(self, t: int, step: _Step) -> None:
        """Row t."""
        self.raw[t] = step.raw
        self.action[t] = step.action
        self.reward[t] = step.reward
        self.terminated[t] = step.terminated
        self.truncated[t] = step.truncated
        self.elapsed[t] = step.elapsed
        if (cut := np.flatnonzero(step.truncated & ~step.terminated)).size:
            self.cuts.append((t, cut, step.after[cut]))

    def batches(self, last: Float32) -> list[Batch]:
        """One batch for each group; `last` (L, O) are the raw observations after the last step."""
        size = self.team.shape[1]
        batches = []
        for slot, play in enumerate(self.team.plays):
            mine = slice(slot * size, (slot + 1) * size)
            of = functools.partial(_part, mine)
            truncations = []
            for t, rows, after in self.cuts:
                if (own := rows // size == slot).any():
                    truncations.append((t, rows[own] - slot * size, play.normalizer(after[own])))
            batches.append(
                Batch(
                    raw_TBO=of(self.raw),
                    observation_TBO=play.normalizer(of(self.raw)),
                    action_TBA=of(self.action),
                    reward_TB=of(self.reward),
                    terminated_TB=of(self.terminated),
                    truncated_TB=of(self.truncated),
                    elapsed_TB=of(self.elapsed),
                    valid_TB=np.ones((len(self.reward), size), bool),
                    last_BO=play.normalizer(last[mine]),
                    truncations=truncations,
                    returns=self.team.episodes[slot].returns,
                )
            )
        return batches


def _part(lanes: slice, array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array[:, lanes])
