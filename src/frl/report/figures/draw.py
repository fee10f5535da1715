"""Every figure of a scenario, as files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from frl.analysis.load import read_curves
from frl.report.figures import communication, effects, style
from frl.report.figures.complexity import sample_complexity, time_complexity
from frl.scenario.products import figure_names
from frl.scenario.scenario import Scenario
from frl.verdicts.record import read


def draw(scenario: Scenario, base: Path) -> None:
    """Write the scenario's figures (:func:`figure_names`) below `base`/figures, each as svg, pdf and png.

    Args:
        scenario: names the panels, the curves and their order, and the claims.
        base: folder that holds the collected curves.csv and, if a figure shows claims, verdicts.json.
    """
    frame = read_curves(base)
    make: dict[str, Callable[[], Figure]] = {
        name: partial(of_runs, scenario, frame) for name, of_runs in _OF_RUNS.items()
    }
    names = figure_names(scenario)
    if set(names) & set(_OF_CLAIMS):
        verdicts = read(base)
        make |= {name: partial(of_claims, scenario, verdicts) for name, of_claims in _OF_CLAIMS.items()}
    with style.paper_style():
        for name in names:
            style.save(make[name](), base / "figures" / name)


_OF_RUNS: dict[str, Callable[[Scenario, pd.DataFrame], Figure]] = {
    "sample_complexity": sample_complexity,
    "time_complexity": time_complexity,
    "communication": communication.communication,
    "uploads": communication.uploads,
    "variance_multiplier": communication.variance_multiplier,
}
_OF_CLAIMS = {"lookahead": effects.lookahead, "fleets": effects.fleets}
