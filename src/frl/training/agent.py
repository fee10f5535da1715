"""Agents: private environments and private data; each takes a Task and gives back an Update, nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from frl.spec import SERVERS, RunSpec
from frl.training import adversaries
from frl.training import normalizer as observations
from frl.training.critic import Critic
from frl.training.estimators import estimate, step_weights
from frl.training.heterogeneity import variants
from frl.training.links import downlink, uplink
from frl.training.mlp import Float32
from frl.training.normalizer import Normalizer
from frl.training.policy import GaussianPolicy
from frl.training.sampler import Batch
from frl.training.servers.base import Adversary, Array, Codec, CodedTask, Sample, Task, Update, uploaded
from frl.training.work import Work, together


class Agent:
    """Agent `index` of a run: what it remembers from task to task, beside its lanes.

    Its streams depend on the run's seed and on `index` alone, so it meets the same resets and noise for every N.
    """

    def __init__(self, spec: RunSpec, index: int, policy: GaussianPolicy):
        self.spec = spec
        self.index = index
        self.policy = policy
        self.noise = spec.stream("agent", index, "noise")
        self.lazy = spec.stream("agent", index, "upload")
        size = policy.mlp.shapes[0][0]
        self.critic = Critic(size, spec.critic.memory) if spec.critic.mode == "linear" else None
        self.memory: dict[str, Array] = {}
        self.reward_scale = variants(spec)[index].reward_scale
        self.sums = observations.empty_sums(size)  # used where the normaliser is local
        self.codec: Codec | None = uplink(spec, policy)
        self.codec_memory: dict[str, Array] = {}
        self.downlink = downlink(spec, policy)
        self.held: dict[str, Array] = {}  # the downlink's memory
        self.steps: list[Work] = []  # local steps of the task under way
        self.adversary: Adversary | None = adversaries.make(spec) if adversaries.malicious(spec, index) else None

    def save(self) -> dict[str, Any]:
        """All attributes but those that the specification gives."""
        given = ("spec", "index", "policy", "reward_scale", "codec", "downlink", "adversary")
        own = {name: value for name, value in vars(self).items() if name not in given}
        return own | {"critic": None if self.critic is None else vars(self.critic)}

    def restore(self, saved: dict[str, Any]) -> None:
        """Back to a saved moment."""
        if self.critic is not None:
            vars(self.critic).update(saved["critic"])
        vars(self).update({name: value for name, value in saved.items() if name != "critic"})

    def received(self, sent: Task | CodedTask) -> Task:
        """The task that was sent, decoded if it has to be."""
        if self.downlink is not None:
            return self.downlink.decode(sent, self.held)
        if isinstance(sent, CodedTask):
            raise ValueError(f"agent {self.index} has no codec for the task that it was sent")
        return sent

    def normalizer(self, task: Task) -> Normalizer:
        """The snapshot with which it samples and learns."""
        settings = self.spec.normalizer
        return Normalizer(None if settings.mode == "none" else self._sums(task), settings.clip)

    def learn(self, task: Task, batch: Batch) -> Work:
        """The gradient at the task's parameters, estimated from the batch; the critic fitted to it."""
        spec = self.spec
        advantage, target = self._advantages(batch)

        rows = batch.valid_TB.reshape(-1)
        observation = _rows(batch.observation_TBO, rows)
        gradient = self.policy.gradient(
            task.parameters,
            observation,
            _rows(batch.action_TBA, rows),
            advantage.reshape(-1)[rows],
            spec.estimator.entropy_coefficient,
        )
        sample = Sample(
            task,
            gradient,
            lambda: self._variance(task, batch, advantage, gradient),
            self.lazy,
            spec.n_agents,
            lambda vector: self.policy.fisher_product(task.parameters, observation, vector),
        )
        if self.critic is not None:
            self.critic.fit(observation, batch.elapsed_TB.reshape(-1)[rows], target.reshape(-1)[rows])
        sent = SERVERS[spec.algorithm].agent_gradient(sample, self.memory, spec.server)
        sums = self._new_sums(self._sums(task), _rows(batch.raw_TBO, rows))
        return Work(Update(task.agent, task.step, sent, sums), batch.env_steps, batch.returns, self.sums)

    def following(self, task: Task, work: Work) -> Task | None:
        """The task at the next point, where local steps are still to be made after this work; else None."""
        if self.spec.local is None:
            return None
        self.steps.append(work)
        if len(self.steps) == self.spec.local.steps:
            return None
        return replace(task, parameters=task.parameters + self.spec.local.step_size * uploaded(work.update))

    def answer(self, work: Work) -> Work:
        """What is sent for the work, local steps before it included."""
        if self.spec.local is not None:
            work, self.steps = together(self.steps), []
        if self.codec is not None:
            work = replace(work, update=self.codec.encode(work.update, self.codec_memory))
        return work

    def _sums(self, task: Task) -> observations.Sums | None:
        return task.normalizer if self.spec.normalizer.mode == "federated" else self.sums

    def _advantages(self, batch: Batch) -> tuple[Float32, Float32]:
        """Weighted advantages (first standardised over the batch if asked) and value targets, float32 (T, B)."""
        settings = self.spec.estimator
        reward_TB = batch.reward_TB if self.adversary is None else self.adversary.rewards(batch.reward_TB)
        value_TB, next_value_TB = self._values(batch)
        advantage_TB, target_TB = estimate(
            settings.name,
            self.reward_scale * reward_TB,
            value_TB,
            next_value_TB,
            batch.terminated_TB | batch.truncated_TB,
            discount=settings.discount,
            gae_lambda=settings.gae_lambda,
            n_steps=settings.n_steps,
        )
        if settings.standardize:
            valid = advantage_TB[batch.valid_TB]
            advantage_TB = (advantage_TB - valid.mean()) / (valid.std() + 1e-8)
        advantage_TB = advantage_TB * step_weights(settings.name, batch.elapsed_TB, settings.discount)
        return advantage_TB.astype(np.float32), target_TB.astype(np.float32)

    def _variance(self, task: Task, batch: Batch, advantage_TB: Float32, gradient: Float32) -> float:
        """Estimate of E ||g - E g||^2 from the B lanes (or episodes), taken as independent draws.

        g is the ratio sum_b G_b / sum_b T_b of the lanes' sums, so its variance is that of G_b - T_b g. With few
        episodes of unequal length this is low, as for any ratio: by a quarter with 8 of an untrained Hopper, by 5 %
        with 32.
        """
        lanes = batch.valid_TB.shape[1]
        if lanes < 2:
            raise ValueError("the noise of a gradient cannot be estimated from one lane or episode")
        steps_B = batch.valid_TB.sum(axis=0)
        squares = 0.0
        for lane in range(lanes):
            rows = batch.valid_TB[:, lane]
            own = self.policy.gradient(
                task.parameters,
                batch.observation_TBO[rows, lane],
                batch.action_TBA[rows, lane],
                advantage_TB[rows, lane],
                self.spec.estimator.entropy_coefficient,
            )
            squares += float(np.square(steps_B[lane] * (own.astype(np.float64) - gradient)).sum())
        return float(squares * lanes / (lanes - 1) / steps_B.sum() ** 2)

    def _values(self, batch: Batch) -> tuple[Array, Array]:
        """V of each state and of each step's next state, (T, B); 0 after termination and without a critic."""
        steps, lanes = batch.reward_TB.shape
        value_TB, next_value_TB = np.zeros((steps, lanes)), np.zeros((steps, lanes))
        if self.critic is None:
            return value_TB, next_value_TB
        states = np.concatenate((batch.observation_TBO.reshape(steps * lanes, -1), batch.last_BO))
        elapsed = np.concatenate((batch.elapsed_TB.ravel(), batch.elapsed_TB[-1] + 1))
        values = self.critic.value(states, elapsed)
        value_TB[:] = values[: steps * lanes].reshape(steps, lanes)
        next_value_TB[:-1] = value_TB[1:]
        next_value_TB[-1] = values[steps * lanes :]
        for t, cut, last in batch.truncations:
            next_value_TB[t, cut] = self.critic.value(last, batch.elapsed_TB[t, cut] + 1)
        next_value_TB[batch.terminated_TB] = 0
        value_TB[~batch.valid_TB] = 0
        next_value_TB[~batch.valid_TB] = 0
        return value_TB, next_value_TB

    def _new_sums(self, sums: observations.Sums | None, raw: Float32) -> observations.Sums | None:
        """Sums of the new observations to send, or None if they stay here or are no longer wanted."""
        settings = self.spec.normalizer
        if settings.mode == "none" or sums is None:
            return None
        # a local normaliser counts its own steps only: 1/N of all
        share = 1 if settings.mode == "federated" else self.spec.n_agents
        if settings.freeze_after_steps is not None and sums[0] * share >= settings.freeze_after_steps:
            return None
        new = observations.sums_of(raw)
        if settings.mode == "local":
            self.sums = self.sums + new
            return None
        return new


def _rows(array: Float32, rows: Array) -> Float32:
    """(T, B, X) to the valid rows of (T * B, X)."""
    flat = array.reshape(len(rows), -1)
    return flat if rows.all() else flat[rows]
