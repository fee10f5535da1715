"""The pages on the theory lab and what goes beyond the poster say what the published tables say."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from frl.scenario.loading import load_scenario
from frl.theory.cells.spec import EXTENSIONS
from frl.theory.judge import counts, judge, read, table
from frl.theory.panels import COLUMNS

ROOT = Path(__file__).parents[2]
PAGES = {
    "theory": "theory",
    "adversaries-theory": "adversaries",
    "rennala-theory": "rennala",
    "compression-theory": "compression",
    "natural-theory": "natural",
}
"""Scenario -> its page in docs/."""
NUMBER = r"-?\d+(?:\.\d+)?|∞"


def shown(value: float, like: str) -> str:
    """The value with as many decimals as the text has."""
    return "∞" if value == float("inf") else f"{value:.{len(like.partition('.')[2])}f}"


def published(scenario: str) -> Path:
    return ROOT / "results" / "published" / scenario


def page(scenario: str) -> str:
    return (ROOT / "docs" / f"{PAGES[scenario]}.md").read_text(encoding="utf-8")


def parts(name: str) -> tuple[str, str]:
    """The page up to its section on Swimmer, and that section; empty where it has none."""
    lab, _, swimmer = page(name).partition("\n## On Swimmer\n")
    return lab, swimmer


def estimates(text: str) -> list[tuple[str, ...]]:
    """The numbers with an interval, each with its two ends."""
    return re.findall(rf"({NUMBER}) \[({NUMBER}), ({NUMBER})\]", " ".join(text.split()))


def unknown(text: str, table: pd.DataFrame) -> list[tuple[str, ...]]:
    """The text's estimates that are no row (value, low, high) of the table."""
    rows = table.to_numpy()
    return [number for number in estimates(text) if not any(tuple(map(shown, row, number)) == number for row in rows)]


def of_verdicts(scenario: str) -> pd.DataFrame:
    return pd.read_csv(published(scenario) / "tables/verdict.csv")[["ours", "ours_low", "ours_high"]]


@pytest.mark.parametrize("name", PAGES)
def test_every_number_with_an_interval_is_a_published_estimate(name):
    lab, swimmer = parts(name)
    assert len(estimates(lab)) >= (30 if name == "theory" else 4)
    assert not unknown(lab, pd.read_csv(published(name) / "estimates.csv")[["value", "low", "high"]])
    if estimates(swimmer):
        assert not unknown(swimmer, of_verdicts(name.removesuffix("-theory")))


def test_the_page_on_lazy_uploads_says_what_was_published():
    text = (ROOT / "docs/lapg.md").read_text(encoding="utf-8")
    assert len(estimates(text)) >= 4
    assert not unknown(text, of_verdicts("communication"))


@pytest.mark.parametrize("name", PAGES)
def test_the_table_of_verdicts_is_the_published_one(name):
    judged = counts(read(published(name)))
    for row in judged.itertuples(index=False):
        assert f"| {' | '.join(map(str, row))} |" in page(name)
    assert len(re.findall(r"^\| [A-Z]\d", page(name), flags=re.MULTILINE)) == len(judged)


@pytest.mark.parametrize("name", PAGES)
def test_the_published_verdicts_are_those_of_the_published_estimates_and_the_claims(name):
    scenario = load_scenario(ROOT / "config" / f"{name}.yaml")
    estimates = pd.read_csv(published(name) / "estimates.csv")
    assert [column for column in estimates.columns if column not in EXTENSIONS] == list(COLUMNS)
    judged = judge(scenario.name, scenario.claims, estimates)
    assert judged.parts == read(published(name)).parts
    assert table(judged).frame().to_csv(index=False) == (published(name) / "tables/verdict.csv").read_text("utf-8")
