"""All agents of a process together: their lanes are stepped as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from frl.spec import RunSpec
from frl.training.agent import Agent
from frl.training.envs import MAKE, MAX_EPISODE_STEPS, Environment
from frl.training.episodes import WholeEpisodes
from frl.training.heterogeneity import variants
from frl.training.policy import GaussianPolicy
from frl.training.sampler import Play, Sampler
from frl.training.segments import Segments
from frl.training.servers.base import CodedTask, Task
from frl.training.work import Work


class Agents:
    """Agents whose lanes are stepped together: faster than one by one, and bit for bit the same.

    An answer is a function of its task and of its agent's state alone, whatever else is under way.

    Args:
        only: indices of the agents; none means all of the run. A process of its own for one agent has its own lanes
            only.

    Attributes:
        each: index -> agent.
        tasks: index -> the task under way.
    """

    def __init__(self, spec: RunSpec, policy: GaussianPolicy, only: Sequence[int] | None = None):
        chosen = range(spec.n_agents) if only is None else only
        self.each = {index: Agent(spec, index, policy) for index in chosen}
        self.tasks: dict[int, Task] = {}
        self._group = {index: group for group, index in enumerate(chosen)}
        self._index = list(chosen)
        env, sampling = make_environment(spec, chosen), spec.sampling
        self.sampler: Sampler
        if sampling.trajectories is None:
            self.sampler = Segments(env, len(chosen), policy, sampling.segment_steps)
        else:
            self.sampler = WholeEpisodes(env, len(chosen), policy)

    def begin(self, sent: Task | CodedTask) -> None:
        """The task's agent, which must be idle, begins."""
        self._begin(self.each[sent.agent].received(sent))

    def _begin(self, task: Task) -> None:
        self.tasks[task.agent] = task
        self.sampler.begin(self._play(task))

    def advance(self) -> list[Work]:
        """Go on with all tasks under way; the answers that are ready with it."""
        works = []
        for group, batch in self.sampler.advance():
            agent = self.each[self._index[group]]
            task = self.tasks.pop(agent.index)
            work = agent.learn(task, batch)
            following = agent.following(task, work)
            if following is not None:
                self._begin(following)
            else:
                works.append(agent.answer(work))
        return works

    def at_least(self, agent: int) -> int:
        """Environment steps that the answer to the task under way will have, or fewer."""
        done = sum(step.env_steps for step in self.each[agent].steps)
        return done + self.sampler.at_least(self._group[agent])

    def work(self, tasks: Sequence[Task]) -> list[Work]:
        """The answers to tasks of idle agents, in their order."""
        for task in tasks:
            self.begin(task)
        works: dict[int, Work] = {}
        while self.tasks:
            works.update((work.update.agent, work) for work in self.advance())
        return [works[task.agent] for task in tasks]

    def save(self) -> dict[str, Any]:
        """All that :meth:`restore` needs to continue bit for bit."""
        each = [agent.save() for agent in self.each.values()]
        return {"tasks": self.tasks, "agents": each, "sampler": self.sampler.save()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Back to a saved moment, with the tasks that were under way."""
        for agent, own in zip(self.each.values(), saved["agents"], strict=True):
            agent.restore(own)
        self.tasks = saved["tasks"]
        self.sampler.restore(saved["sampler"], [self._play(task) for task in self.tasks.values()])

    def _play(self, task: Task) -> Play:
        """What its lanes do: act at the task's parameters, with the snapshot of the normaliser."""
        agent = self.each[task.agent]
        return Play(self._group[task.agent], task.parameters, agent.normalizer(task), agent.noise)


def make_environment(spec: RunSpec, agents: Sequence[int]) -> Environment:
    """The lanes of `agents`, agent by agent; running segments start staggered, whole episodes from a reset."""
    whole_episodes = spec.sampling.trajectories
    lanes = whole_episodes if whole_episodes is not None else spec.sampling.lanes
    streams = [spec.stream("agent", agent, "lane", lane) for agent in agents for lane in range(lanes)]
    phases = None
    if whole_episodes is None:
        draws = [spec.stream("agent", agent, "phases").integers(1, MAX_EPISODE_STEPS + 1, lanes) for agent in agents]
        phases = np.concatenate(draws).tolist()
    own = None
    if spec.heterogeneity.any:
        each = variants(spec)
        own = [each[agent] for agent in agents for _ in range(lanes)]
    return MAKE[spec.environment](spec.env_version, streams, phases, own)
