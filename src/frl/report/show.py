"""What the report's notebooks display: verdicts, figures, diagrams, tables and warnings as HTML."""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from frl.analysis.intervals import MIN_BOOTSTRAP, MIN_SEEDS, coverage
from frl.analysis.load import read_missing, read_runs
from frl.analysis.quantity import shown
from frl.report.figures import diagrams, style
from frl.report.tables.table import fragment_of, read_fragment
from frl.report.tables.verdict import SHORT
from frl.report.tables.verdict import table as verdict_table
from frl.scenario.kinds import AnyScenario
from frl.scenario.products import figure_names
from frl.scenario.scenario import Scenario
from frl.spec import RunSpec
from frl.verdicts import words
from frl.verdicts.power import named_times
from frl.verdicts.power import power as power_of
from frl.verdicts.record import Judgement, Verdicts, read

SHOWN_MISSING = 20
"""More missing runs than this are folded."""


class Html(str):
    """Text that a notebook shows as HTML."""

    def _repr_html_(self) -> str:
        return str(self)


def figure(scenario: AnyScenario, base: Path, name: str, caption: str) -> Html:
    """One of the drawn figures, inline; in a scenario without it a sentence that says so."""
    if name not in figure_names(scenario):
        return Html(f"<p>This scenario has no figure {html.escape(name)}.</p>")
    text = (base / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    return _figure(text[text.index("<svg") :], caption)


def diagram(draw: Callable[[RunSpec], Figure], scenario: Scenario, caption: str) -> Html:
    """One of :mod:`frl.report.figures.diagrams`, drawn for the scenario's own fleet and messages."""
    with style.paper_style():
        return _figure(style.inline_svg(draw(diagrams.example(scenario))), caption)


def _figure(svg: str, caption: str) -> Html:
    label = html.escape(caption)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    return Html(
        f'<figure class="frl-figure"><div class="frl-card">{svg}</div><figcaption>{label}</figcaption></figure>'
    )


def table(base: Path, name: str) -> Html:
    """One of the written tables."""
    return Html(read_fragment(base / "tables" / f"{name}.html"))


def frame(data: pd.DataFrame, empty: str = "None.", fold: str | None = None) -> Html:
    """A plain table; `empty` is the text if it has no row, `fold` the title behind which to hide it."""
    if data.empty:
        return Html(f"<p>{html.escape(empty)}</p>")
    text = f'<div class="frl-scroll">{data.to_html(index=False, border=0, na_rep="–")}</div>'
    return Html(f"<details><summary>{html.escape(fold)}</summary>{text}</details>" if fold else text)


ROLES = {
    "primary": "Primary claims",
    "secondary": "Secondary claims (not corrected for their number)",
    "exploratory": "Exploratory claims (not corrected, thought of late or unable to decide)",
}


def summary(scenario: Scenario, base: Path) -> Html:
    """What the verdicts mean, and the verdict on every claim of the scenario, as `frl verdict` judged them.

    The claims of the first role that there are stand open, the others are folded.
    """
    if scenario.claims is None:
        return Html("<p>This scenario names no claims to judge.</p>")
    verdicts = read(base)
    parts = [one for one in verdicts.parts if one.reason.code != "not_in_scenario"]
    meaning = "".join(f"<li><i>{name}</i>: {html.escape(text)}</li>" for name, text in words.MEANING.items())
    shown = f"<p>A part of a claim is</p><ul>{meaning}</ul>"
    for place, role in enumerate(dict.fromkeys(role for role in ROLES if any(one.role == role for one in parts))):
        of_role = [one for one in parts if one.role == role]
        text = _verdicts(verdicts, of_role, ROLES[role], "" if place == 0 else "Columns as above.")
        fold = f"<details><summary>{ROLES[role]}: {len(of_role)} part{'s' * (len(of_role) != 1)}</summary>"
        shown += text if place == 0 else f"{fold}{text}</details>"
    waiting = words.waiting(verdicts)
    shown += f"<p>{html.escape(waiting)}</p>" if waiting else ""
    return Html(f'<p class="frl-headline">{html.escape(words.headline(verdicts))}</p>{shown}')


def _verdicts(verdicts: Verdicts, parts: list[Judgement], title: str, note: str = "") -> str:
    """Statements of claims and the table of verdicts on them, with a note other than the table's if one is given."""
    stated = {one.claim: one for one in parts}
    said = "".join(
        f"<li><b>{name}</b> {html.escape(one.statement)} <i>({html.escape(one.source)})</i></li>"
        for name, one in stated.items()
    )
    written = verdict_table(verdicts, parts, SHORT)
    written = replace(written, name=f"verdict-{parts[0].role}", title=title, note=note or written.note)
    return f"<ul>{said}</ul>{fragment_of(written.html())}"


def cautions(scenario: Scenario, base: Path) -> Html:
    """What to keep in mind before believing a number: where the settings come from, seeds, gaps, divergence."""
    runs, missing = read_runs(base), read_missing(base)
    first, *rest = map(html.escape, scenario.tuned.splitlines() or [""])
    notes = [f"<b>Settings.</b> {first}", *rest]
    seeds = len(scenario.seeds)
    if seeds < MIN_SEEDS:
        notes.append(
            f"<b>{seeds} seed{'s' * (seeds != 1)}.</b> Too few for any interval: read nothing into differences."
        )
    elif seeds < MIN_BOOTSTRAP:
        notes.append(
            f"<b>Only {seeds} seeds.</b> Intervals of means are Student's t, wide and trustworthy only if seeds are "
            "roughly normal, which on Swimmer they are not; and no claim is decided."
        )
    if len(missing):
        notes.append(f"<b>{len(missing)} of {len(missing) + len(runs)} runs are missing</b> (listed below).")
    if diverged := int((runs["status"] == "diverged").sum()):
        notes.append(f"<b>{diverged} of {len(runs)} runs diverged.</b> They are kept, at their last finite return.")
    return Html('<div class="frl-caution"><ul>' + "".join(f"<li>{note}</li>" for note in notes) + "</ul></div>")


def incomplete(base: Path) -> Html:
    """The missing runs and the diverged ones, by name."""
    runs, missing = read_runs(base), read_missing(base)
    gone = missing[["run_id", "reason"]].rename(columns={"run_id": "missing run"})
    columns = ["environment", "method", "n_agents", "seed", "env_steps_total"]
    diverged = runs.loc[runs["status"] == "diverged", columns].rename(columns={"n_agents": "N"})
    heading = Html("<p>Diverged:</p>") if len(diverged) else Html()
    fold = f"{len(gone)} missing runs" if len(gone) > SHOWN_MISSING else None
    parts = [frame(gone, "No run is missing.", fold), heading, frame(diverged, "No run diverged.")]
    return Html("".join(parts))


def power(scenario: Scenario) -> Html:
    """What the judge could be expected to say, simulated from tuning runs; nothing where the scenario names none."""
    if not scenario.tuning_times:
        return Html()
    found = power_of(scenario, named_times(scenario))
    for column in found.columns[2:]:
        found[column] = [shown(float(v), "ratio" if column == "ratio" else "share") for v in found[column]]
    said = (
        "<p>Before the runs: the chance of each verdict on each primary claim, simulated with this scenario's numbers "
        "of seeds, if the truth is what the tuning runs show, no effect, or just the margin. The tuning runs are few, "
        "so these are rough.</p>"
    )
    return Html(f"{said}{frame(found)}")


def trials(scenario: AnyScenario) -> Html:
    """What was tried to find the settings, folded."""
    if not scenario.trials:
        return Html()
    tried = pd.read_csv(io.StringIO(scenario.trials)).dropna(axis="columns", how="all")
    return frame(tried, fold=f"What was tried to find the settings ({len(tried)})")


def interval_coverage(scenario: Scenario) -> Html:
    """How often a 95 % interval of as many seeds as this scenario has holds the truth, simulated."""
    counts = sorted({n for n in (len(scenario.seeds), 10) if n >= MIN_SEEDS})
    columns = {f"{n} seeds": [f"{100 * v:.0f} %" for v in coverage(n).values()] for n in counts}
    names = list(coverage(MIN_SEEDS, trials=2))
    return frame(pd.DataFrame({"returns of the seeds": names, **columns}))
