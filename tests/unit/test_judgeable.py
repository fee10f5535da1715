"""Claims that ask a scenario for what is no comparison are refused when they are loaded."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from frl.scenario.scenario import Scenario

BASE = {"id": "X", "title": "t", "statement": "s", "source": "x", "environment": "Swimmer", "role": "confirmatory"}
METHODS = [
    {"algorithm": "afedpg", "n_agents": [1, 2, 4]},
    {"name": "twin", "algorithm": "afedpg", "n_agents": [4]},
    {"name": "other", "algorithm": "afedpg", "n_agents": [1, 4], "server": {"momentum": 0.9}},
    {"algorithm": "fedpg", "n_agents": [1, 4]},
    {"algorithm": "async_pg", "n_agents": [4]},
    {"algorithm": "lapg", "n_agents": [4]},
    {"algorithm": "random_skip", "n_agents": [4]},
    {"algorithm": "a3c", "n_agents": [4]},
]
TIME = {"threshold": 10, "margin": 0.25}


def scenario(test: str, **claim: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "toy", "title": "t", "tuned": "not tuned", "environments": ["Swimmer"], "methods": METHODS,
            "seeds": [0], "thresholds": {"Swimmer": "10 return"}, "run": {"steps_per_agent": 100_000},
            "claims": {"claims": [{**BASE, "test": test, **claim}]},
        }
    )  # fmt: skip


ITSELF: list[tuple[str, dict[str, Any]]] = [
    ("sample_speedup", {"method": "afedpg", "numbers": {1: 1.0}, **TIME}),
    ("time_ratio", {"faster": "afedpg", "slower": ["absent", "afedpg"], "n_agents": [4], **TIME}),
    ("order", {"methods": ["afedpg", "fedpg", "afedpg"], "n_agents": [4], "margin": 1}),
    ("lookahead", {"pairs": [{"with_lookahead": "afedpg", "without": "afedpg"}], "n_agents": 4, "margin": 1}),
    ("perfect_scaling", {"method": "afedpg", "controls": {1: "afedpg"}, "margin": 1}),
    ("trend", {"method": "afedpg", "n_agents": [4, 4, 4], "margin": 1}),
    ("scaling_exponent", {"method": "afedpg", "n_agents": [1, 4, 4], "number": 1, **TIME}),
    ("heterogeneity", {"faster": ["fedpg"], "slower": "fedpg", "n_agents": 4, **TIME}),
    ("non_inferiority", {"pairs": [{"method": ["x", "fedpg"], "over": ["y", "fedpg"]}], "n_agents": [4], "margin": 1}),
]


@pytest.mark.parametrize(("test", "claim"), ITSELF, ids=[test for test, _ in ITSELF])
def test_a_method_beside_itself_is_refused(test, claim):
    with pytest.raises(ValidationError, match=r"(claim X: .*compared with itself|method and over are the same)"):
        scenario(test, **claim)


def test_so_are_two_names_of_the_same_runs():
    claim = {"faster": "twin", "slower": "afedpg", "n_agents": [4], **TIME}
    with pytest.raises(ValidationError, match=r"afedpg \(N = 4\) and twin \(N = 4\) are the same runs"):
        scenario("time_ratio", **claim)
    assert scenario("time_ratio", **{**claim, "faster": "other"}).claims


@pytest.mark.parametrize(
    ("test", "claim"),
    [
        ("time_ratio", {"faster": "afedpg", "slower": "fedpg", "n_agents": [4, 4], **TIME}),
        ("time_ratio", {"faster": "absent", "slower": "fedpg", "n_agents": [8, 8], **TIME}),
        ("order", {"methods": ["afedpg", "fedpg", "a3c"], "n_agents": [4, 4], "margin": 1}),
        ("saving", {"pairs": [{"method": "lapg", "over": "fedpg"}] * 2, "n_agents": [4], "factor": 2, "margin": 1}),
        ("heterogeneity", {"faster": ["afedpg", "afedpg"], "slower": "fedpg", "n_agents": 4, **TIME}),
    ],
    ids=["N", "N that the scenario has not", "whole order", "pair", "fleet"],
)
def test_a_comparison_listed_twice_is_refused(test, claim):
    """It would count twice in the family that is corrected."""
    with pytest.raises(ValidationError, match="claim X: .*listed twice"):
        scenario(test, **claim)


@pytest.mark.parametrize("slower", ["async_pg", "a3c", "other", "lapg", "random_skip"])
def test_only_what_answers_every_round_is_re_timed(slower):
    with pytest.raises(ValidationError, match=rf"claim X: slower = {slower}: runs of .* cannot be re-timed"):
        scenario("heterogeneity", faster=["afedpg"], slower=slower, n_agents=4, **TIME)


def test_what_can_be_judged_is_taken():
    assert scenario("heterogeneity", faster=["afedpg", "other"], slower="fedpg", n_agents=4, **TIME).claims
    assert scenario("order", methods=["afedpg", "fedpg", "a3c"], n_agents=[4], margin=1).claims
    assert scenario("sample_speedup", method="afedpg", numbers={2: 1.5, 4: 2.0}, **TIME).claims


def test_an_environment_that_there_is_not():
    with pytest.raises(ValidationError, match="claim X: environment = 'Swim': allowed are Swimmer"):
        scenario("final_return", method="afedpg", numbers={1: 100}, margin=0.1, environment="Swim")
