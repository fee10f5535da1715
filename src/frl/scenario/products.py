"""What is built from a scenario's runs: the names of its figures and tables."""

from __future__ import annotations

from typing import get_args

from frl.scenario.scenario import FigureName, Scenario, cells_of
from frl.spec import SERVERS

EFFECTS = ("lookahead", "fleets")
ALL_FIGURES: tuple[str, ...] = (*get_args(FigureName), "uploads", *EFFECTS)


def figure_names(scenario: Scenario) -> list[str]:
    """The scenario's figures: those that it lists, else the poster's two; and one for each effect that is claimed.

    With the figure of communication comes one of who uploaded when, if one of its methods has anything to choose.
    """
    names: list[str] = list(scenario.figures) or ["sample_complexity", "time_complexity"]
    compared = [m for m in scenario.methods if m.key in scenario.figures.get("communication", {})]
    if any(SERVERS[m.algorithm].lazy for m in compared):
        names.append("uploads")
    claims = scenario.claims.claims if scenario.claims else ()
    tests = {c.test for c in claims for part in c.parts() if cells_of(scenario, c, part) is not None}
    return [*names, *(name for name in EFFECTS if name in tests)]
