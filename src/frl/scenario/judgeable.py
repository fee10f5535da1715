"""What a claim must not ask of a scenario: a method beside itself, a comparison twice, a re-timing that is none."""

from __future__ import annotations

from frl.scenario.claim_base import ClaimBase, Need
from frl.spec import ENVIRONMENTS, SERVERS, RunSpec

RE_TIMED = {"fleets": "slower"}
"""Tests that re-time a method's runs for another fleet, and the claim's key that names the method."""

Cells = dict[tuple[str, int], RunSpec]
"""The settings that a scenario has in one environment, by method and N."""


def problem(claim: ClaimBase, test: str, cells: Cells) -> str:
    """Why the claim cannot be judged, in one sentence; empty if it can, or if no run that it needs is there.

    Args:
        claim: the claim.
        test: its test.
        cells: what the scenario has in the claim's environment, with the lowest return at which runs stop.
    """
    if claim.environment not in ENVIRONMENTS:
        return f"environment = {claim.environment!r}: allowed are {', '.join(ENVIRONMENTS)}"
    compared: set[tuple[bool, tuple[str, ...]]] = set()
    for part in claim.parts():
        runs = [_run(need, cells) for need in part.needs]
        for i, run in enumerate(runs):
            if (first := runs.index(run)) < i:
                pair = " and ".join(dict.fromkeys(_name(part.needs[j], cells) for j in (first, i)))
                alike = "are the same runs" if " and " in pair else "is compared with itself"
                return f"{part.label}: {pair} {alike}"
        if (comparison := (part.joint, tuple(runs))) in compared:
            return f"{part.label}: listed twice"
        compared.add(comparison)
        for cell in filter(None, (_first(need, cells) for need in part.needs)):
            if (stop := cells[cell].stop_at) is not None and stop < claim.threshold:
                return f"threshold = {claim.threshold:g}: runs of {cell[0]} (N = {cell[1]}) stop at {stop:g} (stop_at)"
    return _re_timing(claim, test, cells) or _waiting(claim, cells)


def question(claim: ClaimBase, cells: Cells) -> tuple[object, ...]:
    """Equal for claims that ask the same of the same runs: two primary ones would enlarge their family."""
    needs = tuple(_run(need, cells) for part in claim.parts() for need in part.needs)
    return claim.environment, claim.family, getattr(claim, "per", ""), claim.threshold, needs


def _first(need: Need, cells: Cells) -> tuple[str, int] | None:
    """The cell that is meant: the first that the scenario has."""
    names, n_agents = need
    return next(((name, n_agents) for name in names if (name, n_agents) in cells), None)


def _run(need: Need, cells: Cells) -> str:
    """Equal for equal runs: the settings, or what is asked for if the scenario does not have it."""
    cell = _first(need, cells)
    return repr(need) if cell is None else cells[cell].model_copy(update={"stop_at": None}).to_json()


def _name(need: Need, cells: Cells) -> str:
    names, n_agents = _first(need, cells) or (", ".join(need[0]), need[1])
    return f"{names} (N = {n_agents})"


def _waiting(claim: ClaimBase, cells: Cells) -> str:
    """What not waiting gives is a number only of a method that does not wait, against one that does."""
    for part in claim.parts():
        found = [_first(need, cells) for need in part.needs]
        if part.number == "waiting_gain" and None not in found:
            slower, faster = (SERVERS[cells[cell].algorithm].synchronous for cell in found if cell)
            if faster or not slower:
                needs = "a slower method that waits and a faster one that does not"
                return f"{part.label}: number = 'waiting_gain' needs {needs}"
    return ""


def _re_timing(claim: ClaimBase, test: str, cells: Cells) -> str:
    """Only where all agents answer in every round does nothing but the time depend on the fleet."""
    if (key := RE_TIMED.get(test)) is None:
        return ""
    able = [name for name, server in SERVERS.items() if server.synchronous and not server.lazy]
    names = getattr(claim, key)
    algorithms = {spec.algorithm for (name, _), spec in cells.items() if name in names}
    if unable := sorted(algorithms.difference(able)):
        return (
            f"{key} = {', '.join(names)}: runs of {unable[0]} cannot be re-timed for another fleet; "
            f"those of {', '.join(able)} can, whose server waits in every round for an upload of each agent"
        )
    return ""
