"""What each panel measures: cells and their curves in, rows of estimates out, one number with its interval a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from frl.analysis.waiting import momentum_share, round_seconds, task_seconds, waiting_gain
from frl.scenario.theory import TheoryScenario
from frl.spec import SERVERS
from frl.theory.cells.problems import Array
from frl.theory.cells.spec import identity
from frl.theory.estimates import fitted_slope, knee, weights
from frl.theory.measured import Measured, Row, Runs, groups
from frl.theory.messages import bandwidth, compression, natural

COLUMNS = (
    *("panel", "quantity", "problem", "gradient", "algorithm", "schedule", "step_size", "momentum", "n_agents"),
    *("slowest", "epsilon", "value", "low", "high", "relation", "theory", "seeds"),
)
LINEAR_AGENTS = (1, 2, 4, 8)
"""The N over which the per-agent exponent is fitted: fixed beforehand, so that no knee decides what lies below it."""
SLOPE_DECADES = 1.5
"""The last decades of K over which the rate is fitted."""


@dataclass(frozen=True)
class Knee:
    """Where more agents begin to cost updates, at one epsilon and one setting."""

    epsilon: float
    measured: Measured
    """The cell of one agent."""
    largest: int
    """The largest N that was run."""
    updates_of_one: float
    knee_R: Array


def estimates(scenario: TheoryScenario, runs: Runs) -> list[Row]:
    """Every estimate of the scenario; none of a panel's problem of which a cell is missing."""
    of = {"rates": rates, "speedup": speedup, "sampled": speedup, "time": waiting, "lookahead": lookahead, "best": best,
          "adversaries": adversaries, "rennala": rennala,
          "compression": compression, "bandwidth": bandwidth, "natural": natural}  # fmt: skip
    rows: list[Row] = []
    for panel in scenario.panels:
        cells = [cell for cell in runs if cell.panel == panel]
        gone = {cell.problem for cell in scenario.runs() if cell.panel == panel and cell not in runs}
        for problem in (one for one in dict.fromkeys(cell.problem for cell in cells) if one not in gone):
            measured = [Measured(cell, runs[cell]) for cell in cells if cell.problem == problem]
            if panel in of:
                rows += of[panel](measured, scenario.targets[problem])
    return rows


def rates(measured: list[Measured], targets: tuple[float, ...]) -> list[Row]:
    """Panel (i): for each N the fitted slope and the last gap over that of one agent; and all of panel (ii)."""
    rows = []
    for group in groups(measured, "n_agents", "updates"):
        one = min(group, key=lambda m: m.cell.n_agents)
        for m in group:
            late_P = m.curves.uploads_P >= m.curves.uploads_P[-1] / 10**SLOPE_DECADES
            slope_R = fitted_slope(np.log(m.curves.uploads_P[late_P]), np.log(m.mean_RP[:, late_P]))
            rows.append(m.row("rate", -slope_R, theory=0.4))
            if m is not one:
                rows.append(m.row("gap_ratio", m.mean_RP[:, -1] / one.mean_RP[:, -1], theory=1.0))
    return rows + speedup(measured, targets)


def speedup(measured: list[Measured], targets: tuple[float, ...]) -> list[Row]:
    """Panel (ii): K_epsilon(N) / K_epsilon(1), exponent, knee, and how the knee moves with epsilon and step size."""
    rows: list[Row] = []
    knees: list[Knee] = []
    for group in groups(measured, "n_agents", "updates"):
        group.sort(key=lambda m: m.cell.n_agents)
        for epsilon in targets:
            updates_NR = np.array([m.updates_to(epsilon) for m in group])
            pairs = zip(group, updates_NR, strict=True)
            rows += [m.row("updates", k_R, m.cell.updates, epsilon=epsilon) for m, k_R in pairs]
            if np.isfinite(updates_NR[0]).all():  # else one agent does not get there
                rows += _against_one(group, updates_NR, epsilon)
                knee_R = knee([m.cell.n_agents for m in group], (updates_NR / updates_NR[0]).T)
                rows.append(group[0].row("knee", knee_R, group[-1].cell.n_agents, epsilon=epsilon))
                knees.append(Knee(epsilon, group[0], group[-1].cell.n_agents, updates_NR[0, 0], knee_R))
        own = [one for one in knees if one.measured is group[0]]
        rows += _slope("knee_exponent", own, [one.epsilon for one in own])
    return rows + _at_best(knees)


