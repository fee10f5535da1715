"""Claim by claim, what replicated: every part measured, corrected and judged.

:mod:`frl.verdicts.rules` has the rules, :mod:`frl.verdicts.estimands` the estimands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from frl.analysis.crossings import common_seeds, share_above
from frl.analysis.curves import Cell
from frl.analysis.intervals import MIN_BOOTSTRAP, holm
from frl.scenario import claims
from frl.scenario.claim_base import Part
from frl.scenario.scenario import FigureName, Scenario, cells_of
from frl.verdicts.estimands import ESTIMATORS
from frl.verdicts.estimate import Data, Estimate
from frl.verdicts.rules import NOT, PARTLY, REPLICATED, UNTESTED, VERDICTS, decide, smallest_detectable


@dataclass(frozen=True)
class Judgement:
    """One part of a claim, judged.

    Attributes:
        claim: what is claimed.
        estimate: the effect; None if nothing could be computed.
        label: which comparison.
        cells: (environment, method, N) of everything that it compares.
        seeds: seeds that all of its cells have.
        missing: runs of the part that are not there.
        diverged: runs of the part that diverged (kept at their last finite return).
        p, p_holm: twice the one-sided p-value; corrected, of a confirmatory claim. nan where there is none.
        above: for each curve the share of seeds whose final return is at or above the threshold, in words, behind it.
    """

    claim: claims.Claim
    estimate: Estimate | None
    label: str
    cells: tuple[Cell, ...]
    seeds: int
    missing: int
    diverged: int
    above: str
    joint: bool = False
    p: float = float("nan")
    p_holm: float = float("nan")
    verdict: str = UNTESTED
    reason: str = ""

    @property
    def detectable(self) -> float:
        """Smallest detectable effect, on the scale on which the effect is judged; inf without an interval."""
        return smallest_detectable(self.estimate) if self.estimate else float("inf")

    @property
    def evidence(self) -> str:
        """Why, and what to know besides, in words."""
        notes = [self.reason, self.estimate.beside if self.estimate else ""]
        notes += [f"{self.diverged} runs diverged and hold their last return"] if self.diverged else []
        return "; ".join(note for note in notes if note)


# --------------------------------------------------------------------------------------------------
# Rules


def _judge_one(one: Judgement) -> Judgement:
    """The verdict on a part whose p-value is corrected already (rule 1, then :func:`decide`)."""
    if one.missing:
        return replace(one, reason=f"{one.missing} of its runs are missing")
    if one.seeds < MIN_BOOTSTRAP:
        return replace(one, reason=f"{one.seeds} seed{'s' * (one.seeds != 1)}, fewer than {MIN_BOOTSTRAP}")
    if one.estimate is None or one.estimate.flaw:
        return replace(one, reason=one.estimate.flaw if one.estimate else "there is nothing to compare")
    verdict, reason = decide(one.estimate, one.p if np.isnan(one.p_holm) else one.p_holm)
    return replace(one, verdict=verdict, reason=reason)


def _derived(whole: Judgement, pairs: list[Judgement]) -> Judgement:
    """The verdict on an order from those on its neighbouring pairs; its p is the largest of theirs."""
    count = Counter(pair.verdict for pair in pairs)
    if count[REPLICATED] == len(pairs):
        verdict = REPLICATED
    elif count[NOT]:
        verdict = NOT
    else:
        verdict = UNTESTED if count[UNTESTED] else PARTLY
    words = ", ".join(f"{pair.label.split(',')[0]}: {pair.verdict}" for pair in pairs)
    p, p_holm = (float(np.max([getattr(pair, key) for pair in pairs])) for key in ("p", "p_holm"))
    return replace(whole, p=p, p_holm=p_holm, verdict=verdict, reason=words)


# --------------------------------------------------------------------------------------------------
# All claims of a scenario


def judge(scenario: Scenario, frame: pd.DataFrame) -> list[Judgement]:
    """Every part of every claim whose runs the scenario has, in the order of its claims file.

    Args:
        scenario: the grid, with its claims.
        frame: the collected evaluation points (curves.csv).
    """
    data = Data(scenario, frame)
    found = [_measure(data, claim, part, cells) for claim, part, cells in _parts(scenario) if cells]
    family = [i for i, one in enumerate(found) if one.claim.role == "confirmatory" and not _is_derived(one)]
    corrected = holm([found[i].p if not np.isnan(found[i].p) else 1.0 for i in family])
    for i, p in zip(family, corrected, strict=True):  # a part without a p-value counts, as if it were 1
        found[i] = found[i] if np.isnan(found[i].p) else replace(found[i], p_holm=p)
    pairs: list[Judgement] = []
    judged = []
    for one in found:
        pairs = pairs if pairs and pairs[0].claim is one.claim else []
        judged.append(_derived(one, pairs) if _is_derived(one) else _judge_one(one))
        pairs = [] if _is_derived(one) else [*pairs, judged[-1]]
    return judged


def _is_derived(one: Judgement) -> bool:
    return one.joint and one.claim.test == "order"


def _parts(scenario: Scenario) -> Iterator[tuple[claims.Claim, Part, list[Cell] | None]]:
    for claim in scenario.claims.claims if scenario.claims else ():
        for part in claim.parts():
            yield claim, part, cells_of(scenario, claim, part)


def absent(scenario: Scenario) -> str:
    """The parts that the scenario has no runs for, in one sentence; empty if it has them all."""
    names = _in_short((claim.id, part.label, cells is None) for claim, part, cells in _parts(scenario))
    return f"Not part of this scenario: {names}." if names else ""


def waiting(judged: list[Judgement]) -> str:
    """The parts of which there is no number yet, in one sentence; empty if there are none."""
    names = _in_short((one.claim.id, one.label, one.missing > 0 and one.estimate is None) for one in judged)
    return f"Too many runs are missing to say anything of {names}." if names else ""


def _in_short(parts: Iterable[tuple[str, str, bool]]) -> str:
    """Those parts (claim, label, whether it is meant), a claim by its name alone if all of its parts are."""
    whole: dict[str, list[str | None]] = {}
    for name, label, meant in parts:
        whole.setdefault(name, []).append(label if meant else None)
    texts = []
    for name, labels in whole.items():
        if some := [label for label in labels if label]:
            short = dict.fromkeys(label.split(", ")[-1] for label in some)  # of an order's pairs the N alone
            texts.append(name if len(some) == len(labels) else f"{name} ({', '.join(short)})")
    return ", ".join(texts)


_FIGURE_OF_TEST: dict[str, FigureName] = {
    **dict.fromkeys(("time_ratio", "order", "heterogeneity"), "time_complexity"),
    **dict.fromkeys(("non_inferiority", "saving", "superiority"), "communication"),
}
"""Where its methods have the names by which a claim's table calls them; else in sample complexity."""


