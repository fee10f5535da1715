"""The answer in a few sentences: what they say of each verdict, task by task, and how many there are."""

from __future__ import annotations

from typing import Any

import pytest

from frl.verdicts.answer import NOTHING, answer
from frl.verdicts.record import ArmResult, Interval, Judgement, Reason, Verdicts


def part(
    task: str, verdict: Any, ratio: float, slower: tuple[str, int] = ("afedpg", 1), reached: tuple[int, int] = (10, 10),
    **more: Any,
) -> Judgement:  # fmt: skip
    labels = {"afedpg": "AFedPG", "fedpg": "FedPG", "a3c": "A3C-style"}
    arms = tuple(
        ArmResult(label=f"{labels[name]}, N = {n}", method=name, n_agents=n, seeds=10, missing=0, reached=there)
        for (name, n), there in zip((slower, ("afedpg", 8)), reached, strict=True)
    )
    effect = Interval(value=ratio, low=ratio / 2, high=2 * ratio)
    given: dict[str, Any] = {
        "claim": "C", "title": "Title", "statement": "s", "source": "s", "environment": task, "role": "primary",
        "family": "", "test": "ratio", "part": "p", "joint": False, "per": "samples", "threshold": 1.0, "horizon": 9.0,
        "unit": "ratio", "margin": 1.25, "arms": arms, "effect": effect, "verdict": verdict,
        "reason": Reason(code="open"),
    }  # fmt: skip
    return Judgement(**{**given, **more})


def answered(*parts: Judgement) -> list[str]:
    return answer(Verdicts(scenario="x", level=0.95, alpha=0.025, parts=parts))


def test_tasks_with_one_verdict_stand_together_and_one_ratio_has_its_interval() -> None:
    assert answered(
        part("Swimmer", "replicated", 2.0), part("Walker2d", "inconclusive", 1.1), part("Hopper", "replicated", 4.0)
    ) == [
        "More agents need fewer samples each than one: replicated on Swimmer and Hopper (ratios 2.00 to 4.00), "
        "inconclusive on Walker2d (ratio 1.10 [0.55, 2.20])."
    ]  # fmt: skip


def test_opponents_that_fared_alike_stand_together_and_others_apart() -> None:
    fedpg, a3c = ({"slower": (name, 8), "per": "time"} for name in ("fedpg", "a3c"))
    alike = answered(part("Swimmer", "contradicted", 0.5, **fedpg), part("Swimmer", "contradicted", 0.7, **a3c))
    assert alike == ["AFedPG needs less time than FedPG and A3C-style: contradicted on Swimmer (ratios 0.50 to 0.70)."]
    (apart,) = answered(part("Swimmer", "contradicted", 0.5, **fedpg), part("Swimmer", "replicated", 1.5, **a3c))
    assert "than FedPG: contradicted on Swimmer (ratio 0.50" in apart
    assert "; than A3C-style: replicated on Swimmer (ratio 1.50" in apart


def test_bounds_are_said_with_the_seeds_that_got_there() -> None:
    said = lambda *parts: answered(*parts)[0].split("Swimmer ", 1)[1]  # noqa: E731
    assert said(part("Swimmer", "replicated", 2.0, reached=(4, 10))) == (
        "(ratio > 2.00 [1.00, 4.00]; 4 and 10 of 10 seeds got there within 9 steps per agent)."
    )
    assert said(part("Swimmer", "inconclusive", 1.0, reached=(0, 0))) == (
        "(neither got there; 0 and 0 of 10 seeds got there within 9 steps per agent)."
    )
    several = [part("Swimmer", "inconclusive", r, ("fedpg", n), reached) for r, n, reached in (
        (0.5, 8, (10, 10)), (1.0, 8, (0, 0)), (3.0, 8, (2, 10)), (2.0, 8, (9, 9)),
    )]  # fmt: skip
    assert said(*several) == (
        "(ratios 0.50 to > 3.00; in 1 of 4 neither got there; 0 to 100 % of an arm's seeds got there by the horizon)."
    )


def test_two_verdicts_on_one_task_are_told_apart() -> None:
    four = part("Swimmer", "inconclusive", 1.5)
    four = four.model_copy(update={"arms": (four.arms[0], four.arms[1].model_copy(update={"n_agents": 4}))})
    (said,) = answered(four, part("Swimmer", "replicated", 2.0))
    assert "replicated on Swimmer with 8 agents" in said
    assert "inconclusive on Swimmer with 4 agents" in said
    (said,) = answered(part("Swimmer", "replicated", 2.0, title="A"), part("Swimmer", "contradicted", 1.0, title="B"))
    assert 'replicated on Swimmer as in "A"' in said
    (said,) = answered(part("Swimmer", "replicated", 2.0, part="a"), part("Swimmer", "contradicted", 1.0, part="b"))
    assert 'replicated on Swimmer as in "a"' in said
    parts = [part("Swimmer", "replicated", 2.0, part=name) for name in "ab"]
    parts.append(part("Swimmer", "contradicted", 1.0, part="c"))
    assert 'replicated on Swimmer as in "a" and as in "b"' in answered(*parts)[0]


def test_secondary_claims_have_the_room_that_primary_ones_leave_and_exploratory_ones_none() -> None:
    first = part("Swimmer", "contradicted", 4.0, role="secondary", title="An eighth")
    primary, third = part("Swimmer", "replicated", 2.0), part("Swimmer", "replicated", 3.0, role="secondary", title="Z")
    exploratory = part("Hopper", "replicated", 9.0, role="exploratory")
    assert answered(first, exploratory, primary, third, exploratory) == [
        "An eighth: contradicted on Swimmer (ratio 4.00 [2.00, 8.00]).",
        "More agents need fewer samples each than one: replicated on Swimmer (ratio 2.00 [1.00, 4.00]).",
        "Z: replicated on Swimmer (ratio 3.00 [1.50, 6.00]).",
    ]
    three = (part("Swimmer", "replicated", 2.0, per=per) for per in ("samples", "time", "uploads"))
    assert not any("Z:" in sentence for sentence in answered(third, *three))
    assert answered(exploratory)[0].startswith("More agents need fewer samples each than one: replicated on Hopper")


def test_too_few_seeds_are_a_sentence_and_no_claim_is_one() -> None:
    few = Reason(code="few_seeds", details={"seeds": 3, "least": 5})
    assert answered(part("Swimmer", "inconclusive", 2.0, reason=few))[-1] == (
        "An arm has 10 seeds; fewer than 5 decide nothing."
    )
    gone = part("Swimmer", "not run", 1.0, reason=Reason(code="not_in_scenario"))
    assert answered(gone) == [NOTHING]
    not_run = part("Swimmer", "not run", 1.0, effect=None, reason=Reason(code="no_runs"))
    assert answered(not_run) == ["More agents need fewer samples each than one: not run on Swimmer."]


@pytest.mark.parametrize("count", [3, 5])
def test_there_are_at_most_three_sentences(count: int) -> None:
    units = ("samples", "time", "uploads", "uplink_bytes", "total_bytes")[:count]
    assert len(answered(*(part("Swimmer", "replicated", 2.0, per=per) for per in units))) == 3
