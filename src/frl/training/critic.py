"""Value function on one flat parameter vector phi, fitted by the agents."""

from __future__ import annotations

import numpy as np

from frl.training.mlp import MLP, Float32, Layers, backward, forward


class Critic:
    """V_phi(s) = value_scale * f_phi(s), with a network f whose outputs are then of order one.

    A constant in place of running statistics of the returns, which would be another thing to federate.
    """

    def __init__(self, observation_size: int, hidden: tuple[int, ...], value_scale: float):
        self.mlp = MLP((observation_size, *hidden, 1))
        self.size = self.mlp.size
        self.scale = np.float32(value_scale)

    def init(self, stream: np.random.Generator) -> Float32:
        """phi_0, shape (c,); V is near 0 everywhere."""
        return self.mlp.init(stream, output_gain=0.01)

    def value(self, phi: Float32, observation: Float32) -> Float32:
        """V, shape (n,), for normalised observations (n, O)."""
        layers: Layers = self.mlp.layers(phi)
        return forward(layers, observation)[-1][:, 0] * self.scale

    def fit(
        self,
        phi: Float32,
        observation: Float32,
        target: Float32,
        adam: Adam,
        epochs: int,
        minibatches: int,
        stream: np.random.Generator,
    ) -> Float32:
        """phi after `epochs` passes of squared-error regression on `target` (n,), starting from `phi`."""
        scaled: Float32 = target / self.scale
        for _ in range(epochs):
            for rows in np.array_split(stream.permutation(len(target)), minibatches):
                layers = self.mlp.layers(phi)
                values = forward(layers, observation[rows])
                error = values[-1]
                error -= scaled[rows, None]
                error /= len(rows)
                phi = phi - adam.step(backward(layers, values, error))
        return phi


class Adam:
    """Kingma and Ba 2015, on one flat vector. (torch.optim's costs five seconds of imports at its first step.)"""

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
