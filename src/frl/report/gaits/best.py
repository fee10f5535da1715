"""Each task's best gait: of which run it is, and its film, made of the policy that the store keeps."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frl.analysis.curves import STEPS, all_curves
from frl.analysis.load import read_curves
from frl.analysis.names import curve_name
from frl.report.gaits import film
from frl.runs import named
from frl.runs.evaluate import EvaluateError
from frl.runs.gait import gait
from frl.runs.named import NamedRunError
from frl.runs.paths import run_paths
from frl.scenario.products import FILMS
from frl.scenario.scenario import Scenario

LARGEST = 300_000
"""Bytes of a film."""
NAME = "best-{}.gif"
"""A task's best film, unless `frl render` made it already."""


@dataclass(frozen=True)
class Best:
    """A task's best run; `steps_per_agent` are those that it made, `final_return` is the mean over their last tenth."""

    environment: str
    method: str
    n_agents: int
    seed: int
    steps_per_agent: int
    final_return: float

    def is_seen_in(self, facts: dict[str, Any]) -> bool:
        """Whether a film (:func:`frl.report.gaits.film.facts_of`) is that of the run's last policy."""
        own = (self.environment, curve_name(self.method, self.n_agents), self.seed, self.steps_per_agent, 0, False)
        keys = ("environment", "curve", "run_seed", "steps_per_agent", "episode_seed", "mean_action")
        return own == tuple(facts.get(key) for key in keys)


def best(frame: pd.DataFrame) -> dict[str, Best]:
    """By task the run with the highest final return.

    Runs that diverged or were set to stop at a return have no part; a task of such runs alone has no best one.

    Args:
        frame: the collected evaluation points.
    """
    found: dict[str, Best] = {}
    for curves in all_curves(frame, STEPS).values():
        for run, final in zip(curves.whole, curves.final_S, strict=True):
            one = Best(*curves.cell, run.seed, round(run.x[-1]), float(final))
            before = found.get(one.environment)
            if np.isnan(run.diverged_at) and (before is None or one.final_return > before.final_return):
                found[one.environment] = one
    return found


def film_best(scenario: Scenario, results: Path, base: Path) -> None:
    """See that the folder of films has one of each task's best policy, and of no run that was the best before.

    They are drawn without OpenGL, so that they look the same wherever the report is made.
    A run whose policy is not kept is named on stderr.

    Args:
        scenario: whose runs.
        results: the results folder.
        base: the folder of what was collected, and of the folder of films.
    """
    wanted, folder = best(read_curves(base)), base / FILMS
    seen = {path: film.facts_in(path) or {} for path in sorted(folder.glob("*.gif"))}
    for path in sorted(folder.glob(NAME.format("*"))):
        if not any(one.is_seen_in(seen[path]) for one in wanted.values()):
            path.unlink()
            del seen[path]
    for task, one in wanted.items():
        if not any(map(one.is_seen_in, seen.values())):
            _film(scenario, results, one, folder / NAME.format(task))


def _film(scenario: Scenario, results: Path, one: Best, path: Path) -> None:
    run = run_paths(scenario.resolve(one.environment, one.method, one.n_agents, one.seed), results, scenario.name)[0]
    try:
        film.write(gait(named.read(run)), path, skeleton=True, largest=LARGEST)
    except (EvaluateError, NamedRunError) as error:
        print(f"frl: note: {one.environment}'s best gait is not shown: {error}", file=sys.stderr)
