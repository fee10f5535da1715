"""Train a finished run again from its own specification and compare, byte for byte where that is promised."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frl.engines.replay import replay
from frl.engines.trace import from_text
from frl.runs.named import NamedRun
from frl.runs.provenance import CELL_LIBRARIES, LIBRARIES, library_versions
from frl.runs.runner import keeping, make
from frl.runs.store import Meta
from frl.runs.validity import numerics_version
from frl.spec import SERVERS, RunSpec
from frl.theory.cells.spec import Cell
from frl.training.execute import execute
from frl.training.loop import Progress
from frl.training.server_side import Result

CLOCK = ("env_steps_total", "sim_time_s", "server_step", "uploads", "uplink_bytes", "downlink_bytes")
"""Columns that no rounding reaches where a task's length is fixed and agents always upload: equal everywhere."""


class ReproduceError(ValueError):
    """A run that cannot be made again here; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """What the comparison found."""

    agrees: bool
    message: str
    policy: bytes | None = None
    """The run's last policy, where the bytes are the same and it did not diverge."""


def reproduce(run: NamedRun, progress: Callable[[dict[str, Any]], None] | None = None) -> Outcome:
    """Train a run again, not from the store, and compare with what its CSV holds.

    Byte-identical is what is promised for the same code, libraries and vector instructions. On a processor that rounds
    differently a seed is another draw: then only clock and message counts have to be equal.

    Args:
        run: the run.
        progress: see :func:`frl.training.loop.train`.

    Raises:
        ReproduceError: if it was made by other settings, libraries or NUMERICS_VERSION than there are here. Code that
            differs in nothing else promises the same bytes: that is what is tried.
    """
    table, meta, spec = run.table, run.meta, run.spec
    if spec is None or not made_here(run):
        commit = (meta.get("git") or {}).get("commit")
        raise ReproduceError(
            f"{run.path}: made with another NUMERICS_VERSION or other libraries "
            f"({meta.get('versions')}, commit {commit}); check that commit out and install its requirements.lock"
        )
    with tempfile.TemporaryDirectory() as folder:
        keeper = keeping(spec, Path(folder), meta["digest"], math.inf)
        if isinstance(spec, RunSpec) and spec.engine is not None:
            again, result = remade(spec, meta, progress)
            policy = result.policy if result.status == "ok" else None
        else:
            (again, _), policy = make(spec, meta["digest"], progress, keeper)
        here = keeper.arithmetic
        made_by = [meta, *meta.get("engine", {}).get("arithmetic", [])]  # its machine, and those of its agents
        same_arithmetic = all(made.get(name, value) == value for made in made_by for name, value in here.items())
    if again == table:
        return Outcome(True, "identical, byte for byte", policy)
    difference = first_difference(table, again)
    if same_arithmetic:
        return Outcome(False, f"NOT identical, though this processor rounds in the same way: {difference}")
    before = [{name: made.get(name) for name in here} for made in made_by]
    told = " and ".join(dict.fromkeys(map(str, before)))
    what = f"made with {told}, here {here}: another draw of the same seed, as expected ({difference})"
    fixed = isinstance(spec, Cell) or spec.sampling.trajectories is None
    fixed = fixed and not SERVERS[spec.algorithm].lazy  # whose agents look at their gradients before they upload
    comparable = fixed and b"diverged" not in table + again  # one draw may, another not
    if comparable and (clock := first_difference(table, again, CLOCK)):
        return Outcome(False, f"clock or messages differ, which rounding does not explain: {clock}; {what}")
    return Outcome(True, f"{'clock and messages are equal; ' if comparable else ''}{what}")


def remade(spec: RunSpec, meta: Meta, progress: Progress | None) -> tuple[bytes, Result]:
    """A training run again, or its beginning: one that went by the wall clock in the order of its trace.

    Args:
        spec: the run's settings, or those of its beginning.
        meta: the run's meta data.
        progress: see :func:`frl.training.loop.train`.
    """
    if spec.engine is None:
        return execute(spec, progress)
    return replay(spec, from_text(meta["trace"]), progress)


def made_here(run: NamedRun) -> bool:
    """Whether the run was made by the numerics and libraries that there are here."""
    if (spec := run.spec) is None:
        return False
    libraries = CELL_LIBRARIES if isinstance(spec, Cell) else LIBRARIES
    made = [f"{name} {run.meta['versions'].get(name, '').split('+')[0]}" for name in libraries]
    return bool(run.meta["numerics_version"] == numerics_version(spec) and made == library_versions(libraries))


def first_difference(before: bytes, after: bytes, columns: tuple[str, ...] | None = None) -> str:
    """The first cell that differs, in words; empty if none of `columns` (None: all) does."""
    rows, others = (list(csv.DictReader(io.StringIO(text.decode()))) for text in (before, after))
    for number, (row, other) in enumerate(zip(rows, others, strict=False), start=2):
        for name, value in row.items():
            if (columns is None or name in columns) and other.get(name) != value:
                return f"line {number}, {name}: {value} before, {other.get(name)} now"
    return "" if len(rows) == len(others) else f"{len(rows)} rows before, {len(others)} now"
