"""Gaussian policy on one flat parameter vector theta = (MLP for the mean, log standard deviations)."""

from __future__ import annotations

import numpy as np

from frl.training.mlp import MLP, Float32, backward, forward, tangent


class GaussianPolicy:
    """pi_theta(a | s) = N(mean_theta(s), diag(exp(2 log_std))), O inputs, A outputs; `size` = d parameters."""

    def __init__(self, observation_size: int, action_size: int, hidden: tuple[int, ...], log_std_init: float):
        self.mlp = MLP((observation_size, *hidden, action_size))
        self.action_size = action_size
        self.log_std_init = log_std_init
        self.size = self.mlp.size + action_size

    def init(self, stream: np.random.Generator) -> Float32:
        """theta_0, shape (d,): orthogonal, small last layer, so that the first mean action is near 0."""
        log_std = np.full(self.action_size, self.log_std_init, dtype=np.float32)
        return np.concatenate((self.mlp.init(stream, output_gain=0.01), log_std))

    def std(self, theta: Float32) -> Float32:
        """Standard deviation of every action dimension, (A,)."""
        return np.exp(theta[self.mlp.size :])

    def gradient(
        self,
        theta: Float32,
        observation: Float32,
        action: Float32,
        advantage: Float32,
        entropy_coefficient: float = 0.0,
    ) -> Float32:
        """Ascent direction, shape (d,): gradient at theta of

        mean_n [advantage_n log pi_theta(a_n | s_n)] + entropy_coefficient * entropy(pi_theta).

        Args:
            observation: normalised, (n, O); action: as sampled, not clipped, (n, A); advantage: (n,).
        """
        layers = self.mlp.layers(theta)
        values = forward(layers, observation)
        inverse_std = np.exp(-theta[self.mlp.size :])
        scaled = (action - values[-1]) * inverse_std  # log pi = -scaled^2 / 2 - log_std, summed, and a constant
        weight = (advantage / np.float32(len(advantage)))[:, None]
        log_std = (weight * (np.square(scaled) - 1)).sum(axis=0) + np.float32(entropy_coefficient)
        return np.concatenate((backward(layers, values, weight * scaled * inverse_std), log_std))

    def fisher_product(self, theta: Float32, observation: Float32, vector: Float32) -> Float32:
        """F v, (d,), for the Fisher information F = mean_n E_a[grad log pi grad log pi^T] and v (d,); exact.

        Args:
            observation: normalised, (n, O).
        """
        layers = self.mlp.layers(theta)
        values = forward(layers, observation)
        change = tangent(layers, values, self.mlp.layers(vector))
        change *= np.exp(-2 * theta[self.mlp.size :]) / np.float32(len(observation))
        return np.concatenate((backward(layers, values, change), 2 * vector[self.mlp.size :]))
