"""Communication: who uploaded when, what a run's messages cost, and what leaves an agent at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from frl.analysis.complexity import mean_crossing, ratio
from frl.analysis.curves import UPLINK, UPLOADS, Cell, Curves, all_curves, rows_of
from frl.analysis.panels import shown
from frl.analysis.style import display_name
from frl.analysis.table import Column, Row, Table
from frl.scenario import FigureName, Scenario
from frl.spec import SERVERS, HeterogeneitySpec, RunSpec

EQUAL, UNEQUAL = "equal", "unequal"


@dataclass(frozen=True)
class Group:
    """Runs to compare with each other: one environment, whose agents meet it in equal or unequal variants."""

    environment: str
    heterogeneity: HeterogeneitySpec

    @property
    def agents(self) -> str:
        """Whether the agents' environments are equal, in a word."""
        return UNEQUAL if self.heterogeneity.any else EQUAL

    def title(self, scenario: Scenario) -> str:
        """As a figure calls it, e.g. "Hopper-v4, unequal agents"."""
        method = scenario.methods[0]
        spec = scenario.resolve(self.environment, method.key, method.n_agents[0], scenario.seeds[0])
        return f"{self.environment}-{spec.env_version}, {self.agents} agents"


def groups(scenario: Scenario, figure: FigureName) -> dict[Group, list[Cell]]:
    """The cells of the figure's methods by what they can be compared in, in the figure's order of methods."""
    found: dict[Group, list[Cell]] = {}
    for environment in scenario.environments:
        for key in shown(scenario, figure):
            for n in sorted(n for m in scenario.methods if m.key == key for n in m.n_agents):
                spec = scenario.resolve(environment, key, n, scenario.seeds[0])
                found.setdefault(Group(environment, spec.heterogeneity), []).append((environment, key, n))
    return dict(sorted(found.items(), key=lambda item: scenario.environments.index(item[0].environment)))


def by_n_agents(found: dict[Group, list[Cell]]) -> dict[tuple[Group, int], list[Cell]]:
    """The same cells apart by N as well, ascending within a group."""
    return {
        (group, n): [cell for cell in cells if cell[2] == n]
        for group, cells in found.items()
        for n in sorted({cell[2] for cell in cells})
    }


def baseline(scenario: Scenario, cell: Cell) -> Cell | None:
    """What a cell is compared with: the first method of the communication figure in its group, with its N."""
    own = Group(cell[0], scenario.resolve(*cell, scenario.seeds[0]).heterogeneity)
    cells = groups(scenario, "communication").get(own, [])
    return next((other for other in cells if other[1] == cells[0][1] and other[2] == cell[2]), None)


# --------------------------------------------------------------------------------------------------
# Who uploaded when


