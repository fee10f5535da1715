"""What waiting costs, in closed form: how fast a fleet serves updates if the server waits, and if it does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from frl.analysis.quantity import Array
from frl.scenario.feasible import NEVER_END
from frl.settings import LognormalFleet
from frl.spec import RunSpec
from frl.training.clock import relative_times


class NoRetiming(ValueError):
    """A method's times on another fleet cannot be told from its runs; the message says why."""


def task_seconds(spec: RunSpec) -> Array:
    """Mean simulated compute time of one task for every agent, seconds, (N,). Communication is not counted."""
    fleet, factor = spec.fleet, np.array(relative_times(spec.fleet, spec.n_agents))
    return fleet.overhead_s + factor * fleet.seconds_per_1000_steps * spec.steps_per_upload / 1000


def round_seconds(spec: RunSpec) -> float:
    """Mean simulated time of one synchronous round: the slowest agent's task."""
    seconds = task_seconds(spec)
    if not isinstance(spec.fleet, LognormalFleet):
        return float(seconds.max())
    # Mean of the largest of N lognormal factors of mean 1, by averaging over its quantiles.
    level = (np.arange(100_000) + 0.5) / 100_000
    sigma = spec.fleet.sigma
    largest = np.exp(sigma * stats.norm.ppf(level ** (1 / spec.n_agents)) - sigma**2 / 2).mean()
    compute = seconds[0] - spec.fleet.overhead_s
    return float(spec.fleet.overhead_s + compute * largest)


def waiting_gain(spec: RunSpec) -> float:
    """Updates per unit of time without waiting, over those with: t_max / N * sum of 1 / t_i.

    3.25 for N = 4 and 3.625 for N = 8 on the poster's fleet (tau, ..., tau, 4 tau).
    """
    return float(round_seconds(spec) * (1 / task_seconds(spec)).sum() / spec.n_agents)


def momentum_share(alpha: float, n_agents: int) -> float:
    """Share of the bias of Vanilla's direction that the lookahead removes in theory, agents being equally fast.

    On a straight path the bias of d is proportional to (delta - 1) + (1 - alpha) / alpha with delta = N: staleness, and
    momentum. The lookahead removes the second. 9/16, 4/11, 1/8 for alpha = 0.1, 0.2, 0.5 and N = 8.
    """
    momentum = (1 - alpha) / alpha
    return momentum / (n_agents - 1 + momentum)


def retime(rows: pd.DataFrame, spec: RunSpec) -> pd.DataFrame:
    """The rows of synchronous runs as they would read on another fleet: only `sim_time_s` differs.

    What a server learns that waits for all its agents does not depend on how long it waits. Upload number
    N r + j of a run arrives j-th in round r + 1: after r rounds of the slowest agent's task, and the j-th fastest task.

    Args:
        rows: rows of curves.csv of runs of one synchronous method with `spec.n_agents` agents and tasks like `spec`'s.
        spec: of that method, with the other fleet.

    Raises:
        NoRetiming: if the tasks' times are not known beforehand: lognormal fleets, links that take time, tasks of whole
            episodes where an episode may end early; or if the rows have another number of agents.
    """
    link = spec.link
    uneven = spec.sampling.trajectories is not None and spec.environment not in NEVER_END
    if isinstance(spec.fleet, LognormalFleet) or uneven:
        raise NoRetiming("re-timing needs tasks of a known and constant length")
    if link.uplink_bytes_per_s is not None or link.downlink_bytes_per_s is not None or link.latency_s:
        raise NoRetiming("re-timing needs messages that take no time")
    if (rows["n_agents"] != spec.n_agents).any():
        raise NoRetiming(f"re-timing needs rows with {spec.n_agents} agents")
    arrival = np.concatenate([[0.0], np.sort(task_seconds(spec))])
    rounds, rest = np.divmod(rows["uploads"].to_numpy(), spec.n_agents)
    return rows.assign(sim_time_s=rounds * round_seconds(spec) + arrival[rest])
