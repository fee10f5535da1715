"""The table of messages and bytes, and what leaves an agent in each algorithm, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from frl.analysis.curves import UPLINK, Cell, all_curves, whole_runs
from frl.analysis.names import display_name, shown
from frl.analysis.uploads import longest_skips, runs_of, silent, upload_shares
from frl.report.tables.table import Column, Row, Table
from frl.scenario.scenario import Scenario
from frl.spec import SERVERS, RunSpec


def table(scenario: Scenario, frame: pd.DataFrame) -> Table:
    """Messages and bytes of a whole run, and what they were with trajectories; how much lazy agents uploaded."""
    whole = whole_runs(frame)
    uplink = all_curves(whole, UPLINK)
    names = shown(scenario, "communication")
    rows: list[Row] = []
    for cell in scenario.cells():
        spec, (environment, method, n) = scenario.arm(*cell), cell
        row: Row = {"environment": environment, "method": display_name(names.get(method, method)), "n_agents": n}
        row |= {"agents": "unequal" if spec.heterogeneity.any else "equal", "seeds": 0, "diverged": 0}
        if one := uplink.get(cell):
            row |= {"seeds": len(one.runs), "diverged": int(one.diverged.sum())}
            row |= _of_whole_runs(whole, cell)
        if SERVERS[spec.algorithm].lazy:
            row |= _of_rounds(frame, cell, getattr(spec.server, "window", 0))
        rows.append(row)
    columns = _columns(rows)
    keys = {column.key for column in columns}
    note = _NOTE + _NOTE_LAZY * ("longest_skip" in keys)
    return Table("communication", "Messages and bytes of whole runs", note, columns, rows)


def _of_whole_runs(frame: pd.DataFrame, cell: Cell) -> Row:
    """Means over seeds of what whole runs of the cell sent."""
    ends = pd.DataFrame([rows.sort_values("point", kind="stable").iloc[-1] for rows in runs_of(frame, cell).values()])
    keys = ("uploads", "uplink_bytes", "downlink_bytes", "trajectory_bytes")
    row: Row = {key: float(ends[key].mean()) for key in keys}
    row["total_bytes"] = float((ends["uplink_bytes"] + ends["downlink_bytes"]).mean())
    row["bytes_per_upload"] = float(ends["uplink_bytes"].sum() / max(ends["uploads"].sum(), 1))
    return row


def _of_rounds(frame: pd.DataFrame, cell: Cell, forced: int) -> Row:
    """What a lazy method's agents kept to themselves; nothing where no seed has finished a round."""
    shares = [share for share in upload_shares(frame, cell) if not np.isnan(share)]
    if not shares:
        return {}
    skips = [skip for skip in longest_skips(frame, cell) if not np.isnan(skip)]
    return {
        "upload_share": float(np.mean(shares)), "longest_skip": max(skips), "silent": silent(frame, cell, forced),
    }  # fmt: skip


def _columns(rows: list[Row]) -> tuple[Column, ...]:
    """Those for methods that can skip only where there are such, and those of whole runs only where there is one."""
    columns = (
        Column("environment", "environment"),
        Column("agents", "agents"),
        Column("method", "method", "name"),
        Column("n_agents", "N", "count"),
        Column("uploads", "uploads", "count"),
        Column("upload_share", "of all answers", "share"),
        Column("longest_skip", "longest skip (rounds)", "count"),
        Column("silent", "agents silent after the forced rounds"),
        Column("bytes_per_upload", "per upload", "bytes"),
        Column("uplink_bytes", "uplink", "bytes"),
        Column("downlink_bytes", "downlink", "bytes"),
        Column("total_bytes", "both", "bytes"),
        Column("trajectory_bytes", "uplink if trajectories were sent", "bytes"),
        Column("seeds", "seeds", "count"),
        Column("diverged", "diverged", "count"),
    )
    idle = {key for key in ("upload_share", "longest_skip", "silent") if all(row.get(key) is None for row in rows)}
    if not any(row["seeds"] for row in rows):
        idle |= {"uploads", "bytes_per_upload", "uplink_bytes", "downlink_bytes", "total_bytes", "trajectory_bytes"}
        idle |= {"seeds", "diverged"}
    idle |= {"agents"} if all(row["agents"] == "equal" for row in rows) else set()
    return tuple(column for column in columns if column.key not in idle)


_NOTE = (
    "All agents together in whole runs, mean over seeds; the bytes of runs that are set to stop at a return are left "
    "out. 1 MB is 10^6 bytes. If trajectories were sent: observations, actions and rewards instead of gradients."
)
_NOTE_LAZY = (
    " A skipped upload costs one byte if it would hold only a gradient. The longest skip is the longest of all "
    "agents and seeds; one that lasts to the end of the run counts too. Silent: agents of all seeds that never "
    "upload after the first D rounds, in which they must."
)


def privacy(scenario: Scenario) -> pd.DataFrame:
    """What leaves an agent in each algorithm and what never does, in words; those that are alike share a row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for spec in (scenario.arm(*cell) for cell in scenario.cells()):
        names = rows.setdefault((_leaves(spec), _stays(spec)), [])
        names += [display_name(spec.algorithm)] if display_name(spec.algorithm) not in names else []
    data = [
        {"algorithm": ", ".join(names), "leaves the agent": a, "never leaves it": b} for (a, b), names in rows.items()
    ]
    return pd.DataFrame(data)


def _leaves(spec: RunSpec) -> str:
    lazy = SERVERS[spec.algorithm].lazy
    what = ["change of the policy gradient since its last upload, or none" if lazy else "policy gradient"]
    if spec.normalizer.mode == "federated":
        until = spec.normalizer.freeze_after_steps
        what.append(f"count, sum and sum of squares of new observations{f' (first {until:,} steps)' if until else ''}")
    return "; ".join(what)


def _stays(spec: RunSpec) -> str:
    what = ["its environment", "observations, actions, rewards, trajectories"]
    what += ["critic"] if spec.critic.mode != "none" else []
    what += ["observation statistics"] if spec.normalizer.mode == "local" else []
    what += ["noise of its gradient"] if hasattr(spec.server, "variance_multiplier") else []
    return "; ".join(what)
