"""Claims that ask a scenario for what is no comparison are refused when they are loaded."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from frl.scenario.scenario import Scenario

BASE = {"id": "X", "title": "t", "statement": "s", "source": "x", "environment": "Swimmer", "role": "secondary",
        "threshold": 10, "horizon": 1e6}  # fmt: skip
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
RATIO = {"per": "samples", "margin": 1.25}


def scenario(test: str, **claim: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "toy", "title": "t", "tuned": "not tuned", "environments": ["Swimmer"], "methods": METHODS,
            "seeds": [0], "thresholds": {"Swimmer": "10 return"}, "run": {"steps_per_agent": 100_000},
            "claims": {"claims": [{**BASE, "test": test, **claim}]},
        }
    )  # fmt: skip


def primaries(*faster: str, **of_the_second: Any) -> Scenario:
    """Two primary claims that FedPG is slower than these."""
    ratio = {**BASE, "test": "ratio", "role": "primary", **RATIO}
    first, second = ({**ratio, "pairs": [pair(arm("fedpg"), arm(method))]} for method in faster)
    claims = {"claims": [first, {**second, "id": "Y", **of_the_second}]}
    one = scenario("ratio", pairs=first["pairs"], **RATIO)
    return Scenario.model_validate({**one.model_dump(exclude_unset=True), "claims": claims})


def arm(method: str | list[str], n_agents: int = 4) -> dict[str, Any]:
    return {"method": method, "n_agents": n_agents}


def pair(slower: dict[str, Any], faster: dict[str, Any]) -> dict[str, Any]:
    return {"slower": slower, "faster": faster}


ITSELF: list[tuple[str, dict[str, Any]]] = [
    ("ratio", {"pairs": [pair(arm("afedpg"), arm("afedpg"))], **RATIO}),
    ("ratio", {"pairs": [pair(arm(["absent", "afedpg"]), arm("afedpg"))], **RATIO}),
    ("ratio", {"pairs": [pair(arm("absent", 16), arm("absent", 16))], **RATIO}),
    ("lookahead", {"pairs": [{"with_lookahead": "afedpg", "without": "afedpg"}], "n_agents": 4, "margin": 1.25}),
    ("fleets", {"faster": ["fedpg"], "slower": "fedpg", "n_agents": 4, "margin": 1.25}),
]


@pytest.mark.parametrize(
    ("test", "claim"), ITSELF, ids=["ratio", "first of a list", "not there", "lookahead", "fleets"]
)
def test_a_method_beside_itself_is_refused(test, claim):
    with pytest.raises(ValidationError, match=r"claim X: .*compared with itself"):
        scenario(test, **claim)


def test_so_are_two_names_of_the_same_runs():
    with pytest.raises(ValidationError, match=r"afedpg \(N = 4\) and twin \(N = 4\) are the same runs"):
        scenario("ratio", pairs=[pair(arm("afedpg"), arm("twin"))], **RATIO)
    assert scenario("ratio", pairs=[pair(arm("afedpg"), arm("other"))], **RATIO).claims


@pytest.mark.parametrize(
    ("test", "claim"),
    [
        ("ratio", {"pairs": [pair(arm("fedpg"), arm("afedpg"))] * 2, **RATIO}),
        ("ratio", {"pairs": [pair(arm("fedpg", 16), arm("afedpg", 16))] * 2, **RATIO}),
        ("lookahead", {"pairs": [{"with_lookahead": "afedpg", "without": "async_pg"}] * 2, "n_agents": 4, "margin": 2}),
        ("fleets", {"faster": ["afedpg", "afedpg"], "slower": "fedpg", "n_agents": 4, "margin": 2}),
    ],
    ids=["pair", "N that the scenario has not", "lookahead", "fleet"],
)
def test_a_comparison_listed_twice_is_refused(test, claim):
    """It would count twice in the family that is corrected."""
    with pytest.raises(ValidationError, match=r"claim X: .*listed twice"):
        scenario(test, **claim)


@pytest.mark.parametrize("slower", ["async_pg", "a3c", "other", "lapg", "random_skip"])
def test_only_what_answers_every_round_is_re_timed(slower):
    with pytest.raises(ValidationError, match=rf"claim X: slower = {slower}: runs of .* cannot be re-timed"):
        scenario("fleets", faster=["afedpg"], slower=slower, n_agents=4, margin=2)


@pytest.mark.parametrize(("slower", "faster"), [("a3c", "afedpg"), ("fedpg", "lapg")])
def test_what_not_waiting_gives_is_no_number_where_nobody_or_everybody_waits(slower, faster):
    one = {**pair(arm(slower), arm(faster)), "number": "waiting_gain"}
    with pytest.raises(ValidationError, match=r"claim X: .*: number = 'waiting_gain' needs a slower method that waits"):
        scenario("ratio", pairs=[one], per="time", margin=1.25)
    one = {**pair(arm("fedpg"), arm("afedpg")), "number": "waiting_gain"}
    assert scenario("ratio", pairs=[one], per="time", margin=1.25).claims


def test_what_can_be_judged_is_taken():
    assert scenario("fleets", faster=["afedpg", "other", "async_pg"], slower="fedpg", n_agents=4, margin=2).claims
    assert scenario("ratio", pairs=[pair(arm("afedpg", 1), arm("afedpg", 4))], **RATIO).claims
    assert scenario("exponent", arms=[arm("afedpg", n) for n in (1, 2, 4)], margin=0.2).claims


def test_an_environment_that_there_is_not():
    with pytest.raises(ValidationError, match=r"claim X: environment = 'Swim': allowed are Swimmer"):
        scenario("ratio", pairs=[pair(arm("afedpg", 1), arm("afedpg", 4))], **RATIO, environment="Swim")


@pytest.mark.parametrize("second", ["afedpg", "twin"])
def test_a_primary_claim_is_made_once(second):
    """By another id, another horizon or another name of the same runs it is still the same question."""
    with pytest.raises(ValidationError, match="claim Y: asks the same as X; a primary claim is made once"):
        primaries("afedpg", second, horizon=5e5)
    assert primaries("afedpg", "other").claims
    assert primaries("afedpg", second, threshold=20).claims
    assert primaries("afedpg", second, family="another").claims
    assert primaries("afedpg", second, role="secondary").claims
