"""Attacks against their formulas, what colluders know, and that a run with them is saved, resumed and repeated."""

from __future__ import annotations

import numpy as np
import pytest

from frl.settings import AdversarySpec
from frl.spec import RunSpec
from frl.training import checkpoint
from frl.training.adversaries import ATTACKS, Attack, malicious, poisoned
from frl.training.execute import csv_bytes
from frl.training.loop import Training
from frl.training.servers.aggregators import AGGREGATORS
from frl.training.servers.base import Payload

D = 5
STREAM = np.random.default_rng(0)
G = STREAM.standard_normal((3, D)).astype(np.float32)


def attack(name, strength=None) -> Attack:
    return ATTACKS[name](strength, np.random.default_rng(1))


def sent(one: Attack, agent=0, gradient=G[0], sums=None):
    return one.answer(agent, Payload(gradient, sums))


def after_all(name, strength=None):
    """What agent 2 sends when agents 0 and 1 have answered before it."""
    one = attack(name, strength)
    for agent in range(3):
        answer = sent(one, agent, G[agent])
    return answer.gradient


def test_sign_flip_and_noise_are_the_formulas():
    np.testing.assert_allclose(sent(attack("sign_flip")).gradient, -2.5 * G[0], rtol=1e-6)
    np.testing.assert_allclose(sent(attack("sign_flip", 4.0)).gradient, -4 * G[0], rtol=1e-6)
    noisy = attack("random_noise")
    draws = np.array([sent(noisy).gradient - G[0] for _ in range(2000)])
    reach = 3 * (G[0].max() - G[0].min())
    assert np.abs(draws).max() == pytest.approx(reach, rel=0.01)
    assert draws.std() == pytest.approx(reach / 3**0.5, rel=0.02)


def test_colluders_pool_their_last_gradients():
    mean = G.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(after_all("inner_product"), -2 * mean, rtol=1e-5)
    np.testing.assert_allclose(after_all("alie"), mean - 1.5 * G.astype(np.float64).std(axis=0), rtol=1e-4)
    apart = max(np.linalg.norm(a - b) for a in G for b in G)
    shift = after_all("fedpg_attack") - mean
    assert np.linalg.norm(shift) == pytest.approx(1.5 * apart, rel=1e-5)


def test_the_direction_of_the_fedpg_attack_is_one_for_the_run():
    one = attack("fedpg_attack")
    shifts = []
    for agent, gradient in ((0, G[0]), (1, G[1]), (0, G[2]), (1, G[0])):
        answer = sent(one, agent, gradient).gradient
        shifts.append(answer - one.known().mean(axis=0))
    units = [shift / np.linalg.norm(shift) for shift in shifts[1:]]
    np.testing.assert_allclose(units[1], units[0], atol=1e-5)
    np.testing.assert_allclose(units[2], units[0], atol=1e-5)


def test_the_attack_on_direction_has_an_honest_length_and_opposes_the_average():
    one, average = attack("direction"), G[0].astype(np.float64)
    sent(one, 0, G[0])
    for agent in (1, 2):
        answer = sent(one, agent, G[agent]).gradient
        average = 0.9 * average + 0.1 * G[agent]
        assert np.linalg.norm(answer) == pytest.approx(np.linalg.norm(G[agent]), rel=1e-5)
        assert answer @ average == pytest.approx(-np.linalg.norm(answer) * np.linalg.norm(average), rel=1e-5)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_keeps_type_and_absence_and_does_not_touch_what_it_is_given(name):
    one, own, sums = attack(name), G[0].copy(), np.arange(1.0, 6.0)
    answer = sent(one, 0, own, sums.copy())
    np.testing.assert_array_equal(own, G[0])
    assert answer.gradient.dtype == np.float32
    assert answer.gradient.shape == (D,)
    assert (answer.normalizer == sums).all() == (name == "reward_flip")
    nothing = sent(one, 0, None, None)
    assert (nothing.gradient, nothing.normalizer) == (None, None)
    zero = sent(attack(name), 0, np.zeros(D, np.float32)).gradient
    np.testing.assert_array_equal(zero, 0)


