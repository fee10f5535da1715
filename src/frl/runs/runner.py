"""One run from specification to files: restored from the store if it was ever made, trained otherwise.

Files of a run: ``<results>/<scenario>/runs/<run id>.csv`` and ``.meta.json``, written at the end and atomically, so
a file that exists is whole. What the CSV holds is a function of the specification alone; times, machine and versions
are in the meta data.
"""

from __future__ import annotations

import csv
import io
import math
import platform
import re
import resource
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from frl.runs import provenance
from frl.runs.files import write_atomically
from frl.runs.locks import alone
from frl.runs.store import Meta, Store, StoreError, checksum, dump_meta, verify
from frl.spec import RunSpec

if TYPE_CHECKING:
    from frl.runs.checkpoints import Keeper

CHECKPOINT_EVERY_S = 60.0

State = Literal["finished", "diverged", "stale", "damaged", "stored", "missing"]
Outcome = Literal["present", "restored", "trained"]


class RunError(ValueError):
    """A run that must not start; the message says why."""


def run_digest(spec: RunSpec) -> str:
    """Hex SHA-256 of all that a run's numbers depend on: its settings, the code of its algorithm, the libraries."""
    return spec.digest(provenance.code_digest(spec.algorithm))


def run_paths(spec: RunSpec, results: Path, scenario: str) -> tuple[Path, Path]:
    """The CSV and the meta file of a run."""
    base = results / scenario / "runs" / spec.run_id
    return base.with_name(f"{base.name}.csv"), base.with_name(f"{base.name}.meta.json")


def state(spec: RunSpec, results: Path, scenario: str) -> State:
    """Whether a run is there.

    finished: whole, and made by these settings and this code; diverged: the same, and it ended early; stored: not
    there but in the store, so it need not be trained again; else stale: made by other settings or other code; damaged:
    not what was written; missing: not there.
    """
    digest = run_digest(spec)
    found: State = "stale"
    try:
        table, facts = (path.read_bytes() for path in run_paths(spec, results, scenario))
        meta = verify(table, facts)
        if meta.get("digest") == digest:
            return "diverged" if meta.get("status") == "diverged" else "finished"
    except FileNotFoundError:
        found = "missing"
    except (OSError, StoreError):
        found = "damaged"
    return "stored" if Store(results).get(digest) is not None else found


def run_one(
    spec: RunSpec,
    results: Path,
    scenario: str,
    expect_digest: str | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
    checkpoint_every_s: float = CHECKPOINT_EVERY_S,
) -> Outcome:
    """Make sure that the files of one run are there; a run that diverges is finished too, its status says so.

    Args:
        spec: the run.
        results: the results folder.
        scenario: the scenario's name, a folder below it.
        expect_digest: what :func:`run_digest` must be; the workflow passes what it planned with.
        progress: see :func:`frl.training.loop.train`.
        checkpoint_every_s: wall seconds between checkpoints; a run that was stopped goes on from the last one.

    Returns:
        Whether the files were there already, came from the store, or were trained.

    Raises:
        RunError: if the settings or the code changed since `expect_digest` was computed.
        OSError: if a file cannot be written; no half-written file is left.
    """
    digest = run_digest(spec)
    if expect_digest not in (None, digest):
        raise RunError(
            f"{spec.run_id}: settings or training code changed since this job was planned "
            f"(digest {digest[:12]}, expected {str(expect_digest)[:12]}); start the workflow again"
        )
    from frl.runs.checkpoints import Keeper

    store, keeper = Store(results), Keeper(results, digest, checkpoint_every_s)
    # a workflow that was killed leaves its runs alive; what they make is taken instead of being made twice
    with alone(keeper.path.with_suffix(".lock"), f"it trains {spec.run_id}"):
        return _run_alone(spec, results, scenario, store, keeper, progress)


