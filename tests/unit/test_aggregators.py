"""Robust means against their definitions, and against ByzFL 0.0.11, an independent implementation.

`python tests/unit/test_aggregators.py` writes byzfl.json anew, where `pip install --no-deps byzfl==0.0.11` was done.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from frl.training.servers.aggregators import (
    AGGREGATORS,
    aggregate,
    clipped,
    clipped_towards,
    fedpg_br,
    geometric_median,
    krum,
    median,
    multi_krum,
    trimmed_mean,
)
from frl.training.servers.base import SharedState, Update
from frl.training.servers.robust_sums import MedianSums

FILE = Path(__file__).with_name("byzfl.json")
OURS = {
    "Median": lambda x: median(x, 3),
    "TrMean": lambda x: trimmed_mean(x, 3),
    "Krum": lambda x: krum(x, 3),
    "MultiKrum": lambda x: multi_krum(x, 3),
    "CenteredClipping": lambda x: clipped_towards(x, np.zeros(x.shape[1]), 2.0, 4),
}
SETTINGS = {
    "Median": {},
    "TrMean": {"f": 3},
    "Krum": {"f": 3},
    "MultiKrum": {"f": 3},
    "CenteredClipping": {"L": 4, "tau": 2.0},
}


def cloud(n=10, d=6, f=3, seed=0):
    """n - f vectors around (1, ..., 1) and f at (-20, ..., -20)."""
    vectors = 1 + np.random.default_rng(seed).standard_normal((n, d))
    vectors[:f] = -20
    return vectors


@pytest.mark.parametrize("name", OURS)
def test_the_rules_are_byzfls(name):
    for case in json.loads(FILE.read_text(encoding="utf-8")):
        np.testing.assert_allclose(OURS[name](np.array(case["vectors"])), case[name], rtol=1e-10, atol=1e-12)


def test_the_geometric_median_has_the_smallest_sum_of_distances():
    for seed in range(5):
        x = cloud(seed=seed)
        best = minimize(lambda v, x=x: np.linalg.norm(x - v, axis=1).sum(), np.median(x, axis=0), tol=1e-10)
        np.testing.assert_allclose(geometric_median(x, iterations=1000), best.x, atol=5e-3)
        rough = np.linalg.norm(x - geometric_median(x), axis=1).sum()
        assert rough <= best.fun * (1 + 1e-4)
    np.testing.assert_array_equal(geometric_median(np.ones((4, 2))), [1, 1])


def test_krum_chooses_by_the_sum_over_the_nearest_n_minus_f_minus_2():
    x = cloud()
    scores = []
    for one in x:
        others = sorted(np.square(x - one).sum(axis=1))[1:]
        scores.append(sum(others[: 10 - 3 - 2]))
    np.testing.assert_array_equal(krum(x, 3), x[np.argmin(scores)])
    np.testing.assert_allclose(multi_krum(x, 3), x[np.argsort(scores)[:7]].mean(axis=0))


def test_clipping_bounds_length_and_keeps_direction():
    np.testing.assert_allclose(clipped(np.array([3.0, 4.0]), 1.0), [0.6, 0.8])
    np.testing.assert_array_equal(clipped(np.array([0.3, 0.4]), 1.0), [0.3, 0.4])
    np.testing.assert_allclose(clipped_towards(np.array([[10.0, 0.0], [0.0, 0.5]]), np.zeros(2), 1.0), [0.5, 0.25])


def test_the_filter_averages_the_crowd_around_its_middle():
    x = cloud(d=50)
    np.testing.assert_allclose(fedpg_br(x, 3), x[3:].mean(axis=0))
    alone = np.vstack([np.eye(4) * 100 * np.arange(1, 5)[:, None]])
    assert np.isfinite(fedpg_br(alone, 0)).all()


@pytest.mark.parametrize("name", AGGREGATORS)
def test_every_rule_bears_three_of_ten_and_no_order_matters(name):
    x = cloud(d=30)
    honest = x[3:].mean(axis=0)
    found = aggregate(name, list(x), 3)
    assert np.linalg.norm(found - honest) < 1.2 * np.linalg.norm(x[3:] - honest, axis=1).max()
    assert np.linalg.norm(x.mean(axis=0) - honest) > 4 * np.linalg.norm(found - honest)
    shuffled = aggregate(name, list(x[np.random.default_rng(1).permutation(10)]), 3)
    np.testing.assert_allclose(shuffled, found, rtol=1e-9)
    moved = aggregate(name, list(x + 5), 3)
    np.testing.assert_allclose(moved, found + 5, rtol=1e-6)


@pytest.mark.parametrize("name", AGGREGATORS)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_vectors_are_no_reason_to_fail_and_equal_ones_are_their_mean(name, n):
    vectors = [np.full(4, 2.5, np.float32)] * n
    found = aggregate(name, vectors, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 2.5)


# --------------------------------------------------------------------------------------------------
# The normaliser


def sums(observations):
    return np.concatenate(([len(observations)], observations.sum(axis=0), (observations**2).sum(axis=0)))


def test_the_normaliser_is_the_plain_one_where_all_report_the_same_and_a_minority_cannot_move_it():
    stream = np.random.default_rng(0)
    plain, robust, attacked = (SharedState(np.zeros(5)) for _ in range(3))
    robust, attacked = MedianSums(robust, 5), MedianSums(attacked, 5)
    for _ in range(40):
        same = sums(stream.standard_normal((50, 2)) + 3)
        for agent in range(5):
            mine = sums(stream.standard_normal((50, 2)) + 3)
            plain.absorb(Update(agent, 0, None, same))
            robust.absorb(Update(agent, 0, None, same))
            attacked.absorb(Update(agent, 0, None, mine * (1e6 if agent < 2 else 1) * (-10 if agent == 0 else 1)))
    np.testing.assert_allclose(robust.normalizer, plain.normalizer, rtol=1e-9)
    mean = attacked.normalizer[1:3] / attacked.normalizer[0]
    variance = attacked.normalizer[3:] / attacked.normalizer[0] - mean**2
    np.testing.assert_allclose(mean, 3, atol=0.1)
    np.testing.assert_allclose(variance, 1, atol=0.1)
    assert attacked.normalizer[0] <= 5 * 50 * 40 * 1.0001


def test_sums_that_are_no_numbers_are_dropped_and_a_frozen_normaliser_stays():
    robust = MedianSums(SharedState(np.zeros(3), freeze_after=4), 2)
    robust.absorb(Update(0, 0, None, np.array([1, np.nan, 1])))
    robust.absorb(Update(0, 0, None, np.array([0.0, 5, 5])))
    np.testing.assert_array_equal(robust.normalizer, 0)
    robust.absorb(Update(1, 0, None, np.array([4.0, 8, 20])))
    frozen = robust.normalizer
    assert robust.frozen
    robust.absorb(Update(0, 0, None, np.array([4.0, 800, 2e6])))
    np.testing.assert_array_equal(robust.normalizer, frozen)


def byzfl():
    """Its module of aggregators, without what else the package imports."""
    found = importlib.util.find_spec("byzfl")
    package = types.ModuleType("byzfl")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["byzfl"] = package
    return importlib.import_module("byzfl.aggregators.aggregators")


if __name__ == "__main__":
    module, cases = byzfl(), []
    for seed, f in itertools.product(range(3), (0, 3)):
        vectors = cloud(f=f, seed=seed)
        made = {name: getattr(module, name)(**own)(vectors.copy()).tolist() for name, own in SETTINGS.items()}
        cases.append({"vectors": vectors.tolist(), **made})
    FILE.write_text(json.dumps(cases) + "\n", encoding="utf-8")
