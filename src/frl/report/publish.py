"""Keep a scenario's results in the repository: what a reader needs, not the raw logs."""

from __future__ import annotations

from pathlib import Path

from frl.analysis.load import read_runs
from frl.errors import SpecError
from frl.runs.files import write_atomically
from frl.runs.runner import run_paths
from frl.runs.store import Store, StoreError
from frl.scenario.scenario import Scenario

KEPT = (
    "report.html", "curves.csv", "runs.csv", "missing.csv", "verdicts.json", "figures/*.svg", "figures/*.pdf",
    "figures/*.csv", "tables/*.csv",
)  # fmt: skip


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
        SpecError: if there is no report yet, or a run that it is made from is gone.
    """
    target = results / "published" / scenario.name
    base = results / scenario.name / "partial" if partial else results / scenario.name
    if not (base / "report.html").exists():
        raise SpecError(f"{base}/report.html is not there: build {'partial' if partial else 'the scenario'} first")
    digests = _stored(scenario, results, base)
    written = []
    for pattern in KEPT:
        for source in sorted(base.glob(pattern)):
            written.append(target / source.relative_to(base))
            write_atomically(written[-1], source.read_bytes())
        for old in set(target.glob(pattern)) - set(written):  # of another report
            old.unlink()
    Store(results).export(target / ARCHIVE, digests)
    return [*written, target / ARCHIVE]


def _stored(scenario: Scenario, results: Path, base: Path) -> list[str]:
    """Digests of the runs that the report is made from; each of them is in the store when this returns.

    Raises:
        SpecError: if one is neither in the store nor beside the others.
    """
    store, runs = Store(results), read_runs(base)
    paths = {spec.run_id: run_paths(spec, results, scenario.name) for spec in scenario.runs()}
    for row in runs.itertuples():
        if store.get(row.digest) is None:
            run_id = f"{row.environment}/{row.method}/n{row.n_agents}/seed{row.seed}"
            try:
                store.put(row.digest, *(path.read_bytes() for path in paths[run_id]))
            except (KeyError, OSError, StoreError) as error:
                raise SpecError(f"{run_id}: the run that the report is made from is gone ({error})") from None
    return list(runs["digest"])
