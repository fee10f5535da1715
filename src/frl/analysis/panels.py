"""Which methods a figure shows under which names, and the poster's curves that belong to them."""

from __future__ import annotations

from frl.analysis.curves import STEPS, TIME, Curves
from frl.analysis.poster import poster_curve
from frl.analysis.style import display_name, key_of
from frl.scenario import FigureName, Scenario

FIGURE_OF: dict[str, FigureName] = {STEPS: "sample_complexity", TIME: "time_complexity"}


def shown(scenario: Scenario, figure: FigureName) -> dict[str, str]:
    """The methods in the figure, and what each is called there, as in `style.DISPLAY`.

    What the scenario does not say: sample complexity shows the method named afedpg, or if there is none, as in a sweep
    over its settings, every method of that algorithm; time complexity shows all methods; the others none.
    """
    if labels := scenario.figures.get(figure):
        return {method: key_of(label) for method, label in labels.items()}
    methods = list(dict.fromkeys(m.key for m in scenario.methods))
    if figure == "sample_complexity":
        ours = {m.key for m in scenario.methods if m.algorithm == "afedpg"}
        methods = ["afedpg"] if "afedpg" in methods else [key for key in methods if key in ours]
    elif figure != "time_complexity":
        methods = []
    return {key: key_of(display_name(key)) for key in methods}


def reference(scenario: Scenario, curves: Curves) -> Curves | None:
    """The poster's mean curve of what the figure calls these curves; None where it has none."""
    if curves.axis not in FIGURE_OF:
        return None
    name = shown(scenario, FIGURE_OF[curves.axis]).get(curves.method)
    return None if name is None else poster_curve(curves.environment, name, curves.n_agents, curves.axis)


def method_called(scenario: Scenario, figure: FigureName, name: str, n_agents: int) -> str | None:
    """The method that the figure calls by this name and that has this N; None if there is none."""
    there = {(method.key, n) for method in scenario.methods for n in method.n_agents}
    names = shown(scenario, figure).items()
    return next((key for key, called in names if called == name and (key, n_agents) in there), None)
