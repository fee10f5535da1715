"""One job of a scenario, as a command line names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frl.errors import SpecError
from frl.scenario.kinds import AnyRun, AnyScenario
from frl.scenario.theory import TheoryScenario

OF_RUNS = ("environment", "method", "n_agents", "seed")


def chosen(scenario: AnyScenario, options: Mapping[str, Any]) -> AnyRun:
    """The training run of these `OF_RUNS`, or the theory lab's cell of this id (`cell`); others are None.

    Raises:
        SpecError: if the scenario has no such job, or jobs of the other kind.
    """
    cell, given = options["cell"], [key for key in OF_RUNS if options[key] is not None]
    if isinstance(scenario, TheoryScenario):
        if given or cell is None:
            raise SpecError(f"scenario {scenario.name!r} has cells, not training runs: choose one with --cell alone")
        cells = {one.run_id: one for one in scenario.runs()}
        if cell not in cells:
            raise SpecError(f"--cell = {cell!r}: no cell of scenario {scenario.name!r}; `frl runs` lists them")
        return cells[cell]
    if cell is not None:
        raise SpecError(f"--cell = {cell!r}: scenario {scenario.name!r} has training runs, not cells")
    if absent := [f"--{key.replace('_', '-')}" for key in OF_RUNS if key not in given]:
        raise SpecError(f"{', '.join(absent)}: required, but not given")
    if options["environment"] not in scenario.environments:
        allowed = ", ".join(scenario.environments)
        raise SpecError(f"--environment = {options['environment']!r}: scenario {scenario.name!r} has {allowed}")
    return scenario.resolve(*(options[key] for key in OF_RUNS))
