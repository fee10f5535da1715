"""The report task by task: what was claimed and found on each, and its figures."""

from __future__ import annotations

import html
from pathlib import Path

from frl.analysis.load import read_curves
from frl.analysis.quantity import NEITHER, shown
from frl.report.figures import style
from frl.report.figures.draw import drawer
from frl.report.markdown import anchor
from frl.report.show import Html, above, framed
from frl.report.tables.table import verdict_mark
from frl.scenario.products import figure_names
from frl.scenario.scenario import Scenario
from frl.verdicts import words
from frl.verdicts.record import Judgement, read

OF_TASKS = {
    "sample_complexity": "One panel for each N. Thin: single seeds; thick: the median of the seeds at each point; dots "
    "at the right edge: final returns. Runs that are set to stop at a return are left out. Dashed: the poster's mean, "
    "digitised, if it has the curve; dotted: the threshold. A title says how many of all seeds reach the threshold at "
    "two evaluations in a row.",
    "time_complexity": "Share of each method's seeds that have reached the threshold by that time. A bar at the end of "
    "a line marks where the method's last run ends.",
}
"""Figures that a task has of its own, and their captions."""


def sections(scenario: Scenario, base: Path) -> Html:
    """Each task: the verdicts on its claims, and its figures where the first screen does not show them.

    Nothing, not even a heading, in a scenario that has neither.
    """
    judged = read(base).parts if scenario.claims else ()
    own = [name for name in OF_TASKS if len(scenario.environments) > 1 and name in figure_names(scenario)]
    if scenario.claims is None and not own:
        return Html()
    text = '<h2 id="task-by-task">Task by task</h2>'
    for task in scenario.environments:
        level = scenario.thresholds[task]
        text += f'<h3 id="task-{anchor(task)}">{task}, to a {" of ".join(reversed(level.split()))}</h3>'
        if scenario.claims:
            text += _claims([one for one in judged if one.environment == task])
        if own and task == scenario.environments[0]:
            text += above(*own)
            continue
        for name in own:
            text += framed(pictures(scenario, base, name, task), f"{anchor(task)}-{name}", OF_TASKS[name])
    return Html(text)


def pictures(scenario: Scenario, base: Path, name: str, task: str) -> dict[str, str]:
    """The figure of one task alone, as SVG for a wide page and for a narrow one."""
    alone, frame = scenario.model_copy(update={"environments": (task,)}), read_curves(base)
    draw = drawer(name, alone, frame[frame["environment"] == task], None)
    with style.paper_style():
        widths = {"wide": style.WIDE, "narrow": style.NARROW}
        return {width: style.inline_svg(draw(inches).figure) for width, inches in widths.items()}


def _claims(parts: list[Judgement]) -> str:
    """The primary claims, or where there are none all, each with its verdicts and what was measured."""
    there = [one for one in parts if one.reason.code != "not_in_scenario" and not one.joint]
    claims: dict[str, list[Judgement]] = {}
    for one in [one for one in there if one.role == "primary"] or there:
        claims.setdefault(one.statement, []).append(one)
    lines = [_claim(statement, of_it) for statement, of_it in claims.items()]
    return f'<ul class="frl-claims">{"".join(lines)}</ul>' if lines else "<p>No claim is about this task.</p>"


def _claim(statement: str, parts: list[Judgement]) -> str:
    if len(parts) == 1:
        return f"<li>{verdict_mark(parts[0].verdict)} {html.escape(f'{statement} {_measured(parts[0])}')}.</li>"
    lines = (f"<li>{verdict_mark(one.verdict)} {html.escape(f'{one.part}: {_measured(one)}')}.</li>" for one in parts)
    return f"<li>{html.escape(statement)}<ul>{''.join(lines)}</ul></li>"


def _measured(one: Judgement) -> str:
    """What was measured and claimed, and why the verdict is what it is."""
    reason = words.reason(one)
    if one.measured is None:
        return reason[0].upper() + reason[1:]
    claimed = f", claimed {shown(one.number, 'ratio')}" if one.number is not None else ""
    measured = f"{one.unit.capitalize()} {shown(one.measured, 'ratio')}"
    measured = NEITHER.capitalize() if one.measured.relation == "neither" else measured
    return f"{measured}{claimed}; {words.got_there(one)}: {reason}"
