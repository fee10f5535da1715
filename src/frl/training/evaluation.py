"""Returns of the server's policy, on environments and streams of the evaluation's own."""

from __future__ import annotations

import numpy as np

from frl.spec import RunSpec
from frl.training.envs import MAKE
from frl.training.mlp import Float32
from frl.training.normalizer import Normalizer
from frl.training.policy import GaussianPolicy
from frl.training.sampler import Batch, Sampler


class Evaluator:
    """Whole episodes of theta_k. The streams depend on (seed, point) only: common to all methods and N."""

    def __init__(self, spec: RunSpec, policy: GaussianPolicy):
        self.spec = spec
        self.policy = policy
        streams = [spec.stream("evaluation", episode) for episode in range(spec.evaluation.episodes)]
        self.sampler = Sampler(MAKE[spec.environment](spec.env_version, streams))
        self.env_steps = 0

    def evaluate(self, point: int, theta: Float32, normalizer: Normalizer) -> dict[str, object]:
        """The evaluation columns of the row of `point`: mean and (population) std of undiscounted returns.

        The stochastic policy is what J(theta) is about; the mean action is evaluated as well at some points.
        """
        settings = self.spec.evaluation
        batch = self._play(point, theta, normalizer, stochastic=True)
        columns: dict[str, object] = {
            "eval_return_mean": float(np.mean(batch.returns)),
            "eval_return_std": float(np.std(batch.returns)),
            "eval_episodes": len(batch.returns),
            "eval_length_mean": float(np.mean(batch.lengths)),
        }
        if point == settings.points or point % settings.mean_action_every == 0:
            greedy = self._play(point, theta, normalizer, stochastic=False)
            columns["eval_return_mean_action"] = float(np.mean(greedy.returns))
        return columns

    def _play(self, point: int, theta: Float32, normalizer: Normalizer, stochastic: bool) -> Batch:
        spec, actor = self.spec, self.policy.actor(theta)
        episodes = range(spec.evaluation.episodes)
        self.sampler.env.streams = [spec.stream("evaluation", point, episode) for episode in episodes]
        noise = spec.stream("evaluation", point, "noise")

        def act(observation: Float32) -> Float32:
            shape = (len(observation), self.policy.action_size)
            epsilon = noise.standard_normal(shape, np.float32) if stochastic else np.zeros(shape, np.float32)
            return self.policy.act(actor, observation, epsilon)

        batch = self.sampler.episodes(normalizer, act)
        self.env_steps += batch.env_steps
        return batch
