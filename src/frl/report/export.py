"""Finished runs in the formats of other tools: TensorBoard's event files, rliable's scores."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from frl.analysis.curves import STEPS, TIME, Curves, all_curves
from frl.analysis.load import DataError
from frl.analysis.names import curve_name
from frl.analysis.quantity import Array
from frl.errors import SpecError
from frl.runs.files import write_atomically
from frl.spec import RUN_ID
from frl.training.recorder import AXES, EVALUATION, TRAINING

SCORES = "rliable.npz"
_NO_NUMBER = ("staleness_counts", "uploaded", "status")
_SHOWN = [name for name in (*AXES, *EVALUATION, *TRAINING) if name not in (*_NO_NUMBER, "point", STEPS, TIME)]
"""Columns that TensorBoard shows as scalars."""


def tensorboard(frame: pd.DataFrame, folder: Path) -> list[Path]:
    """One folder of scalars a run, `<environment>/<method>/n<N>/seed<S>`; the folder written.

    A scalar's step is the environment steps per agent, its wall time the simulated seconds: TensorBoard's horizontal
    axis "Relative" therefore is simulated time.

    Args:
        frame: the collected runs (:func:`frl.analysis.load.read_curves`).
        folder: of the log; event files that an earlier export left in a run's folder are replaced.

    Raises:
        SpecError: if tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise SpecError(
            "--format tensorboard: tensorboardX is not installed; pip install -e '.[tensorboard]' -c requirements.lock"
        ) from None
    for key, rows in frame.groupby(["environment", "method", "n_agents", "seed"], sort=False):
        run_id = RUN_ID.format(**dict(zip(("environment", "method", "n_agents", "seed"), key, strict=True)))
        for old in (folder / run_id).glob("events.out.tfevents.*"):
            old.unlink()
        with SummaryWriter(str(folder / run_id)) as writer:
            for name in _SHOWN:
                for step, seconds, value in zip(rows[STEPS], rows[TIME], rows[name], strict=True):
                    if pd.notna(value):
                        writer.add_scalar(name, value, round(step), seconds)
    return [folder]


def rliable(frame: pd.DataFrame, folder: Path) -> list[Path]:
    """The final returns as rliable wants them, {algorithm: (runs, tasks)}, an array an algorithm; the file written.

    An algorithm is a method with its N. It has one row for each seed that every task has, and is left out with a note
    where it was not run on a task or no seed has them all.

    Args:
        frame: the collected runs (:func:`frl.analysis.load.read_curves`).
        folder: of the file `SCORES`.

    Raises:
        DataError: if no algorithm has a final return on every task.
    """
    tasks = list(dict.fromkeys(frame["environment"]))
    cells: dict[str, dict[str, Curves]] = {}
    for (environment, method, n_agents), curves in all_curves(frame, STEPS).items():
        cells.setdefault(curve_name(method, n_agents), {})[environment] = curves
    scores = {name: _scores(of, tasks) for name, of in cells.items()}
    left_out = [name for name, rows in scores.items() if not rows.size]
    if len(left_out) == len(scores):
        raise DataError(f"--format rliable: no algorithm has a seed with a final return on each of {', '.join(tasks)}")
    if left_out:
        print(f"frl: note: without a seed that has every task, left out: {', '.join(left_out)}", file=sys.stderr)
    write_atomically(folder / SCORES, _npz({name: rows for name, rows in scores.items() if rows.size}))
    print(f"tasks: {', '.join(tasks)}")
    return [folder / SCORES]


def _scores(cells: dict[str, Curves], tasks: list[str]) -> Array:
    """Final returns of one algorithm, (runs, tasks), without rows if there are none."""
    finals = [dict(zip((run.seed for run in of.whole), of.final_S, strict=True)) for of in cells.values()]
    if len(finals) < len(tasks):
        return np.empty((0, len(tasks)))
    by_task = dict(zip(cells, finals, strict=True))
    seeds = sorted(set.intersection(*(set(of) for of in finals)))
    return np.array([[by_task[task][seed] for task in tasks] for seed in seeds]).reshape(len(seeds), len(tasks))


def _npz(arrays: dict[str, Array]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


FORMATS: dict[str, Callable[[pd.DataFrame, Path], list[Path]]] = {"tensorboard": tensorboard, "rliable": rliable}
"""Each writes into a folder and says what it wrote."""
