"""A3C-style: asynchronous workers whose gradients a shared RMSProp applies as they arrive.

After Mnih et al., ICML 2016, algorithm S3 with shared statistics: no momentum buffer, no normalised step, no lookahead.
The n-step returns and the entropy bonus are the estimator's (`estimator.name: nstep`, `entropy_coefficient`); the
critic is each worker's own, as every method's here, so that only the policy's update differs.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from frl.training.servers.base import Array, Sample, Server, ServerSettings, StepSize, Task, Update, uploaded


class A3C(Server):
    """One RMSProp step per arrival."""

    class Settings(ServerSettings):
        """Settings of A3C."""

        learning_rate: StepSize = 7e-4
        """RMSProp's step size."""
        decay: Annotated[float, Field(gt=0, lt=1)] = 0.99
        """RMSProp's decay of the squared gradient."""
        epsilon: Annotated[float, Field(gt=0)] = 1e-5
        """Added to the root of the squared gradient."""
        max_gradient_norm: Annotated[float, Field(gt=0)] | None = 0.5
        """The worker scales its gradient down to this norm; empty means no clipping."""

    settings: Settings

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.square = np.zeros_like(self.parameters)

    @classmethod
    def agent_gradient(cls, sample: Sample, memory: dict[str, Array], settings: Settings) -> Array:
        """Clip the worker's gradient to `max_gradient_norm`."""
        gradient = sample.gradient
        norm = float(np.linalg.norm(gradient))
        if settings.max_gradient_norm is None or norm <= settings.max_gradient_norm:
            return gradient
        clipped: Array = gradient * gradient.dtype.type(settings.max_gradient_norm / norm)
        return clipped

    def receive(self, update: Update) -> list[Task]:
        """g2 <- decay g2 + (1 - decay) g^2;  theta <- theta + lr g / (sqrt(g2) + epsilon)."""
        self.shared.absorb(update)
        self.step += 1
        s, g = self.settings, uploaded(update)
        self.square = s.decay * self.square + (1 - s.decay) * g * g
        direction = g / (np.sqrt(self.square) + s.epsilon)
        self.direction_norm = float(np.linalg.norm(direction))
        self.parameters = self.parameters + s.learning_rate * direction
        return [self.task(update.agent, self.parameters)]
