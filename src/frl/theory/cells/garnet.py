"""A Garnet MDP (Archibald et al. 1995) with an entropy-regularised softmax policy, and its sampled policy gradient.

The paper assumes a Fisher matrix bounded away from 0. A softmax over all logits of a state has a singular one (adding
a constant to them changes nothing) and so does a policy that becomes deterministic. Here the last action's logit is
held at 0, and the entropy term keeps the optimal policy, and so the way to it, away from the simplex's border.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from frl.theory.cells.problems import Array, Oracle, Problem


class Garnet(Problem):
    """J = E sum_t discount^t (r_t + temperature * entropy of pi(. | s_t)), s_0 uniform, from the uniform policy.

    Axes: S states, A actions, K successors, D = S (A - 1) logits.

    Args:
        branching: successors of every state and action, with random probabilities.
        seed: of transitions and rewards, which are uniform in [0, 1].
    """

    def __init__(self, states: int, actions: int, branching: int, discount: float, temperature: float, seed: int):
        stream = np.random.default_rng(seed)
        self.discount, self.temperature = discount, temperature
        order_SAS = stream.random((states, actions, states)).argsort(axis=2)
        self.successor_SAK = order_SAS[..., :branching]
        self.probability_SAK = stream.dirichlet(np.ones(branching), (states, actions))
        self.transition_SAS = np.zeros((states, actions, states))
        np.put_along_axis(self.transition_SAS, self.successor_SAK, self.probability_SAK, axis=2)
        self.reward_SA = stream.random((states, actions))
        self.first_S = np.full(states, 1 / states)
        self.start = np.zeros(states * (actions - 1))
        self.optimum = float(self.first_S @ self.optimal_values())

    def optimal_values(self) -> Array:
        """V* of the regularised problem, (S,), by value iteration to the last bits."""
        value_S = np.zeros(len(self.first_S))
        for _ in range(100_000):
            q_SA = self.reward_SA + self.discount * self.transition_SAS @ value_S
            new_S = self.temperature * logsumexp(q_SA / self.temperature, axis=1)
            if np.abs(new_S - value_S).max() < 1e-14:
                break
            value_S = new_S
        return np.asarray(new_S)

    def log_policy(self, theta_BD: Array) -> Array:
        """log pi(a | s), (B, S, A)."""
        states, actions = self.reward_SA.shape
        logit_BSA = np.zeros((len(theta_BD), states, actions), theta_BD.dtype)
        logit_BSA[..., :-1] = theta_BD.reshape(len(theta_BD), states, actions - 1)
        logit_BSA -= logit_BSA.real.max(axis=2, keepdims=True)
        return np.asarray(logit_BSA - np.log(np.exp(logit_BSA).sum(axis=2, keepdims=True)))

    def value(self, theta_BD: Array) -> Array:
        return np.asarray(self._solve(theta_BD)[0] @ self.first_S)

    def gradient(self, theta_BD: Array) -> Array:
        """d(s) pi(a | s) (Q(s, a) - temperature log pi(a | s) - V(s)) at each logit, d the visits (Mei et al. 2020)."""
        value_BS, log_BSA, system_BSS = self._solve(theta_BD)
        visits_BS = np.linalg.solve(system_BSS.swapaxes(1, 2), np.broadcast_to(self.first_S, value_BS.shape)[..., None])
        q_BSA = self.reward_SA + self.discount * np.einsum("sat,bt->bsa", self.transition_SAS, value_BS, optimize=False)
        advantage_BSA = q_BSA - self.temperature * log_BSA - value_BS[..., None]
        return np.asarray((visits_BS * np.exp(log_BSA) * advantage_BSA)[..., :-1].reshape(theta_BD.shape))

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        states, actions = self.reward_SA.shape
        return [(states, actions - 1)]

    def fisher(self, theta_BD: Array) -> Array:
        """d(s) (diag pi(. | s) - pi(. | s) pi(. | s)') in the block of each state, d the visits, which sum to 1."""
        _, log_BSA, system_BSS = self._solve(theta_BD)
        first_BS = np.broadcast_to(self.first_S, log_BSA.shape[:2])
        visits_BS = (1 - self.discount) * np.linalg.solve(system_BSS.swapaxes(1, 2), first_BS[..., None])[..., 0]
        policy_BSA = np.exp(log_BSA)[..., :-1]
        b, states, logits = policy_BSA.shape
        fisher_BSASA = np.zeros((b, states, logits, states, logits))
        for s in range(states):
            pi_BA = policy_BSA[:, s]
            own_BAA = pi_BA[:, :, None] * np.eye(logits) - pi_BA[:, :, None] * pi_BA[:, None]
            fisher_BSASA[:, s, :, s] = visits_BS[:, s, None, None] * own_BAA
        return fisher_BSASA.reshape(b, states * logits, states * logits)

    def _solve(self, theta_BD: Array) -> tuple[Array, Array, Array]:
        """V, (B, S); log pi, (B, S, A); and I - discount P of the policy, (B, S, S)."""
        log_BSA = self.log_policy(theta_BD)
        policy_BSA = np.exp(log_BSA)
        moves_BSS = np.einsum("bsa,sat->bst", policy_BSA, self.transition_SAS, optimize=False)
        system_BSS = np.eye(len(self.first_S)) - self.discount * moves_BSS
        gain_BS = (policy_BSA * (self.reward_SA - self.temperature * log_BSA)).sum(axis=2)
        return np.linalg.solve(system_BSS, gain_BS[..., None])[..., 0], log_BSA, system_BSS


class SampledTrajectories(Oracle):
    """REINFORCE with discounted returns-to-go: the mean over whole trajectories, cut at a horizon.

    The gradient of step t is discount^t * grad log pi(a_t | s_t) * sum_{u >= t} discount^{u - t} (r_u - temperature
    log pi(a_u | s_u) - centre): unbiased for the objective that ends at the horizon, which the rest changes by
    discount^horizon. The constant `centre`, the mean gain of theta_0, is a baseline that needs no learning.

    Axes: N = B M trajectories, T steps.
    """

    def __init__(self, problem: Garnet, trajectories: int, horizon: int):
        self.problem, self.trajectories, self.horizon = problem, trajectories, horizon
        self.centre = (1 - problem.discount) * float(problem.value(problem.start[None])[0])
        states, actions, branching = problem.successor_SAK.shape
        self.successor = problem.successor_SAK.reshape(states * actions, branching)
        self.cumulative = np.cumsum(problem.probability_SAK, axis=2).reshape(states * actions, branching)

    def draw(self, stream: np.random.Generator, count: int) -> Array:
        return stream.random((count, self.trajectories * (2 * self.horizon + 1)))

    def estimate(self, theta_BD: Array, random_BR: Array) -> Array:
        problem, b = self.problem, len(theta_BD)
        states, actions = problem.reward_SA.shape
        log_BSA = problem.log_policy(theta_BD)
        policy_BSA = np.exp(log_BSA)
        pair_TN = self._play(policy_BSA, random_BR)
        offset_N = np.repeat(np.arange(b) * states * actions, self.trajectories)
        gain_TN = problem.reward_SA.ravel()[pair_TN] - problem.temperature * log_BSA.ravel()[pair_TN + offset_N]
        weighted_TN = problem.discount ** np.arange(self.horizon)[:, None] * (gain_TN - self.centre)
        togo_TN = np.cumsum(weighted_TN[::-1], axis=0)[::-1]  # discount^t times the return-to-go
        taken = np.bincount((pair_TN + offset_N).ravel(), togo_TN.ravel(), b * states * actions)
        taken_BSA = taken.reshape(b, states, actions)
        score_BSA = taken_BSA - policy_BSA * taken_BSA.sum(axis=2, keepdims=True)
        return np.asarray(score_BSA[..., :-1].reshape(theta_BD.shape) / self.trajectories)

    def _play(self, policy_BSA: Array, random_BR: Array) -> Array:
        """Index s A + a of the state and action at every step, (T, N)."""
        b, states, actions = policy_BSA.shape
        random_TN = np.ascontiguousarray(random_BR.reshape(b * self.trajectories, -1).T)
        choose = np.cumsum(policy_BSA, axis=2).reshape(b * states, actions)
        first_N = np.repeat(np.arange(b) * states, self.trajectories)
        state_N = (random_TN[0] * states).astype(np.int64)  # s_0 is uniform
        pair_TN = np.empty((self.horizon, b * self.trajectories), np.int64)
        for t in range(self.horizon):
            action_N = _drawn(choose, first_N + state_N, random_TN[2 * t + 1])
            pair_TN[t] = pair_N = state_N * actions + action_N
            state_N = self.successor[pair_N, _drawn(self.cumulative, pair_N, random_TN[2 * t + 2])]
        return pair_TN


def _drawn(cumulative: Array, row_N: Array, uniform_N: Array) -> Array:
    """Index drawn from each row's distribution, (N,); the last is what is left, so that rounding cannot pass it."""
    drawn_N = np.zeros(len(row_N), np.int64)
    for column in cumulative.T[:-1]:
        drawn_N += uniform_N >= column[row_N]
    return drawn_N
