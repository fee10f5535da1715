"""What the report's notebooks display: verdicts, figures, diagrams, tables and warnings as HTML."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from frl.analysis.intervals import MIN_BOOTSTRAP, MIN_SEEDS, coverage
from frl.analysis.load import instruction_sets, mixed, read_missing, read_runs
from frl.analysis.names import display_name
from frl.analysis.quantity import NOTHING, shown
from frl.report.document import drawing
from frl.report.figures import diagrams, style
from frl.report.tables.table import fragment_of, read_fragment, scroll_box
from frl.report.tables.verdict import SHORT
from frl.report.tables.verdict import table as verdict_table
from frl.scenario.kinds import AnyRun, AnyScenario
from frl.scenario.products import archive_of, figure_names, leads
from frl.scenario.scenario import Scenario
from frl.spec import RunSpec
from frl.verdicts import words
from frl.verdicts.power import named_times
from frl.verdicts.power import power as power_of
from frl.verdicts.record import Judgement, Verdicts, read

MOST_FOLDED = 400_000
"""Characters of a folded figure."""
SHOWN_MISSING = 20
"""More missing runs than this are folded."""


class Html(str):
    """Text that a notebook shows as HTML."""

    def _repr_html_(self) -> str:
        return str(self)


def figure(scenario: AnyScenario, base: Path, name: str, caption: str, fold: str | None = None) -> Html:
    """One of the drawn figures, inline; if it leads the page or the scenario has none, a sentence that says so.

    `fold` is the title behind which to hide it; if it is larger than `MOST_FOLDED`, that is a link to its file.
    """
    if name not in figure_names(scenario):
        return Html(f"<p>This scenario has no figure {html.escape(name)}.</p>")
    if name in leads(scenario):
        return above(name)
    files = f"figures/{name}"
    shown = framed(pictures(base, name), name, caption, files=files)
    if fold is None:
        return Html(shown)
    fold = html.escape(fold)
    if len(shown) > MOST_FOLDED:
        return Html(f'<p>A figure of its own: <a href="{files}.svg">{fold}</a>.</p>')
    return Html(f"<details><summary>{fold}</summary>{shown}</details>")


def above(*names: str) -> Html:
    """Where lead figures are."""
    links = words.listed([f'<a href="#figure-lead-{name}">{name.replace("_", " ")}</a>' for name in names])
    return Html(f"<p>The figure{'s' * (len(names) > 1)} at the top of this page: {links}.</p>")


def pictures(base: Path, name: str) -> dict[str, str]:
    """The figure's SVG for a wide page and for a narrow one."""
    folder = base / "figures"
    return {
        width: (folder / f"{name}{suffix}.svg").read_text(encoding="utf-8")
        for width, suffix in (("wide", ""), ("narrow", "-narrow"))
    }


def framed(svgs: Mapping[str, str], name: str, caption: str, kind: str = "", files: str = "") -> str:
    """A figure: its drawings, of which the page shows the one that fits it, and its caption.

    Args:
        svgs: by "wide" and "narrow", or narrow alone.
        name: its id on the page.
        caption: also read aloud in place of the drawing.
        kind: one more class.
        files: path of its files without suffix, linked to.
    """
    cards = "".join(
        f'<div class="frl-card frl-{width}">{drawing(svg, f"{name}-{width}", caption)}</div>'
        for width, svg in svgs.items()
    )
    links = f' <a href="{files}.csv">Its numbers</a>, <a href="{files}.pdf">PDF</a>.' if files else ""
    return (
        f'<figure class="frl-figure {kind}" id="figure-{name}">{cards}'
        f"<figcaption>{html.escape(caption)}{links}</figcaption></figure>"
    )


def diagram(draw: Callable[[RunSpec, float], Figure], scenario: Scenario, caption: str) -> Html:
    """One of :mod:`frl.report.figures.diagrams`, drawn for the scenario's own fleet and messages."""
    spec, widths = diagrams.example(scenario), {"wide": style.WIDE, "narrow": style.NARROW}
    with style.paper_style():
        svgs = {name: style.inline_svg(draw(spec, width)) for name, width in widths.items()}
    return Html(framed(svgs, draw.__name__, caption))


