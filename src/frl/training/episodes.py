"""Whole episodes from a reset: one in every lane of a group, groups beginning and ending independently of each other.

All lanes under way are stepped together. A group acts as if it were alone: its noise is drawn when it begins, for
episodes of full length, and its policy sees all its lanes, those that have ended too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frl.training.envs import MAX_EPISODE_STEPS, Bool, Environment, Index, Lanes
from frl.training.mlp import Float32
from frl.training.policy import GaussianPolicy
from frl.training.sampler import Batch, Ensemble, Episodes, Play

_STATE = ("raw", "running", "returns", "terminated", "last")


class WholeEpisodes:
    """Plays episodes in the lanes of one environment.

    Args:
        env: its lanes g B ... (g + 1) B - 1 are group g's.
        groups: number of groups; B = lanes / groups.
        policy: what the groups' parameters belong to.
        record: keep every step, for :meth:`advance`; without it there are returns and lengths only.

    Attributes:
        raw: (L, O) each lane's current observation; `last`: the one after its episode's last step.
        running: (L,) whether the lane's episode is under way; `terminated`: whether it ended by itself.
        returns: (L,) undiscounted sums of rewards so far.
    """

    def __init__(self, env: Environment, groups: int, policy: GaussianPolicy, record: bool = True):
        self.env = env
        lanes = len(env.all_lanes)
        self.lanes_per_group = lanes // groups
        self.raw, self.last = (np.zeros((lanes, env.observation_size), np.float32) for _ in range(2))
        self.running, self.terminated = (np.zeros(lanes, bool) for _ in range(2))
        self.returns = np.zeros(lanes)
        self._plays: dict[int, Play] = {}
        self._ensemble = Ensemble(policy, groups, self.lanes_per_group)
        # noise until the step is made, then the action; memory is taken where it is written only
        self._action = np.zeros((lanes, MAX_EPISODE_STEPS, env.action_size), np.float32)
        self._record = record
        if record:
            self._raw = np.zeros((lanes, MAX_EPISODE_STEPS, env.observation_size), np.float32)
            self._reward = np.zeros((lanes, MAX_EPISODE_STEPS))
        self._schedule()

    def begin(self, play: Play) -> None:
        """Reset the lanes of the play's group and draw its noise."""
        lanes = self._lanes(play.group)
        self.raw[lanes] = self.env.reset(self.env.all_lanes[lanes])
        self.running[lanes] = True
        self.returns[lanes] = 0
        if play.noise is None:
            self._action[lanes] = 0
        else:
            play.noise.standard_normal(dtype=np.float32, out=self._action[lanes])
        self._take(play)

    def step(self) -> list[int]:
        """One step of every episode under way; the groups whose last one ended with it."""
        env, index, rows = self.env, self._index, self._rows
        elapsed = env.elapsed[rows].copy()
        action = self._act(self._action[index, elapsed])
        if self._record:
            self._action[index, elapsed] = action
            self._raw[index, elapsed] = self.raw[rows]
        clipped = np.minimum(np.maximum(action, env.action_low), env.action_high)
        after, reward, terminated, truncated = env.step(clipped, rows)
        if self._record:
            self._reward[index, elapsed] = reward
        self.returns[rows] += reward
        self.raw[rows] = after
        done = terminated | truncated
        return self._end(index[done], terminated[done]) if done.any() else []

    def outcome(self, group: int) -> Episodes:
        """Returns and lengths of the episodes that the group has played."""
        lanes = self._lanes(group)
        return Episodes(self.returns[lanes].tolist(), self.env.elapsed[lanes].tolist())

    def advance(self) -> list[tuple[int, Batch]]:
        """One step; the groups that are done with it, and their episodes."""
        return [(group, self._batch(play)) for group, play in self._pop(self.step())]

    def at_least(self, group: int) -> int:
        """Steps made, and one more of every episode under way."""
        lanes = self._lanes(group)
        return int(self.env.elapsed[lanes].sum()) + int(self.running[lanes].sum())

    def save(self) -> dict[str, Any]:
        """Environment, and the groups under way with all that they have recorded."""
        parts = {}
        for group in sorted(self._plays):
            lanes = self._lanes(group)
            steps = int(self.env.elapsed[lanes].max())
            parts[group] = (self._action[lanes], self._raw[lanes, :steps], self._reward[lanes, :steps])
        own = {name: getattr(self, name) for name in _STATE}
        return {"environment": self.env.save(), **own, "recorded": parts}

    def restore(self, saved: dict[str, Any], plays: Sequence[Play]) -> None:
        """Back to a saved moment."""
        self.env.restore(saved["environment"])
        for name in _STATE:
            getattr(self, name)[:] = saved[name]
        for group, (action, raw, reward) in saved["recorded"].items():
            lanes, steps = self._lanes(group), reward.shape[1]
            self._action[lanes], self._raw[lanes, :steps], self._reward[lanes, :steps] = action, raw, reward
        self._plays = {}
        for play in plays:
            self._take(play)

    def _act(self, noise: Float32) -> Float32:
        """Actions of the lanes under way for their noise, (R, A)."""
        slots, raw = self._range.start // self.lanes_per_group, self.raw[self._range]
        if self._rows is self._range:
            return self._ensemble.act(slots, raw, noise)
        rows = self._index - self._range.start
        everyone = np.zeros((len(raw), noise.shape[1]), np.float32)
        everyone[rows] = noise
        return self._ensemble.act(slots, raw, everyone)[rows]

    def _lanes(self, group: int) -> slice:
        return slice(group * self.lanes_per_group, (group + 1) * self.lanes_per_group)

    def _take(self, play: Play) -> None:
        self._ensemble.put(play.group, play.theta, play.normalizer)
        self._plays[play.group] = play
        self._schedule()

    def _pop(self, groups: Iterable[int]) -> list[tuple[int, Play]]:
        return [(group, self._plays.pop(group)) for group in groups]

    def _schedule(self) -> None:
        """Which lanes are stepped: `_index` and `_rows`, a slice where that will do; `_range` are those that act."""
        self._index: Index = np.flatnonzero(self.running)
        if not len(self._index):
            self._range = slice(0, 0)
        else:
            first, last = self._index[0] // self.lanes_per_group, self._index[-1] // self.lanes_per_group
            self._range = slice(self._lanes(first).start, self._lanes(last).stop)
        whole = len(self._index) == self._range.stop - self._range.start
        self._rows: Lanes = self._range if whole else self._index

    def _end(self, lanes: Index, terminated: Any) -> list[int]:
        """The episodes of `lanes` ended."""
        self.running[lanes] = False
        self.terminated[lanes] = terminated
        self.last[lanes] = self.raw[lanes]
        self._schedule()
        groups = np.unique(lanes // self.lanes_per_group).tolist()
        return [group for group in groups if not self.running[self._lanes(group)].any()]

    def _batch(self, play: Play) -> Batch:
        lanes = self._lanes(play.group)
        length_B, terminated_B = self.env.elapsed[lanes], self.terminated[lanes]
        steps = int(length_B.max())
        t_T = np.arange(steps)[:, None]
        valid_TB, ends_TB = t_T < length_B, t_T == length_B - 1
        recorded = (self._raw, self._action, self._reward)
        raw_TBO, action_TBA, reward_TB = (_steps_first(array[lanes, :steps], valid_TB) for array in recorded)
        cut = np.flatnonzero(~terminated_B)  # all of them at the limit, which is the last row
        return Batch(
            raw_TBO=raw_TBO,
            observation_TBO=play.normalizer(raw_TBO),
            action_TBA=action_TBA,
            reward_TB=reward_TB,
            terminated_TB=ends_TB & terminated_B,
            truncated_TB=ends_TB & ~terminated_B,
            elapsed_TB=np.where(valid_TB, t_T, 0),
            valid_TB=valid_TB,
            last_BO=play.normalizer(np.zeros_like(self.last[lanes])),
            truncations=[(steps - 1, cut, play.normalizer(self.last[lanes][cut]))] if cut.size else [],
            returns=self.returns[lanes].tolist(),
        )


def _steps_first(array_BT: NDArray[Any], valid_TB: Bool) -> NDArray[Any]:
    array_TB = np.ascontiguousarray(array_BT.swapaxes(0, 1))
    array_TB[~valid_TB] = 0
    return array_TB
