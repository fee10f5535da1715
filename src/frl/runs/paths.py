"""Where a run's files are, below the results folder; nothing else puts such a path together."""

from __future__ import annotations

from pathlib import Path

from frl.scenario.kinds import AnyRun
from frl.spec import RUN_ID

RUN_SUFFIXES = (".csv", ".meta.json")
"""Of a run's table and of what is said about it, both at ``<results>/<scenario>/runs/<run id>``."""
TRACE_SUFFIX = ".trace"
"""Of a run's trace (:mod:`frl.engines.trace`), beside its table if it went by the wall clock."""
CELL_ID = "{cell}"
"""As `RUN_ID`, of the theory lab's cells."""
RUN_FILES = tuple(f"runs/{{}}{suffix}" for suffix in RUN_SUFFIXES)
LOG = "logs/train/{}.log"
BENCHMARK = "benchmarks/train/{}.jsonl"
"""Of a run or cell, by its id."""


def base_of(results: Path, scenario: str, partial: bool = False) -> Path:
    """The folder of what is built from a scenario's runs, or from those finished so far."""
    return results / scenario / "partial" if partial else results / scenario


def run_paths(spec: AnyRun, results: Path, scenario: str) -> tuple[Path, Path]:
    """The CSV and the meta file of a run."""
    table, meta = (results / scenario / "runs" / f"{spec.run_id}{suffix}" for suffix in RUN_SUFFIXES)
    return table, meta


def meta_path(table: Path) -> Path:
    """The meta file beside a run's CSV."""
    return table.with_name(table.stem + RUN_SUFFIXES[1])


def table_path(meta: Path) -> Path:
    """The CSV beside a run's meta file."""
    return meta.with_name(meta.name.removesuffix(RUN_SUFFIXES[1]) + RUN_SUFFIXES[0])


def results_of(table: Path) -> Path | None:
    """The results folder of a run's CSV; None if it does not lie where :func:`run_paths` puts it."""
    depth = RUN_ID.count("/")  # as deep as the id of a cell
    for parents in (table.parents, table.resolve().parents):  # a relative path may begin further down
        if len(parents) > depth + 2 and parents[depth].name == "runs":
            return parents[depth + 2]
    return None


def scenario_folder(table: Path) -> Path | None:
    """``<results>/<scenario>`` of a run's CSV; None if it does not lie where :func:`run_paths` puts it."""
    results = results_of(table)
    return None if results is None else results / table.resolve().parents[RUN_ID.count("/") + 1].name


def progress_path(spec: AnyRun, results: Path, scenario: str) -> Path:
    """What says how far a run is (:mod:`frl.runs.progress`)."""
    return results / scenario / "progress" / f"{spec.run_id}.json"
