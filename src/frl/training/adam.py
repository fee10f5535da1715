"""Adam on one flat vector. (torch.optim's costs seconds of imports.)"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Adam:
    """Kingma and Ba 2015."""

    def __init__(self, size: int, learning_rate: float):
        self.learning_rate = learning_rate
        self.first = np.zeros(size, dtype=np.float32)
        self.second = np.zeros(size, dtype=np.float32)
        self.steps = 0

    def step(self, gradient: Float32) -> Float32:
        """What to subtract from the parameters, same shape as the gradient."""
        b1, b2, self.steps = 0.9, 0.999, self.steps + 1
        self.first = b1 * self.first + (1 - b1) * gradient
        self.second = b2 * self.second + (1 - b2) * gradient * gradient
        root = np.sqrt(self.second / (1 - b2**self.steps))
        step: Float32 = self.learning_rate / (1 - b1**self.steps) * self.first / (root + 1e-8)
        return step
