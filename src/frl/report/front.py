"""The report's first screen: when and of what code the runs are, links, the answer, and the figures that show it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from frl.analysis.load import read_missing, read_runs
from frl.report import tasks
from frl.report.show import Html, framed, pictures, seeds_of
from frl.scenario.kinds import AnyScenario
from frl.scenario.products import JUDGED, figure_names, files, leads
from frl.scenario.scenario import Scenario
from frl.verdicts import words
from frl.verdicts.answer import answer as sentences
from frl.verdicts.record import read

PAPERS = {
    "afedpg": ("the AFedPG paper", "https://arxiv.org/abs/2404.08003"),
    "lapg": ("the LAPG paper", "https://arxiv.org/abs/1812.03239"),
}
"""Papers by the algorithm that they are about."""
LEADS = {
    "sample_complexity": "Return against samples: one panel for each N; grey: single seeds; dashed: the poster's mean.",
    "time_complexity": "Share of each method's seeds that have reached the threshold by that time.",
    "sensitivity": "What the seeds need to reach the threshold (geometric mean; seeds that never reach it count as the "
    "horizon) against the step size. Left: samples, a curve for each N; right: time, a curve for each method. The "
    "filled part of a marker is the share of seeds that got there; bars: intervals.",
    "communication": "Uploaded bytes against samples, both per agent and to the threshold: geometric means with their "
    "intervals, up to what all runs are known for. Hollow: not every seed got there.",
    "traffic": "Bytes of both directions against samples, both per agent and to the threshold: geometric means with "
    "their intervals, up to what all runs are known for. Hollow: not every seed got there. Dashed: an eighth of the "
    "first method's bytes.",
    "staleness": "How many steps the server makes between sending a task and using its update, over all updates of all "
    "seeds; dashed: the median.",
}
"""Captions of the figures that may lead."""
FOREST = (
    "Each claim's ratio, as claimed and as measured with its interval. Above 1, the side that the claim favours needs "
    "less to reach the threshold."
)


def masthead(scenario: Scenario, base: Path) -> Html:
    """Dates, numbers, commits and machines' part in a line, and links in another."""
    runs, missing = read_runs(base), read_missing(base)
    facts = of_what(runs, missing, "runs", some_seeds(*seeds_of(scenario)))
    links = [f'<a href="{address}">{name}</a>' for name, address in _papers(scenario)]
    links.append('<a href="#the-poster">the poster</a>')
    return meta(facts, [*links, *data_links(scenario)])


def of_what(made: pd.DataFrame, missing: pd.DataFrame, what: str, seeds: str) -> list[str]:
    """Days, numbers and commits of the runs, or cells."""
    days = sorted({str(day)[:10] for day in made["started"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    count = f"{len(made)} of {len(made) + len(missing)}" if len(missing) else f"{len(made)}"
    return [f"{what.capitalize()} of {when}", f"{count} {what}, {seeds}", _commits(made)]


def some_seeds(fewest: int, most: int) -> str:
    """How many seeds an arm has, in words."""
    return f"{fewest} seed{'s' * (fewest != 1)}" if fewest == most else f"{fewest} to {most} seeds"


def data_links(scenario: AnyScenario) -> list[str]:
    """To what was collected and judged, and to how it is made again."""
    names = [*files("collect", scenario), *([JUDGED] if scenario.claims else [])]
    data = ", ".join(f'<a href="{name}">{name}</a>' for name in names)
    return [f"data: {data}", '<a href="#run-it-again">run it again</a>']


def meta(*lines: list[str]) -> Html:
    """Facts and links in small letters."""
    return Html("".join(f'<p class="frl-meta">{" · ".join(line)}</p>' for line in lines))


def _commits(runs: pd.DataFrame) -> str:
    """The commits of the code that made the runs, in short."""
    commits = [str(commit)[:7] for commit in runs["git_commit"].dropna().unique()]
    dirty = " with uncommitted changes" if (runs["git_dirty"].astype(str) == "True").any() else ""
    if not commits:
        return "of unknown commit"
    named = ", ".join(f"<code>{html.escape(commit)}</code>" for commit in commits[:3])
    more = f" and {len(commits) - 3} more" if len(commits) > 3 else ""
    return f"commit{'s' * (len(commits) > 1)} {named}{more}{dirty}"


def _papers(scenario: Scenario) -> list[tuple[str, str]]:
    algorithms = {method.algorithm for method in scenario.methods}
    return [PAPERS[name] for name in PAPERS if name in algorithms] or [PAPERS["afedpg"]]


def answer(scenario: Scenario, base: Path) -> Html:
    """The answer in at most three sentences, made of the verdicts; without claims, what there is instead."""
    return framed_answer(sentences(read(base)) if scenario.claims else unjudged(base))


def unjudged(base: Path) -> list[str]:
    """What is said of a scenario without claims in place of an answer."""
    made, missing = (set(frame["environment"]) for frame in (read_runs(base), read_missing(base)))
    waiting = sorted(missing - made)
    said = ["This scenario names no claims: see what its figures show."]
    return [*said, f"Not run yet: {words.listed(waiting)}."] if waiting else said


def framed_answer(said: Sequence[str]) -> Html:
    """The sentences of the answer, each a paragraph."""
    return Html(f'<div class="frl-answer">{"".join(f"<p>{html.escape(one)}</p>" for one in said)}</div>')


def figures(scenario: Scenario, base: Path) -> Html:
    """The lead figures and the forest plot side by side; those of single tasks are the first task's."""
    several, has_forest = len(scenario.environments) > 1, "forest" in figure_names(scenario)
    found, alone = [], len(leads(scenario)) == 1 and not has_forest
    for name in leads(scenario):
        of_task = name in tasks.OF_TASKS and several
        svgs = tasks.pictures(scenario, base, name, scenario.environments[0]) if of_task else pictures(base, name)
        svgs = svgs if alone else {"narrow": svgs["narrow"]}
        found.append(framed(svgs, f"lead-{name}", LEADS[name], files=f"figures/{name}"))
    if alone:
        return Html(found[0])
    if has_forest:
        found.append(framed(pictures(base, "forest"), "lead-forest", FOREST, "frl-forest", "figures/forest"))
    return Html(f'<div class="frl-leads{" frl-two" * (len(found) < 3)}">{"".join(found)}</div>')
