"""Runs from disk: published ones, a results folder, and tables of other code bases."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import frl
from frl.analysis.curves import STOP_AT
from frl.analysis.load import DTYPES
from frl.analysis.quantity import Array
from frl.face.collection import KEYS, Runs
from frl.face.facts import Facts, RunsError, warn
from frl.runs.paths import RUN_SUFFIXES, meta_path, table_path
from frl.runs.store import StoreError, verify
from frl.scenario.products import ARCHIVE
from frl.scenario.products import RUNS as INDEX
from frl.spec import ENVIRONMENTS

PACKAGE = Path(frl.__file__).parent
PUBLISHED = (PACKAGE / "data" / "published", PACKAGE.parents[1] / "results" / "published")
"""Where the published runs are: in an installed package, and in the repository."""
NEEDED = ("environment", "n_agents", "seed", "point", "env_steps_per_agent", "sim_time_s", "eval_return_mean", "status")
_COUNTED = "a number, not negative"
_MUST_BE = {
    "seed": "a whole number, not negative", "n_agents": "a whole number of at least 1", "return": "a number",
    "samples": _COUNTED, "time": _COUNTED,
}  # fmt: skip
CSV_COLUMNS = {"samples": "env_steps_per_agent", "time": "sim_time_s", "return": "eval_return_mean"}


def published(name: str) -> Runs:
    """Runs that this project published, in `results/published/<name>` (where a README says how they were made).

    Raises:
        RunsError: if there are none of this name; lists the names.
    """
    folders = {index.parent.name: index.parent for root in PUBLISHED for index in sorted(root.glob(f"*/{INDEX}"))}
    if not folders:
        raise RunsError(f"no published runs in {' or '.join(map(str, PUBLISHED))}: reinstall, or clone the repository")
    if name not in folders:
        raise RunsError(f"published runs {name!r}: there are {', '.join(sorted(folders))}")
    return _read_archive(folders[name], f"published {name!r}")


def runs(folder: str | Path) -> Runs:
    """The finished runs of a results folder, as `frl train`, Snakemake or `frl publish` left them.

    Args:
        folder: `results/<scenario>`, or one of its subfolders of runs, or `results/published/<scenario>`.

    Raises:
        RunsError: if it holds no finished run, or one that is damaged. A table of another code base is read by
            :func:`frl.from_csv`.
    """
    folder = Path(folder)
    if folder.is_file():
        raise RunsError(
            f"{folder} is a file: frl.runs reads a folder of runs, frl.from_csv a table of another code base"
        )
    if (folder / ARCHIVE).exists() and (folder / INDEX).exists():
        return _read_archive(folder, str(folder))
    paths = sorted(table_path(meta) for meta in folder.rglob(f"*{RUN_SUFFIXES[1]}"))
    if not paths:
        raise RunsError(f"{folder}: no finished run there (no seed*.csv with a seed*.meta.json beside it)")
    return read_files(paths, str(folder))


def read_files(paths: Iterable[Path], source: str) -> Runs:
    """The runs of these CSV files, `<environment>/<method>/n<N>/seed<S>.csv`, each with its meta file beside it."""
    return _joined(_read_file(path.resolve(), source) for path in paths)


def from_csv(path: str | Path, *, environment: str | None = None, n_agents: int | None = None) -> Runs:
    """Runs of another code base from one table, a row for each evaluation.

    Its columns, in any order; others are ignored:

    - `method`: a name of your choice, e.g. "mine";
    - `seed`: a whole number; one seed's rows are one run;
    - `samples`: environment steps so far, divided by the number of agents;
    - `return`: mean undiscounted return of evaluation episodes;
    - `time` (optional): seconds, only comparable with this project's where the same clock was simulated;
    - `environment`, `n_agents` (optional): for tables of several, else given here.

    Args:
        path: the CSV, with a header.
        environment: task of all rows, as "Swimmer".
        n_agents: N of all rows.

    Raises:
        RunsError: names the columns that are missing, or the line with a value that is no number.

    Warns:
        ComparabilityWarning: if an environment is none of this project's.
    """
    path = Path(path)
    try:
        table = pd.read_csv(path, dtype="str", keep_default_na=False)
    except (OSError, ValueError) as error:
        raise RunsError(f"{path}: cannot be read as a CSV: {error}") from None
    given = {"environment": environment, "n_agents": n_agents}
    for key, value in given.items():
        if value is not None and key in table:
            raise RunsError(f"{path}: {key} = {value!r} is given, but the table has a column of this name")
        table = table if value is None else table.assign(**{key: str(value)})
    if lacking := [key for key in ("method", "seed", "samples", "return", *given) if key not in table]:
        absent = [key for key in given if key in lacking]
        also = f", and no {' and no '.join(absent)} was given" if absent else ""
        raise RunsError(f"{path}: no column {', '.join(lacking)}{also}; there are {', '.join(table)}")
    if table.empty:
        raise RunsError(f"{path}: no row below the header")
    for key in ("environment", "method"):
        if len(empty := table.index[table[key].str.strip() == ""]):
            raise RunsError(f"{path}: {_place(key, given, int(empty[0]))}{key} is empty: it needs a name")
    if others := [name for name in dict.fromkeys(table["environment"]) if name not in ENVIRONMENTS]:
        known = f"this project's are {', '.join(ENVIRONMENTS)}"
        warn(
            f"{path}: environment = {', '.join(map(repr, others))}: {known}; one of your own is compared with its like"
        )
    numbers = [key for key in ("seed", "n_agents", *CSV_COLUMNS) if key in table]
    frame = table[["environment", "method"]].assign(**{key: _numbers(path, table, key, given) for key in numbers})
    frame = frame.rename(columns=CSV_COLUMNS).astype({"seed": "int64", "n_agents": "int64"})
    identity = [*KEYS, "seed"]
    frame = frame.sort_values([*identity, "env_steps_per_agent"], kind="stable", ignore_index=True)
    if (twice := frame.duplicated([*identity, "env_steps_per_agent"])).any():
        row = frame[twice].iloc[0]
        run = f"{row['method']}, N = {row['n_agents']}, seed {row['seed']}"
        raise RunsError(f"{path}: {run}: two rows at samples = {row['env_steps_per_agent']:g}")
    frame["point"], frame["status"] = frame.groupby(identity).cumcount(), "ok"
    found = frame[identity].drop_duplicates().itertuples(index=False)
    return Runs(frame, tuple(Facts((e, m, int(n)), int(seed), str(path)) for e, m, n, seed in found))


def _numbers(path: Path, table: pd.DataFrame, key: str, given: dict[str, Any]) -> Array:
    """One column as numbers; not negative but for returns, whole where it counts something, and N at least 1."""
    values: Array = pd.to_numeric(table[key], errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(values)
    if key != "return":
        wrong |= values < (1 if key == "n_agents" else 0)
    if key in ("seed", "n_agents"):
        wrong |= values != np.floor(values)
    if wrong.any():
        row = int(wrong.argmax())
        raise RunsError(f"{path}: {_place(key, given, row)}{key} = {table[key].iloc[row]!r}: must be {_MUST_BE[key]}")
    return values


def _place(key: str, given: dict[str, Any], row: int) -> str:
    """Where the table has a value, for a message; nothing where the caller gave it."""
    return f"line {row + 2}: " if given.get(key) is None else ""


@dataclass(frozen=True)
class _Run:
    """One run's CSV and what its meta file says."""

    text: str
    facts: Facts