def _measure(data: Data, claim: claims.Claim, part: Part, cells: list[Cell]) -> Judgement:
    """The part with its estimate and p-value, not judged yet."""
    curves = [data.steps[cell] for cell in cells if cell in data.steps]
    wanted = len(cells) * len(data.scenario.seeds)
    seeds = len(common_seeds(*curves)) if len(curves) == len(cells) else 0
    level = getattr(claim, "threshold", None)
    level = data.scenario.threshold(claim.environment) if level is None else level
    figure = _FIGURE_OF_TEST.get(claim.test, "sample_complexity")
    shares = {data.name(c.method, figure, c.n_agents): share_above(c, level) for c in curves}
    above = "; ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
    one = Judgement(
        claim, None, part.label, tuple(cells), seeds, wanted - sum(len(c.runs) for c in curves),
        sum(int(c.diverged.sum()) for c in curves), f"{level:g}: {above}" if above else "", part.joint,
    )  # fmt: skip
    if not seeds:
        return one
    estimate = ESTIMATORS[claim.test](claim, part, data, cells)
    testable = seeds >= MIN_BOOTSTRAP and estimate.effect.relation == "=" and not estimate.flaw
    p = estimate.p_value(seeds) if testable else float("nan")
    return replace(one, estimate=estimate, label=estimate.label, p=p)


def headline(judged: list[Judgement]) -> str:
    """The verdicts in one sentence, for a reader who stops there."""
    if not judged:
        return "No part of the claims can be judged in this scenario."
    done = [one for one in judged if not one.missing]
    count = Counter(one.verdict for one in done)
    parts = [f"{count[verdict]} {verdict}" for verdict in VERDICTS if count[verdict]]
    if alone := sum(one.verdict == REPLICATED and one.claim.role == "exploratory" for one in done):
        parts[0] += f" ({alone} exploratory, not corrected)"
    said = f"{len(done)} part{'s' * (len(done) != 1)} of the claims judged{': ' * bool(done)}{'; '.join(parts)}."
    rest = len(judged) - len(done)
    wait = "1 more waits for its runs." if rest == 1 else f"{rest} more wait for their runs."
    return f"{said} {wait}" if rest else said


def effect_of(judged: Iterable[Judgement], test: str, joint: bool = False) -> list[tuple[Judgement, Estimate]]:
    """The measured parts of the claims with this test, in order of where they belong in a figure, joint ones last."""
    found = [(one, one.estimate) for one in judged if one.claim.test == test and one.estimate]
    return sorted((pair for pair in found if joint or not pair[0].joint), key=lambda pair: (pair[0].joint, pair[1].at))
