"""FedPG re-timed for another fleet against FedPG trained on that fleet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from frl.analysis import waiting
from frl.spec import RunSpec
from frl.training.loop import train

FLEETS: list[dict[str, Any]] = [
    {"kind": "straggler", "ratio": 1},
    {"kind": "straggler", "ratio": 20, "seconds_per_1000_steps": 0.7},
    {"kind": "linear", "overhead_s": 0.3},
    {"kind": "sqrt"},
    {"kind": "constant"},
]


def spec(**settings: Any) -> RunSpec:
    """Three agents; the budget and some evaluations fall into the middle of a round."""
    small: dict[str, Any] = {
        "environment": "Swimmer", "algorithm": "fedpg", "n_agents": 3, "seed": 0, "steps_per_agent": 400,
        "policy": {"hidden": (8,)}, "sampling": {"lanes": 8, "segment_steps": 8},
        "evaluation": {"episodes": 1},
    }  # fmt: skip
    return RunSpec(**{**small, **settings})


def rows(one: RunSpec) -> pd.DataFrame:
    return pd.DataFrame(train(one).rows)


@pytest.mark.parametrize(
    ("settings", "fleets"),
    [({}, FLEETS), ({"sampling": {"trajectories": 1}, "steps_per_agent": 2400}, FLEETS[:1])],
    ids=["segments", "episodes of a task that never ends one early"],
)
def test_re_timed_rows_are_those_of_a_run_on_that_fleet(settings: dict[str, Any], fleets: list[dict[str, Any]]) -> None:
    trained = rows(spec(**settings))
    assert (trained["uploads"] % 3).any()  # there is a row in the middle of a round
    for other in fleets:
        there = spec(**settings, fleet=other)
        expected, found = rows(there), waiting.retime(trained, there)
        assert np.allclose(found["sim_time_s"], expected["sim_time_s"], rtol=1e-12, atol=0)
        pd.testing.assert_frame_equal(found.drop(columns="sim_time_s"), expected.drop(columns="sim_time_s"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"fleet": {"kind": "lognormal"}}, "constant length"),
        ({"sampling": {"trajectories": 1}, "environment": "Hopper"}, "constant length"),
        ({"link": {"latency_s": 1.0}}, "take no time"),
        ({"n_agents": 2}, "needs rows with 2 agents"),
    ],
)
def test_what_cannot_be_re_timed_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        waiting.retime(pd.DataFrame({"n_agents": [3], "uploads": [4]}), spec(**settings))


def test_share_of_the_bias_that_the_lookahead_removes() -> None:
    assert [waiting.momentum_share(a, 8) for a in (0.1, 0.2, 0.5)] == pytest.approx([9 / 16, 4 / 11, 1 / 8])
    assert waiting.momentum_share(0.2, 1) == 1
