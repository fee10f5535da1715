"""Whole episodes from a reset: one in every lane of a group, groups beginning and ending independently of each other.

All lanes under way are stepped together. A group acts as if it were alone: its noise is drawn when it begins, for
episodes of full length, and its policy sees all its lanes, those that have ended too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from frl.training.envs import MAX_EPISODE_STEPS, Environment, Index, Lanes
from frl.training.policy import GaussianPolicy
from frl.training.sampler import Batch, Ensemble, Episodes, Play

_STATE = ("raw", "running", "returns", "terminated", "last", "begun")


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
        begun: (groups,) row of each group's first step, see `_row`.
    """

    def __init__(self, env: Environment, groups: int, policy: GaussianPolicy, record: bool = True):
        self.env = env
        lanes = len(env.all_lanes)
        self.lanes_per_group = lanes // groups
        self.raw, self.last = (np.zeros((lanes, env.observation_size), np.float32) for _ in range(2))
        self.running, self.terminated = (np.zeros(lanes, bool) for _ in range(2))
        self.returns = np.zeros(lanes)
        self.begun = np.zeros(groups, np.int64)
        self._plays: dict[int, Play] = {}
        self._ensemble = Ensemble(policy, groups, self.lanes_per_group)
        # a row for each step of all lanes, used anew after 1,000 steps: no episode is longer
        self._row = 0
        # noise until the step is made, then the action; memory is taken where it is written only
        self._action = np.zeros((MAX_EPISODE_STEPS, lanes, env.action_size), np.float32)
        self._record = record
        if record:
            self._raw = np.zeros((MAX_EPISODE_STEPS, lanes, env.observation_size), np.float32)
            self._reward = np.zeros((MAX_EPISODE_STEPS, lanes))
        self._schedule()

    def begin(self, play: Play) -> None:
        """Reset the lanes of the play's group and draw its noise."""
        lanes = self._lanes(play.group)
        self.raw[lanes] = self.env.reset(self.env.all_lanes[lanes])
        self.running[lanes] = True
        self.returns[lanes] = 0
        self.begun[play.group] = self._row
        noise = np.zeros((self.lanes_per_group, MAX_EPISODE_STEPS, self.env.action_size), np.float32)
        if play.noise is not None:
            play.noise.standard_normal(dtype=np.float32, out=noise)
        self._action[self._steps(play.group), lanes] = noise.swapaxes(0, 1)
        self._take(play)

    def step(self) -> list[int]:
        """One step of every episode under way; the groups whose last one ended with it."""
        env, lanes, row, acting = self.env, self._running, self._row, self._acting
        action = self._ensemble.act(acting.start // self.lanes_per_group, self.raw[acting], self._action[row, acting])
        if lanes is not acting:
            action = action[self._index - acting.start]
        if self._record:
            self._action[row, lanes] = action
            self._raw[row, lanes] = self.raw[lanes]
        clipped = np.minimum(np.maximum(action, env.action_low), env.action_high)
        after, reward, terminated, truncated = env.step(clipped, lanes)
        if self._record:
            self._reward[row, lanes] = reward
        self.returns[lanes] += reward
        self.raw[lanes] = after
        self._row = (row + 1) % MAX_EPISODE_STEPS
        done = terminated | truncated
        return self._end(self._index[done], terminated[done]) if np.count_nonzero(done) else []

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
        steps: int = sum(self.env.elapsed[lanes].tolist()) + sum(self.running[lanes].tolist())
        return steps

    def save(self) -> dict[str, Any]:
        """Environment, and the groups under way with all that they have recorded."""
        parts = {}
        for group in sorted(self._plays):
            lanes, steps = self._lanes(group), self._steps(group)
            made = steps[: int(self.env.elapsed[lanes].max())]
            parts[group] = (self._action[steps, lanes], self._raw[made, lanes], self._reward[made, lanes])
        own = {name: getattr(self, name) for name in _STATE}
        return {"environment": self.env.save(), **own, "row": self._row, "recorded": parts}

    def restore(self, saved: dict[str, Any], plays: Sequence[Play]) -> None:
        """Back to a saved moment."""
        self.env.restore(saved["environment"])
        for name in _STATE:
            getattr(self, name)[:] = saved[name]
        self._row = saved["row"]
        for group, (action, raw, reward) in saved["recorded"].items():
            lanes, steps = self._lanes(group), self._steps(group)
            made = steps[: len(reward)]
            self._action[steps, lanes], self._raw[made, lanes], self._reward[made, lanes] = action, raw, reward
        self._plays = {}
        for play in plays:
            self._take(play)

    def _lanes(self, group: int) -> slice:
        return slice(group * self.lanes_per_group, (group + 1) * self.lanes_per_group)

    def _steps(self, group: int) -> Index:
        """Rows of the steps 0..999 of the group's episodes."""
        rows: Index = (self.begun[group] + np.arange(MAX_EPISODE_STEPS)) % MAX_EPISODE_STEPS
        return rows

    def _take(self, play: Play) -> None:
        self._ensemble.put(play.group, play.theta, play.normalizer)
        self._plays[play.group] = play
        self._schedule()

    def _pop(self, groups: Iterable[int]) -> list[tuple[int, Play]]:
        return [(group, self._plays.pop(group)) for group in groups]

    def _schedule(self) -> None:
        """Which lanes are stepped: `_index`, and as `_running` a slice where that will do; those of `_acting` act."""
        self._index: Index = np.flatnonzero(self.running)
        if not len(self._index):
            self._acting = slice(0, 0)
        else:
            first, last = self._index[0] // self.lanes_per_group, self._index[-1] // self.lanes_per_group
            self._acting = slice(self._lanes(first).start, self._lanes(last).stop)
        whole = len(self._index) == self._acting.stop - self._acting.start
        self._running: Lanes = self._acting if whole else self._index

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
        rows = self._steps(play.group)[:steps]
        raw_TBO, action_TBA, reward_TB = self._raw[rows, lanes], self._action[rows, lanes], self._reward[rows, lanes]
        raw_TBO[~valid_TB], action_TBA[~valid_TB], reward_TB[~valid_TB] = 0, 0, 0
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
