"""The pages on the theory lab and what goes beyond the poster say what the published tables say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
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


@pytest.mark.parametrize("name", PAGES)
def test_every_number_with_an_interval_is_a_published_estimate(name):
    table = pd.read_csv(published(name) / "estimates.csv")[["value", "low", "high"]].to_numpy()
    on_mujoco = published(name.removesuffix("-theory"))
    if name.endswith("-theory") and on_mujoco.exists():
        verdicts = pd.read_csv(on_mujoco / "tables/verdict.csv")
        table = np.vstack([table, verdicts[["ours", "ours_low", "ours_high"]].to_numpy()])
    quoted = re.findall(rf"({NUMBER}) \[({NUMBER}), ({NUMBER})\]", " ".join(page(name).split()))
    assert len(quoted) >= (30 if name == "theory" else 4)
    for number in quoted:
        assert any(tuple(map(shown, row, number)) == number for row in table), number


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
