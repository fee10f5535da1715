"""What each panel shows, in a sentence of numbers: the titles of the report."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from frl.theory.estimates import KNEE
from frl.theory.panels import LINEAR_AGENTS


def finding(estimates: pd.DataFrame, panel: str) -> str:
    """The panel's finding; empty if nothing was estimated of it.

    Args:
        estimates: the collected estimates.
        panel: by its name in the scenario.
    """
    rows = estimates[(estimates["panel"] == panel) & (estimates["relation"] == "=")]
    return _FINDINGS[panel](estimates, rows) if len(rows) else ""


def _range(rows: pd.DataFrame, quantity: str, form: str = ".2f") -> str:
    """From the smallest to the largest estimate; empty if there is none."""
    values = rows.loc[rows["quantity"] == quantity, "value"]
    if values.empty:
        return ""
    low, high = (format(value, form) for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _rates(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    del estimates
    agents = int(rows["n_agents"].max())
    said = f"With 1 to {agents} agents the gap falls as K to the power of minus {_range(rows, 'rate')}"
    ratio = _range(rows, "gap_ratio")
    return f"{said}; at the end it is {ratio} times that of one agent" if ratio else said


def _speedup(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    del estimates
    said = []
    if exponent := _range(rows, "per_agent_exponent"):
        said.append(f"Gradients per agent fall as N to the power of minus {exponent} up to N = {max(LINEAR_AGENTS)}")
    if knee := _range(rows, "knee", ".0f"):
        said.append(f"more than {knee} agents, by step and ε, need {KNEE:g} times the gradients of one")
    return "; ".join(said) or "One agent does not get to any ε"


def _sampled(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    said = _speedup(estimates, rows)
    return f"With sampled trajectories: {said[0].lower()}{said[1:]}"


def _time(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    del estimates
    forms = rows["quantity"].isin(["time_per_update", "time_per_round"])
    both = _range(rows[forms].assign(quantity="both"), "both")
    if not both:
        return "One of the two methods does not get to any ε"
    slowest = rows["slowest"].max()
    ratio = _range(rows[rows["slowest"] == slowest], "time_ratio")
    return (
        f"Times are {both} times the closed forms; one agent {slowest:g} times slower makes FedPG {ratio} times slower"
    )


def _lookahead(estimates: pd.DataFrame, rows: pd.DataFrame) -> str:
    said = f"Without the lookahead the gap is {_range(rows, 'average_gap_ratio')} times as large at equal settings"
    at_best = estimates[(estimates["panel"] == "best") & (estimates["relation"] == "=")]
    best = _range(at_best, "best_updates_ratio")
    return f"{said}; with each at its best, it needs {best} times the gradients" if best else said


_FINDINGS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], str]] = {
    "rates": _rates,
    "speedup": _speedup,
    "time": _time,
    "lookahead": _lookahead,
    "sampled": _sampled,
}
