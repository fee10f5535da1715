"""The estimands of claims about communication: what is saved, and what it costs in return."""

from __future__ import annotations

import numpy as np

from frl.analysis.crossings import common_seeds, final_returns, ratio
from frl.analysis.curves import UPLINK, Cell, Curves, align, with_total_bytes
from frl.analysis.intervals import mean_quantity, ratio_of_means
from frl.analysis.quantity import Array, Quantity, shown
from frl.scenario.claim_base import Part
from frl.scenario.communication_claims import NonInferiority, Saving, Superiority
from frl.verdicts.estimate import Data, Estimate, heights, other_differences


def non_inferiority(claim: NonInferiority, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Share of the baseline's gain over the initial policy that the method reaches, at equal samples per agent.

    The gain is that of the mean return over the budget. At least 1 minus the margin is not inferior.
    """
    ours, baseline = (data.steps[cell] for cell in cells)
    seeds = common_seeds(ours, baseline)
    height_MS = heights(min(ours.x[-1], baseline.x[-1]), ours, baseline)
    final = mean_quantity(final_returns(ours, seeds) - final_returns(baseline, seeds))
    means = f"{height_MS[0].mean():.1f} against {height_MS[1].mean():.1f}"
    beside = (
        f"mean return {means}, of the initial policy {_initial(baseline).mean():.1f}; "
        f"difference of final returns {shown(final)}"
    )
    effect, flaw = _share_of_gain(height_MS, baseline)
    return Estimate(
        _pair(data, cells), effect, "of the gain", claim.margin, none=1, at_least=1 - claim.margin, beside=beside,
        flaw=_not_comparable(data, cells) or flaw,
    )  # fmt: skip


def saving(claim: Saving, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Uplink bytes of the baseline over the method's: of the whole run, or to where the mean curves cross."""
    flaw = _not_comparable(data, cells)
    if claim.threshold is not None:
        little, much = (align(data.rows(cell), UPLINK) for cell in cells)
        effect, beside = ratio(much, little, claim.threshold), f"bytes until the mean return is {claim.threshold:g}"
    else:
        curves = [data.steps[cell] for cell in cells]
        seeds = list(common_seeds(*curves))
        ends = [data.rows(cell).groupby("seed")[UPLINK].max()[seeds].to_numpy(dtype=np.float64) for cell in cells]
        logs = mean_quantity(np.log(ends[1] / ends[0]))
        effect = Quantity(float(np.exp(logs.value)), float(np.exp(logs.low)), float(np.exp(logs.high)))
        beside = "bytes of the whole run"
        if any(c.diverged.any() for c in curves):
            flaw = flaw or "a run diverged, and uploads nothing from there on"
    return Estimate(
        _pair(data, cells), effect, "ratio", float(np.log1p(claim.margin)), none=1, at_least=claim.factor,
        beside=beside, flaw=flaw,
    )  # fmt: skip


def superiority(claim: Superiority, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """The method's gain over the initial policy, over the control's, at equal uploads or bytes in both directions.

    The gain is that of the mean return against these, up to as many as some seed of each made; a seed that made fewer
    holds its last return. Beside it: up to as many as every seed of both made that did not diverge.
    """
    ours, control = (align(with_total_bytes(data.rows(cell)), claim.per) for cell in cells)
    unit = claim.per.replace("total_bytes", "bytes of both directions")
    end = min(ours.x[-1], control.x[-1])
    height_MS = heights(end, ours, control)
    means = f"{height_MS[0].mean():.1f} against {height_MS[1].mean():.1f}"
    effect, flaw = _share_of_gain(height_MS, control)
    whole = [run for run in (*ours.runs, *control.runs) if np.isnan(run.diverged_at)]
    least = min((run.x[-1] for run in whole), default=end)
    of_all, _ = _share_of_gain(heights(least, ours, control), control)
    beside = f"mean return over {end:,.0f} {unit}: {means}; over {least:,.0f}, as many as every seed made: "
    return Estimate(
        _pair(data, cells), effect, "of the gain", claim.margin, none=1,
        beside=f"{beside}{shown(of_all)} of the gain", flaw=_not_comparable(data, cells) or flaw,
    )  # fmt: skip


def _pair(data: Data, cells: list[Cell]) -> str:
    """Which two methods are compared, in whose agents' environments, and N."""
    ours, other = (data.name(cell[1], "communication") for cell in cells)
    agents = "unequal agents, " if data.spec(cells[0]).heterogeneity.any else ""
    return f"{ours} over {other}, {agents}N = {cells[0][2]}"


def _not_comparable(data: Data, cells: list[Cell]) -> str:
    """Why the two methods of a pair cannot be compared: they may differ in algorithm, its settings and sampling."""
    first, second = (data.spec(cell) for cell in cells)
    return other_differences(first, second, but=("server", "sampling"))


def _initial(curves: Curves) -> Array:
    """The initial policy's return of every seed, (S,)."""
    return curves.returns_SG[:, 0]


def _share_of_gain(height_MS: Array, other: Curves) -> tuple[Quantity, str]:
    """Gain of the first method over the initial policy, as a share of the second's; and why that says nothing."""
    gain_MS = height_MS - _initial(other).mean()
    if not mean_quantity(gain_MS[1]).low > 0:
        return Quantity(float("nan"), relation="?"), "what it is compared with does not improve on the initial policy"
    return ratio_of_means(gain_MS[0], gain_MS[1]), ""
