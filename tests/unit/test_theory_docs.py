"""The page on the theory lab says what the published tables say."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
from frl.theory.claims import counts, judge
from frl.theory.spec import load

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
    judged = pd.read_csv(PUBLISHED / "verdict.csv")
    for row in counts(judged).itertuples(index=False):
        assert f"| {' | '.join(map(str, row))} |" in PAGE
    assert len(re.findall(r"^\| T\d", PAGE, flags=re.MULTILINE)) == judged["claim"].nunique()


def test_the_published_verdicts_are_those_of_the_published_estimates_and_the_claims():
    scenario = load(ROOT / "config" / "theory.yaml")
    table = pd.read_csv(PUBLISHED / "estimates.csv")
    assert list(table.columns) == list(COLUMNS)
    judged, published = judge(scenario.claims, table), pd.read_csv(PUBLISHED / "verdict.csv")
    assert judged["verdict"].tolist() == published["verdict"].tolist()
    assert judged["claim"].tolist() == published["claim"].tolist()
