"""What of the papers' claims shows in the collected runs: computed from the data, in words.

Three claims of the AFedPG paper (Lan et al., ICLR 2025), each judged per environment from the seeds at hand.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from frl.analysis.complexity import common_seeds, mean_height, ratio
from frl.analysis.curves import STEPS, TIME, Cell, Curves, all_curves
from frl.analysis.poster import poster_curve
from frl.analysis.stats import Quantity, mean_quantity
from frl.analysis.style import curve_name, display_name
from frl.analysis.table import Column
from frl.spec import Scenario

REPLICATED = "replicated"
SEEN = "seen, not established"
NOT_SEEN = "not seen"
CONTRADICTED = "contradicted"
UNDECIDED = "undecided"
UNTESTED = "untested"

MEANING = {
    REPLICATED: "the effect has the claimed sign and its 95 % interval excludes no effect",
    SEEN: "the claimed sign, but the interval includes no effect, or there are too few seeds for an interval",
    NOT_SEEN: "no effect or the opposite sign, and the interval, if any, includes no effect",
    CONTRADICTED: "the opposite sign, and the interval excludes no effect",
    UNDECIDED: "the budget ended before one of the two got there, so that only a bound is known",
    UNTESTED: "the runs that would tell are not in this scenario or not finished",
}
ORDER = ("afedpg", "fedpg", "async_pg", "a3c")

_RATIO = Column("ratio", "", "ratio")
_RETURN = Column("return", "", "return")


@dataclass(frozen=True)
class Finding:
    """One claim in one environment: what was claimed, what was measured, what the poster has, and the verdict."""

    environment: str
    claim: str
    measured: str
    poster: str
    verdict: str


def judge(effect: Quantity, none: float) -> str:
    """Verdict on a claim that `effect` exceeds `none` (0 for a difference, 1 for a ratio)."""
    if effect.relation == "?" or np.isnan(effect.value):
        return UNDECIDED
    # A bound is no measurement. "> 0.8" may be 2, "< 1.3" may be 0.5; "> 2" has the claimed sign and no more.
    if effect.relation == ">":
        return SEEN if effect.value > none else UNDECIDED
    if effect.relation == "<":
        return NOT_SEEN if effect.value <= none else UNDECIDED
    if effect.has_interval and effect.low > none:
        return REPLICATED
    if effect.has_interval and effect.high < none:
        return CONTRADICTED
    return SEEN if effect.value > none else NOT_SEEN


def findings(scenario: Scenario, frame: pd.DataFrame) -> list[Finding]:
    """Every claim in every environment, in the scenario's order."""
    steps, time = all_curves(frame, STEPS), all_curves(frame, TIME)
    found = []
    for environment in scenario.environments:
        found.append(_more_agents(scenario, environment, steps))
        counts: dict[str, set[int]] = {}
        for m in scenario.methods:
            counts.setdefault(m.key, set()).update(m.n_agents)
        for n in sorted(counts.get("afedpg", set()) & counts.get("fedpg", set())):
            found.append(_sooner(environment, n, time))
        for n in sorted(counts.get("afedpg", set()) - {1}):
            methods = [method for method in ORDER if n in counts.get(method, set())]
            if len(methods) > 2:
                found.append(_ordering(environment, n, methods, time))
    return found


def _more_agents(scenario: Scenario, environment: str, curves: dict[Cell, Curves]) -> Finding:
    """Linear speed-up, as a direction: more agents, more return from equally many samples of each."""
    counts = [n for m in scenario.methods if m.key == "afedpg" for n in m.n_agents]
    few, many = min(counts, default=1), max(counts, default=1)
    claim = f"{curve_name('afedpg', many)} learns from fewer samples per agent than {curve_name('afedpg', few)}"
    a, b = (curves.get((environment, "afedpg", n)) for n in (few, many))
    if few == many or a is None or b is None or not common_seeds(a, b):
        return Finding(environment, claim, "", "", UNTESTED)
    gain, level = height_gain(b, a), scenario.threshold(environment)
    measured = f"{_signed(gain)} return on average over the budget; {_speedup(ratio(a, b, level), level)}"
    p, q = (poster_curve(environment, "afedpg", n, STEPS) for n in (few, many))
    poster = _speedup(ratio(p, q, level), level) if p and q else ""
    return Finding(environment, claim, measured, poster, judge(gain, 0))


