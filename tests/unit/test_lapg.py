"""LAPG: the recursion, the condition by hand, no drift, and LAG's known behaviour where it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from frl.spec import RunSpec
from frl.training.loop import Training, train
from frl.training.servers.base import Sample, Update
from frl.training.servers.fedpg import FedPG
from frl.training.servers.lapg import LAPG
from frl.training.servers.random_skip import RandomSkip

D = 6


class Learner:
    """Agent m: answers a task with its gradient at that point, or not, after the method's rule."""

    def __init__(self, method, settings, gradient, n_agents, variance=0.0):
        self.method, self.settings, self.gradient = method, settings, gradient
        self.n_agents, self.variance, self.memory = n_agents, variance, {}
        self.stream = np.random.default_rng(n_agents)

    def answer(self, task):
        sample = Sample(task, self.gradient(task), lambda: self.variance, self.stream, self.n_agents)
        return Update(task.agent, task.step, self.method.agent_gradient(sample, self.memory, self.settings))


def rounds(server, learners, count):
    """Thetas (count + 1, d), and who uploaded in each round (count, N)."""
    tasks, thetas, uploads = server.start(), [server.parameters], []
    for _ in range(count):
        updates = [learner.answer(task) for learner, task in zip(learners, tasks, strict=True)]
        for update in updates:
            tasks = server.receive(update)
        thetas.append(server.parameters)
        uploads.append([update.gradient is not None for update in updates])
    return np.stack(thetas), np.array(uploads)


def noisy(seed, dtype=np.float64):
    stream = np.random.default_rng(seed)
    return lambda task: (stream.standard_normal(D) - task.parameters).astype(dtype)


@pytest.mark.parametrize(
    ("method", "settings"),
    [(LAPG, {"variance_multiplier": 0, "xi": 0}), (RandomSkip, {"upload_probability": 1})],
)
def test_when_nobody_skips_it_is_plain_synchronous_policy_gradient(method, settings):
    theta = np.linspace(-1, 1, D)
    lazy = method.Settings(step_size=0.01, **settings)
    learners = [Learner(method, lazy, noisy(m), 3) for m in range(3)]
    thetas, uploads = rounds(method(theta, 3, lazy), learners, 50)
    assert uploads.all()
    plain = FedPG.Settings(variant="plain", step_size=0.03)  # alpha on the sum is 3 alpha on the mean
    learners = [Learner(FedPG, plain, noisy(m), 3) for m in range(3)]
    expected, _ = rounds(FedPG(theta, 3, plain), learners, 50)
    np.testing.assert_allclose(thetas, expected, rtol=1e-12, atol=1e-14)


def test_the_condition_decides_as_computed_by_hand():
    """One learner, D = 2, alpha = 1/2, xi = 1/2, c = 2, sigma^2 = 1/4; gradients chosen so that both answers occur."""
    settings = LAPG.Settings(step_size=0.5, window=2, xi=0.5, variance_multiplier=2)
    gradients = iter([np.array([g]) for g in (4.0, 2.0, 3.0, -1.0, 0.5, 0.5)])
    learner = Learner(LAPG, settings, lambda task: next(gradients), 1, variance=0.25)
    thetas, uploads = rounds(LAPG(np.zeros(1), 1, settings), [learner], 6)
    # k=1: fewer than D steps known: upload 4;  theta 0 -> 2
    # k=2: one step known: upload 2;             theta 2 -> 3
    # k=3: delta 1; 1/(1/4) * 1/2 (1 + 4) + 2/4 = 10.5 > 1:        skip; theta 3 -> 4
    # k=4: delta -3; 4 * 1/2 (1 + 1) + 1/2 = 4.5 <= 9:              upload -1; theta 4 -> 3.5
    # k=5: delta 1.5; 4 * 1/2 (1/4 + 1) + 1/2 = 3 > 2.25:           skip; theta 3.5 -> 3
    # k=6: delta 1.5; 4 * 1/2 (1/4 + 1/4) + 1/2 = 1.5 <= 2.25:      upload 0.5; theta 3 -> 3.25
    assert uploads[:, 0].tolist() == [True, True, False, True, False, True]
    np.testing.assert_allclose(thetas[:, 0], [0, 2, 3, 4, 3.5, 3, 3.25], rtol=1e-14)


def test_the_condition_divides_by_the_square_of_the_number_of_learners():
    """As above at k = 3 with M = 4: 10 / 16 + 1/2 = 1.125 > 1 skips, and with delta = 1.25 it does not."""
    settings = LAPG.Settings(step_size=0.5, window=2, xi=0.5, variance_multiplier=2)
    for last, uploads in ((3.0, False), (3.25, True)):
        memory = {"uploaded": np.array([2.0]), "theta": np.array([2.0]), "steps": np.array([4.0]), "skips": np.array(0)}
        learner = Learner(LAPG, settings, lambda task, last=last: np.array([last]), 4, variance=0.25)
        learner.memory = memory
        task = LAPG(np.array([3.0]), 1, settings).start()[0]
        assert (learner.answer(task).gradient is not None) == uploads


def test_max_skips_bounds_the_skips_in_a_row():
    for cap, longest in ((None, 90), (4, 4)):
        settings = LAPG.Settings(step_size=1e-3, window=10, variance_multiplier=1e9, max_skips=cap)
        learners = [Learner(LAPG, settings, noisy(m), 2, variance=1.0) for m in range(2)]
        _, uploads = rounds(LAPG(np.zeros(D), 2, settings), learners, 100)
        runs = "".join("1" if uploaded else "0" for uploaded in uploads[:, 0]).split("1")
        assert max(map(len, runs)) == longest


