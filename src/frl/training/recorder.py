"""The rows of a run's log: one for each evaluation point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

IDENTITY = ("environment", "env_version", "algorithm", "n_agents", "seed")
AXES = (
    "point",
    "env_steps_total",
    "env_steps_per_agent",
    "env_steps_agent_min",
    "env_steps_agent_max",
    "sim_time_s",
    "server_step",
    "uploads",
    "uplink_bytes",
    "downlink_bytes",
    "trajectory_bytes",
)
EVALUATION = (
    "eval_return_mean",
    "eval_return_std",
    "eval_episodes",
    "eval_length_mean",
    "eval_return_mean_action",
    "eval_return_agent_min",
    "eval_return_agent_max",
)
TRAINING = (
    "train_return_mean",
    "train_episodes",
    "staleness_mean",
    "staleness_max",
    "staleness_counts",
    "gradient_norm_mean",
    "direction_norm",
    "policy_std",
    "uploaded",
    "status",
)
COLUMNS: tuple[str, ...] = IDENTITY + AXES + EVALUATION + TRAINING
WALL = "wall_time_s"
"""The last column of a run by the wall clock, for which `sim_time_s`, the time by the run's clock, is the same."""


class Recorder:
    """Collects what arrives between two rows and turns it into the next row.

    `staleness` of an arrival is delta_k = k - k': server steps from dispatch to the step that uses it.
    `staleness_counts` is their histogram since the previous row: `1:5/9:2` is five arrivals of 1 and two of 9.
    `trajectory_bytes` is what had been uploaded had agents sent what they saw: `bytes_per_step` for each step.
    `uploaded`, of lazy methods only, has a word for every agent in their order, joined by slashes, with a character
    for each of its answers since the previous row: 1 uploaded, 0 skipped.
    """

    def __init__(self, identity: dict[str, object], n_agents: int, bytes_per_step: int = 0, lazy: bool = False):
        self.identity = identity
        self.bytes_per_step = bytes_per_step
        self.lazy = lazy
        self.rows: list[dict[str, object]] = []
        self.env_steps = np.zeros(n_agents, dtype=np.int64)
        self.uploads = 0
        self.uplink_bytes = 0
        self.downlink_bytes = 0
        self._forget()

    def _forget(self) -> None:
        self.returns: list[float] = []
        self.staleness: list[int] = []
        self.gradient_norms: list[float] = []
        self.answers: list[str] = [""] * len(self.env_steps)

    @property
    def env_steps_total(self) -> int:
        """Environment steps of all agents whose updates have arrived."""
        return int(self.env_steps.sum())

    def sent(self, nbytes: int) -> None:
        """A task left the server."""
        self.downlink_bytes += nbytes

    def arrived(
        self,
        agent: int,
        env_steps: int,
        nbytes: int,
        staleness: int,
        gradient_norm: float | None,
        returns: Iterable[float],
    ) -> None:
        """An update reached the server, without gradient if its norm is None.

        `returns` are those of the training episodes that ended in the task.
        """
        self.env_steps[agent] += env_steps
        self.uplink_bytes += nbytes
        self.staleness.append(staleness)
        self.answers[agent] += "0" if gradient_norm is None else "1"
        if gradient_norm is not None:
            self.uploads += 1
            self.gradient_norms.append(gradient_norm)
        self.returns.extend(returns)

    def write(
        self,
        *,
        point: int,
        sim_time_s: float,
        server_step: int,
        direction_norm: float,
        policy_std: float,
        status: str = "ok",
    ) -> dict[str, object]:
        """Append and return a row: the axes as they stand, no evaluation yet, the means since the previous row."""
        total, n_agents = self.env_steps_total, len(self.env_steps)
        axes = (
            point,
            total,
            total / n_agents,
            int(self.env_steps.min()),
            int(self.env_steps.max()),
            sim_time_s,
            server_step,
            self.uploads,
            self.uplink_bytes,
            self.downlink_bytes,
            total * self.bytes_per_step,
        )
        training = (
            _mean(self.returns),
            len(self.returns),
            _mean(self.staleness),
            max(self.staleness, default=None),
            "/".join(f"{delay}:{count}" for delay, count in sorted(Counter(self.staleness).items())) or None,
            _mean(self.gradient_norms),
            direction_norm if np.isfinite(direction_norm) else None,
            policy_std,
            "/".join(self.answers) if self.lazy else None,
            status,
        )
        row = {**self.identity, **dict(zip(AXES, axes, strict=True)), **dict.fromkeys(EVALUATION)}
        self.rows.append({**row, **dict(zip(TRAINING, training, strict=True))})
        self._forget()
        return self.rows[-1]


def _mean(values: list[float] | list[int]) -> float | None:
    return float(np.mean(values)) if values else None
