"""What each panel shows, in a sentence of numbers: the titles of the report."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from frl.spec import SERVERS
from frl.theory.panels import LINEAR_AGENTS


def finding(estimates: pd.DataFrame, panel: str) -> str:
    """The panel's finding; empty if nothing was estimated of it.

    Args:
        estimates: the collected estimates.
        panel: by its name in the scenario.
    """
    rows = estimates[(estimates["panel"] == panel) & (estimates["relation"] != "?")]
    return _FINDINGS[panel](estimates, rows) if len(rows) else ""


def _range(rows: pd.DataFrame, quantity: str, form: str = "{:.2f}") -> str:
    """From the smallest to the largest estimate, > before a lower bound; empty if there is none."""
    rows = rows[rows["quantity"] == quantity]
    if rows.empty:
        return ""
    ends = (rows.loc[rows["value"].idxmin()], rows.loc[rows["value"].idxmax()])
    low, high = (f"{'> ' * (end['relation'] == '>')}{form.format(end['value'])}" for end in ends)
    return low if low == high else f"{low} to {high}"


def _rates(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    del estimates
    said = f"Rates: the gap falls as {_range(rows, 'rate', 'K^−{:.2f}')} with 1 to {rows['n_agents'].max()} agents"
    ratio = _range(rows, "gap_ratio")
    return f"{said}; the last gap is {ratio} times that of one agent" if ratio else said


def _speedup(estimates: pd.DataFrame, rows: pd.DataFrame, name: str = "Speed-up") -> str:
    del estimates
    said = []
    if exponent := _range(rows, "per_agent_exponent", "N^−{:.2f}"):
        said.append(f"gradients per agent fall as {exponent} up to {max(LINEAR_AGENTS)} agents")
    if knee := _range(rows, "knee", "{:.0f}"):
        said.append(f"the knee is at {knee} agents, by step size and ε")
    return f"{name}: {'; '.join(said) or 'one agent does not get to any ε'}"


def _sampled(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    return _speedup(estimates, rows, "Sampled trajectories")


def _time(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    del estimates
    closed = rows["quantity"].isin(["time_per_update", "time_per_round"])
    forms = _range(rows[closed].assign(quantity="either"), "either")
    if not forms:
        return "Time: one of the two methods does not get to any ε"
    slowest = rows["slowest"].max()
    ratio = _range(rows[rows["slowest"] == slowest], "time_ratio", "{:.3g}")
    said = f"Time: {forms} times the closed forms"
    return f"{said}; with one agent {slowest:g} times slower FedPG takes {ratio} times as long as AFedPG"


def _lookahead(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    gap = _range(rows, "average_gap_ratio", "{:.3g}")
    said = f"Lookahead: without it the gap is {gap} times as large at equal settings"
    at_best = estimates[(estimates["panel"] == "best") & (estimates["relation"] != "?")]
    best = _range(at_best, "best_updates_ratio")
    return f"{said}; with each at its best the gradients needed are {best} times as many" if best else said


def _adversaries(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Each mode beside its own baseline, and all defences: to name the best would be to choose by the result."""
    del estimates
    target = rows["epsilon"].min()
    under = rows[(rows["quantity"] == "share_of_seeds") & (rows["epsilon"] == target) & (rows["attack"] != "none")]
    synchronous = {name: server.synchronous for name, server in SERVERS.items()}
    said = []
    for name, waits in (("AFedPG", False), ("FedPG", True)):
        mode = under[under["algorithm"].map(synchronous) == waits]
        shares = 100 * mode.groupby("defence")["value"].mean()
        alone, defended = shares[shares.index == "none"], shares[shares.index != "none"]
        parts = [f"{alone.iloc[0]:.0f} % of {name}'s seeds get to ε = {target:g}"] if len(alone) else []
        ends = dict.fromkeys(f"{end:.0f}" for end in (defended.min(), defended.max())) if len(defended) else {}
        parts += [f"with a defence {' to '.join(ends)} %"] if ends else []
        said += [", ".join(parts)] if parts else []
    return f"Adversaries: {'under attack ' * bool(said)}{'; '.join(said) or 'no seeds were counted'}"


def _rennala(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    del estimates
    times = rows[rows["quantity"] == "rennala_time_ratio"]
    free = _range(times[times["communication"].isna()], "rennala_time_ratio")
    said = f"Rennala NIGT: AFedPG takes {free} times as long" if free else "Rennala NIGT"
    priced = _range(times[times["communication"].notna()], "rennala_time_ratio")
    return f"{said}; where messages cost time too, {priced} times" if priced else said


def _compression(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Over all methods: to name the best would be to choose by the result."""
    del estimates
    target = rows["epsilon"].min()
    saved = rows[(rows["quantity"] == "bytes_saving") & (rows["epsilon"] == target) & (rows["method"] != "plain")]
    never = saved["method"][saved["value"] == 0]
    ratio = _range(saved[saved["value"] > 0], "bytes_saving", "{:.3g}")
    if not ratio:
        return f"Compression: no method but plain AFedPG gets to ε = {target:g}"
    said = f"Compression: to ε = {target:g} plain AFedPG sends {ratio} times the bytes of another method"
    return f"{said}; {', '.join(never)} never gets there" if len(never) else said


def _bandwidth(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Over all methods, as for bytes."""
    del estimates
    target, slowest = rows["epsilon"].min(), rows["bandwidth"].min()
    saved = rows[(rows["epsilon"] == target) & (rows["bandwidth"] == slowest) & (rows["method"] != "plain")]
    ratio = _range(saved, "time_saving", "{:.3g}")
    if not ratio:
        return f"Bandwidth: no method but plain AFedPG gets to ε = {target:g}"
    said = f"Bandwidth: at {slowest:,g} bytes a second plain AFedPG takes {ratio} times as long as another method"
    return f"{said} to ε = {target:g}"


def _natural(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    del estimates
    return f"Natural gradients: {_range(rows, 'natural_ratio')} times as many gradients as without"


_FINDINGS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], str]] = {
    "rates": _rates,
    "speedup": _speedup,
    "time": _time,
    "lookahead": _lookahead,
    "sampled": _sampled,
    "compression": _compression,
    "bandwidth": _bandwidth,
    "natural": _natural,
    "adversaries": _adversaries,
    "rennala": _rennala,
}