def answers(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Who uploaded in each complete round of one run of a lazy method: (N, R).

    Args:
        rows: the run's rows; their column `uploaded` is described in :mod:`frl.training.recorder`.
    """
    words = [str(text).split("/") for text in rows.sort_values("point", kind="stable")["uploaded"].dropna()]
    marks = ["".join(own) for own in zip(*words, strict=True)]
    rounds = min(map(len, marks))  # a run may end before the last agents of a round have answered
    return np.array([[mark == "1" for mark in own[:rounds]] for own in marks], dtype=bool)


def longest_skip(uploaded_NR: NDArray[np.bool_]) -> int:
    """The most rounds in a row in which one agent uploaded nothing."""
    longest = current = np.zeros(len(uploaded_NR), dtype=np.int64)
    for uploaded_N in uploaded_NR.T:
        current = np.where(uploaded_N, 0, current + 1)
        longest = np.maximum(longest, current)
    return int(longest.max())


def runs_of(frame: pd.DataFrame, cell: Cell) -> dict[int, pd.DataFrame]:
    """The rows of each seed of a cell."""
    return {int(str(seed)): rows for seed, rows in rows_of(frame, cell).groupby("seed", sort=True)}


def upload_shares(frame: pd.DataFrame, cell: Cell) -> list[float]:
    """For each seed of a lazy method's cell the share of all answers that were uploaded; nan before the first."""
    each = [answers(rows) for rows in runs_of(frame, cell).values()]
    return [float(one.mean()) if one.size else float("nan") for one in each]


def longest_skips(frame: pd.DataFrame, cell: Cell) -> list[int]:
    """For each seed of a lazy method's cell its longest skip, in rounds."""
    return [longest_skip(answers(rows)) for rows in runs_of(frame, cell).values()]


def silent(frame: pd.DataFrame, cell: Cell, forced: int) -> str:
    """How many agents of all seeds of a lazy method's cell never uploaded after the first `forced` rounds, in words."""
    later = [answers(rows)[:, forced:] for rows in runs_of(frame, cell).values()]
    return f"{sum(int((~one.any(axis=1)).sum()) for one in later)} of {sum(len(one) for one in later)}"


# --------------------------------------------------------------------------------------------------
# Tables


def table(scenario: Scenario, frame: pd.DataFrame) -> Table:
    """Messages and bytes of a whole run, what they were with trajectories, and uploads to the threshold."""
    uplink, uploads = all_curves(frame, UPLINK), all_curves(frame, UPLOADS)
    names = shown(scenario, "communication")
    rows: list[Row] = []
    for environment in scenario.environments:
        for method, n in [(m.key, n) for m in scenario.methods for n in m.n_agents]:
            cell = (environment, method, n)
            spec = scenario.resolve(*cell, scenario.seeds[0])
            row: Row = {"environment": environment, "method": display_name(names.get(method, method)), "n_agents": n}
            row |= {"agents": Group(environment, spec.heterogeneity).agents, "seeds": 0, "diverged": 0}
            if one := uplink.get(cell):
                row |= {"seeds": len(one.runs), "diverged": int(one.diverged.sum())}
                row |= _of_whole_runs(frame, cell)
                if SERVERS[spec.algorithm].lazy:
                    row["upload_share"] = float(np.nanmean(upload_shares(frame, cell)))
                    row["longest_skip"] = max(longest_skips(frame, cell))
                    row["silent"] = silent(frame, cell, getattr(spec.server, "window", 0))
                level = scenario.threshold(environment)
                row["uploads_to_threshold"] = mean_crossing(uploads[cell], level)
                row["uplink_to_threshold"] = mean_crossing(one, level)
                other = uplink.get(baseline(scenario, cell) or cell)
                if method in names and other and other is not one:
                    row["saving"] = ratio(other, one, level)
            rows.append(row)
    columns = _columns(rows)
    keys = {column.key for column in columns}
    note = _NOTE + _NOTE_LAZY * ("longest_skip" in keys) + _NOTE_BASELINE * ("saving" in keys)
    return Table("communication", "Whole runs, and until the return reaches the threshold", note, columns, rows)


def _of_whole_runs(frame: pd.DataFrame, cell: Cell) -> Row:
    """Means over seeds of what whole runs of the cell sent."""
    ends = pd.DataFrame([rows.sort_values("point", kind="stable").iloc[-1] for rows in runs_of(frame, cell).values()])
    keys = ("uploads", "uplink_bytes", "downlink_bytes", "trajectory_bytes")
    row: Row = {key: float(ends[key].mean()) for key in keys}
    row["total_bytes"] = float((ends["uplink_bytes"] + ends["downlink_bytes"]).mean())
    row["bytes_per_upload"] = float(ends["uplink_bytes"].sum() / max(ends["uploads"].sum(), 1))
    return row


def _columns(rows: list[Row]) -> tuple[Column, ...]:
    """Those for methods that can skip, and those for a baseline, only where there are such."""
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
        Column("uploads_to_threshold", "uploads to the threshold", "count", quantity=True),
        Column("uplink_to_threshold", "uplink to the threshold", "bytes", quantity=True),
        Column("saving", "uplink of the baseline over its own, to the threshold", "ratio", quantity=True),
        Column("seeds", "seeds", "count"),
        Column("diverged", "diverged", "count"),
    )
    idle = {
        key for key in ("upload_share", "longest_skip", "silent", "saving") if all(row.get(key) is None for row in rows)
    }
    idle |= {"agents"} if all(row["agents"] == EQUAL for row in rows) else set()
    return tuple(column for column in columns if column.key not in idle)


_NOTE = (
    "Whole runs, all agents together, mean over seeds; 1 MB is 10^6 bytes. If trajectories were sent: observations, "
    "actions and rewards instead of gradients. To the threshold: sent by all agents when the mean return first reaches "
    "the scenario's threshold; a run that has spent its budget of steps holds its last return. '> x' or '< x' is a "
    "bound. In brackets: 95 % interval from resampling seeds."
)
_NOTE_LAZY = (
    " An answer that an agent keeps to itself costs one byte, if nothing but a gradient would travel. The longest skip "
    "is the largest of all agents and seeds, and counts to the end of the run. Silent: agents of all seeds that never "
    "upload after the first D rounds, in which they have to."
)
_NOTE_BASELINE = " The baseline is the first method of the figure."


def privacy(scenario: Scenario) -> pd.DataFrame:
    """What leaves an agent in each algorithm and what never does, in words; those that are alike share a row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for method in scenario.methods:
        spec = scenario.resolve(scenario.environments[0], method.key, method.n_agents[0], scenario.seeds[0])
        names = rows.setdefault((_leaves(spec), _stays(spec)), [])
        names += [display_name(method.algorithm)] if display_name(method.algorithm) not in names else []
    data = [
        {"algorithm": ", ".join(names), "leaves the agent": a, "never leaves it": b} for (a, b), names in rows.items()
    ]
    return pd.DataFrame(data)


def _leaves(spec: RunSpec) -> str:
    lazy = SERVERS[spec.algorithm].lazy
    what = ["change of the policy gradient since its last upload, or none" if lazy else "policy gradient"]
    critic = {"average": ["change of the critic"], "delta": ["change of the critic"], "gradients": ["critic gradients"]}
    what += critic.get(spec.critic.mode, [])
    if spec.normalizer.mode == "federated":
        until = spec.normalizer.freeze_after_steps
        what.append(f"count, sum and sum of squares of new observations{f' (first {until:,} steps)' if until else ''}")
    return "; ".join(what)


def _stays(spec: RunSpec) -> str:
    what = ["its environment", "observations, actions, rewards, trajectories"]
    what += ["critic"] if spec.critic.mode == "local" else []
    what += ["observation statistics"] if spec.normalizer.mode == "local" else []
    what += ["noise of its gradient"] if hasattr(spec.server, "variance_multiplier") else []
    return "; ".join(what)


def curves_of(frame: pd.DataFrame, cells: list[Cell], axis: str) -> list[Curves]:
    """The cells' curves against an axis, without those that have no run."""
    curves = all_curves(frame, axis)
    return [curves[cell] for cell in cells if cell in curves]
