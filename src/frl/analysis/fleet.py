"""What waiting costs, in closed form: how fast a fleet serves updates if the server waits, and if it does not."""

from __future__ import annotations

import numpy as np
from scipy import stats

from frl.analysis.stats import Array
from frl.spec import LognormalFleet, RunSpec
from frl.training.clock import relative_times


def task_seconds(spec: RunSpec) -> Array:
    """Mean simulated compute time of one task for every agent, seconds, (N,). Communication is not counted.

    A task of whole episodes is counted as if each had 1,000 environment steps.
    """
    sampling, fleet = spec.sampling, spec.fleet
    steps = sampling.trajectories * 1000 if sampling.trajectories else sampling.lanes * sampling.segment_steps
    factor = np.array(relative_times(fleet, spec.n_agents))
    return fleet.overhead_s + factor * fleet.seconds_per_1000_steps * steps / 1000


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
