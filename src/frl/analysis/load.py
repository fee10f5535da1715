"""From the runs' own files to three tables: curves.csv, runs.csv and missing.csv.

Every run is validated before it is used: a file that was cut short, edited or put at the wrong place is written again
from the store, or refused by name, instead of bending a curve.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frl.analysis.curves import STOP_AT
from frl.runs.files import write_atomically, write_csv
from frl.runs.lineage import Lineage
from frl.runs.paths import run_paths
from frl.runs.runner import restore
from frl.runs.store import Meta
from frl.runs.validity import Found, Unfit, read
from frl.scenario.products import CURVES, MISSING, PACKED_CURVES, RUNS
from frl.scenario.scenario import Scenario
from frl.spec import RunSpec
from frl.training.recorder import AXES, COLUMNS, IDENTITY, WALL

_BEFORE_METHOD = COLUMNS.index("algorithm") + 1
CURVES_COLUMNS = (*COLUMNS[:_BEFORE_METHOD], "method", *COLUMNS[_BEFORE_METHOD:], STOP_AT)
"""Columns of curves.csv: a run's own, and what its file does not know, the method and the return at which it stops."""

_TEXT = ("environment", "env_version", "algorithm", "method", "staleness_counts", "uploaded", "status")
_WHOLE = (*(a for a in AXES if a not in ("env_steps_per_agent", "sim_time_s")), "n_agents", "seed", "train_episodes")
DTYPES: dict[str, str] = {
    c: "str" if c in _TEXT else "int64" if c in _WHOLE else "float64" for c in (*CURVES_COLUMNS, WALL)
}

MISSING_COLUMNS = ("environment", "algorithm", "method", "n_agents", "seed", "run_id", "reason")
META_KEYS = (
    "status",
    "digest",
    "code_digest",
    "numerics_version",
    "wall_time_s",
    "cpu_time_s",
    "peak_memory_mb",
    "env_steps_total",
    "eval_steps",
    "env_steps_per_s",
    "started",
    "cpu",
    "cpu_capability",
    "platform",
    "git.commit",
    "git.dirty",
    "versions.frl",
    "versions.python",
    "versions.numpy",
    "versions.torch",
    "versions.mujoco",
    "versions.gymnasium",
)


class DataError(ValueError):
    """Results that cannot be used; the message names the file and what is wrong with it."""


def collect(scenario: Scenario, results: Path, base: Path, partial: bool) -> None:
    """Write curves.csv (every row of every run), runs.csv (one row a run) and missing.csv into `base`.

    Args:
        scenario: the grid whose runs are wanted.
        results: folder that holds ``<scenario>/runs``.
        base: folder for the three tables.
        partial: accept absent runs and list them in missing.csv.

    Raises:
        DataError: if a file is damaged and not in the store, or if runs are missing and `partial` is false.
    """
    bodies: list[str] = []
    metas: dict[str, Meta] = {}
    facts: list[dict[str, object]] = []
    missing: list[tuple[object, ...]] = []
    for spec in scenario.runs():
        try:
            found = _found(spec, results, scenario.name)
        except Unfit as unfit:
            missing.append((*(getattr(spec, key) for key in MISSING_COLUMNS[:-1]), str(unfit)))
            continue
        bodies.append(_with_method(found.table.decode(), spec))
        facts.append(_flat(spec, found.meta))
        metas[spec.run_id] = found.meta
    if missing and not partial:
        raise DataError(_missing_message(scenario, missing))
    if not facts:
        raise DataError(f"{scenario.name}: no finished run below {results / scenario.name / 'runs'}")
    write_atomically(base / CURVES, ",".join(CURVES_COLUMNS) + "\n" + "".join(bodies))
    write_csv(base / RUNS, pd.DataFrame(facts))
    if said := mixed(instruction_sets(pd.DataFrame(facts))):
        print(f"frl: warning: {said}", file=sys.stderr)
    write_csv(base / MISSING, pd.DataFrame(missing, columns=list(MISSING_COLUMNS)))
    Lineage(scenario, base, partial).collected(metas, [str(run_id) for *_, run_id, _ in missing])


