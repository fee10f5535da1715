"""One number for each part of a claim: how large the effect is in the collected curves, with its interval.

Every function takes the curves of the part's cells in the order of its needs. Pairs are compared seed by seed, since
equal seeds share their random streams.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import stats as scipy_stats

from frl.analysis import waiting
from frl.analysis.crossings import (
    common_seeds,
    exchange_test,
    log_slope,
    mean_crossing,
    ratio,
    seed_median,
    slope_weights,
    sooner,
)
from frl.analysis.curves import STEPS, TIME, Cell, Curves, align
from frl.analysis.intervals import mean_quantity
from frl.analysis.names import FIGURE_OF
from frl.analysis.poster import distance, reference
from frl.analysis.quantity import Quantity, shown
from frl.scenario import claims
from frl.scenario.claim_base import Part
from frl.verdicts import communication
from frl.verdicts.estimate import Data, Estimate, heights, other_differences


def trend(claim: claims.Trend, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Slope of the mean return (area under the curve, up to the samples that all reach) per doubling of N.

    The p-value is that of Page's trend test with its exact distribution: within each seed the areas are ranked over N,
    so seeds are blocks, however bimodal their returns. Its null hypothesis, that N makes no difference, leaves every
    order of a seed's areas equally likely, since equal seeds share their streams whatever N is. Ranks have no size, so
    the interval of the slope (one slope a seed, then the mean over seeds) has to exclude 0 as well.
    """
    curves = [data.steps[cell] for cell in cells]
    height_NS = heights(min(c.x[-1] for c in curves), *curves)
    log_n = np.log2(np.array(claim.n_agents, dtype=np.float64))
    contrast = (log_n - log_n.mean()) / ((log_n - log_n.mean()) ** 2).sum()
    p = 1.0
    if height_NS.shape[1] > 1:
        p = 2 * float(scipy_stats.page_trend_test(height_NS[np.argsort(log_n)].T, method="exact").pvalue)
    means = ", ".join(f"{n}: {height:.1f}" for n, height in zip(claim.n_agents, height_NS.mean(axis=1), strict=True))
    return Estimate(
        part.label, mean_quantity(contrast @ height_NS), "return per doubling", claim.margin, none=0, p=min(1.0, p),
        beside=f"mean return by N: {means}",
    )  # fmt: skip


