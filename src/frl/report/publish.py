"""Keep a scenario's results in the repository: what a reader needs, not the raw logs."""

from __future__ import annotations

import lzma
from pathlib import Path

from frl.errors import SpecError
from frl.runs.files import write_atomically
from frl.runs.lineage import Lineage
from frl.runs.paths import base_of, run_paths
from frl.runs.store import Store, mark_published
from frl.scenario.kinds import AnyScenario
from frl.scenario.products import CURVES, FILMS, JUDGED, PACKED_CURVES, REPORT, archive_of, files, steps_of


def publish(scenario: AnyScenario, results: Path, partial: bool = False) -> list[Path]:
    """Copy report, curves (as xz), figures, tables and films to ``<results>/published/<scenario>``; the files written.

    Beside them an archive (:func:`archive_of`) packs the runs (specification, curve, checksum: some kB each), so that
    they can be taken into a store elsewhere and are never trained again (``frl store import``). The runs are marked as
    published, in the store here too: from now on they are accepted whatever code made them, as long as the version of
    their numerics is the same. Their policies are not packed: they do not compress, and `frl reproduce` makes them
    again.

    Args:
        scenario: whose results.
        results: the results folder.
        partial: publish what was built from the runs finished so far.

    Raises:
        SpecError: if there is no report yet, or a run that it is made from is gone.
        StaleError: if report, figures or tables were made from something else than the scenario is now.
    """
    target = results / "published" / scenario.name
    base = base_of(results, scenario.name, partial)
    if not (base / REPORT).exists():
        raise SpecError(f"{base / REPORT} is not there: build {'partial' if partial else 'the scenario'} first")
    lineage = Lineage(scenario, base, partial)
    lineage.require("report")
    digests = lineage.digests()
    _keep(scenario, results, digests)
    films = [f"{FILMS}/{path.name}" for path in sorted((base / FILMS).glob("*.gif"))]
    names = films + [name for step in steps_of(scenario) for name in files(step, scenario) if _kept(name)]
    written = []
    for name in names:
        written.append(target / (PACKED_CURVES if name == CURVES else name))
        write_atomically(written[-1], _as_published(name, (base / name).read_bytes()))
    patterns = (JUDGED, f"{CURVES}*", "figures/*", "tables/*", f"{FILMS}/*")
    kept = [path for pattern in patterns for path in target.glob(pattern)]
    for old in set(kept) - set(written):  # of another report
        old.unlink()
    archive = target / archive_of(scenario)
    Store(results).export(archive, digests.values(), policies=False)  # they do not compress
    return [*written, archive]


def _as_published(name: str, content: bytes) -> bytes:
    """The file as readers get it: curves are packed, and the report links to them as they are then called."""
    if name == REPORT:
        return content.replace(f'href="{CURVES}"'.encode(), f'href="{PACKED_CURVES}"'.encode())
    return lzma.compress(content) if name == CURVES else content


def _kept(name: str) -> bool:
    """Whether a reader needs it: one form of a table, two of a figure."""
    return name in (REPORT, JUDGED) or (name.endswith((".csv", ".svg", ".pdf")) and "-narrow" not in name)


def _keep(scenario: AnyScenario, results: Path, digests: dict[str, str]) -> None:
    """Put the runs that the report is made from into the store, marked as published.

    Args:
        digests: of these runs, by their ids.

    Raises:
        SpecError: if one is neither in the store nor beside the others.
    """
    store = Store(results)
    paths = {spec.run_id: run_paths(spec, results, scenario.name) for spec in scenario.runs()}
    for run_id, digest in digests.items():
        try:
            entry = store.get(digest) or (paths[run_id][0].read_bytes(), paths[run_id][1].read_bytes())
            store.put(digest, *mark_published(entry, scenario.name))
        except (KeyError, OSError, ValueError) as error:
            raise SpecError(f"{run_id}: the run that the report is made from is gone ({error})") from None
