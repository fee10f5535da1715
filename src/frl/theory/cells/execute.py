"""One cell from its settings to the bytes of its CSV: all that a process executes that decides them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_info, threadpool_limits

from frl.theory.cells import wired
from frl.theory.cells.driver import Curves, run
from frl.theory.cells.spec import Cell
from frl.theory.cells.wired import Wired

FORMAT = "%.8g"
COLUMNS = ("seed", "uploads", "server_step", "sim_time_s", "gap")


def execute(cell: Cell, progress: Callable[[int], object] | None = None) -> bytes:
    """Run `cell` on one thread; its CSV, one row a seed and point of record.

    Args:
        cell: the cell.
        progress: told now and then how many gradients of all seeds have arrived.
    """
    with threadpool_limits(1):
        curves = run(cell, progress, Wired, wired.advance) if cell.wired else run(cell, progress)
    points, seeds = len(curves.uploads_P), len(cell.seeds)
    times, gaps = ([float(FORMAT % value) for value in column.ravel()] for column in (curves.time_SP, curves.gap_SP))
    columns = (np.repeat(cell.seeds, points), np.tile(curves.uploads_P, seeds), np.tile(curves.server_step_P, seeds))
    frame = pd.DataFrame(dict(zip(COLUMNS, (*columns, times, gaps), strict=True)))
    if curves.bytes_SP is not None:
        frame["total_bytes"] = curves.bytes_SP.ravel()
    return str(frame.to_csv(index=False, lineterminator="\n")).encode()


def curves_of(table: bytes) -> Curves:
    """The curves that :func:`execute` wrote."""
    frame = pd.read_csv(io.BytesIO(table))
    seeds = frame["seed"].nunique()
    first = frame.iloc[: len(frame) // seeds]
    time, gap = (frame[name].to_numpy().reshape(seeds, -1) for name in ("sim_time_s", "gap"))
    sent = frame["total_bytes"].to_numpy().reshape(seeds, -1) if "total_bytes" in frame else None
    return Curves(first["uploads"].to_numpy(), first["server_step"].to_numpy(), time, gap, sent)


def arithmetic() -> dict[str, Any]:
    """The facts of this process that decide how it rounds: kernels of linear algebra, vector instructions."""
    blas = sorted({str(pool.get("architecture")) for pool in threadpool_info() if pool["user_api"] == "blas"})
    build: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
    return {"blas": blas, "cpu_capability": " ".join(build["SIMD Extensions"]["found"])}
