"""Vanilla asynchronous policy gradient: AFedPG without the lookahead, everything else equal.

The baseline called "Vanilla" in the paper's time-complexity figure: theta~_k := theta_k.
"""

from __future__ import annotations

from frl.training.servers.base import Array, MomentumSettings, Server, Task, Update, normalized, uploaded


class AsyncPG(Server):
    """One gradient, one momentum buffer and one normalised step per arrival."""

    class Settings(MomentumSettings):
        """Settings of the vanilla asynchronous method."""

    settings: Settings
    d: Array | None = None

    def receive(self, update: Update) -> list[Task]:
        """One server step per arrival; the agent samples next at theta_k itself."""
        self.shared.absorb(update)
        self.step += 1
        alpha = self.settings.alpha(update.step)
        eta = self.settings.eta(self.step - 1)

        # d <- (1 - alpha) d + alpha g;  theta_k <- theta_{k-1} + eta d / ||d||
        g = uploaded(update)
        self.d = g if self.d is None else (1 - alpha) * self.d + alpha * g
        direction, self.direction_norm = normalized(self.d)
        self.parameters = self.parameters + eta * direction

        return [self.task(update.agent, self.parameters)]