def _against_one(group: list[Measured], updates_NR: Array, epsilon: float) -> list[Row]:
    """Ratios to one agent, and the exponent b of K_epsilon / N ~ N^-b over `LINEAR_AGENTS`."""
    rows, one_R = [], updates_NR[0]
    for m, updates_R in zip(group[1:], updates_NR[1:], strict=True):
        censored_at = m.cell.updates / one_R[0]
        rows.append(m.row("updates_ratio", updates_R / one_R, censored_at, epsilon=epsilon, theory=1.0))
    few = [i for i, m in enumerate(group) if m.cell.n_agents in LINEAR_AGENTS]
    n = np.array([group[i].cell.n_agents for i in few], dtype=np.float64)
    if len(few) == len(LINEAR_AGENTS) and np.isfinite(updates_NR[few]).all():
        slope_R = fitted_slope(np.log(n), np.log(updates_NR[few].T / n))
        rows.append(group[0].row("per_agent_exponent", -slope_R, epsilon=epsilon, theory=1.0))
    return rows


def _slope(name: str, knees: list[Knee], against: list[float], **columns: Any) -> list[Row]:
    """Slope of log knee against the logarithm of something, where every resample has a knee; of three or more."""
    seen = [(x, one) for x, one in zip(against, knees, strict=True) if np.isfinite(one.knee_R).all()]
    if len(seen) < 3:
        return []
    log_knee_RX = np.log(np.array([one.knee_R for _, one in seen]).T)
    slope_R = fitted_slope(np.log([x for x, _ in seen]), log_knee_RX)
    return [seen[0][1].measured.row(name, slope_R, **columns)]


def _at_best(knees: list[Knee]) -> list[Row]:
    """How the knee moves with the step size; and where it is with the step size at which one agent is fastest."""
    rows, chosen = [], []
    for epsilon in sorted({one.epsilon for one in knees}, reverse=True):
        here = [one for one in knees if one.epsilon == epsilon]
        steps = [one.measured.cell.step_size for one in here]
        rows += _slope("knee_against_step", here, steps, epsilon=epsilon, step_size=None, theory=-1.0)
        chosen.append(min(here, key=lambda one: one.updates_of_one))
        rows.append(chosen[-1].measured.row("knee_at_best", chosen[-1].knee_R, chosen[-1].largest, epsilon=epsilon))
    if len({one.measured.cell.step_size for one in knees}) > 1:
        rows += _slope("knee_exponent_at_best", chosen, [one.epsilon for one in chosen], step_size=None)
    return rows


def waiting(measured: list[Measured], targets: tuple[float, ...]) -> list[Row]:
    """Panel (iii): time against the closed forms, for each ratio of slowest to fastest."""
    rows: list[Row] = []
    by = {(m.cell.algorithm, float(identity(m.cell)["slowest"])): m for m in measured}  # type: ignore[arg-type]
    equal = {algorithm: by[algorithm, 1.0] for algorithm in ("afedpg", "fedpg")}
    for slowest in sorted({ratio for _, ratio in by}):
        swift, waits = by["afedpg", slowest], by["fedpg", slowest]
        run_spec = swift.cell.run_spec(0)
        rate = float((1 / task_seconds(run_spec)).sum())
        gain = waiting_gain(run_spec)
        for epsilon in targets:
            k_R, t_R = swift.updates_to(epsilon), swift.seconds_to(epsilon)
            rounds_R, waited_R = waits.updates_to(epsilon) / waits.cell.n_agents, waits.seconds_to(epsilon)
            if not (np.isfinite(k_R).all() and np.isfinite(rounds_R).all()):
                continue
            rows.append(swift.row("time_per_update", t_R * rate / k_R, epsilon=epsilon, theory=1.0))
            round_s = round_seconds(run_spec)
            rows.append(waits.row("time_per_round", waited_R / round_s / rounds_R, epsilon=epsilon, theory=1.0))
            ratio_R = waited_R / t_R
            rows.append(swift.row("time_ratio", ratio_R, epsilon=epsilon, theory=gain))
            if slowest > 1:
                at_equal_R = equal["fedpg"].seconds_to(epsilon) / equal["afedpg"].seconds_to(epsilon)
                rows.append(swift.row("waiting_gain", ratio_R / at_equal_R / gain, epsilon=epsilon, theory=1.0))
                slowed_R = k_R / equal["afedpg"].updates_to(epsilon)
                rows.append(swift.row("updates_ratio", slowed_R, epsilon=epsilon, theory=1.0))
    return rows


