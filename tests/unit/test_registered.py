"""What was committed before a task's first reported run stays as it was: claims, runs, seeds and ends."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from frl.scenario.loading import load_scenario

CONFIG = Path(__file__).parents[2] / "config"
REGISTERED = {
    "Swimmer": (
        "a7159e4b88ff653cf7a63282ddc13febbfef96ec1c318e36013aadc80d9ad8df",
        "a2c77f15d42c43a60bfdf937e251f45b07b54d4372cea1c021e14a8ecabbe674",
    ),
}
"""Of a task: SHA-256 of its claims and of its runs' settings."""


def digest(what):
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize("task", REGISTERED)
def test_the_registered_claims_and_runs_are_as_they_were(task):
    claims = yaml.safe_load((CONFIG / "claims.yaml").read_text(encoding="utf-8"))["claims"]
    runs = {spec.run_id: json.loads(spec.to_json()) for spec in load_scenario(CONFIG / "config.yaml").runs()}
    assert digest([claim for claim in claims if claim["environment"] == task]) == REGISTERED[task][0]
    assert digest({run: of for run, of in runs.items() if of["environment"] == task}) == REGISTERED[task][1]
