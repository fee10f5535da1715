"""Claim by claim, what replicated: every part measured, corrected and judged, once.

:mod:`frl.verdicts.estimands` measures, :mod:`frl.verdicts.rules` decides, :mod:`frl.verdicts.record` is what is
written. Nothing else judges: figures, tables and the report read what this wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frl.analysis.curves import Cell, Curves
from frl.analysis.load import instruction_sets, read_curves, read_runs
from frl.analysis.thresholds import FAMILY_LEVEL, common_horizon
from frl.analysis.waiting import NoRetiming
from frl.errors import SpecError
from frl.scenario import claims
from frl.scenario.claim_base import Part, Per
from frl.scenario.scenario import Scenario, cells_of
from frl.verdicts.estimands import ESTIMATORS
from frl.verdicts.estimate import ArmEstimate, Data, Estimate
from frl.verdicts.record import ArmResult, Interval, Judgement, Reason, Verdicts
from frl.verdicts.rules import ALPHA, INCONCLUSIVE, MIN_SEEDS, NOT_RUN, SINGLE, decide, holm


@dataclass
class _Measured:
    """A part with its estimate, or why there is none, and its p-values; corrected ones where that is due."""

    claim: claims.Claim
    part: Part
    cells: list[Cell]
    estimate: Estimate | None = None
    reason: Reason | None = None
    p: tuple[float, float] | None = None
    p_holm: tuple[float, float] | None = None


def judge(scenario: Scenario, frame: pd.DataFrame, instructions: Mapping[str, int] | None = None) -> Verdicts:
    """The verdict on every part of every claim that the scenario names, in the order of its claims file.

    Args:
        scenario: the grid, with its claims.
        frame: the collected evaluation points (curves.csv).
        instructions: how many runs were made with each set of vector instructions.
    """
    data = Data(scenario, frame)
    measured = [_measure(data, *each) for each in parts_of(scenario)]
    _correct(measured)
    parts = tuple(_record(data, one) for one in measured)
    made_with = dict(instructions or {})
    return Verdicts(scenario=scenario.name, level=FAMILY_LEVEL, alpha=ALPHA, instructions=made_with, parts=parts)


def write(scenario: Scenario, base: Path) -> Verdicts:
    """Judge the collected curves in `base` and write verdicts.json there.

    Raises:
        SpecError: if the scenario names no claims.
    """
    if scenario.claims is None:
        raise SpecError(f"scenario {scenario.name!r} names no claims: give it a key, as in claims: claims.yaml")
    verdicts = judge(scenario, read_curves(base), instruction_sets(read_runs(base)))
    verdicts.write(base)
    return verdicts


def parts_of(scenario: Scenario) -> Iterator[tuple[claims.Claim, Part, list[Cell] | None]]:
    """Every part of every claim, with the cells that it needs; None where the scenario lacks one."""
    for claim in scenario.claims.claims if scenario.claims else ():
        for part in claim.parts():
            yield claim, part, cells_of(scenario, claim, part)


def horizon_of(scenario: Scenario, per: Per, curves: Sequence[Curves]) -> float:
    """Where times to the task's threshold are censored for the ratio of two arms, the slower first.

    At the horizon of a claim about just them, so that all that is said of two arms agrees; else where it is no longer
    known of every seed of both whether it got there.
    """
    cells, level = [one.cell for one in curves], scenario.threshold(curves[0].environment)
    for claim, _, of_part in parts_of(scenario):
        of_two = isinstance(claim, claims.Ratio | claims.Lookahead) and of_part == cells
        if of_two and (claim.per, claim.threshold) == (per, level):
            return claim.horizon
    return common_horizon(curves, level)


def _measure(data: Data, claim: claims.Claim, part: Part, cells: list[Cell] | None) -> _Measured:
    """The part with its estimate and p-values, not judged yet."""
    if cells is None:
        return _Measured(claim, part, [], reason=Reason(code="not_in_scenario"))
    one = _Measured(claim, part, cells)
    if gone := [data.name(cell, claim.per) for cell in cells if not data.seeds[cell]]:
        one.reason = Reason(code="no_runs", details={"arms": ", ".join(gone)})
        return one
    try:
        estimate = one.estimate = ESTIMATORS[claim.test](claim, part, data, cells)
    except NoRetiming as error:
        one.reason = Reason(code="retime", details={"why": str(error)})
        return one
    one.reason = _flaw(data, cells, estimate)
    if one.reason is None and estimate.number is None:
        one.p = float(estimate.contrast.p_above(0.0)), float(estimate.contrast.p_below(estimate.margin))
    return one


def _flaw(data: Data, cells: list[Cell], estimate: Estimate) -> Reason | None:
    """Why the estimate decides nothing, if it does not."""
    if missing := sum(data.expected[cell] - data.seeds[cell] for cell in set(cells)):
        return Reason(code="missing", details={"missing": missing})
    if (seeds := min(data.seeds[cell] for cell in cells)) < MIN_SEEDS:
        return Reason(code="few_seeds", details={"seeds": seeds, "least": MIN_SEEDS})
    if estimate.flaw is None and np.isnan(estimate.contrast.error):
        return Reason(code="no_spread")
    return estimate.flaw


def _correct(measured: list[_Measured]) -> None:
    """Correct the p-values of primary claims for their number in each environment's family.

    A claim without a p-value counts, as if it were 1; one whose runs the scenario does not have does not count.
    """
    families: dict[tuple[str, str], list[_Measured]] = {}
    for one in measured:
        if one.claim.role == "primary" and one.cells:
            families.setdefault((one.claim.environment, one.claim.family), []).append(one)
    for family in families.values():
        corrected = holm(np.array([one.p or (1.0, 1.0) for one in family]).T).T
        for one, (above, below) in zip(family, corrected, strict=True):
            one.p_holm = (float(above), float(below)) if one.p else None


def _verdict(one: _Measured) -> tuple[str, Reason]:
    if one.estimate is None and one.reason is not None:
        return (INCONCLUSIVE if one.reason.code == "retime" else NOT_RUN), one.reason
    if one.reason is not None or one.estimate is None:
        return INCONCLUSIVE, one.reason or Reason(code="no_spread")
    above, below = one.p_holm or one.p or (1.0, 1.0)
    verdict, code = decide(one.estimate, above, below, ALPHA if one.claim.role == "primary" else SINGLE)
    return verdict, Reason(code=code)


_OF_CLAIM = (
    "title", "statement", "source", "environment", "role", "family", "test", "per", "threshold", "horizon", "margin",
)  # fmt: skip


def _record(data: Data, one: _Measured) -> Judgement:
    claim, estimate = one.claim, one.estimate
    verdict, reason = _verdict(one)
    known: dict[str, Any] = {key: getattr(claim, key) for key in _OF_CLAIM}
    known |= {"claim": claim.id, "part": one.part.label, "joint": one.part.joint, "verdict": verdict, "reason": reason}
    known |= {"unit": "exponent" if claim.test == "exponent" or one.part.joint else "ratio"}
    known["paired"] = getattr(claim, "paired", False)
    known["number"] = None if one.part.number == "waiting_gain" else one.part.number
    known["arms"] = tuple(_arm(data, claim, cell, estimate, i) for i, cell in enumerate(one.cells))
    for key, p in (("", one.p), ("_holm", one.p_holm)):
        known |= {f"p_above{key}": p[0] if p else None, f"p_below{key}": p[1] if p else None}
    if estimate is not None:
        known |= {"part": estimate.label, "number": estimate.number, "effect": Interval.of(estimate.effect)}
        known |= {"margin": estimate.margin if estimate.unit == "exponent" else claim.margin, "notes": estimate.notes}
        if reason.code in ("open", "stuck"):
            known["notes"] = estimate.notes.model_copy(update={"seeds_to_decide": _seeds_to_decide(estimate)})
    return Judgement(**known)


def _arm(data: Data, claim: claims.Claim, cell: Cell, estimate: Estimate | None, place: int) -> ArmResult:
    label, seeds = data.name(cell, claim.per), data.seeds[cell]
    facts: dict[str, Any] = {"label": label, "method": cell[1], "n_agents": cell[2], "seeds": seeds}
    facts["missing"] = data.expected[cell] - seeds
    if estimate is None:
        return ArmResult(**facts)
    one: ArmEstimate = estimate.arms[place]
    return ArmResult(
        **facts, diverged=one.diverged, reached=int(one.arm.reached_S.sum()), time=Interval.of(one.arm.mean()),
        capped_area=Interval.of(one.capped) if one.capped else None,
    )  # fmt: skip


def _seeds_to_decide(estimate: Estimate) -> int:
    """Seeds an arm with which the interval would be no wider than from no effect to one that matters."""
    low, high = estimate.contrast.interval()
    most = max(len(one.arm.log_S) for one in estimate.arms)
    return ceil(most * float((high - low) / estimate.margin) ** 2)
