"""Train runs from Python, as `frl train` does."""

from __future__ import annotations

from pathlib import Path

from frl.face.collection import Runs
from frl.face.reading import read_files
from frl.runs.paths import run_paths
from frl.runs.runner import run_one
from frl.scenario.scenario import Scenario
from frl.spec import RunSpec


def train(what: Scenario | RunSpec, results: str | Path = "results", *, name: str = "mine") -> Runs:
    """Train every run of a scenario, or one run; those that were finished before are taken from the results.

    Args:
        what: a scenario, whose runs are made one after another (Snakemake makes them in parallel), or one run.
        results: the results folder; the runs' files go to `results`/<scenario's name>/runs.
        name: stands for the scenario's name if there is none.

    Returns:
        These runs.

    Raises:
        SpecError: if the settings are invalid.
        OSError: if a file cannot be written.
    """
    specs, folder = ([what], name) if isinstance(what, RunSpec) else (list(what.runs()), what.name)
    for spec in specs:
        run_one(spec, Path(results), folder)
    return read_files([run_paths(spec, Path(results), folder)[0] for spec in specs], f"{results}/{folder}")