def test_only_a_reward_flip_changes_rewards():
    for name in ATTACKS:
        rewards = np.array([[1.0, -2.0]])
        np.testing.assert_array_equal(attack(name).rewards(rewards), -rewards if name == "reward_flip" else rewards)


def test_poisoned_sums_are_those_of_many_large_turned_observations():
    observations = np.array([[1.0, 2.0], [3.0, -1.0]])
    sums = np.concatenate(([2], observations.sum(axis=0), (observations**2).sum(axis=0)))
    forged = np.tile(-10 * observations, (1000, 1))
    expected = np.concatenate(([2000], forged.sum(axis=0), (forged**2).sum(axis=0)))
    np.testing.assert_allclose(poisoned(sums), expected)


# --------------------------------------------------------------------------------------------------
# In a run


def spec(**settings):
    small = {"policy": {"hidden": (8,)}, "sampling": {"lanes": 4, "segment_steps": 8}, "evaluation": {"episodes": 1}}
    identity = {"environment": "Hopper", "algorithm": "afedpg", "n_agents": 5, "seed": 0, "steps_per_agent": 96}
    return RunSpec(**{**identity, **small, **settings})


def first_updates(run):
    """What the server reads of every agent's first answer."""
    training, seen = Training(run), []
    receive = training.server.receive
    training.server.receive = lambda update: (seen.append(update), receive(update))[1]
    training.begin()
    while {update.agent for update in seen} != set(range(run.n_agents)):
        training.advance()
    return [next(update for update in seen if update.agent == agent) for agent in range(run.n_agents)]


def finish(training):
    if not training.recorder.rows:
        training.begin()
    while not training.finished:
        training.advance()
    return csv_bytes(training.recorder.rows)


def test_the_first_agents_are_the_malicious_and_the_honest_answer_as_ever():
    clean, attacked = spec(), spec(adversary={"attack": "sign_flip", "number": 2})
    assert [malicious(attacked, agent) for agent in range(5)] == [True, True, False, False, False]
    assert not malicious(clean, 0)
    before, after = (first_updates(run) for run in (clean, attacked))
    for one, other in zip(before, after, strict=True):
        factor = -2.5 if one.agent < 2 else 1
        np.testing.assert_allclose(other.gradient, factor * one.gradient, rtol=1e-6)
        expected = poisoned(one.normalizer) if one.agent < 2 else one.normalizer
        np.testing.assert_array_equal(other.normalizer, expected)
        assert (one.agent, one.step, one.nbytes) == (other.agent, other.step, other.nbytes)


def test_a_reward_flip_turns_what_the_agent_learns_and_not_what_is_logged():
    plain = {
        "estimator": {"name": "reward_to_go", "standardize": False},
        "critic": {"mode": "none"},
        "sampling": {"trajectories": 2},
    }
    tasks = Training(spec(**plain)).server.start()
    before = Training(spec(**plain)).agents.work(tasks)[0]
    after = Training(spec(**plain, adversary={"attack": "reward_flip", "number": 1})).agents.work(tasks)[0]
    np.testing.assert_allclose(after.update.gradient, -before.update.gradient, rtol=1e-5, atol=1e-6)
    assert after.returns == before.returns


@pytest.mark.parametrize(
    "given",
    [
        {"algorithm": "robust_fedpg", "environment": "Swimmer"},
        {"algorithm": "robust_afedpg"},
        {"codec": {"name": "top_k", "fraction": 0.05}},
    ],
    ids=["robust_fedpg", "robust_afedpg", "top_k"],
)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_run_with_malicious_agents_resumes_to_the_same_bytes(name, given):
    run = spec(**given, adversary={"attack": name, "number": 2})
    original = Training(run)
    original.begin()
    states = []
    while not original.finished:
        states.append(checkpoint.save(original, {}))
        original.advance()
    expected = csv_bytes(original.recorder.rows)
    assert finish(Training(run)) == expected
    for state in states[1::5]:
        resumed = Training(run)
        checkpoint.restore(resumed, checkpoint.read(state)[1])
        assert checkpoint.save(resumed, {}) == state
        assert finish(resumed) == expected


