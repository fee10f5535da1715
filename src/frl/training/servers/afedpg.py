"""AFedPG: asynchronous federated policy gradient with delay-adaptive lookahead.

Lan, Han, Hashemi, Aggarwal and Brinton, ICLR 2025 (arXiv 2404.08003), the server's algorithm box. With one
agent this is the method called PG in the paper's figures.
"""

from __future__ import annotations

from typing import Literal

from frl.training.servers.base import Array, MomentumSettings, Server, Task, Update, normalized, uploaded


class AFedPG(Server):
    """One gradient, one momentum buffer, one normalised step and one lookahead point per arrival."""

    class Settings(MomentumSettings):
        """Settings of AFedPG."""

        lookahead_alpha: Literal["arrival", "own"] = "arrival"
        """Whose alpha builds the lookahead: the arriving gradient's (the box), or that of the task sent out."""

    settings: Settings
    d: Array | None = None

    def receive(self, update: Update) -> list[Task]:
        """Lines 1-5 of the server's loop, for k = 1, 2, ..."""
        self.shared.absorb(update)
        self.step += 1
        k, dispatched = self.step, update.step  # k' = k - delta_k

        # 1. receive g from the agent i_k that finished
        g = uploaded(update)
        alpha = self.settings.alpha(dispatched)
        eta = self.settings.eta(k - 1)

        # 2. d <- (1 - alpha_k') d + alpha_k' g, with d_0 := the first gradient
        self.d = g if self.d is None else (1 - alpha) * self.d + alpha * g

        # 3. theta_k <- theta_{k-1} + eta_{k-1} d / ||d||
        previous = self.parameters
        direction, self.direction_norm = normalized(self.d)
        self.parameters = previous + eta * direction

        # 4. theta~_k <- theta_k + (1 - alpha_k') / alpha_k' (theta_k - theta_{k-1})
        if self.settings.lookahead_alpha == "own":
            alpha = self.settings.alpha(k)
        lookahead = self.parameters + (1 - alpha) / alpha * (self.parameters - previous)

        # 5. send theta~_k back to agent i_k only
        return [self.task(update.agent, lookahead)]
