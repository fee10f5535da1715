"""What was committed before a task's first reported run stays as it was: claims, runs, seeds and ends."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from frl.scenario.loading import load_scenario

CONFIG = Path(__file__).parents[2] / "config"
REGISTERED = {
    ("config", "Swimmer"): (
        "a7159e4b88ff653cf7a63282ddc13febbfef96ec1c318e36013aadc80d9ad8df",
        "a2c77f15d42c43a60bfdf937e251f45b07b54d4372cea1c021e14a8ecabbe674",
    ),
    ("communication", "Swimmer"): (
        "f5fcc44cb07ff24ef41309fa4ce89291ed78765871404d345878b68dd91be290",
        "a5999b77d9e0e9fd92c9e15893412a01025d0b3f8bdf95456925f33992d51b77",
    ),
    ("adversaries", "Swimmer"): (
        "627ae495a655230e776bfd17e24798f38f175ef37e82e8942d5515f73cca02aa",
        "df246751d12e376775d7879f08ecabb97c7c49c5b53345c8ba392adf9dbf2128",
    ),
    ("rennala", "Swimmer"): (
        "06c7682818cd2f2db98f011bd3dbb0bc9acc5180b8694505a7a40f072724e183",
        "3925ed9a03372ee4dfeead33bd0e6349b815c87bdfdbdaa5c1ddb52f4a47b174",
    ),
    ("compression", "Swimmer"): (
        "ead48ea3721eaca38b991e41afea5033cd114e81964cd95f572bfcbf7239d015",
        "89336054d02e77defeb8ef5fa5fe3613d427688cfe6c356edd0ae8ced25ee365",
    ),
}
"""Of a scenario's file and a task: SHA-256 of its claims and of its runs' settings."""


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def digest(what):
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize(("name", "task"), REGISTERED)
def test_the_registered_claims_and_runs_are_as_they_were(name, task):
    path = CONFIG / f"{name}.yaml"
    of_claims = read(CONFIG / read(path)["claims"])
    runs = {spec.run_id: json.loads(spec.to_json()) for spec in load_scenario(path).runs() if spec.environment == task}
    claims = [claim for claim in of_claims["claims"] if claim["environment"] == task]
    assert claims
    assert runs
    assert (digest(claims), digest(runs)) == REGISTERED[name, task]