def test_the_servers_sum_is_that_of_the_last_uploads_after_ten_thousand_rounds():
    settings = LAPG.Settings(step_size=1e-3, variance_multiplier=1.0)
    learners = [Learner(LAPG, settings, noisy(m, np.float32), 3, variance=6.0 * m) for m in range(3)]
    server = LAPG(np.zeros(D, np.float32), 3, settings)
    thetas, uploads = rounds(server, learners, 10_000)
    assert thetas.dtype == np.float32
    assert uploads[:, 0].mean() > 0.9  # believes that there is no noise
    assert 0.1 < uploads[:, 2].mean() < 0.9
    remembered = sum(learner.memory["uploaded"] for learner in learners)
    # 1.5e-12 when measured; sums of float32 increments kept in float32 were off by 1e-3
    np.testing.assert_allclose(server.sum, remembered, rtol=0, atol=1e-10)


def test_on_a_quadratic_smooth_learners_upload_less_and_it_still_converges():
    """LAG's observation: without noise, learner m of smoothness L_m need not speak up as often if L_m is small."""
    smoothness = np.array([0.01, 0.1, 1.0, 10.0])
    optima = np.random.default_rng(0).standard_normal((4, D))
    settings = LAPG.Settings(step_size=0.005, window=10, xi=0.1, variance_multiplier=0)
    learners = [
        Learner(LAPG, settings, lambda task, m=m: smoothness[m] * (optima[m] - task.parameters), 4) for m in range(4)
    ]
    thetas, uploads = rounds(LAPG(np.zeros(D), 4, settings), learners, 400)
    optimum = (smoothness[:, None] * optima).sum(axis=0) / smoothness.sum()
    assert np.linalg.norm(thetas[-1] - optimum) < 1e-6 * np.linalg.norm(optimum)
    share = uploads.mean(axis=0)
    assert (np.diff(share) > 0).all(), share
    assert share[0] < share[-1] / 2


def test_random_skipping_uploads_at_its_rate():
    settings = RandomSkip.Settings(step_size=1e-3, upload_probability=0.3)
    learners = [Learner(RandomSkip, settings, noisy(m), 2) for m in range(2)]
    _, uploads = rounds(RandomSkip(np.zeros(D), 2, settings), learners, 2000)
    assert uploads[:10].all()
    assert uploads[10:].mean() == pytest.approx(0.3, abs=0.03)


def spec(**settings):
    base = {
        "environment": "Hopper",
        "algorithm": "lapg",
        "n_agents": 2,
        "seed": 3,
        "steps_per_agent": 3200,
        "policy": {"hidden": (8,)},
        "critic": {"mode": "none"},
        "normalizer": {"mode": "none"},
        "estimator": {"name": "reward_to_go", "standardize": False},
        "sampling": {"trajectories": 8},
        "evaluation": {"episodes": 2},
    }
    return RunSpec(**{**base, **settings})


def played(training, task):
    """What the task's agent samples."""
    training.agents.begin(task)
    while not (done := training.agents.sampler.advance()):
        pass
    return done[0][1]


def test_the_noise_that_an_agent_estimates_is_the_noise_of_its_gradient():
    """Mean of 150 estimates against the variance of the 150 gradients themselves, all at theta_0."""
    training = Training(spec(sampling={"trajectories": 32}))
    agent, task, seen = training.agents.each[0], training.server.start()[0], []
    gradients = []
    for _ in range(150):
        batch = played(training, task)
        advantage, _ = agent._advantages(batch)
        rows = batch.valid_TB
        gradient = agent.policy.gradient(
            task.parameters, batch.observation_TBO[rows], batch.action_TBA[rows], advantage[rows]
        )
        gradients.append(gradient)
        seen.append(agent._variance(task, batch, advantage, gradient))
    true = np.var(gradients, axis=0, ddof=1).sum()
    assert np.mean(seen) == pytest.approx(true, rel=0.2)


def test_a_run_accounts_for_every_byte_and_says_who_uploaded():
    settings = {"window": 2, "variance_multiplier": 3.0, "step_size": 1e-3}
    result = train(spec(server=settings, steps_per_agent=6400))
    last = result.rows[-1]
    words = [row["uploaded"].split("/") for row in result.rows]
    bits = ["".join(parts) for parts in zip(*words, strict=True)]
    assert len(bits) == 2
    assert {len(each) for each in bits} <= {last["server_step"], last["server_step"] + 1}  # the last round may be open
    uploads, answers = sum(each.count("1") for each in bits), sum(map(len, bits))
    assert 4 <= uploads < answers
    assert last["uploads"] == uploads
    d = 11 * 8 + 8 + 8 * 3 + 3 + 3
    assert last["uplink_bytes"] == uploads * (8 + 8 + 4 * d) + (answers - uploads)
    assert last["downlink_bytes"] == 2 * math.ceil(answers / 2) * (8 + 8 + 4 * d)
    assert last["trajectory_bytes"] == 4 * (11 + 3 + 1) * last["env_steps_total"]


def test_methods_that_always_upload_log_no_pattern():
    rows = train(spec(algorithm="fedpg", server={}, sampling={"trajectories": 2})).rows
    assert {row["uploaded"] for row in rows} == {None}


def test_a_noise_estimate_needs_two_lanes():
    with pytest.raises(ValueError, match=r"sampling.lanes \(or trajectories\) of at least 2"):
        spec(sampling={"trajectories": 1})
    spec(sampling={"trajectories": 1}, server={"variance_multiplier": 0})
