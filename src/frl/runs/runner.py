"""One run from specification to files: restored from the store if it was ever made, trained otherwise.

Files of a run: ``<results>/<scenario>/runs/<run id>.csv`` and ``.meta.json``, written at the end and atomically, so
a file that exists is whole. What the CSV holds is a function of the specification alone; times, machine and versions
are in the meta data. The last policy is in the store only (:mod:`frl.runs.store`).
"""

from __future__ import annotations

import json
import platform
import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from frl.runs import provenance
from frl.runs.files import write_atomically
from frl.runs.locks import alone
from frl.runs.paths import TRACE_SUFFIX, progress_path, run_paths
from frl.runs.progress import ProgressFile
from frl.runs.store import Meta, Store, checksum, dump_meta, policy_digest
from frl.runs.validity import Unfit, code_digest, numerics_version, read, run_digest, stored
from frl.scenario.kinds import AnyRun, budget
from frl.spec import RunSpec
from frl.theory.cells.spec import Cell

if TYPE_CHECKING:
    from frl.runs.keeping import Keeping

CHECKPOINT_EVERY_S = 60.0

Outcome = Literal["present", "restored", "trained"]


class RunError(ValueError):
    """A run that must not start; the message says why."""


def run_one(
    spec: AnyRun,
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
        checkpoint_every_s: wall seconds between checkpoints; a run that was stopped goes on from the last one. A cell
            of the theory lab has none: it takes seconds, and starts over.

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
    keeper = keeping(spec, results, digest, checkpoint_every_s)
    file = progress_path(spec, results, scenario)
    # a workflow that was killed leaves its runs alive; what they make is taken instead of being made twice
    with (
        ProgressFile(file, budget(spec), lambda: keeper.resumed_at, progress) as shown,
        alone(keeper.path.with_suffix(".lock"), f"it trains {spec.run_id}"),
    ):
        shown.outcome = _run_alone(spec, results, scenario, keeper, shown)
        return shown.outcome


def keeping(spec: AnyRun, results: Path, digest: str, every_s: float) -> Keeping:
    """What keeps the run's checkpoints and time."""
    if isinstance(spec, Cell):
        from frl.runs.keeping import Keeping
        from frl.theory.cells.execute import arithmetic

        return Keeping(results, digest, arithmetic())
    from frl.runs.checkpoints import Keeper

    return Keeper(results, digest, every_s)


def _run_alone(
    spec: AnyRun, results: Path, scenario: str, keeper: Keeping, progress: Callable[[dict[str, Any]], None]
) -> Outcome:
    store, paths = Store(results), run_paths(spec, results, scenario)
    try:
        found = read(spec, results, scenario)
        store.put(found.meta["digest"], found.table, found.facts)
        keeper.remove()
        return "present"
    except Unfit:
        pass
    for folder in (paths[0].parent, store.root):
        folder.mkdir(parents=True, exist_ok=True)  # an unwritable place is an error now, not after hours of training
    if (entry := stored(spec, results)) is None:
        with keeper.on_terminate():
            entry, policy = make(spec, keeper.digest, progress, keeper)
        store.put(keeper.digest, *entry, policy)  # first, so that losing the files below loses nothing
        outcome: Outcome = "trained"
    else:
        outcome = "restored"
    _write(spec, paths, entry)
    keeper.remove()
    return outcome


def restore(spec: AnyRun, results: Path, scenario: str) -> bool:
    """Write a run's files again from the store; whether it is there."""
    entry = stored(spec, results)
    if entry is not None:
        _write(spec, run_paths(spec, results, scenario), entry)
    return entry is not None


def _write(spec: AnyRun, paths: tuple[Path, Path], entry: tuple[bytes, bytes]) -> None:
    if isinstance(spec, RunSpec) and spec.engine is not None:
        from frl.engines.trace import first_line

        trace = first_line(spec) + json.loads(entry[1])["trace"]
        write_atomically(paths[0].with_suffix(TRACE_SUFFIX), trace)
    for path, content in reversed(list(zip(paths, entry, strict=True))):  # the CSV last: it is what others wait for
        write_atomically(path, content)


def make(
    spec: AnyRun, digest: str, progress: Callable[[dict[str, Any]], None] | None, keeper: Keeping
) -> tuple[tuple[bytes, bytes], bytes | None]:
    """CSV and meta bytes of a run made now (or from the keeper's checkpoint), and its last policy.

    Nothing is written. A run that diverged has no policy that could be played; neither has a cell of the theory lab.
    """
    source = provenance.git()  # before training: the tree may change meanwhile
    libraries: tuple[str, ...] = provenance.LIBRARIES
    if isinstance(spec, Cell):
        libraries = provenance.CELL_LIBRARIES
        table, status, amounts, policy = _run_cell(spec, progress)
    else:
        table, status, amounts, policy = _train(spec, progress, keeper)
    spent = keeper.spent()
    meta: Meta = {
        "spec": spec.given(),
        "digest": digest,
        "code_digest": code_digest(spec),
        "numerics_version": numerics_version(spec),
        "status": status,
        "versions": provenance.versions(libraries),
        "git": source,
        "cpu": provenance.cpu_model(),
        **keeper.arithmetic,
        "platform": platform.platform(),
        "started": keeper.started,
        "resumed": keeper.resumed,
        "wall_time_s": round(spent["wall_time_s"], 3),
        "cpu_time_s": round(spent["cpu_time_s"], 3),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        **amounts,
    }
    for key, name in (("env_steps_total", "env_steps_per_s"), ("gradients", "gradients_per_s")):
        if key in amounts:
            meta[name] = round(amounts[key] / spent["wall_time_s"], 1)
    if policy is not None:
        meta["policy_digest"] = policy_digest(policy)
    meta["checksum"] = checksum(table, meta)
    return (table, dump_meta(meta)), policy


Made = tuple[bytes, str, dict[str, Any], bytes | None]
"""CSV, status, amounts for the meta file, and last policy."""


def _train(spec: RunSpec, progress: Callable[[dict[str, Any]], None] | None, keeper: Keeping) -> Made:
    """A training run; the meta data of one by the wall clock hold its trace, from which it can be made again."""
    own: dict[str, Any] = {}
    if spec.engine is None:
        from frl.training.execute import execute

        table, result = execute(spec, progress, keeper)  # type: ignore[arg-type]
    else:
        from frl.engines.execute import execute as execute_live

        table, result, own = execute_live(spec, keeper.trace, progress, keeper)  # type: ignore[arg-type]
    amounts = {
        "env_steps_total": int(result.facts["env_steps_total"]),
        "env_steps_agents": [int(n) for n in result.facts["env_steps_agents"]],
        "eval_steps": int(result.facts["eval_steps"]),
        **own,
    }
    return table, result.status, amounts, result.policy if result.status == "ok" else None


def _run_cell(cell: Cell, progress: Callable[[dict[str, Any]], None] | None) -> Made:
    """A cell of the theory lab."""
    from frl.theory.cells.execute import execute

    def say(gradients: int) -> None:
        if progress is not None:
            progress({"env_steps_total": gradients, "env_steps_budget": budget(cell), "eval_return_mean": None})

    return execute(cell, say), "ok", {"gradients": cell.gradients}, None


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far."""
    try:  # Linux: ru_maxrss would count the parent too, as it was when it started this process
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(re.findall(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)[0]) / 2**10
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, others KiB