def lookahead(measured: list[Measured], targets: tuple[float, ...]) -> list[Row]:
    """Panel (iv), equal settings: gap averaged over the updates, Vanilla's over AFedPG's. Above 1: it pays."""
    del targets
    rows = []
    for group in groups(measured, "algorithm"):
        by = {m.cell.algorithm: m for m in group}
        share = momentum_share(by["afedpg"].cell.momentum, by["afedpg"].cell.n_agents)
        ratio_R = averaged(by["async_pg"]) / averaged(by["afedpg"])
        rows.append(by["afedpg"].row("average_gap_ratio", ratio_R, theory=share))
        last_R = by["async_pg"].mean_RP[:, -1] / by["afedpg"].mean_RP[:, -1]
        rows.append(by["afedpg"].row("final_gap_ratio", last_R))
    return rows


def averaged(m: Measured) -> Array:
    """Mean gap averaged over the updates, (R,)."""
    return np.asarray(np.trapezoid(m.mean_RP, m.curves.uploads_P, axis=1) / m.curves.uploads_P[-1])


def best(measured: list[Measured], targets: tuple[float, ...]) -> list[Row]:
    """Panel (iv), each at its best setting of the tuning: updates to epsilon, Vanilla's over AFedPG's."""
    rows = []
    for group in groups(measured, "algorithm", "step_size", "momentum"):
        by = {m.cell.algorithm: m for m in group}
        swift, vanilla = by["afedpg"], by["async_pg"]
        for epsilon in targets:
            with_R, without_R = swift.updates_to(epsilon), vanilla.updates_to(epsilon)
            if np.isfinite(with_R).all():
                censored_at = vanilla.cell.updates / with_R[0]
                rows.append(swift.row("best_updates_ratio", without_R / with_R, censored_at, epsilon=epsilon))
    return rows


def adversaries(measured: list[Measured], targets: tuple[float, ...]) -> list[Row]:
    """Of each attack and defence: updates to epsilon over those without either, and the share of seeds that get there.

    What the server waits for is compared with FedPG, what it does not wait for with AFedPG.
    """
    rows: list[Row] = []
    for waits in (False, True):
        mode = [m for m in measured if SERVERS[m.cell.algorithm].synchronous == waits]
        clean = [m for m in mode if m.cell.algorithm in ("afedpg", "fedpg") and m.cell.adversary is None]
        for m, epsilon in ((m, epsilon) for m in mode for epsilon in targets if clean):
            own = {"attack": "none", "defence": "none"} | identity(m.cell)
            best_R, updates_R = clean[0].updates_to(epsilon), m.updates_to(epsilon)
            there_S = (m.curves.gap_SP <= epsilon * m.curves.gap_SP[:, :1]).any(axis=1)
            rows.append(own | m.row("share_of_seeds", weights(m.seeds) @ there_S, epsilon=epsilon))
            if np.isfinite(best_R).all():
                censored_at = m.cell.updates / best_R[0]
                rows.append(own | m.row("attacked_updates_ratio", updates_R / best_R, censored_at, epsilon=epsilon))
    return rows


def rennala(measured: list[Measured], targets: tuple[float, ...]) -> list[Row]:
    """AFedPG over Rennala NIGT, each at its best setting of the tuning: time to epsilon, and gradients."""
    rows = []
    for group in groups(measured, "algorithm", "step_size", "momentum", "defence"):
        by = {m.cell.algorithm: m for m in group}
        swift, rounds = by["afedpg"], by["rennala"]
        for epsilon in targets:
            for name, with_R, last, without_R in (
                (
                    "rennala_time_ratio",
                    rounds.seconds_to(epsilon),
                    swift.curves.time_SP[0, -1],
                    swift.seconds_to(epsilon),
                ),
                ("rennala_updates_ratio", rounds.updates_to(epsilon), swift.cell.updates, swift.updates_to(epsilon)),
            ):
                if np.isfinite(with_R).all():
                    rows.append(rounds.row(name, without_R / with_R, last / with_R[0], epsilon=epsilon))
    return rows
