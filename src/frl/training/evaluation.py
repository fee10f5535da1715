"""Returns of the server's policy, on environments and streams of the evaluation's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frl.spec import RunSpec
from frl.training.envs import MAKE
from frl.training.episodes import WholeEpisodes
from frl.training.heterogeneity import variants
from frl.training.mlp import Float32
from frl.training.normalizer import Normalizer
from frl.training.physics import Float
from frl.training.policy import GaussianPolicy
from frl.training.sampler import Episodes, Play

LANES = 64


@dataclass(frozen=True, eq=False)
class Point:
    """A policy to evaluate: theta_k and the normaliser at point `index` of the curve."""

    index: int
    theta: Float32
    normalizer: Normalizer
    mean_action: bool
    """Whether the mean action is evaluated as well."""


class Evaluator:
    """Whole episodes of theta_k. The streams depend on (seed, point) only: common to all methods and N.

    Where the agents' environments differ, every agent's plays an equal share of the episodes, and the mean return
    weighs it with its reward scale, as the objective does; returns stay in the task's own reward.

    No training step depends on an evaluation, so points may wait for others and be played together (`group` plays at
    once, about `LANES` lanes); what is measured stays the same bit for bit.
    """

    def __init__(self, spec: RunSpec, policy: GaussianPolicy):
        self.spec = spec
        self.group = max(1, LANES // spec.evaluation.episodes)
        streams = [spec.stream("evaluation", lane) for lane in range(self.group * spec.evaluation.episodes)]
        self.variants = variants(spec) if spec.heterogeneity.any else None
        own = None
        if self.variants is not None:  # episode e is played in the environment of agent e mod N
            own = self.variants * (len(streams) // spec.n_agents)
        env = MAKE[spec.environment](spec.env_version, streams, None, own)
        self.sampler = WholeEpisodes(env, self.group, policy, record=False)
        self.env_steps = 0

    def evaluate(self, points: Sequence[Point]) -> list[dict[str, object]]:
        """The evaluation columns of the rows of `points`: mean and (population) std of undiscounted returns.

        The stochastic policy is what J(theta) is about; the mean action is evaluated as well at some points.
        """
        plays = [(point, True) for point in points]
        plays += [(point, False) for point in points if point.mean_action]
        outcomes = dict(zip(plays, self._play(plays), strict=True))
        rows: list[dict[str, object]] = []
        for point in points:
            episodes = outcomes[point, True]
            row: dict[str, object] = {
                "eval_return_mean": self._mean(episodes.returns),
                "eval_return_std": float(np.std(episodes.returns)),
                "eval_episodes": len(episodes.returns),
                "eval_length_mean": float(np.mean(episodes.lengths)),
            }
            if point.mean_action:
                row["eval_return_mean_action"] = self._mean(outcomes[point, False].returns)
            if self.variants is not None:
                each = self._of_agents(episodes.returns)
                row.update(eval_return_agent_min=float(each.min()), eval_return_agent_max=float(each.max()))
            rows.append(row)
        return rows

    def _mean(self, returns: list[float]) -> float:
        if self.variants is None:
            return float(np.mean(returns))
        return float(np.average(self._of_agents(returns), weights=[v.reward_scale for v in self.variants]))

    def _of_agents(self, returns: list[float]) -> Float:
        """Mean return in every agent's environment, (N,)."""
        mean: Float = np.reshape(returns, (-1, self.spec.n_agents)).mean(axis=0)
        return mean

    def _play(self, plays: Sequence[tuple[Point, bool]]) -> list[Episodes]:
        """The episodes of each of (point, whether the policy is stochastic); a group that is done takes the next."""
        outcomes: list[Episodes] = [Episodes()] * len(plays)
        waiting, playing = list(reversed(range(len(plays)))), dict[int, int]()
        free = list(range(self.group))
        while waiting or playing:
            while waiting and free:
                group = free.pop(0)
                playing[group] = waiting.pop()
                self._begin(group, *plays[playing[group]])
            for group in self.sampler.step():
                outcomes[playing.pop(group)] = self.sampler.outcome(group)
                free.append(group)
        self.env_steps += sum(sum(each.lengths) for each in outcomes)
        return outcomes

    def _begin(self, group: int, point: Point, stochastic: bool) -> None:
        streams = [
            self.spec.stream("evaluation", point.index, episode) for episode in range(self.spec.evaluation.episodes)
        ]
        self.sampler.env.streams[group * len(streams) : (group + 1) * len(streams)] = streams
        noise = self.spec.stream("evaluation", point.index, "noise") if stochastic else None
        self.sampler.begin(Play(group, point.theta, point.normalizer, noise))