def table(base: Path, name: str) -> Html:
    """One of the written tables."""
    return Html(sortable(read_fragment(base / "tables" / f"{name}.html")))


def sortable(fragment: str) -> str:
    """The table as one that readers can sort and filter."""
    return f'<div class="frl-sortable">{fragment}</div>'


def frame(data: pd.DataFrame, empty: str = "None.", fold: str | None = None) -> Html:
    """A plain table; `empty` is the text if it has no row, `fold` the title behind which to hide it."""
    if data.empty:
        return Html(f"<p>{html.escape(empty)}</p>")
    name = fold or f"Table of {', '.join(map(str, data.columns))}"
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in data.columns)
    shown_rows = data.astype(object).where(data.notna(), NOTHING).astype(str).to_numpy()
    rows = "\n".join(f"<tr>{''.join(f'<td>{html.escape(text)}</td>' for text in row)}</tr>" for row in shown_rows)
    box = scroll_box(f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>", name)
    return Html(f"<details><summary>{html.escape(fold)}</summary>{box}</details>" if fold else box)


ROLES = {
    "primary": "Primary claims",
    "secondary": "Secondary claims (not corrected for their number)",
    "exploratory": "Exploratory claims (not corrected; added late, or not able to decide anything)",
}


def verdicts(scenario: Scenario, base: Path) -> Html:
    """What the verdicts mean, and the verdict on every claim of the scenario, as `frl verdict` judged them.

    The claims of the first role that there are stand open, the others are folded.
    """
    if scenario.claims is None:
        return Html("<p>This scenario names no claims to judge.</p>")
    judged = read(base)
    parts = [one for one in judged.parts if one.reason.code != "not_in_scenario"]
    meaning = "".join(f"<li><i>{name}</i>: {html.escape(text)}</li>" for name, text in words.MEANING.items())
    said = f"<p>{html.escape(words.headline(judged))} A part of a claim is</p><ul>{meaning}</ul>"
    for place, role in enumerate(dict.fromkeys(role for role in ROLES if any(one.role == role for one in parts))):
        of_role = [one for one in parts if one.role == role]
        text = _verdicts(judged, of_role, ROLES[role], "" if place == 0 else "Columns as above.")
        fold = f"<details><summary>{ROLES[role]}: {len(of_role)} part{'s' * (len(of_role) != 1)}</summary>"
        said += text if place == 0 else f"{fold}{text}</details>"
    waiting = words.waiting(judged)
    return Html(said + (f"<p>{html.escape(waiting)}</p>" if waiting else ""))


def _verdicts(judged: Verdicts, parts: list[Judgement], title: str, note: str = "") -> str:
    """The table of verdicts, with a note other than its own if one is given, and folded what each claim says."""
    stated = {one.claim: one for one in parts}
    said = "".join(
        f"<li><b>{name}</b> {html.escape(one.statement)} <i>({html.escape(one.source)})</i></li>"
        for name, one in stated.items()
    )
    written = verdict_table(judged, parts, SHORT)
    written = replace(written, name=f"verdict-{parts[0].role}", title=title, note=note or written.note)
    statements = f"<details><summary>What each claim says, and who</summary><ul>{said}</ul></details>"
    return sortable(fragment_of(written.html())) + statements


def tuned(scenario: AnyScenario) -> Html:
    """Where the settings come from, a paragraph a line."""
    return Html("".join(f"<p>{html.escape(line)}</p>" for line in scenario.tuned.splitlines()))


def seeds_of(scenario: Scenario) -> tuple[int, int]:
    """The fewest and the most seeds that a method has on a task with some N."""
    counts = [len(scenario.seeds_of(*cell)) for cell in scenario.cells()]
    return min(counts), max(counts)


def cautions(scenario: Scenario, base: Path) -> Html:
    """What to keep in mind before believing a number: seeds, gaps, divergence."""
    runs, missing = read_runs(base), read_missing(base)
    notes = _of_seeds(scenario)
    if len(missing):
        notes.append(f"<b>{len(missing)} of {len(missing) + len(runs)} runs are missing</b> (listed below).")
    if diverged := int((runs["status"] == "diverged").sum()):
        notes.append(f"<b>{diverged} of {len(runs)} runs diverged.</b> They are kept, at their last finite return.")
    if said := mixed(instruction_sets(runs)):
        notes.append(f"<b>More than one processor.</b> {html.escape(said)}")
    return Html(f"<ul>{''.join(f'<li>{note}</li>' for note in notes)}</ul>" if notes else "")


def _of_seeds(scenario: Scenario) -> list[str]:
    """Where seeds are few, and which of them curves and final returns are of."""
    least, most = seeds_of(scenario)
    plural = "s" * (most != 1)
    told = f"{most} seed{plural}" if least == most else f"{least} to {most} seeds, as the tables say of each method"
    notes = []
    if most < MIN_SEEDS:
        notes.append(f"<b>{told}.</b> That is too few for an interval: differences mean nothing.")
    elif least < MIN_BOOTSTRAP:
        notes.append(
            f"<b>{'Only ' * (least == most)}{told}.</b> With fewer than {MIN_BOOTSTRAP}, intervals of means are "
            "Student's t. They are wide, and right only if seeds are roughly normally distributed. On Swimmer they are "
            "not. No claim is decided."
        )
    elif least < most:
        notes.append(f"<b>{told}.</b>")
    stops = [spec.stop_at is not None for spec in scenario.runs()]
    if any(stops):
        notes.append(
            f"<b>Curves and final returns use {len(stops) - sum(stops)} of {len(stops)} runs.</b> The others are "
            "set to stop at a return. Times to the threshold use all runs."
        )
    return notes


def incomplete(base: Path) -> Html:
    """The missing runs and the diverged ones, by name."""
    runs, missing = read_runs(base), read_missing(base)
    gone = missing[["run_id", "reason"]].rename(columns={"run_id": "missing run"})
    columns = ["environment", "method", "n_agents", "seed", "env_steps_total"]
    names = {"environment": "task", "n_agents": "N", "env_steps_total": "environment steps"}
    diverged = runs.loc[runs["status"] == "diverged", columns].rename(columns=names)
    diverged["method"] = diverged["method"].map(display_name)
    heading = Html("<p>Diverged:</p>") if len(diverged) else Html()
    fold = f"{len(gone)} missing runs" if len(gone) > SHOWN_MISSING else None
    parts = [frame(gone, "No run is missing.", fold), heading, frame(diverged, "No run diverged.")]
    return Html("".join(parts))


def commands(scenario: AnyScenario) -> Html:
    """How to take over the published runs and build everything; the scenario's file is named like the scenario."""
    runs: Iterator[AnyRun] = scenario.runs()
    lines = (
        f"frl store import results/published/{scenario.name}/{archive_of(scenario)}",
        f"snakemake --cores 2 --configfile config/{scenario.name}.yaml",
        f"frl reproduce results/{scenario.name}/runs/{next(runs).run_id}.csv",
    )
    return Html(f'<pre tabindex="0"><code>{html.escape(chr(10).join(lines))}</code></pre>')


def power(scenario: Scenario) -> Html:
    """What the judge could be expected to say, simulated from tuning runs; nothing where the scenario names none."""
    if not scenario.tuning_times:
        return Html()
    found = power_of(scenario, named_times(scenario))
    for column in found.columns[2:]:
        found[column] = [shown(float(v), "ratio" if column == "ratio" else "share") for v in found[column]]
    said = (
        "<p>How likely each verdict on a primary claim was before the runs, if the true effect is the one in the "
        "tuning runs, none, or just the margin. Simulated with this scenario's numbers of seeds; rough, because there "
        "are few tuning runs.</p>"
    )
    return Html(f"{said}{frame(found)}")


def interval_coverage(scenario: Scenario) -> Html:
    """How often a 95 % interval of as many seeds as this scenario's arms have holds the truth, simulated."""
    seeds = {len(scenario.seeds_of(*cell)) for cell in scenario.cells()}
    counts = [n for n in sorted({*seeds, 10}) if n >= MIN_SEEDS]
    columns = {f"{n} seeds": [f"{100 * v:.0f} %" for v in coverage(n).values()] for n in counts}
    names = list(coverage(MIN_SEEDS, trials=2))
    data = pd.DataFrame({"returns of the seeds": names, **columns})
    return frame(data, fold="How often a 95 % interval of a mean return holds the truth, simulated")
