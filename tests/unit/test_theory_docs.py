"""The page on the theory lab says what the published tables say."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from frl.scenario.loading import load_scenario
from frl.theory.judge import counts, judge, read, table
from frl.theory.panels import COLUMNS

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results" / "published" / "theory"
PAGE = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
NUMBER = r"-?\d+(?:\.\d+)?|∞"


def shown(value: float, like: str) -> str:
    """The value with as many decimals as the text has."""
    return "∞" if value == float("inf") else f"{value:.{len(like.partition('.')[2])}f}"


def test_every_number_with_an_interval_is_a_published_estimate():
    table = pd.read_csv(PUBLISHED / "estimates.csv")[["value", "low", "high"]].to_numpy()
    quoted = re.findall(rf"({NUMBER}) \[({NUMBER}), ({NUMBER})\]", " ".join(PAGE.split()))
    assert len(quoted) >= 30
    for number in quoted:
        assert any(tuple(map(shown, row, number)) == number for row in table), number


def test_the_table_of_verdicts_is_the_published_one():
    judged = counts(read(PUBLISHED))
    for row in judged.itertuples(index=False):
        assert f"| {' | '.join(map(str, row))} |" in PAGE
    assert len(re.findall(r"^\| T\d", PAGE, flags=re.MULTILINE)) == len(judged)


def test_the_published_verdicts_are_those_of_the_published_estimates_and_the_claims():
    scenario = load_scenario(ROOT / "config" / "theory.yaml")
    estimates = pd.read_csv(PUBLISHED / "estimates.csv")
    assert list(estimates.columns) == list(COLUMNS)
    judged = judge(scenario.name, scenario.claims, estimates)
    assert judged.parts == read(PUBLISHED).parts
    assert table(judged).frame().to_csv(index=False) == (PUBLISHED / "tables/verdict.csv").read_text(encoding="utf-8")
