"""Every figure of a scenario, as files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from frl.analysis.load import read_curves
from frl.report.figures import (
    complexity,
    effects,
    forest,
    progress,
    sensitivity,
    staleness,
    style,
    traffic,
    uploads,
)
from frl.scenario.products import OF_CLAIMS, figure_names
from frl.scenario.scenario import Scenario
from frl.verdicts.record import Verdicts, read


def draw(scenario: Scenario, base: Path) -> None:
    """Write the scenario's figures (:func:`figure_names`) below `base`/figures: see :func:`style.save`.

    Args:
        scenario: names the panels, the curves and their order, and the claims.
        base: folder that holds the collected curves.csv and, if a figure shows claims, verdicts.json.
    """
    frame, names = read_curves(base), figure_names(scenario)
    verdicts = read(base) if set(names) & set(OF_CLAIMS) else None
    with style.paper_style():
        for name in names:
            at = drawer(name, scenario, frame, verdicts)
            style.save(at(style.WIDE), at(style.NARROW), base / "figures" / name)


def drawer(
    name: str, scenario: Scenario, frame: pd.DataFrame, verdicts: Verdicts | None
) -> Callable[[float], style.Drawing]:
    """What draws the figure of this name in a given width (inches)."""
    if name in _OF_RUNS:
        return partial(_OF_RUNS[name], scenario, frame)
    assert verdicts is not None
    if name == "lookahead":
        return partial(effects.lookahead, scenario, frame, verdicts)
    return partial(_OF_VERDICTS[name], scenario, verdicts)


_OF_RUNS: dict[str, Callable[[Scenario, pd.DataFrame, float], style.Drawing]] = {
    "sample_complexity": complexity.sample_complexity,
    "time_complexity": progress.time_complexity,
    "time_curves": complexity.time_curves,
    "staleness": staleness.staleness,
    "sensitivity": sensitivity.sensitivity,
    "communication": traffic.communication,
    "uploads": uploads.uploads,
    "traffic": traffic.traffic,
}
_OF_VERDICTS: dict[str, Callable[[Scenario, Verdicts, float], style.Drawing]] = {
    "forest": forest.forest,
    "fleets": effects.fleets,
}
