"""One run from its specification to the bytes of its CSV: all that a training process executes that decides them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable

from threadpoolctl import threadpool_limits

from frl.spec import RunSpec
from frl.training import loop
from frl.training.loop import Keeper, Progress
from frl.training.server_side import Result


def execute(spec: RunSpec, progress: Progress | None = None, keeper: Keeper | None = None) -> tuple[bytes, Result]:
    """Train `spec` on one thread, so that the bytes do not depend on how many cores there are.

    Args:
        spec: the run.
        progress: see :func:`frl.training.loop.train`.
        keeper: see :func:`frl.training.loop.train`.

    Returns:
        The run's CSV, and what the run was like.
    """
    with threadpool_limits(1):
        result = loop.train(spec, progress, keeper)
    return csv_bytes(result.rows), result


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