def _found(spec: RunSpec, results: Path, scenario: str) -> Found:
    """The run of `spec`, checked; written again from the store if its files are not what they should be.

    Raises:
        Unfit: if there is none, or one of other settings or code.
        DataError: if there is one, it is damaged, and the store does not have it.
    """
    path = run_paths(spec, results, scenario)[0]
    try:
        found = read(spec, results, scenario)
    except Unfit as unfit:
        complaint = _complaint(path, spec) or f"{path}: {unfit}"
        if not restore(spec, results, scenario):
            if unfit.state != "damaged":
                raise
            raise DataError(f"{complaint}; remove it, and it is trained again") from None
        if unfit.state != "missing":  # of those there may be hundreds, after an archive was imported
            print(f"frl: {complaint}: written again from the store", file=sys.stderr)
        found = read(spec, results, scenario)
    check_run(path, found.table, spec)
    return found


def _complaint(path: Path, spec: RunSpec) -> str | None:
    """What is wrong with a run's CSV, as far as that can be seen in it."""
    try:
        check_run(path, path.read_bytes(), spec)
    except OSError:
        return None
    except DataError as error:
        return str(error)
    return None


def _with_method(text: str, spec: RunSpec) -> str:
    """A run's rows with method and `STOP_AT`, the rest copied as it is: no float is parsed and printed again.

    `WALL` is left out: it is `sim_time_s` once more.
    """
    lines = text.rstrip("\n").split("\n")[1:]
    if spec.engine is not None:
        lines = [line.rpartition(",")[0] for line in lines]
    rows = (line.split(",", _BEFORE_METHOD) for line in lines)
    stop = "" if spec.stop_at is None else str(spec.stop_at)
    return "".join(",".join([*row[:-1], spec.method, row[-1], stop]) + "\n" for row in rows)


def _missing_message(scenario: Scenario, missing: list[tuple[object, ...]]) -> str:
    shown = "\n".join(f"  {run_id} ({reason})" for *_, run_id, reason in missing[:50])
    more = f"\n  and {len(missing) - 50} more" if len(missing) > 50 else ""
    return f"{scenario.name}: {len(missing)} runs are missing (--partial goes on without them):\n{shown}{more}"


def _flat(spec: RunSpec, meta: Meta) -> dict[str, object]:
    """One row of runs.csv."""
    row: dict[str, object] = {key: getattr(spec, key) for key in CURVES_COLUMNS[: len(IDENTITY) + 1]}
    return row | facts_of(meta, META_KEYS) | {STOP_AT: spec.stop_at}


def facts_of(meta: Meta, keys: Iterable[str]) -> dict[str, object]:
    """Flat facts from a meta file; "a.b" is key b of the mapping a, and called a_b."""
    facts: dict[str, object] = {}
    for key in keys:
        value: Any = meta
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        facts[key.replace(".", "_")] = value
    return facts


def check_run(path: Path, table: bytes, spec: RunSpec) -> pd.DataFrame:
    """Read and check the content of one run's CSV: columns, types, identity, axes, end of the run.

    Raises:
        DataError: names the file, and the line where that is known.
    """
    try:
        text = table.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text: {error}") from None
    if not text.endswith("\n"):
        raise DataError(f"{path}: truncated: the last line has no end")
    header = text.split("\n", 1)[0]
    columns = COLUMNS if spec.engine is None else (*COLUMNS, WALL)
    if tuple(header.split(",")) != columns:
        raise DataError(f"{path}: columns are {header!r}, expected {','.join(columns)!r}")
    frame = _parse(path, text)
    for problem in _problems(frame, spec):
        raise DataError(f"{path}: {problem}")
    return frame


