"""Where a run's files are, below the results folder; nothing else puts such a path together."""

from __future__ import annotations

from pathlib import Path

from frl.spec import RUN_ID, RunSpec

RUN_FILES = f"runs/{RUN_ID}.csv", f"runs/{RUN_ID}.meta.json"
"""CSV and meta file of a run, below ``<results>/<scenario>``."""
LOG = f"logs/train/{RUN_ID}.log"
BENCHMARK = f"benchmarks/train/{RUN_ID}.jsonl"


def base_of(results: Path, scenario: str, partial: bool = False) -> Path:
    """The folder of what is built from a scenario's runs, or from those finished so far."""
    return results / scenario / "partial" if partial else results / scenario


def run_paths(spec: RunSpec, results: Path, scenario: str) -> tuple[Path, Path]:
    """The CSV and the meta file of a run."""
    table = results / scenario / "runs" / f"{spec.run_id}.csv"
    return table, meta_path(table)


def meta_path(table: Path) -> Path:
    """The meta file beside a run's CSV."""
    return table.with_name(f"{table.stem}.meta.json")


def progress_path(spec: RunSpec, results: Path, scenario: str) -> Path:
    """What says how far a run is (:mod:`frl.runs.progress`)."""
    return results / scenario / "progress" / f"{spec.run_id}.json"
