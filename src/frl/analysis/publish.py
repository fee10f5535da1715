"""Keep a scenario's results in the repository: what a reader needs, not the raw logs."""

from __future__ import annotations

from pathlib import Path

from frl.files import write_atomically
from frl.runner import run_digest
from frl.spec import Scenario, SpecError
from frl.store import Store

KEPT = ("report.html", "curves.csv", "runs.csv", "missing.csv", "figures/*.svg", "figures/*.pdf", "tables/*.csv")


ARCHIVE = "runs.tar.xz"


def publish(scenario: Scenario, results: Path, partial: bool = False) -> list[Path]:
    """Copy report, collected curves, figures and tables to ``<results>/published/<scenario>``; the files written.

    Beside them `ARCHIVE` packs the runs (specification, curve, checksum: some kB each), so that they can be taken into
    a store elsewhere and are never trained again (``frl store import``).

    Args:
        scenario: whose results.
        results: the results folder.
        partial: publish what was built from the runs finished so far.

    Raises:
        SpecError: if there is no report yet.
    """
    target = results / "published" / scenario.name
    base = results / scenario.name / "partial" if partial else results / scenario.name
    if not (base / "report.html").exists():
        raise SpecError(f"{base}/report.html is not there: build {'partial' if partial else 'the scenario'} first")
    written = []
    for pattern in KEPT:
        for source in sorted(base.glob(pattern)):
            written.append(target / source.relative_to(base))
            write_atomically(written[-1], source.read_bytes())
    Store(results).export(target / ARCHIVE, map(run_digest, scenario.runs()))
    return [*written, target / ARCHIVE]