def _parse(path: Path, text: str) -> pd.DataFrame:
    lines = text.rstrip("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        if line.count(",") != lines[0].count(","):
            expected = lines[0].count(",") + 1
            raise DataError(f"{path}: line {number} has {line.count(',') + 1} fields, expected {expected}")
    try:
        frame = pd.read_csv(io.StringIO(text), dtype=DTYPES)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    return frame


def _problems(frame: pd.DataFrame, spec: RunSpec) -> Iterable[str]:
    """What is wrong with a parsed run, in words; nothing if it is sound."""
    if frame.empty:
        yield "truncated: no row below the header"
        return
    for column in IDENTITY:
        if (wrong := frame[column] != getattr(spec, column)).any():
            value = frame[column][wrong].iloc[0]
            yield f"{column} is {value} in the file, {getattr(spec, column)} by its path"
    # A task longer than a grid interval skips points; a run that diverges repeats the last one it reached.
    whole = frame["point"][:-1] if frame["status"].iloc[-1] == "diverged" else frame["point"]
    if frame["point"].iloc[0] != 0 or not (np.diff(whole) > 0).all() or not frame["point"].is_monotonic_increasing:
        yield "column point does not increase from 0: rows are out of order"
    for axis in AXES:
        steps = np.diff(frame[axis].to_numpy(dtype=np.float64))
        if not (np.isfinite(frame[axis]).all() and (steps >= 0).all()):
            yield f"column {axis} decreases or is empty in line {int(np.argmin(steps >= 0)) + 3}"
    yield from _status_problems(frame, spec)


def _status_problems(frame: pd.DataFrame, spec: RunSpec) -> Iterable[str]:
    status, returns = list(frame["status"]), frame["eval_return_mean"]
    if set(status[:-1]) - {"ok"} or status[-1] not in ("ok", "diverged"):
        yield "column status must be 'ok', or 'diverged' in the last line only"
    finite = np.isfinite(returns.to_numpy(dtype=np.float64))
    if not finite[0] or not finite[: len(status) - (status[-1] == "diverged")].all():
        yield "column eval_return_mean is empty or not finite before the run diverged"
    last = int(frame["env_steps_total"].iloc[-1])
    stopped = spec.stop_at is not None and len(returns) > 1 and bool((returns[-2:] >= spec.stop_at).all())
    if status[-1] == "ok" and last < spec.env_steps_budget and not stopped:
        yield f"truncated: ends at {last} of {spec.env_steps_budget} environment steps"
    now = float(frame["sim_time_s"].iloc[-1])
    if status[-1] == "ok" and now < spec.sim_seconds and not stopped:
        yield f"truncated: ends after {now:g} of {spec.sim_seconds:g} simulated seconds"


def read_curves(base: Path) -> pd.DataFrame:
    """The collected (or published) evaluation points of every run, columns as in a run's CSV and the method.

    Raises:
        DataError: if nothing was collected yet.
    """
    for name in (CURVES, PACKED_CURVES):
        if (base / name).exists():
            return _read(base / name, DTYPES)
    raise DataError(f"{base / CURVES} is not there: run `frl collect` first")


def read_runs(base: Path) -> pd.DataFrame:
    """The collected facts: identity, status, digests, times, memory, speed, versions; one row a run."""
    return _read(base / RUNS, {"method": "str", "digest": "str", "git_commit": "str"})


def instruction_sets(runs: pd.DataFrame) -> dict[str, int]:
    """How many of the collected runs were made with each set of vector instructions, as "AVX2"."""
    counts = runs["cpu_capability"].fillna("unknown ones").astype("str").value_counts(sort=False)
    return {str(name): int(count) for name, count in sorted(counts.items(), key=lambda one: str(one[0]))}


def mixed(counts: Mapping[str, int]) -> str:
    """That not all runs were made with one set of vector instructions, in a sentence; empty if they were."""
    if len(counts) < 2:
        return ""
    told = ", ".join(f"{count} with {name}" for name, count in counts.items())
    return f"These runs were made with different vector instructions, on which a run's bytes depend: {told}."


def read_missing(base: Path) -> pd.DataFrame:
    """The runs of the scenario that were not there, with the reason."""
    return _read(base / MISSING, {"method": "str"})


def _read(path: Path, dtypes: dict[str, str]) -> pd.DataFrame:
    # only an empty cell is absent: a method may be called nan
    return pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values=[""])
