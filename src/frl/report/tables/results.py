"""What the other tables say of each task, method and N that matters most, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from frl.analysis.thresholds import FAMILY_LEVEL
from frl.report.tables.table import Column, Row, Table

_KEYS = {
    "samples_to_threshold": {
        **{name: name for name in ("seeds", "diverged", "reached", "speedup")},
        **{"time": "samples", "poster": "poster_samples"},
    },
    "time_to_threshold": {"time": "time", "poster": "poster_time"},
    "final_return": {"final_return": "final_return"},
    "communication": {"agents": "agents", "uplink_bytes": "uplink_bytes"},
}
"""Of each table the columns that are taken, and what they are called here."""
_COLUMNS = (
    Column("environment", "task", filtered=True),
    Column("method", "method", "name", filtered=True),
    Column("n_agents", "N", "count", filtered=True),
    Column("agents", "agents", filtered=True),
    Column("seeds", "seeds", "count"),
    Column("reached", "got there", "share"),
    Column("samples", "steps per agent", "count", quantity=True, censored=True),
    Column("poster_samples", "poster's", "count"),
    Column("speedup", "speed-up over N = 1", "ratio", quantity=True, censored=True),
    Column("time", "time (s)", "seconds", quantity=True, censored=True),
    Column("poster_time", "poster's (s)", "seconds"),
    Column("ratio", "FedPG's time over it", "ratio", quantity=True, censored=True),
    Column("waiting_gain", "from waiting alone", "ratio"),
    Column("final_return", "final return", "return", quantity=True),
    Column("uplink_bytes", "uploaded", "bytes"),
    Column("diverged", "diverged", "count"),
)
_SOME = ("poster_samples", "poster_time", "speedup", "ratio", "waiting_gain")
"""Columns that a scenario may have nothing for."""
_NOTE = (
    "Got there: seeds that reached the threshold. Steps per agent and time to the threshold are geometric "
    "means, in which a seed that did not get there counts as the horizon; after > stands a lower bound, after < an "
    "upper one. From waiting alone: what FedPG's time over it would be if every update were worth the same. The final "
    "return is the mean of the last tenth of the budget; uploaded are the bytes of whole runs, all agents together; "
    "both are of runs that are not set to stop at a return. In brackets: intervals of "
    f"{100 * FAMILY_LEVEL:g} % for what is needed to the threshold, of 95 % for returns. The files beside this page, "
    "in tables/, have more columns."
)


def merged(tables: Mapping[str, Table], clock: str) -> Table:
    """One row for each task, method and N.

    Args:
        clock: what the time is (:func:`frl.analysis.names.clock`).
        tables: by name; those of `_KEYS` have the same rows in the same order.
    """
    rows: list[Row] = [
        {key: row[key] for key in ("environment", "method", "n_agents")} for row in tables["final_return"].rows
    ]
    for name, keys in _KEYS.items():
        for row, more in zip(rows, tables[name].rows, strict=True):
            assert (row["environment"], row["n_agents"]) == (more["environment"], more["n_agents"])
            row |= {here: more.get(there) for there, here in keys.items()}
    ratios = {(row["environment"], row["method"], row["n_agents"]): row for row in tables["time_ratio"].rows}
    for row in rows:
        known = ratios.get((row["environment"], row["method"], row["n_agents"]), {})
        row |= {key: known.get(key) for key in ("ratio", "waiting_gain")}
    idle = {"agents"} if len({row["agents"] for row in rows}) == 1 else set()
    idle |= {key for key in _SOME if all(row[key] is None for row in rows)}
    idle |= {"diverged"} if not any(row["diverged"] for row in rows) else set()
    timed = (replace(c, heading=f"{clock} (s)") if c.key == "time" else c for c in _COLUMNS)
    columns = tuple(column for column in timed if column.key not in idle)
    return Table("results", "Results by task, method and number of agents", _NOTE, columns, rows)
