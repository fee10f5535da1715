"""Value networks: V_phi on one flat parameter vector phi, and its fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from frl.training.adam import Adam
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

    def gradient(self, phi: Float32, observation: Float32, target: Float32) -> Float32:
        """Gradient in phi, (c,), of half the mean squared error of f on `target` / value_scale (n,)."""
        layers = self.mlp.layers(phi)
        values = forward(layers, observation)
        error = values[-1]
        error -= (target / self.scale)[:, None]
        error /= len(target)
        return backward(layers, values, error)

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
        for _ in range(epochs):
            for rows in shuffled(len(target), minibatches, stream):
                phi = phi - adam.step(self.gradient(phi, observation[rows], target[rows]))
        return phi


def shuffled(samples: int, minibatches: int, stream: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """The samples in `minibatches` random parts of about equal size, none of them empty."""
    yield from np.array_split(stream.permutation(samples), min(minibatches, samples))
