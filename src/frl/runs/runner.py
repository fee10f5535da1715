"""One run from specification to files: restored from the store if it was ever made, trained otherwise.

Files of a run: ``<results>/<scenario>/runs/<run id>.csv`` and ``.meta.json``, written at the end and atomically, so
a file that exists is whole. What the CSV holds is a function of the specification alone; times, machine and versions
are in the meta data. The last policy is in the store only (:mod:`frl.runs.store`).
"""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from frl.errors import SpecError
from frl.runs import provenance
from frl.runs.files import write_atomically
from frl.runs.locks import alone
from frl.runs.paths import progress_path, run_paths
from frl.runs.progress import ProgressFile
from frl.runs.store import Meta, Store, checksum, dump_meta, policy_digest
from frl.runs.validity import Unfit, read, run_digest, stored
from frl.spec import RunSpec

if TYPE_CHECKING:
    from frl.runs.checkpoints import Keeper

CHECKPOINT_EVERY_S = 60.0

Outcome = Literal["present", "restored", "trained"]


class RunError(ValueError):
    """A run that must not start; the message says why."""


def checkpoint_every(given: str | None) -> float:
    """Seconds between checkpoints: the option, else $FRL_CHECKPOINT_EVERY (for a workflow's jobs), else the default.

    Raises:
        SpecError: if that is no such number.
    """
    name, text = "--checkpoint-every", given
    if text is None:
        name, text = "FRL_CHECKPOINT_EVERY", os.environ.get("FRL_CHECKPOINT_EVERY", str(CHECKPOINT_EVERY_S))
    try:
        every = float(text)
    except ValueError:
        every = -1.0
    if not every >= 0:
        raise SpecError(f"{name} = {text!r}: must be a number of seconds, 0 or more")
    return every


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

    keeper = Keeper(results, digest, checkpoint_every_s)
    file = progress_path(spec, results, scenario)
    # a workflow that was killed leaves its runs alive; what they make is taken instead of being made twice
    with (
        ProgressFile(file, spec.env_steps_budget, lambda: keeper.resumed_at, progress) as shown,
        alone(keeper.path.with_suffix(".lock"), f"it trains {spec.run_id}"),
    ):
        shown.outcome = _run_alone(spec, results, scenario, keeper, shown)
        return shown.outcome


def _run_alone(
    spec: RunSpec, results: Path, scenario: str, keeper: Keeper, progress: Callable[[dict[str, Any]], None]
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
    _write(paths, entry)
    keeper.remove()
    return outcome


def restore(spec: RunSpec, results: Path, scenario: str) -> bool:
    """Write a run's files again from the store; whether it is there."""
    entry = stored(spec, results)
    if entry is not None:
        _write(run_paths(spec, results, scenario), entry)
    return entry is not None


def _write(paths: tuple[Path, Path], entry: tuple[bytes, bytes]) -> None:
    for path, content in reversed(list(zip(paths, entry, strict=True))):  # the CSV last: it is what others wait for
        write_atomically(path, content)


def make(
    spec: RunSpec, digest: str, progress: Callable[[dict[str, Any]], None] | None, keeper: Keeper
) -> tuple[tuple[bytes, bytes], bytes | None]:
    """CSV and meta bytes of a run trained now (or from the keeper's checkpoint), and its last policy.

    Nothing is written. A run that diverged has no policy that could be played.
    """
    from frl.training.execute import execute

    source = provenance.git()  # before training: the tree may change meanwhile
    table, result = execute(spec, progress, keeper)
    spent = keeper.spent()
    steps, policy = int(result.facts["env_steps_total"]), result.policy if result.status == "ok" else None
    meta: Meta = {
        "spec": json.loads(spec.to_json()),
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
    if policy is not None:
        meta["policy_digest"] = policy_digest(policy)
    meta["checksum"] = checksum(table, meta)
    return (table, dump_meta(meta)), policy


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far."""
    try:  # Linux: ru_maxrss would count the parent too, as it was when it started this process
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(re.findall(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)[0]) / 2**10
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, others KiB
