"""Gaussian policy on one flat parameter vector theta = (MLP for the mean, log standard deviations)."""

from __future__ import annotations

import math

import numpy as np
import torch

from frl.training.mlp import MLP, Float32, backward, forward, tangent

_LOG_2PI = math.log(2 * math.pi)


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

    def log_prob(self, theta: torch.Tensor, observation: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """log pi_theta(a | s), shape (n,)."""
        mean_part, log_std = torch.split(theta, [self.mlp.size, self.action_size])
        scaled = (action - self.mlp.torch(mean_part, observation)) * torch.exp(-log_std)
        return -0.5 * scaled.square().sum(1) - log_std.sum() - 0.5 * self.action_size * _LOG_2PI

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
        leaf = torch.from_numpy(theta.copy()).requires_grad_()
        log_prob = self.log_prob(leaf, torch.from_numpy(observation), torch.from_numpy(action))
        objective = (log_prob * torch.from_numpy(advantage)).mean()
        if entropy_coefficient:
            objective = objective + entropy_coefficient * leaf[self.mlp.size :].sum()
        (gradient,) = torch.autograd.grad(objective, leaf)
        return gradient.numpy()

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
