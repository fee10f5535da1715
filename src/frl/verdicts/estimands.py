"""One number for each part of a claim: how large the effect is in the collected curves, with its uncertainty.

Every function takes the cells of the part in the order of its needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from frl.analysis import thresholds, waiting
from frl.analysis.curves import Cell
from frl.analysis.quantity import Array
from frl.analysis.thresholds import contrast
from frl.scenario import claims
from frl.scenario.claim_base import Part, Per
from frl.spec import SERVERS
from frl.verdicts.estimate import ArmEstimate, Data, Estimate, flaw_of, other_differences
from frl.verdicts.record import Interval, Notes, Reason


def ratio(claim: claims.Ratio, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """What the slower arm needs to the threshold over what the faster one needs."""
    slow, fast = (data.arm(cell, claim.per, claim.threshold, claim.horizon) for cell in cells)
    waits, goes_on = (SERVERS[data.spec(cell).algorithm].synchronous for cell in cells)
    gain = waiting.waiting_gain(data.spec(cells[0])) if claim.per == "time" and waits and not goes_on else None
    return _compare(label_of(data, cells, claim.per), slow, fast, claim.margin, _number(part.number, gain),
                    Notes(waiting_gain=gain), claim.paired)  # fmt: skip


def lookahead(claim: claims.Lookahead, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Samples per agent without the lookahead over those with it."""
    without, with_ = (data.arm(cell, claim.per, claim.threshold, claim.horizon) for cell in cells)
    specs = [data.spec(cell) for cell in cells]
    alpha = getattr(specs[1].server, "momentum", None)
    share = None if alpha is None else waiting.momentum_share(alpha, claim.n_agents)
    label = f"alpha = {alpha:g}, N = {claim.n_agents}" if alpha is not None else part.label
    one = _compare(label, without, with_, claim.margin, None, Notes(alpha=alpha, momentum_share=share), claim.paired)
    if other := other_differences(*specs):
        return replace(one, flaw=Reason(code="differ", details={"settings": ", ".join(other)}))
    return one


def fleets(claim: claims.Fleets, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Ratio of times to the threshold on the faster method's fleet, for which the slower one is re-timed.

    Jointly: how it grows, the slope of its logarithm against that of the closed form.
    """
    pairs = [_on_fleet(claim, data, cells[0], fast) for fast in cells[1:]]
    specs = [data.spec(fast) for fast in cells[1:]]
    gains = np.array([waiting.waiting_gain(spec) for spec in specs])
    if part.joint:
        return _growth(claim, part, pairs, gains)
    times = waiting.task_seconds(specs[0])
    spread, gain = float(times.max() / times.min()), float(gains[0])
    return _compare(f"t_max / t_min = {spread:g}, N = {claim.n_agents}", *pairs[0], claim.margin, gain,
                    Notes(waiting_gain=gain, t_max_over_t_min=spread))  # fmt: skip


def _on_fleet(claim: claims.Fleets, data: Data, slow: Cell, fast: Cell) -> tuple[ArmEstimate, ArmEstimate]:
    """The slower method as it would be on the faster one's fleet, and the faster one, up to the same time.

    Raises:
        waiting.NoRetiming: if the slower method's times on another fleet are not known.
    """
    there = data.spec(slow).model_copy(update={"fleet": data.spec(fast).fleet})
    rows = waiting.retime(data.rows(slow), there)
    horizon = claim.horizon / there.steps_per_upload * waiting.round_seconds(there)
    return (
        data.arm(slow, claim.per, claim.threshold, horizon, rows),
        data.arm(fast, claim.per, claim.threshold, horizon),
    )


def _growth(claim: claims.Fleets, part: Part, pairs: list[tuple[ArmEstimate, ArmEstimate]], gains: Array) -> Estimate:
    """Slope of the log time ratio against the log closed form, over all fleets; 1 if both grow alike.

    However fast the slower method learns, it does so in as many rounds on every fleet. So its seeds add nothing to the
    slope's error: what enters of it is how long its rounds take.
    """
    weights = thresholds.slope_weights(gains)
    fast = contrast([one.arm.log_S for _, one in pairs], -weights)
    slow = weights @ [one.arm.log_S.mean() for one, _ in pairs]
    arms = (pairs[0][0], *(one for _, one in pairs))
    value = replace(fast, value=fast.value + slow)
    return Estimate(part.label, "exponent", value, claim.growth_margin, arms, _number(part.number, None), Notes(),
                    flaw_of(tuple(one for pair in pairs for one in pair)))  # fmt: skip


def exponent(claim: claims.Exponent, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Minus the slope of log time to the threshold against log N."""
    arms = tuple(data.arm(cell, claim.per, claim.threshold, claim.horizon) for cell in cells)
    b = thresholds.exponent([cell[2] for cell in cells], [one.arm for one in arms])
    label = f"{data.name(cells[-1], claim.per, with_n=False)}, {part.label}"
    fit = thresholds.lack_of_fit([cell[2] for cell in cells], [one.arm for one in arms])
    notes = Notes(lack_of_fit=None if np.isnan(fit) else fit)
    return Estimate(label, "exponent", b, claim.margin, arms, _number(part.number, None), notes, flaw_of(arms))


def _number(claimed: float | Literal["waiting_gain"] | None, gain: float | None) -> float | None:
    return gain if claimed == "waiting_gain" else claimed


def _compare(
    label: str, slow: ArmEstimate, fast: ArmEstimate, margin: float, number: float | None, notes: Notes,
    paired: bool | None = None,
) -> Estimate:  # fmt: skip
    """The ratio of two arms' restricted geometric means.

    If the claim says how seeds are compared, and both arms have the same, the ratio by the other way is noted.
    """
    if len(fast.capped_S) and len(slow.capped_S):
        gain = Interval.of(contrast([fast.capped_S, slow.capped_S], [1.0, -1.0]).quantity())
        notes = notes.model_copy(update={"capped_area_gain": gain})
    log_ratio, flaw = thresholds.log_ratio(slow.arm, fast.arm), flaw_of((slow, fast))
    if paired is not None and slow.seeds == fast.seeds:
        by_seed = thresholds.paired_log_ratio(slow.arm, fast.arm)
        log_ratio, other = (by_seed, log_ratio) if paired else (log_ratio, by_seed)
        notes = notes.model_copy(update={"other_way": Interval.of(other.quantity(exponential=True))})
    elif paired:
        flaw = Reason(code="unpaired")
    return Estimate(label, "ratio", log_ratio, float(np.log(margin)), (slow, fast), number, notes, flaw)


def label_of(data: Data, cells: list[Cell], per: Per) -> str:
    """Two arms as readers name them: the second's N alone where they share it."""
    slow, fast = cells
    unequal = ", unequal agents" if data.spec(slow).heterogeneity.any else ""
    return f"{data.name(slow, per, with_n=slow[2] != fast[2])} over {data.name(fast, per)}{unequal}"


ESTIMATORS: dict[str, Callable[[Any, Part, Data, list[Cell]], Estimate]] = {
    "ratio": ratio,
    "lookahead": lookahead,
    "fleets": fleets,
    "exponent": exponent,
}
"""One function for each test of a claims file."""
