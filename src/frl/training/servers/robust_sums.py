"""The federated normaliser where some agents lie: a median of what the agents' own sums say, instead of their sum."""

from __future__ import annotations

import numpy as np

from frl.training.servers.base import Array, SharedState, Update


class MedianSums(SharedState):
    """Each agent's sums apart; the shared ones have the medians of the agents' counts, means and variances.

    So no agent counts for more than one, however many observations it claims. While all report the same, the result is
    the plain sum. An agent that has sent nothing is no part of a median.

    Args:
        plain: what the run would share without malicious agents; its sums and its end are taken over.
        n_agents: N.
    """

    def __init__(self, plain: SharedState, n_agents: int):
        super().__init__(plain.normalizer, plain.freeze_after)
        self.each: dict[int, Array] = {}
        self.n_agents = n_agents

    def absorb(self, update: Update) -> None:
        """Add the update's sums to its agent's, and take the medians anew; sums that are no numbers are dropped."""
        new = update.normalizer
        if self.normalizer is None or new is None or self.frozen or not np.isfinite(new).all() or not new[0] > 0:
            return
        self.each[update.agent] = self.each.get(update.agent, np.zeros(new.shape)) + new
        each_NS = np.array([self.each[agent] for agent in sorted(self.each)])
        size = (each_NS.shape[1] - 1) // 2
        mean_NO = each_NS[:, 1 : 1 + size] / each_NS[:, :1]
        variance_NO = np.maximum(each_NS[:, 1 + size :] / each_NS[:, :1] - np.square(mean_NO), 0)
        mean_O, variance_O = np.median(mean_NO, axis=0), np.median(variance_NO, axis=0)
        count = len(each_NS) * np.median(each_NS[:, 0])
        self.normalizer = count * np.concatenate(([1.0], mean_O, variance_O + np.square(mean_O)))
