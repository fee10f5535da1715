"""Simulated time: a discrete-event queue of the tasks in flight.

An agent's task takes latency + downlink bytes / bandwidth, then env steps * its seconds per step + overhead, then
latency + uplink bytes / bandwidth. Events are ordered by (time, sequence number), so ties are broken the same way
in every run.
"""

from __future__ import annotations

import heapq
import math

from frl.spec import FleetSpec, LinkSpec, LognormalFleet, RunSpec, StragglerFleet


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
        self._queue: list[tuple[float, int, int]] = []
        self._sent = 0

    def compute_seconds(self, agent: int, env_steps: int) -> float:
        """Time that `agent` needs for a task of `env_steps`; draws the factor of a lognormal fleet."""
        tau = self.fleet.seconds_per_1000_steps * self._relative[agent]
        if isinstance(self.fleet, LognormalFleet):
            sigma = self.fleet.sigma
            tau *= math.exp(sigma * self._streams[agent].standard_normal() - sigma**2 / 2)
        return env_steps / 1000 * tau + self.fleet.overhead_s

    def send(self, agent: int, env_steps: int, downlink_bytes: int, uplink_bytes: int) -> None:
        """A task leaves the server for `agent` now; :meth:`receive` names the agent when its answer is due."""
        seconds = 2 * self.link.latency_s + self.compute_seconds(agent, env_steps)
        if self.link.downlink_bytes_per_s is not None:
            seconds += downlink_bytes / self.link.downlink_bytes_per_s
        if self.link.uplink_bytes_per_s is not None:
            seconds += uplink_bytes / self.link.uplink_bytes_per_s
        heapq.heappush(self._queue, (self.now + seconds, self._sent, agent))
        self._sent += 1

    def receive(self) -> int:
        """Advance to the next arrival and return the agent from which it comes.

        Raises:
            RuntimeError: if nothing is in flight (a server that answered no task would wait for ever).
        """
        if not self._queue:
            raise RuntimeError("no task is in flight: the server sent none and would wait for ever")
        self.now, _, agent = heapq.heappop(self._queue)
        return agent

    def __len__(self) -> int:
        """Tasks in flight."""
        return len(self._queue)
