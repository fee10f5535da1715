"""What readers call a method, and which methods a figure shows under which names."""

from __future__ import annotations

from frl.analysis.curves import STEPS, TIME
from frl.scenario.scenario import FigureName, Scenario

DISPLAY: dict[str, str] = {
    "afedpg": "AFedPG",
    "fedpg": "FedPG",
    "async_pg": "Vanilla",
    "a3c": "A3C-style",  # advantages are standardised and its critic is everyone's
    "lapg": "LAPG",
    "random_skip": "random skipping",
    "lazy_afedpg": "lazy AFedPG",
    "afednpg": "AFedNPG",
    "fednpg": "FedNPG",
    "rennala": "Rennala NIGT",
    "robust_afedpg": "robust AFedPG",
    "robust_fedpg": "robust FedPG",
}

FIGURE_OF: dict[str, FigureName] = {STEPS: "sample_complexity", TIME: "time_complexity"}
"""Ours and the poster's figure of an axis."""


def clock(scenario: Scenario) -> str:
    """What the scenario's axis of time shows, as in :func:`time_of`."""
    return time_of({scenario.arm(*cell).engine is None for cell in scenario.cells()})


def time_of(simulated: set[bool | None]) -> str:
    """What time runs have by whether it was simulated: "wall time" where engines carried the messages.

    Args:
        simulated: of each run; None where that is not known.
    """
    return "simulated time" if simulated == {True} else "wall time" if simulated == {False} else "time"


def display_name(method: str) -> str:
    """Name of a method for readers: afedpg-shared is "AFedPG shared"; what begins otherwise is called by its key."""
    known = next((key for key in DISPLAY if method == key or method.startswith(f"{key}-")), None)
    return method if known is None else f"{DISPLAY[known]} {method[len(known) + 1 :]}".strip()


def key_of(label: str) -> str:
    """What :func:`display_name` shows as this label."""
    return next((key for key, name in DISPLAY.items() if name == label), label)


def curve_name(method: str, n_agents: int) -> str:
    """Name of a curve: method and N; AFedPG with one agent is what the papers call PG."""
    if (method, n_agents) == ("afedpg", 1):
        return "PG (N = 1)"
    return f"{display_name(method)}, N = {n_agents}"


def shown(scenario: Scenario, figure: FigureName) -> dict[str, str]:
    """The methods in the figure, and what each is called there, by its key in `DISPLAY` if it has one.

    A label is one line. What the scenario does not say: sample complexity shows the method named afedpg, or if there is
    none, as in a sweep over its settings, every method of that algorithm; time complexity shows all methods; the others
    none.
    """
    if labels := scenario.figures.get(figure):
        return {method: key_of(" ".join(label.split())) for method, label in labels.items()}
    methods = list(dict.fromkeys(m.key for m in scenario.methods))
    if figure == "sample_complexity":
        ours = {m.key for m in scenario.methods if m.algorithm == "afedpg"}
        methods = ["afedpg"] if "afedpg" in methods else [key for key in methods if key in ours]
    elif figure != "time_complexity":
        methods = []
    return {key: key_of(display_name(key)) for key in methods}


def method_called(scenario: Scenario, figure: FigureName, name: str, environment: str, n_agents: int) -> str | None:
    """The method that the figure calls by this name and that is run there with this N; None if there is none."""
    there, names = scenario.cells(), shown(scenario, figure).items()
    return next((key for key, called in names if called == name and (environment, key, n_agents) in there), None)
