"""The two kinds of scenarios and of their jobs, for what treats them alike."""

from __future__ import annotations

from typing import Any

from frl.scenario.scenario import Scenario
from frl.scenario.theory import TheoryScenario
from frl.spec import RunSpec
from frl.theory.cells.spec import Cell

AnyScenario = Scenario | TheoryScenario
AnyRun = RunSpec | Cell
"""A job: a training run, or a cell of the theory lab with all its seeds."""


def spec_of(settings: dict[str, Any]) -> AnyRun:
    """The job of these settings, as meta data keep them.

    Raises:
        ValidationError: if this version does not have them.
    """
    return (Cell if settings.get("kind") == "theory" else RunSpec).model_validate(settings)


def budget(spec: AnyRun) -> int:
    """What progress counts, in :func:`unit`."""
    return spec.gradients if isinstance(spec, Cell) else spec.env_steps_budget


def unit(spec: AnyRun) -> str:
    """Of a job's budget: environment steps of all agents, or gradients of all seeds."""
    return "gradients" if isinstance(spec, Cell) else "steps"