def _run_alone(
    spec: RunSpec,
    results: Path,
    scenario: str,
    store: Store,
    keeper: Keeper,
    progress: Callable[[dict[str, Any]], None] | None,
) -> Outcome:
    digest, paths = keeper.digest, run_paths(spec, results, scenario)
    if state(spec, results, scenario) in ("finished", "diverged"):
        store.put(digest, paths[0].read_bytes(), paths[1].read_bytes())
        keeper.remove()
        return "present"
    for folder in (paths[0].parent, store.root):
        folder.mkdir(parents=True, exist_ok=True)  # an unwritable place is an error now, not after hours of training
    if (entry := store.get(digest)) is None:
        with keeper.on_terminate():
            entry = make(spec, digest, progress, keeper)
        store.put(digest, *entry)  # first, so that losing the files below loses nothing
        outcome: Outcome = "trained"
    else:
        outcome = "restored"
    _write(paths, entry)
    keeper.remove()
    return outcome


def restore(spec: RunSpec, results: Path, scenario: str) -> bool:
    """Write a run's files again from the store; whether it is there."""
    entry = Store(results).get(run_digest(spec))
    if entry is not None:
        _write(run_paths(spec, results, scenario), entry)
    return entry is not None


def _write(paths: tuple[Path, Path], entry: tuple[bytes, bytes]) -> None:
    for path, content in reversed(list(zip(paths, entry, strict=True))):  # the CSV last: it is what others wait for
        write_atomically(path, content)


def make(
    spec: RunSpec, digest: str, progress: Callable[[dict[str, Any]], None] | None, keeper: Keeper
) -> tuple[bytes, bytes]:
    """CSV and meta bytes of a run trained now (or from the keeper's checkpoint), on one thread; nothing is written."""
    import torch
    from threadpoolctl import threadpool_limits

    from frl.training.loop import train

    torch.set_num_threads(1)
    source = provenance.git()  # before training: the tree may change meanwhile
    with threadpool_limits(1):  # a run is one thread: its bytes must not depend on how many cores there are
        result = train(spec, progress, keeper)
    spent = keeper.spent()
    table = csv_bytes(result.rows)
    steps = int(result.facts["env_steps_total"])
    meta: Meta = {
        "spec": spec.model_dump(mode="json"),
        "digest": digest,
        "code_digest": provenance.code_digest(spec.algorithm),
        "numerics_version": result.facts["numerics_version"],
        "status": result.status,
        "versions": provenance.versions(),
        "git": source,
        "cpu": provenance.cpu_model(),
        **keeper.arithmetic,
        "platform": platform.platform(),
        "started": keeper.started,
        "resumed": keeper.resumed,
        "wall_time_s": round(spent["wall_time_s"], 3),
        "cpu_time_s": round(spent["cpu_time_s"], 3),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "env_steps_total": steps,
        "env_steps_agents": [int(n) for n in result.facts["env_steps_agents"]],
        "eval_steps": int(result.facts["eval_steps"]),
        "env_steps_per_s": round(steps / spent["wall_time_s"], 1),
    }
    meta["checksum"] = checksum(table, meta)
    return table, dump_meta(meta)


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far."""
    try:  # Linux: ru_maxrss would count the parent too, as it was when it started this process
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(re.findall(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)[0]) / 2**10
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, others KiB


def csv_bytes(rows: Iterable[dict[str, object]]) -> bytes:
    """The rows as CSV: the shortest digits that give the same float back, empty for absent, lines end in LF.

    Raises:
        ValueError: if there is no row, or the rows' keys differ.
    """
    rows = list(rows)
    if not rows:
        raise ValueError("a run without any row")
    columns = list(rows[0])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        if list(row) != columns:
            raise ValueError(f"columns differ between rows: {sorted(set(row) ^ set(columns))}")
        writer.writerow([_cell(value) for value in row.values()])
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):  # numpy's float64 is one, whose own repr reads np.float64(...)
        return repr(float(value))
    if hasattr(value, "item"):  # another numpy scalar
        return _cell(value.item())
    return str(value)
