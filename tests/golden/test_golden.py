"""Golden traces: a few updates of every algorithm, so that no refactoring changes what is computed.

Regenerate (in a commit of its own, with NUMERICS_VERSION raised) by `python tests/golden/test_golden.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from frl.spec import SERVERS, RunSpec
from frl.training.loop import train
from frl.training.numerics import NUMERICS_VERSION

FILE = Path(__file__).with_name("traces.json")
COLUMNS = (
    "env_steps_total",
    "sim_time_s",
    "server_step",
    "uplink_bytes",
    "downlink_bytes",
    "eval_return_mean",
    "gradient_norm_mean",
    "direction_norm",
    "staleness_max",
    "policy_std",
)


def test_every_algorithm_of_the_paper_has_a_trace():
    assert (
        {"afedpg", "fedpg", "async_pg", "a3c", "lapg"}
        <= json.loads(FILE.read_text())["traces"].keys()
        <= SERVERS.keys() | VARIANTS.keys()
    )


WHOLE = {"sampling": {"trajectories": 2}, "estimator": {"name": "reward_to_go", "standardize": False}}
VARIANTS = {
    "whole episodes": WHOLE,
    "without a critic": {**WHOLE, "critic": {"mode": "none"}},
    "unequal agents": {
        "heterogeneity": {"gear": (0.8, 1.25)},
        "evaluation": {"episodes": 3},
    },
}


def trace(name):
    """Rows of a small Hopper run as lists of numbers; of AFedPG if the name is that of a variant."""
    run = {
        "algorithm": "afedpg" if name in VARIANTS else name,
        "environment": "Hopper",
        "n_agents": 3,
        "seed": 7,
        "steps_per_agent": 256,
        "policy": {"hidden": (16,)},
        "sampling": {"lanes": 8, "segment_steps": 8},
        "evaluation": {"episodes": 2},
        **VARIANTS.get(name, {}),
    }
    return [[row[column] for column in COLUMNS] for row in train(RunSpec(**run)).rows]


@pytest.mark.parametrize("name", json.loads(FILE.read_text())["traces"])
def test_trace_is_the_golden_one(name):
    golden = json.loads(FILE.read_text())
    assert golden["numerics_version"] == NUMERICS_VERSION
    assert golden["columns"] == list(COLUMNS)
    measured = np.array(trace(name), dtype=float)
    # tolerances: other CPU types round differently; a real change is orders of magnitude larger
    np.testing.assert_allclose(measured, np.array(golden["traces"][name], dtype=float), rtol=1e-3, atol=1e-6)


if __name__ == "__main__":
    content = {"numerics_version": NUMERICS_VERSION, "columns": list(COLUMNS)}
    FILE.write_text(
        json.dumps({**content, "traces": {name: trace(name) for name in (*SERVERS, *VARIANTS)}}, indent=1) + "\n"
    )
