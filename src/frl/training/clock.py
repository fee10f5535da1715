"""Simulated time: a discrete-event queue of the tasks in flight.

An agent's task takes latency + downlink bytes / bandwidth, then env steps * its seconds per step + overhead, then
latency + uplink bytes / bandwidth. Events are ordered by (time, sequence number), so ties are broken the same way
in every run.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

from frl.settings import FleetSpec, LinkSpec, LognormalFleet, StragglerFleet
from frl.spec import RunSpec


def relative_times(fleet: FleetSpec, n_agents: int) -> list[float]:
    """t_i / tau of every agent: mean time of a task relative to the fleet's fastest rate."""
    if isinstance(fleet, StragglerFleet) and n_agents > 1:
        return [1.0] * (n_agents - 1) + [fleet.ratio]
    if fleet.kind == "linear":
        return [float(i) for i in range(1, n_agents + 1)]
    if fleet.kind == "sqrt":
        return [math.sqrt(i) for i in range(1, n_agents + 1)]
    return [1.0] * n_agents


class Clock:
    """When does which agent's update arrive?

    Attributes:
        now: simulated seconds since the start; never decreases.
    """

    def __init__(self, spec: RunSpec):
        self.fleet: FleetSpec = spec.fleet
        self.link: LinkSpec = spec.link
        self.now = 0.0
        self._relative = relative_times(spec.fleet, spec.n_agents)
        self._streams = [spec.stream("clock", agent) for agent in range(spec.n_agents)]
        self._queue: list[tuple[float, int, int]] = []  # arrival, order of dispatch, agent
        self._open: dict[int, tuple[float, int, float, int]] = {}  # agent: dispatch, its order, rate, bytes
        self._sent = 0

    def compute_seconds(self, agent: int, env_steps: int) -> float:
        """Time that `agent` needs for a task of `env_steps`; draws the factor of a lognormal fleet."""
        return env_steps / 1000 * self._rate(agent) + self.fleet.overhead_s

    def _rate(self, agent: int) -> float:
        tau = self.fleet.seconds_per_1000_steps * self._relative[agent]
        if isinstance(self.fleet, LognormalFleet):
            sigma = self.fleet.sigma
            tau *= math.exp(sigma * self._streams[agent].standard_normal() - sigma**2 / 2)
        return tau

    def dispatch(self, agent: int, downlink_bytes: int) -> None:
        """A task leaves the server for `agent` now; what the answer takes is not known yet."""
        self._open[agent] = (self.now, self._sent, self._rate(agent), downlink_bytes)
        self._sent += 1

    def answer(self, agent: int, env_steps: int, uplink_bytes: int) -> None:
        """What the answer of `agent`, which has a task, takes; :meth:`receive` names the agent when it is due."""
        heapq.heappush(self._queue, (self._due(agent, env_steps, uplink_bytes), self._open[agent][1], agent))
        del self._open[agent]

    def send(self, agent: int, env_steps: int, downlink_bytes: int, uplink_bytes: int) -> None:
        """:meth:`dispatch` and :meth:`answer`, where all is known beforehand."""
        self.dispatch(agent, downlink_bytes)
        self.answer(agent, env_steps, uplink_bytes)

    def _due(self, agent: int, env_steps: int, uplink_bytes: int) -> float:
        """When an answer arrives; never decreases with steps or bytes, rounding included."""
        sent, _, rate, downlink_bytes = self._open[agent]
        seconds = 2 * self.link.latency_s + (env_steps / 1000 * rate + self.fleet.overhead_s)
        if self.link.downlink_bytes_per_s is not None:
            seconds += downlink_bytes / self.link.downlink_bytes_per_s
        if self.link.uplink_bytes_per_s is not None:
            seconds += uplink_bytes / self.link.uplink_bytes_per_s
        return sent + seconds

    def decided(self, at_least: Callable[[int], int]) -> bool:
        """Whether it is known who arrives next, or nothing is in flight: no open task can come before.

        Args:
            at_least: agent -> environment steps that its answer will have, or fewer.
        """
        if not self._queue:
            return not self._open
        first = self._queue[0][:2]
        return all((self._due(agent, at_least(agent), 0), task[1]) > first for agent, task in self._open.items())

    def receive(self) -> int:
        """Advance to the next arrival among the answers that are known, and return the agent from which it comes.

        Raises:
            RuntimeError: if nothing is in flight (a server that answered no task would wait for ever).
        """
        if not self._queue:
            raise RuntimeError("no task is in flight: the server sent none and would wait for ever")
        self.now, _, agent = heapq.heappop(self._queue)
        return agent

    def __len__(self) -> int:
        """Tasks in flight."""
        return len(self._queue) + len(self._open)
