"""What is built from a scenario's runs: the names of its figures and tables."""

from __future__ import annotations

from typing import get_args

from frl.scenario.scenario import FigureName, Scenario, cells_of
from frl.spec import SERVERS

OF_CLAIMS = ("forest", "lookahead", "fleets")
"""Figures of what was judged."""
_BESIDE = {"sample_complexity": "staleness", "time_complexity": "time_curves"}
"""Figures of an appendix, each with the one that it explains."""
ALL_FIGURES: tuple[str, ...] = (*get_args(FigureName), *_BESIDE.values(), "uploads", *OF_CLAIMS)


def figure_names(scenario: Scenario) -> list[str]:
    """The scenario's figures: those that it lists, else the poster's two, with what explains them; and of its claims.

    Delays are shown where some method's agents do not wait for each other, who uploaded when where an agent chooses.
    """
    names: list[str] = list(scenario.figures) or ["sample_complexity", "time_complexity"]
    beside = [_BESIDE[name] for name in names if name in _BESIDE]
    compared = [m for m in scenario.methods if m.key in scenario.figures.get("communication", {})]
    if any(SERVERS[m.algorithm].lazy for m in compared):
        beside.append("uploads")
    claims = scenario.claims.claims if scenario.claims else ()
    tests = {c.test for c in claims for part in c.parts() if cells_of(scenario, c, part) is not None}
    of_claims = [name for name in OF_CLAIMS if name in tests or (name == "forest" and tests - {"exponent"})]
    return [*names, *beside, *of_claims]
