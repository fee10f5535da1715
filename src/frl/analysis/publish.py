"""Keep a scenario's results in the repository: what a reader needs, not the raw logs."""

from __future__ import annotations

from pathlib import Path

from frl.files import write_atomically
from frl.spec import Scenario, SpecError

KEPT = ("report.html", "curves.csv", "runs.csv", "missing.csv", "figures/*.svg", "figures/*.pdf", "tables/*.csv")


def publish(scenario: Scenario, results: Path) -> list[Path]:
    """Copy report, collected curves, figures and tables to ``<results>/published/<scenario>``; the copies' paths.

    Raises:
        SpecError: if the scenario has no report yet.
    """
    base, target = results / scenario.name, results / "published" / scenario.name
    if not (base / "report.html").exists():
        raise SpecError(f"{base}/report.html is not there: build the scenario first")
    written = []
    for pattern in KEPT:
        for source in sorted(base.glob(pattern)):
            written.append(target / source.relative_to(base))
            write_atomically(written[-1], source.read_bytes())
    return written