def sample_speedup(claim: claims.SampleSpeedup, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Ratio of the samples per agent at which the mean curves cross, as the poster draws it."""
    alone, many = (data.steps[cell] for cell in cells)
    number = claim.numbers[cells[1][2]]
    beside = _medians(data, (alone, many), claim.threshold)
    effect = ratio(alone, many, claim.threshold)
    return Estimate(part.label, effect, "ratio", np.log1p(claim.margin), number, none=1, beside=beside)


def final_return(claim: claims.FinalReturn, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Mean over seeds of the return over the last tenth of the budget; beside it how far they are from the poster's."""
    number = claim.numbers[cells[0][2]]
    curves, beside = data.steps[cells[0]], ""
    if (poster := reference(data.scenario, curves)) is not None:
        tenths = np.linspace(0, curves.x[-1], 11)[1:]
        away_S = distance(np.stack([np.interp(tenths, curves.x, y) for y in curves.returns_SG]), poster, curves.x[-1])
        beside = f"seeds' own curves are {away_S.mean():.0f} from the poster's, median {np.median(away_S):.0f}"
    effect = mean_quantity(curves.final_S)
    return Estimate(part.label, effect, "return", claim.margin * abs(number), number, beside=beside)


def time_ratio(claim: claims.TimeRatio, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Ratio of the simulated times at which the mean curves cross.

    Where only its direction is claimed, p is that of an exact test, which exchanges the two methods within seeds. Read
    from such a ratio's interval it is too small where the two arms differ: of 1,500 draws of ten seeds from Swimmer's
    own curves with four agents, scaled to a ratio of 1, 1.5 % had a p below 0.05 / 23, and not 0.1 % (with 2,000
    resamples). Beside it the ratio of their samples, in which not waiting gains nothing.
    """
    slow, fast = (data.time[cell] for cell in cells)
    gain = waiting.waiting_gain(data.spec(cells[0]))
    number = gain if claim.numbers == "waiting_gain" else claim.numbers.get(cells[0][2])
    beside = f"not waiting alone gives {gain:.2f}; {_medians(data, (slow, fast), claim.threshold)}"
    p = None
    if number is None:
        p, factor, end = exchange_test(slow, fast, claim.threshold)
        samples = ratio(data.steps[cells[0]], data.steps[cells[1]], claim.threshold)
        first, seeds = sooner(fast, slow, claim.threshold), len(common_seeds(fast, slow))
        beside += f"; p is of a factor of {factor:.2f} within the {end:,.0f} s that both have"
        beside += f"; sooner in {first} of {seeds} seeds; ratio in samples instead of time {shown(samples)}"
    effect = ratio(slow, fast, claim.threshold)
    return Estimate(part.label, effect, "ratio", np.log1p(claim.margin), number, none=1, p=p, beside=beside)


def order(claim: claims.Order, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Difference of mean returns of a pair up to the time that all methods of the claim reach.

    Beside it: the difference against samples per agent, in which not waiting gains nothing. The whole order is the
    weakest of its pairs: it holds if each of them does, which needs no further correction.
    """
    end = min(data.time[cell].x[-1] for cell in cells)
    curves = [data.time[cell] for cell in cells]
    n = cells[0][2]
    height_MS = heights(end, *(curves if part.joint else curves[:2]))
    gaps = [mean_quantity(a - b) for a, b in pairwise(height_MS)]
    called = [data.name(cell[1], "time_complexity") for cell in cells]
    means = ", ".join(f"{name} {h:.1f}" for name, h in zip(called, height_MS.mean(axis=1), strict=False))
    names = " > ".join(called if part.joint else called[:2])
    weakest = min(gaps, key=lambda gap: gap.value)
    beside = f"mean return up to {end:,.0f} s: {means}"
    if not part.joint:
        samples = [data.steps[cell] for cell in cells]
        better, worse = heights(min(c.x[-1] for c in samples), *samples[:2])
        beside += f"; difference at equal samples instead {shown(mean_quantity(better - worse))}"
    return Estimate(f"{names}, N = {n}", weakest, "return", claim.margin, none=0, beside=beside)


def lookahead(claim: claims.Lookahead, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Difference of mean returns with and without the lookahead, against samples per agent; jointly its mean."""
    curves = [data.steps[cell] for cell in cells]
    specs = [data.spec(cell) for cell in cells]
    height_MS = heights(min(c.x[-1] for c in curves), *curves)
    gain_S = (height_MS[::2] - height_MS[1::2]).mean(axis=0)
    flaws = [flaw for a, b in zip(specs[::2], specs[1::2], strict=True) if (flaw := other_differences(a, b))]
    one = Estimate(
        part.label, mean_quantity(gain_S), "return", claim.margin, none=0, each=tuple(gain_S), flaw="; ".join(flaws)
    )  # fmt: skip
    if part.joint:
        return replace(one, label="all alpha together")
    alpha = float(getattr(specs[0].server, "momentum", np.nan))
    share = waiting.momentum_share(alpha, claim.n_agents)
    beside = f"in theory it removes {100 * share:.1f} % of the bias"
    return replace(one, label=f"alpha = {alpha:g}", beside=beside, at=alpha, theory=share)


def heterogeneity(claim: claims.Heterogeneity, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Ratio of times to the threshold on the faster method's fleet, for which the slower one is re-timed.

    Jointly: how it grows, the slope of its logarithm against that of the closed form.
    """
    if part.joint:
        return _growth(claim, data, cells)
    fast, spec = data.time[cells[1]], data.spec(cells[1])
    try:
        rows = waiting.retime(data.rows(cells[0]), data.spec(cells[0]).model_copy(update={"fleet": spec.fleet}))
    except ValueError as error:
        unknown = Quantity(float("nan"), relation="?")
        return Estimate(part.label, unknown, "ratio", np.log1p(claim.margin), none=1, flaw=str(error))
    slow = align(rows, TIME)
    gain, times = waiting.waiting_gain(spec), waiting.task_seconds(spec)
    spread = float(times.max() / times.min())
    none = 1.0 if gain > 1 + claim.margin else None  # equally fast agents gain nothing, by claim
    beside = _medians(data, (slow, fast), claim.threshold)
    effect = ratio(slow, fast, claim.threshold)
    return Estimate(
        f"t_max / t_min = {spread:g}", effect, "ratio", np.log1p(claim.margin), gain, none, beside=beside, at=spread,
        theory=gain,
    )  # fmt: skip


def _growth(claim: claims.Heterogeneity, data: Data, cells: list[Cell]) -> Estimate:
    """Slope of the log time ratio against the log closed form, over all fleets; 1 if both grow alike.

    However fast the slower method learns, it does so in as many rounds on every fleet. So its curves are in no slope:
    what enters of it is how long its rounds take, in closed form.
    """
    slower, faster = cells[0], [data.spec(cell) for cell in cells[1:]]
    there = [data.spec(slower).model_copy(update={"fleet": spec.fleet}) for spec in faster]
    unknown, flaw = Quantity(float("nan"), relation="?"), ""
    try:
        crossed = [
            mean_crossing(align(waiting.retime(data.rows(slower), spec), TIME), claim.threshold) for spec in there
        ]
        if any(one.relation != "=" for one in crossed):
            flaw = "the slower method's mean curve does not cross the threshold: there is no ratio that could grow"
    except ValueError as error:
        flaw = str(error)
    label = "growth over all fleets"
    if flaw:
        return Estimate(label, unknown, "exponent", claim.margin, number=1, none=0, flaw=flaw)
    gains = np.array([waiting.waiting_gain(spec) for spec in faster])
    rounds = float(slope_weights(gains) @ np.log([waiting.round_seconds(spec) for spec in there]))
    q = log_slope(gains, [data.time[cell] for cell in cells[1:]], claim.threshold)
    effect = Quantity(q.value + rounds, q.low + rounds, q.high + rounds, q.relation)
    return Estimate(label, effect, "exponent", claim.margin, number=1, none=0)


def exponent(claim: claims.ScalingExponent, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Minus the slope of log samples per agent to the threshold against log N."""
    agents = np.array([cell[2] for cell in cells], dtype=np.float64)
    effect = log_slope(agents, [data.steps[cell] for cell in cells], claim.threshold)
    return Estimate(part.label, effect, "exponent", claim.margin, claim.number, none=0)


def perfect_scaling(claim: claims.PerfectScaling, part: Part, data: Data, cells: list[Cell]) -> Estimate:
    """Difference of mean returns against the samples of all agents together."""
    many, alone = (align(data.rows(cell), "env_steps_total") for cell in cells)
    end = min(many.x[-1], alone.x[-1])
    height_MS = heights(end, many, alone)
    means = f"{height_MS[0].mean():.1f} against {height_MS[1].mean():.1f}"
    beside = f"mean return over {end:,.0f} steps of all agents together: {means}"
    return Estimate(part.label, mean_quantity(height_MS[0] - height_MS[1]), "return", claim.margin, 0.0, beside=beside)


def _medians(data: Data, curves: tuple[Curves, ...], level: float) -> str:
    """The Kaplan-Meier median of the seeds' own crossings of each, in words."""
    unit = {STEPS: "steps", TIME: "s"}[curves[0].axis]
    found = [(data.name(c.method, FIGURE_OF[c.axis], c.n_agents), seed_median(c, level)) for c in curves]
    texts = [f"{name}: {'' if q.relation == '=' else q.relation + ' '}{q.value:,.0f} {unit}" for name, q in found]
    return f"median of seeds: {', '.join(texts)}"


ESTIMATORS: dict[str, Callable[[Any, Part, Data, list[Cell]], Estimate]] = {
    "trend": trend,
    "sample_speedup": sample_speedup,
    "final_return": final_return,
    "time_ratio": time_ratio,
    "order": order,
    "lookahead": lookahead,
    "heterogeneity": heterogeneity,
    "scaling_exponent": exponent,
    "perfect_scaling": perfect_scaling,
    "non_inferiority": communication.non_inferiority,
    "saving": communication.saving,
    "superiority": communication.superiority,
}
"""One function for each test of a claims file."""
