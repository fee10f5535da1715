"""An agent's answer with what the simulation measures about it; several local steps as one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from frl.training.normalizer import Sums
from frl.training.servers.base import Update, uploaded


@dataclass(frozen=True)
class Work:
    """An update, and what the simulation (not the server) measures about how it came to be."""

    update: Update
    env_steps: int
    returns: list[float]
    sums: Sums
    """The agent's own normaliser after the task, where it is local."""


def together(steps: Sequence[Work]) -> Work:
    """H local steps as one work: (theta_H - theta~) / (H eta) is the mean of their gradients."""
    gradients = np.array([uploaded(step.update) for step in steps])
    sums = [step.update.normalizer for step in steps if step.update.normalizer is not None]
    together = replace(
        steps[-1].update,
        gradient=gradients.mean(axis=0, dtype=np.float64).astype(np.float32),
        normalizer=np.array(sums).sum(axis=0) if sums else None,
    )
    returns = [value for step in steps for value in step.returns]
    return replace(steps[-1], update=together, env_steps=sum(step.env_steps for step in steps), returns=returns)