def _read_archive(folder: Path, source: str) -> Runs:
    """The runs that `frl publish` packed; its index knows their methods by their digests."""
    index = pd.read_csv(folder / INDEX, dtype={"method": "str"}, keep_default_na=False, usecols=["digest", "method"])
    with tarfile.open(folder / ARCHIVE) as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        content = {name: file.read() for name, file in files.items() if file is not None}

    def entries() -> Iterator[_Run]:
        for digest, method in zip(index["digest"], index["method"], strict=True):
            entry = [content.get(f"{digest[:2]}/{digest}/{name}") for name in ("run.csv", "meta.json")]
            if entry[0] is None or entry[1] is None:
                raise RunsError(f"{folder / ARCHIVE}: run {digest[:12]} of {INDEX} is not in it")
            yield _verified(entry[0], entry[1], method, source, folder / ARCHIVE)

    return _joined(entries())


def _verified(csv: bytes, meta_bytes: bytes, method: str, source: str, path: Path) -> _Run:
    """A run whose bytes are whole."""
    try:
        meta: dict[str, Any] = verify(csv, meta_bytes)
    except StoreError as error:
        raise RunsError(f"{path}: {error}") from None
    spec = meta["spec"]
    cell = (str(spec["environment"]), method, int(spec["n_agents"]))
    version, instructions = meta.get("numerics_version"), meta.get("cpu_capability")
    return _Run(csv.decode(), Facts(cell, int(spec["seed"]), source, spec, version, instructions))


def _read_file(path: Path, source: str) -> _Run:
    try:
        csv, meta = path.read_bytes(), meta_path(path).read_bytes()
    except OSError as error:
        raise RunsError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return _verified(csv, meta, path.parts[-3], source, path)


def _joined(found: Iterable[_Run]) -> Runs:
    """The runs in one table; those of an older version may lack columns."""
    by_header: dict[str, list[_Run]] = {}
    for run in found:
        by_header.setdefault(run.text.split("\n", 1)[0], []).append(run)
    frames = []
    for header, same in by_header.items():
        if lacking := [key for key in NEEDED if key not in header.split(",")]:
            raise RunsError(f"{same[0].facts.source}: runs without the column {lacking[0]}")
        bodies = [run.text.split("\n", 1)[1] for run in same]
        frame = pd.read_csv(io.StringIO(f"{header}\n{''.join(bodies)}"), dtype=_dtypes(header))
        rows = [body.count("\n") for body in bodies]
        frame.insert(frame.columns.get_loc("n_agents"), "method", np.repeat([r.facts.cell[1] for r in same], rows))
        stops = [(run.facts.settings or {}).get(STOP_AT) for run in same]
        frame[STOP_AT] = np.repeat(np.array(stops, dtype=np.float64), rows)
        frames.append(frame)
    return Runs(pd.concat(frames, ignore_index=True), tuple(run.facts for same in by_header.values() for run in same))


def _dtypes(header: str) -> dict[str, str]:
    return {key: DTYPES[key] for key in header.split(",") if key in DTYPES}
