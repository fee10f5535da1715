"""Is this run one of the scenario's? The one place that answers.

A run belongs to a specification if its settings and NUMERICS_VERSION agree, and the code that made it is the present
one, or it is a published run. Published runs outlive code that alters no bytes: golden traces guard that, and published
runs that the tests make again, byte for byte. A cell of the theory lab trains nothing, so its numbers have a version of
their own, THEORY_VERSION.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from frl.runs import provenance
from frl.runs.paths import run_paths
from frl.runs.store import Meta, Store, StoreError, key_of_published, settings_key, verify
from frl.scenario.kinds import AnyRun
from frl.theory.cells.spec import THEORY_VERSION, Cell
from frl.training.numerics import NUMERICS_VERSION

State = Literal["finished", "diverged", "stale", "damaged", "stored", "missing"]


class Unfit(ValueError):
    """There is no run of the specification at its place; the message says why.

    Attributes:
        state: missing, stale (made by other settings or code) or damaged (not what was written).
    """

    def __init__(self, state: State, reason: str):
        super().__init__(reason)
        self.state = state


@dataclass(frozen=True)
class Found:
    """A finished run: its files' bytes, and what its meta file says."""

    table: bytes
    facts: bytes
    meta: Meta


def code_digest(spec: AnyRun) -> str:
    """Of the code that makes the run, and of its libraries."""
    digest = provenance.cell_code_digest if isinstance(spec, Cell) else provenance.code_digest
    return digest(spec.algorithm)


def run_digest(spec: AnyRun) -> str:
    """Hex SHA-256 of all that a run's numbers depend on: its settings, the code of its algorithm, the libraries."""
    return spec.digest(code_digest(spec))


def numerics_version(spec: AnyRun) -> int:
    """Of what makes the run: NUMERICS_VERSION, or THEORY_VERSION of a cell of the theory lab."""
    return THEORY_VERSION if isinstance(spec, Cell) else NUMERICS_VERSION


def published_key(spec: AnyRun) -> str:
    """What a published run is accepted by: a digest of its settings and of the version of its numerics."""
    return settings_key(spec.to_json(), numerics_version(spec))


def objection(spec: AnyRun, digest: str, published: str) -> str | None:
    """Why a run cannot count as a run of `spec`; None if it can.

    Args:
        spec: what is wanted.
        digest: the run's digest, of settings and code.
        published: the key of its settings and numerics if it is a published run, else empty.
    """
    if digest == run_digest(spec) or (published and published == published_key(spec)):
        return None
    return "made by other settings, training code or libraries"


def read(spec: AnyRun, results: Path, scenario: str) -> Found:
    """The run's files, whole and of this specification.

    Raises:
        Unfit: if they are not there, or not that.
    """
    paths = run_paths(spec, results, scenario)
    if absent := [path for path in paths if not path.exists()]:
        raise Unfit("missing", "not run" if paths[0] in absent else "no meta file")
    try:
        table, facts = (path.read_bytes() for path in paths)
        meta = verify(table, facts)
    except (OSError, StoreError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise Unfit("damaged", f"not what was written: {reason}") from None
    if (other := _objection_to(spec, meta)) is not None:
        raise Unfit("stale", other)
    return Found(table, facts, meta)


def _objection_to(spec: AnyRun, meta: Meta) -> str | None:
    if meta.get("spec") != json.loads(spec.to_json()):
        return "made with other settings"
    if objection(spec, str(meta.get("digest")), key_of_published(meta)) is not None:
        return "made by other training code or libraries"
    return None


def stored(spec: AnyRun, results: Path) -> tuple[bytes, bytes] | None:
    """CSV and meta bytes of the run from the store: made by the present code, else published; None if there is none."""
    store = Store(results)
    return store.get(run_digest(spec)) or store.published(published_key(spec))


def meta_of(spec: AnyRun, results: Path, scenario: str) -> Meta | None:
    """What the meta file of the run says, of its own files or else of the store's; None if there is no such run."""
    try:
        return read(spec, results, scenario).meta
    except Unfit:
        entry = stored(spec, results)
        return None if entry is None else dict(json.loads(entry[1]))


def of_other_code(found: Iterable[tuple[AnyRun, Meta]], results: Path, scenario: str) -> Iterator[str]:
    """One line if published runs count that other code made, so that nobody takes them for the present code's.

    Args:
        found: finished runs and what their meta files say.
        results: the results folder.
        scenario: the scenario's name, a folder below it.
    """
    others = [meta for spec, meta in found if meta.get("digest") != run_digest(spec)]
    if not others:
        return
    sources = [meta.get("git") or {} for meta in others]
    commits = dict.fromkeys(str(source.get("commit") or "unknown")[:7] for source in sources)
    made = ", ".join([*list(commits)[:3], *["..."] * (len(commits) > 3)])
    several = len(others) != 1
    yield (
        f"{len(others)} published run{'s count as they are' if several else ' counts as it is'}, made by earlier code "
        f"(commit {made}); to train {'them' if several else 'it'} with the code as it is now: "
        f"rm -r {results}/.store/published {results}/{scenario}/runs"
    )


def state(spec: AnyRun, results: Path, scenario: str) -> State:
    """Whether a run is there.

    finished: whole, and one of this specification; diverged: the same, and it ended early; stored: not there but in the
    store, so it need not be trained again; else stale: made by other settings or other code; damaged: not what was
    written; missing: not there.
    """
    try:
        return "diverged" if read(spec, results, scenario).meta.get("status") == "diverged" else "finished"
    except Unfit as unfit:
        return "stored" if stored(spec, results) is not None else unfit.state
