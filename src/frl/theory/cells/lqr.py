"""A discounted linear-quadratic regulator with a Gaussian policy; J* by the Riccati equation."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_discrete_are

from frl.theory.cells.problems import Array, Problem


class LQR(Problem):
    """x' = A x + B u + w,  u = -K x + exploration * xi,  J = -E sum_t discount^t (x'x + u'u), from K = 0.

    x_0, w and xi are standard normal, w at a tenth. Axes: X states, U inputs; theta is K, row by row, D = U X.

    Args:
        spectral_radius: of A; below 1 / sqrt(discount), so that J is finite at K = 0.
        seed: of A and B.
    """

    def __init__(
        self, states: int, inputs: int, discount: float, spectral_radius: float, exploration: float, seed: int
    ):
        stream = np.random.default_rng(seed)
        drift_XX = stream.standard_normal((states, states))
        self.drift_XX = drift_XX * spectral_radius / np.abs(np.linalg.eigvals(drift_XX)).max()
        self.input_XU = stream.standard_normal((states, inputs)) / np.sqrt(states)
        self.discount, self.exploration = discount, exploration
        self.noise_XX = 0.01 * np.eye(states)
        self.start = np.zeros(inputs * states)
        self.optimum = float(self.value(self.optimal_gain().reshape(1, -1))[0])

    def optimal_gain(self) -> Array:
        """K*, (U, X), by the discounted Riccati equation."""
        root = np.sqrt(self.discount)
        drift_XX, input_XU = root * self.drift_XX, root * self.input_XU
        states, inputs = input_XU.shape
        p_XX = solve_discrete_are(drift_XX, input_XU, np.eye(states), np.eye(inputs))
        return np.asarray(np.linalg.solve(np.eye(inputs) + input_XU.T @ p_XX @ input_XU, input_XU.T @ p_XX @ drift_XX))

    def value(self, theta_BD: Array) -> Array:
        gain_BUX, closed_BXX = self._closed(theta_BD)
        radius_B = np.abs(np.linalg.eigvals(closed_BXX)).max(axis=1)
        cost_BXX = self._cost(gain_BUX, closed_BXX)
        inputs, rest = self.input_XU.shape[1], 1 / (1 - self.discount)
        value_B = -np.einsum("xy,byx->b", self._start(), cost_BXX) - inputs * self.exploration**2 * rest
        return np.where(radius_B < 1, value_B, -np.inf)

    def gradient(self, theta_BD: Array) -> Array:
        """-2 ((1 + g B'P B) K - g B'P A) Sigma, with Sigma the discounted sum of E x x' (Fazel et al. 2018)."""
        gain_BUX, closed_BXX = self._closed(theta_BD)
        cost_BXX = self._cost(gain_BUX, closed_BXX)
        visits_BXX = _lyapunov(closed_BXX, np.broadcast_to(self._start(), closed_BXX.shape))
        closed_loop_BXX = closed_BXX / np.sqrt(self.discount)
        slope_BUX = gain_BUX - self.discount * self.input_XU.T @ cost_BXX @ closed_loop_BXX
        return np.asarray((-2 * slope_BUX @ visits_BXX).reshape(theta_BD.shape))

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        states, inputs = self.input_XU.shape
        return [(inputs, states)]

    def fisher(self, theta_BD: Array) -> Array:
        """E x x' / exploration^2 in the block of each input, over the states at discounted times."""
        _, closed_BXX = self._closed(theta_BD)
        visits_BXX = (1 - self.discount) * _lyapunov(closed_BXX, np.broadcast_to(self._start(), closed_BXX.shape))
        inputs = self.input_XU.shape[1]
        blocks_BUXUX = np.einsum("uv,bxy->buxvy", np.eye(inputs), visits_BXX / self.exploration**2)
        return np.asarray(blocks_BUXUX.reshape(len(theta_BD), theta_BD.shape[1], theta_BD.shape[1]))

    def _closed(self, theta_BD: Array) -> tuple[Array, Array]:
        """K, (B, U, X), and sqrt(discount) (A - B K), (B, X, X)."""
        gain_BUX = theta_BD.reshape(len(theta_BD), self.input_XU.shape[1], -1)
        return gain_BUX, np.sqrt(self.discount) * (self.drift_XX - self.input_XU @ gain_BUX)

    def _cost(self, gain_BUX: Array, closed_BXX: Array) -> Array:
        """P of x'P x, the cost from state x without any noise, (B, X, X)."""
        stage_BXX = np.eye(len(self.drift_XX)) + gain_BUX.swapaxes(1, 2) @ gain_BUX
        return _lyapunov(closed_BXX.swapaxes(1, 2), stage_BXX)

    def _start(self) -> Array:
        """Discounted sum of the covariances that enter: of x_0, and of w and the exploration at every later step."""
        enters_XX = self.noise_XX + self.exploration**2 * self.input_XU @ self.input_XU.T
        return np.asarray(np.eye(len(self.drift_XX)) + self.discount / (1 - self.discount) * enters_XX)


def _lyapunov(m_BXX: Array, q_BXX: Array) -> Array:
    """X = Q + M X M', (B, X, X)."""
    b, n, _ = m_BXX.shape
    kronecker = np.einsum("bik,bjl->bijkl", m_BXX, m_BXX, optimize=False).reshape(b, n * n, n * n)
    return np.asarray(np.linalg.solve(np.eye(n * n) - kronecker, q_BXX.reshape(b, n * n, 1)).reshape(b, n, n))