DEFENCES = [
    *(("robust_afedpg", {"defence": name}) for name in ("clip", "cosine", "slots", "momenta", "buffers")),
    *(("robust_fedpg", {"defence": name}) for name in AGGREGATORS),
]


@pytest.mark.parametrize("environment", ["Swimmer", "Hopper"])
@pytest.mark.parametrize(("algorithm", "server"), DEFENCES, ids=str)
def test_every_defence_learns_from_the_honest_and_bounds_the_normaliser(algorithm, server, environment):
    run = spec(
        algorithm=algorithm,
        environment=environment,
        server={**server, "faulty": 2},
        adversary={"attack": "sign_flip", "number": 2},
    )
    training = Training(run)
    finish(training)
    assert training.status == "ok"
    assert training.server.step >= 1
    sums = training.server.shared.normalizer
    assert 0 < sums[0] <= training.recorder.env_steps_total * 5 / 3


def test_without_a_defence_the_malicious_agents_own_the_normaliser():
    training = Training(spec(adversary={"attack": "sign_flip", "number": 2}))
    finish(training)
    assert training.server.shared.normalizer[0] > 100 * training.recorder.env_steps_total


CODED = [
    ({"name": "top_k", "fraction": 0.05}, lambda g: np.count_nonzero(g) <= 0.05 * len(g) + 1),
    ({"name": "qsgd", "levels": 1}, lambda g: len(np.unique(np.abs(g))) <= 2),  # 126 entries are one bucket
    ({"name": "float16"}, lambda g: (g == g.astype(np.float16)).all()),
]


@pytest.mark.parametrize(("codec", "could_travel"), CODED, ids=["top_k", "qsgd", "float16"])
@pytest.mark.parametrize("name", ATTACKS)
def test_a_forged_gradient_travels_through_the_codec_with_what_it_lost_before(name, codec, could_travel):
    """Of each malicious agent: what the server read and what is still to come are together what was forged."""
    run = spec(codec=codec, adversary={"attack": name, "number": 2}, steps_per_agent=192)
    training, read, forged = Training(run), {}, {}
    receive, answer = training.server.receive, training.adversary.answer

    def forging(agent, honest):
        forged.setdefault(agent, []).append(payload := answer(agent, honest))
        return payload

    def receiving(update):
        read.setdefault(update.agent, []).append(update.gradient)
        return receive(update)

    training.adversary.answer, training.server.receive = forging, receiving
    finish(training)
    for agent in (0, 1):
        wanted = np.array([payload.gradient for payload in forged[agent]], np.float64)
        got = np.array(read[agent], np.float64)
        assert len(got) == len(wanted) > 3
        assert all(could_travel(gradient) for gradient in read[agent])
        if name == "reward_flip":  # nothing is forged: coded on the agent
            np.testing.assert_array_equal(got, wanted)
        elif codec["name"] != "qsgd":
            lost = training.forged[agent]["lost"]
            np.testing.assert_allclose(got.sum(axis=0) + lost, wanted.sum(axis=0), rtol=1e-4, atol=1e-3)
    assert training.forged.keys() == (set() if name == "reward_flip" else {0, 1})


def test_runs_without_malicious_agents_have_the_settings_they_had():
    assert "adversary" not in spec().given()
    given = spec(adversary={"attack": "alie", "number": 2}).given()["adversary"]
    assert given == {"attack": "alie", "number": 2}


@pytest.mark.parametrize(
    ("adversary", "message"),
    [
        ({"attack": "sign_flip", "number": 5}, r"adversary.number = 5: must be below n_agents = 5"),
        ({"attack": "alie", "number": 1}, r"number = 1: alie compares the gradients of at least 2 colluders"),
        ({"attack": "reward_flip", "number": 1, "strength": 2}, r"strength = 2: reward_flip has none"),
        ({"attack": "bribe", "number": 1}, r"sign_flip"),
        ({"attack": "sign_flip", "number": 0}, r"greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused_by_name(adversary, message):
    with pytest.raises(ValueError, match=message):
        spec(adversary=adversary)


def test_every_attack_is_named_in_the_spec():
    names = AdversarySpec.model_json_schema()["properties"]["attack"]["enum"]
    assert list(ATTACKS) == names
