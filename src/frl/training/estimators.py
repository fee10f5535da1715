"""Advantage estimators over segments of T steps of B lanes, as pure functions of arrays.

All four are one backward recursion: reward_to_go is GAE with lambda = 1 (the rewards to come, bootstrapped where the
data end; on whole episodes this is REINFORCE with a baseline), gpomdp is the same with each step weighted by
discount^t, and nstep cuts it every n steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


def generalized_advantage(
    reward_TB: Float, value_TB: Float, next_value_TB: Float, cut_TB: Bool, discount: float, gae_lambda: float
) -> Float:
    """A_t = delta_t + discount * lambda * A_{t+1}, where nothing is carried back over a cut; shape (T, B).

    delta_t = r_t + discount * next_value_t - value_t (Schulman et al. 2016, equations 11 and 16).

    Args:
        next_value_TB: V of the state after the step: 0 where it terminated, V of the episode's true last
            observation where it was truncated.
        cut_TB: steps after which the recursion starts anew (an episode's end, or an n-step return's).
    """
    delta_TB = reward_TB + discount * next_value_TB - value_TB
    carry_TB = discount * gae_lambda * ~cut_TB
    lanes = []
    columns = zip(delta_TB.T.tolist(), carry_TB.T.tolist(), strict=True)  # plain floats: fast for few lanes too
    for delta_T, carry_T in columns:
        advantage, advantage_T = 0.0, []
        for delta, carry in zip(reversed(delta_T), reversed(carry_T), strict=True):
            advantage = delta + carry * advantage
            advantage_T.append(advantage)
        lanes.append(advantage_T[::-1])
    return np.array(lanes).T


def estimate(
    name: str,
    reward_TB: Float,
    value_TB: Float,
    next_value_TB: Float,
    end_TB: Bool,
    *,
    discount: float,
    gae_lambda: float,
    n_steps: int,
) -> tuple[Float, Float]:
    """Advantages and value targets, both (T, B), of the estimator called `name`.

    Args:
        end_TB: steps that ended an episode, by termination or truncation.
    """
    cut_TB = end_TB
    if name == "nstep":
        cut_TB = end_TB.copy()
        cut_TB[n_steps - 1 :: n_steps] = True
    gae_lambda = gae_lambda if name == "gae" else 1.0
    advantage_TB = generalized_advantage(reward_TB, value_TB, next_value_TB, cut_TB, discount, gae_lambda)
    return advantage_TB, advantage_TB + value_TB


def step_weights(name: str, elapsed_TB: NDArray[np.int64], discount: float) -> Float:
    """Weight of each step's term in the gradient, (T, B): discount^t for `gpomdp`, else 1.

    With it the estimate is that of the discounted objective's own gradient (Baxter and Bartlett 2001); the others
    leave it out, as is usual.

    Args:
        elapsed_TB: t, steps of the episode before this one (0 at its first step).
    """
    weights: Float = np.ones(elapsed_TB.shape)
    if name == "gpomdp":
        weights = np.power(weights * discount, elapsed_TB)
    return weights
