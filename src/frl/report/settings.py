"""Where a report's numbers come from: resolved settings, versions, machines, digests."""

from __future__ import annotations

from typing import Any

import pandas as pd

from frl.analysis.names import display_name
from frl.scenario.grid import Cell, span
from frl.scenario.scenario import Scenario

_IDENTITY = {"environment", "n_agents", "seed"}
_VERSIONS = (
    "versions_frl",
    "versions_python",
    "versions_numpy",
    "versions_torch",
    "versions_mujoco",
    "versions_gymnasium",
)


def flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as dotted keys and printed values."""
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = "–" if value is None else str(value)
    return flat


def settings(scenario: Scenario) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every resolved setting: those that all runs share, and those that differ.

    Returns:
        two tables with a row for each setting: the first with its one value, the second with a column for each group
        of runs that have all settings in common. A dash is a setting that a method does not have, or has empty. The
        algorithm is listed where the methods have names of their own.
    """
    named = any(m.key != m.algorithm for m in scenario.methods)
    identity = _IDENTITY if named else _IDENTITY | {"algorithm"}
    cells: dict[Cell, dict[str, str]] = {}
    for cell in scenario.cells():
        own = flatten(scenario.arm(*cell).model_dump(mode="json", exclude=identity))
        cells[cell] = {"seeds": span(scenario.seeds_of(*cell)), **own, "stop_at": _stops(scenario, cell)}
    names = list(dict.fromkeys(name for values in cells.values() for name in values))
    first = next(iter(cells.values()))
    same = [name for name in names if all(values.get(name) == first.get(name) for values in cells.values())]
    shared = pd.DataFrame([(name, first[name]) for name in same], columns=["setting", "value"])
    differ = [name for name in names if name not in same]
    columns = {"setting": differ}
    for title, values in _groups(scenario, cells).items():
        columns[title] = [values.get(name, "–") for name in differ]
    return shared, pd.DataFrame(columns)


def _stops(scenario: Scenario, cell: Cell) -> str:
    """Where the runs of an arm stop, which may not be the same for all seeds."""
    seeds: dict[str, list[int]] = {}
    for seed in scenario.seeds_of(*cell):
        stop = scenario.resolve(*cell, seed).stop_at
        seeds.setdefault("–" if stop is None else str(stop), []).append(seed)
    if len(seeds) == 1:
        return next(iter(seeds))
    return "; ".join(f"{stop} (seeds {span(some)})" for stop, some in seeds.items())


def _groups(scenario: Scenario, cells: dict[Cell, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Cells of one environment and method with equal settings become one column, titled by its values of N."""
    counts: dict[tuple[str, str, str], list[int]] = {}
    for (environment, method, n_agents), values in cells.items():
        counts.setdefault((environment, method, str(values)), []).append(n_agents)
    titled = {}
    for (environment, method, _), agents in counts.items():
        where = f"{environment}, " if len(scenario.environments) > 1 else ""
        title = f"{where}{display_name(method)}, N = {', '.join(map(str, agents))}"
        titled[title] = cells[environment, method, agents[0]]
    return titled


def machines(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs, time and memory by processor (with its vector instructions, on which bytes depend) and platform."""
    groups = runs.groupby(["cpu", "cpu_capability", "platform"], dropna=False)
    data = [
        {
            "processor": cpu,
            "instructions": capability,
            "platform": platform,
            "runs": len(group),
            "wall time (min)": f"{group['wall_time_s'].sum() / 60:.1f}",
            "CPU time (min)": f"{group['cpu_time_s'].sum() / 60:.1f}",
            "peak memory (MB)": f"{group['peak_memory_mb'].max():.0f}",
            "environment steps": f"{group['env_steps_total'].sum():,}",
            "evaluation steps": f"{group['eval_steps'].sum():,}",
        }
        for (cpu, capability, platform), group in groups
    ]
    return pd.DataFrame(data)


def versions(runs: pd.DataFrame) -> pd.DataFrame:
    """Every version and commit that made a run, and how many runs it made."""
    data = []
    for column in (*_VERSIONS, "git_commit", "git_dirty", "numerics_version", "code_digest"):
        for value, count in runs[column].astype("str").value_counts(sort=False).sort_index().items():
            data.append((column.removeprefix("versions_").replace("_", " "), value, count))
    return pd.DataFrame(data, columns=["what", "version", "runs"])


def digests(runs: pd.DataFrame) -> pd.DataFrame:
    """The digest of settings and code of every run: equal digests mean equal CSV files on one machine."""
    table = runs[["environment", "method", "n_agents", "seed", "status", "digest"]]
    return table.rename(columns={"n_agents": "N"})