def height_gain(better: Curves, worse: Curves, end: float | None = None) -> Quantity:
    """Mean over seeds of the difference in mean height (area under the curve / length) up to `end`.

    `end` is in units of x; by default it is as far as both reached.
    """
    end, seeds = end or min(better.x[-1], worse.x[-1]), common_seeds(better, worse)
    own = [mean_height(c, end)[[c.seeds.index(seed) for seed in seeds]] for c in (better, worse)]
    return mean_quantity(own[0] - own[1])


def _speedup(value: Quantity, level: float) -> str:
    return f"speed-up to {level:g}: {_RATIO.show(value)}×".replace("–×", "unknown")


def _sooner(environment: str, n: int, curves: dict[Cell, Curves]) -> Finding:
    """Asynchrony saves time: AFedPG is at FedPG's final return before FedPG."""
    claim = f"AFedPG reaches FedPG's final return in less simulated time, N = {n}"
    slow, fast = (curves.get((environment, m, n)) for m in ("fedpg", "afedpg"))
    if slow is None or fast is None or not common_seeds(slow, fast):
        return Finding(environment, claim, "", "", UNTESTED)
    p, q = (poster_curve(environment, m, n, TIME) for m in ("fedpg", "afedpg"))
    value = ratio(slow, fast, None)
    poster = f"time ratio {_RATIO.show(ratio(p, q, None))}" if p and q else ""
    return Finding(environment, claim, f"time ratio {_RATIO.show(value)}", poster, judge(value, 1))


def _ordering(environment: str, n: int, methods: list[str], curves: dict[Cell, Curves]) -> Finding:
    """The order of the methods by return over the simulated time that all of them reached."""
    claim = f"In equal simulated time: {' > '.join(display_name(m) for m in methods)}, N = {n}"
    own = [curves.get((environment, m, n)) for m in methods]
    present = [c for c in own if c is not None]
    if len(present) < len(own) or not common_seeds(*present):
        return Finding(environment, claim, "", "", UNTESTED)
    measured, gaps = _heights(present)
    verdicts = Counter(judge(gap, 0) for gap in gaps)
    worst = next(v for v in (CONTRADICTED, NOT_SEEN, UNDECIDED, SEEN, REPLICATED) if verdicts[v])
    reference = [c for c in (poster_curve(environment, m, n, TIME) for m in methods) if c is not None]
    poster = _heights(reference)[0] if len(reference) == len(methods) else ""
    return Finding(environment, claim, measured, poster, worst)


def _heights(present: list[Curves]) -> tuple[str, list[Quantity]]:
    """The methods by mean return up to the time all reached, in words, and the gaps between claimed neighbours."""
    end = min(c.x[-1] for c in present)
    heights = {display_name(c.method): float(mean_height(c, end).mean()) for c in present}
    order = sorted(heights, key=lambda name: -heights[name])
    text = " > ".join(f"{name} {heights[name]:.1f}" for name in order) + f" (mean return up to {end:,.0f} s)"
    return text, [height_gain(a, b, end) for a, b in pairwise(present)]


def _signed(value: Quantity) -> str:
    text = _RETURN.show(value)
    return text if text.startswith("-") else f"+{text}"


def headline(found: list[Finding]) -> str:
    """The findings in one sentence, for a reader who stops there."""
    count = Counter(finding.verdict for finding in found)
    parts = [f"{count[verdict]} {verdict}" for verdict in MEANING if count[verdict]]
    total = len(found)
    return f"{total} claim{'s' * (total != 1)} looked at: {'; '.join(parts)}."
