"""Policy, critic, normaliser and estimators against finite differences, plain loops and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from frl.training import normalizer as observations
from frl.training.critic import Critic
from frl.training.estimators import estimate, generalized_advantage, step_weights
from frl.training.mlp import MLP, backward, forward
from frl.training.normalizer import Normalizer
from frl.training.policy import GaussianPolicy
from frl.training.sampler import Ensemble
from frl.training.servers.base import SharedState, Update


def rng(seed=0):
    return np.random.default_rng(seed)


def float32(*shape, seed=0):
    return rng(seed).standard_normal(shape).astype(np.float32)


def torchs_own(mlp, flat, x):
    """The same network out of torch's own operations."""
    parts = torch.split(flat, [math.prod(shape) for shape in mlp.shapes])
    tensors = [part.view(shape) for part, shape in zip(parts, mlp.shapes, strict=True)]
    for index in range(0, len(tensors) - 2, 2):
        x = torch.tanh(x @ tensors[index] + tensors[index + 1])
    return x @ tensors[-2] + tensors[-1]


@pytest.mark.parametrize("sizes", [(5, 16, 8, 3), (5, 3), (11, 64, 64, 1)])
def test_network_and_derivative_are_torchs(sizes):
    mlp = MLP(sizes)
    start = mlp.init(rng(), output_gain=1.0) + 0.1 * float32(mlp.size)
    x, weight = float32(700, sizes[0], seed=1), float32(700, sizes[-1], seed=2)
    flat = torch.from_numpy(start.copy()).requires_grad_()
    output = torchs_own(mlp, flat, torch.from_numpy(x))
    (expected,) = torch.autograd.grad((output * torch.from_numpy(weight)).mean(), flat)
    values = forward(mlp.layers(start), x)
    np.testing.assert_allclose(values[-1], output.detach().numpy(), atol=2e-6, rtol=1e-5)
    gradient = backward(mlp.layers(start), values, weight / np.float32(weight.size))
    np.testing.assert_allclose(gradient, expected.numpy(), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("lanes", [1, 5, 16, 33])
@pytest.mark.parametrize("hidden", [(64, 64), (256, 256), (7,)])
def test_stacked_policies_act_bit_for_bit_as_alone(lanes, hidden):
    policy = GaussianPolicy(11, 3, hidden, log_std_init=0.0)
    observation, noise = float32(5 * lanes, 11), float32(5 * lanes, 3, seed=1)
    together, alone = Ensemble(policy, 5, lanes), Ensemble(policy, 1, lanes)
    normalizers = [Normalizer(None, 1)] + [
        Normalizer(observations.sums_of(float32(9, 11, seed=s)), 5) for s in range(4)
    ]
    thetas = [policy.init(rng(seed)) + 0.1 * float32(policy.size, seed=seed) for seed in range(5)]
    for slot in range(5):
        together.put(slot, thetas[slot], normalizers[slot])
    everyone = together.act(0, observation, noise)
    np.testing.assert_array_equal(together.act(2, observation[2 * lanes :], noise[2 * lanes :]), everyone[2 * lanes :])
    for slot in range(5):
        alone.put(0, thetas[slot], normalizers[slot])
        mine = slice(slot * lanes, (slot + 1) * lanes)
        np.testing.assert_array_equal(everyone[mine], alone.act(0, observation[mine], noise[mine]))
        mean = forward(policy.mlp.layers(thetas[slot]), normalizers[slot](observation[mine]))[-1]
        expected = mean + policy.std(thetas[slot]) * noise[mine]
        np.testing.assert_allclose(everyone[mine], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sizes", [(8, 64, 2), (376, 64, 17)])
def test_initial_weights_are_orthogonal(sizes):
    mlp = MLP(sizes)
    weight = mlp.layers(mlp.init(rng(), output_gain=0.01))[0][0]
    gram = weight @ weight.T if sizes[0] <= sizes[1] else weight.T @ weight
    np.testing.assert_allclose(gram, 2 * np.eye(len(gram)), atol=1e-5)
    assert np.abs(mlp.layers(mlp.init(rng(), output_gain=0.01))[1][0]).max() < 0.011


@pytest.mark.parametrize("entropy_coefficient", [0.0, 0.3])
@pytest.mark.parametrize(("sizes", "n"), [((4, (6,), 2), 9), ((11, (64, 64), 3), 1024), ((8, (16,), 2), 1)])
def test_policy_gradient_is_torchs_of_the_normal_density(sizes, n, entropy_coefficient):
    inputs, hidden, actions = sizes
    policy = GaussianPolicy(inputs, actions, hidden, log_std_init=-0.3)
    theta = policy.init(rng()) + 0.3 * float32(policy.size)
    observation, action, advantage = float32(n, inputs), 3 * float32(n, actions, seed=1), float32(n, seed=2)
    leaf = torch.from_numpy(theta.astype(np.float64)).requires_grad_()
    mean_part, log_std = torch.split(leaf, [policy.mlp.size, actions])
    mean = torchs_own(policy.mlp, mean_part, torch.from_numpy(observation).double())
    pi = torch.distributions.Normal(mean, log_std.exp())
    log_prob = pi.log_prob(torch.from_numpy(action)).sum(1)
    objective = (log_prob * torch.from_numpy(advantage)).mean() + entropy_coefficient * pi.entropy().sum(1).mean()
    (expected,) = torch.autograd.grad(objective, leaf)
    gradient = policy.gradient(theta, observation, action, advantage, entropy_coefficient)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, expected.numpy(), atol=2e-5 * float(expected.abs().max()))


def test_the_critic_is_the_regression_on_recent_data():
    critic, observation, elapsed = Critic(2, memory=0.8), float32(300, 2), rng(2).integers(0, 1000, 300)
    np.testing.assert_array_equal(critic.value(observation, elapsed), 0)

    def target(shift):
        return (shift + 2 * observation[:, 0] - observation[:, 1] ** 2 + (elapsed / 100) ** 3).astype(np.float32)

    critic.fit(observation, elapsed, target(5.0))
    np.testing.assert_allclose(critic.value(observation, elapsed), target(5.0), atol=0.1)
    for _ in range(30):  # what it saw long ago is forgotten
        critic.fit(observation, elapsed, target(-5.0))
    np.testing.assert_allclose(critic.value(observation, elapsed), target(-5.0), atol=0.1)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_the_critic_weighs_each_batch_by_its_age(memory):
    critic, batches = Critic(2, memory), [(float32(40, 2, seed=s), float32(40, seed=10 + s)) for s in range(4)]
    weights = np.repeat([memory**3, memory**2, memory, 1], 40)
    for observation, target in batches:
        critic.fit(observation, np.arange(40), target)
    o, t = np.concatenate([o for o, _ in batches]).astype(float), np.tile(np.arange(40) / 100, 4)[:, None]
    x = np.hstack((o, o**2, t, t**2, t**3, np.ones_like(t)))
    y = np.concatenate([y for _, y in batches])
    ridge = np.sqrt(1e-5 * weights.sum()) * np.eye(x.shape[1])  # as further rows whose target is 0
    root = np.sqrt(weights)
    expected = np.linalg.lstsq(np.vstack((root[:, None] * x, ridge)), np.append(root * y, np.zeros(len(ridge))))[0]
    np.testing.assert_allclose(critic.weight, expected, rtol=1e-6, atol=1e-8)


def test_fisher_products_are_the_curvature_of_the_divergence():
    policy, observation = GaussianPolicy(4, 2, (6, 5), log_std_init=-0.3), float32(9, 4)
    theta = policy.init(rng()) + 0.3 * float32(policy.size)
    mean, log_std = torch.split(torch.from_numpy(theta.astype(np.float64)), [policy.mlp.size, 2])
    old = torchs_own(policy.mlp, mean, torch.from_numpy(observation).double())

    def divergence(flat):  # KL(pi_theta, pi_flat)
        new_mean, new_log_std = torch.split(flat, [policy.mlp.size, 2])
        new = torchs_own(policy.mlp, new_mean, torch.from_numpy(observation).double())
        ratio = (2 * (log_std - new_log_std)).exp() + (old - new).square() * (-2 * new_log_std).exp()
        return (new_log_std - log_std + 0.5 * ratio).sum(1).mean()

    hessian = torch.autograd.functional.hessian(divergence, torch.from_numpy(theta.astype(np.float64))).numpy()
    for seed in range(3):
        vector = float32(policy.size, seed=seed)
        np.testing.assert_allclose(policy.fisher_product(theta, observation, vector), hessian @ vector, atol=2e-4)


def test_merged_normaliser_sums_equal_one_pass_over_all_data():
    parts = [3 + 5 * float32(n, 4, seed=n) for n in (100, 1, 37)]
    shared = SharedState(normalizer=observations.empty_sums(4))
    for part in parts:
        shared.absorb(Update(0, 0, np.zeros(1), normalizer=observations.sums_of(part)))
    everything = np.concatenate(parts).astype(np.float64)
    expected = (everything - everything.mean(axis=0)) / everything.std(axis=0)
    np.testing.assert_allclose(Normalizer(shared.normalizer, clip=100)(np.concatenate(parts)), expected, atol=1e-5)


def test_normaliser_clips_freezes_and_is_the_identity_without_data():
    raw = float32(10, 2)
    np.testing.assert_array_equal(Normalizer(observations.empty_sums(2), clip=0.1)(raw), raw)
    np.testing.assert_array_equal(Normalizer(None, clip=0.1)(raw), raw)
    assert np.abs(Normalizer(observations.sums_of(raw), clip=0.5)(raw)).max() == 0.5
    shared = SharedState(normalizer=observations.sums_of(raw), freeze_after=10)
    shared.absorb(Update(0, 0, np.zeros(1), normalizer=observations.sums_of(raw)))
    assert shared.normalizer[0] == 10


# --- estimators -----------------------------------------------------------------------------------

T, B, DISCOUNT, LAMBDA = 12, 3, 0.9, 0.8


@pytest.fixture
def segment():
    r = rng(3)
    terminated, truncated = r.random((T, B)) < 0.15, r.random((T, B)) < 0.15
    value, next_value = r.standard_normal((T, B)), r.standard_normal((T, B))
    next_value[:-1] = np.where(truncated[:-1], next_value[:-1], value[1:])  # V of the same state, but for cuts
    next_value[terminated] = 0
    return r.standard_normal((T, B)), value, next_value, terminated | truncated


def test_gae_against_a_plain_loop(segment):
    reward, value, next_value, end = segment
    expected = np.zeros((T, B))
    for b in range(B):
        for t in range(T):
            weight = 1.0
            for s in range(t, T):  # equation 16: sum of (discount lambda)^l delta_{t+l}, up to the episode's end
                expected[t, b] += weight * (reward[s, b] + DISCOUNT * next_value[s, b] - value[s, b])
                weight *= DISCOUNT * LAMBDA
                if end[s, b]:
                    break
    np.testing.assert_allclose(generalized_advantage(reward, value, next_value, end, DISCOUNT, LAMBDA), expected)


@pytest.mark.parametrize(("name", "n_steps"), [("reward_to_go", 99), ("nstep", 5)])
def test_returns_against_a_plain_loop(segment, name, n_steps):
    reward, value, next_value, end = segment
    advantage, target = estimate(
        name, reward, value, next_value, end, discount=DISCOUNT, gae_lambda=LAMBDA, n_steps=n_steps
    )
    for b in range(B):
        for t in range(T):
            stop = min((t // n_steps + 1) * n_steps, T) - 1
            total, weight, s = 0.0, 1.0, t
            while True:
                total += weight * reward[s, b]
                weight *= DISCOUNT
                if end[s, b] or s == stop:
                    total += weight * next_value[s, b]
                    break
                s += 1
            assert target[t, b] == pytest.approx(total)
            assert advantage[t, b] == pytest.approx(total - value[t, b])


def test_gpomdp_is_the_gradient_of_the_discounted_objective():
    """On a one-parameter problem with known J: pi = N(theta, 1), reward -(a - 1)^2 at each of 3 steps."""
    discount, theta, episodes = 0.7, 0.2, 200_000
    actions = theta + rng(0).standard_normal((3, episodes))
    reward = -((actions - 1) ** 2)
    end = np.zeros_like(reward, dtype=bool)
    end[-1] = True
    elapsed = np.broadcast_to(np.arange(3)[:, None], reward.shape)
    zeros = np.zeros_like(reward)
    advantage, _ = estimate("gpomdp", reward, zeros, zeros, end, discount=discount, gae_lambda=0.0, n_steps=1)
    advantage = advantage * step_weights("gpomdp", elapsed, discount)
    score = actions - theta
    measured = (score * advantage).sum(axis=0)
    exact = 2 * (1 - theta) * (1 + discount + discount**2)
    assert abs(measured.mean() - exact) < 4 * measured.std() / np.sqrt(episodes)
