"""Ratios of which seeds were censored: which are bounds, and that all that is printed of two arms says the same."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic

import frl
from frl.analysis import load
from frl.analysis.curves import TIME, all_curves
from frl.analysis.quantity import Quantity, Relation, shown
from frl.analysis.thresholds import Arm, ratio, relation, seed_times
from frl.report import results, tasks
from frl.report.figures import bounds, forest, style
from frl.report.tables import summary, verdict
from frl.verdicts import answer, judge

PAIR = (1.0, -1.0)


@pytest.mark.parametrize(
    ("shares", "weights", "expected"),
    [
        ((1, 1), PAIR, "="),
        ((0.9, 1), PAIR, ">"),
        ((0, 1), PAIR, ">"),
        ((1, 0.9), PAIR, "<"),
        ((0, 0.1), PAIR, "both"),
        ((0.9, 0.9), PAIR, "both"),
        ((0, 0), PAIR, "neither"),
        ((0, 0, 1, 1), (0.3, 0.1, -0.1, -0.3), ">"),  # an exponent: more agents are faster than is known
        ((1, 1, 1, 0.5), (0.3, 0.1, -0.1, -0.3), "<"),
        ((0, 1, 1), (0, 0.5, -0.5), "="),  # an arm without weight
        ((1, 0.5), (0, np.nan), "both"),  # a weight of unknown sign
    ],
)
def test_what_a_sum_is_of_which_arms_are_censored(
    shares: tuple[float, ...], weights: tuple[float, ...], expected: Relation
) -> None:
    assert relation(shares, weights) == expected


def test_a_bound_is_on_the_right_side() -> None:
    """Of times that are known beyond the horizon the true ratio lies on the side that the relation says."""
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(200):
        slow, fast = (np.sort(rng.lognormal(mean, 0.5, 6)) for mean in rng.uniform(0, 1, 2))
        horizon = float(rng.uniform(0.3, 5))
        arms = (Arm(np.log(np.minimum(t, horizon)), t <= horizon, horizon) for t in (slow, fast))
        found, truth = ratio(*arms), float(np.exp(np.log(slow).mean() - np.log(fast).mean()))
        seen.add(found.relation)
        if found.relation in ("=", ">", "<"):
            assert np.sign(np.round(truth - found.value, 12)) == {"=": 0, ">": 1, "<": -1}[found.relation]
    assert seen == {"=", ">", "<", "both", "neither"}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("=", "2.06 [0.45, 9.45]"),
        (">", "> 2.06 [0.45, 9.45]"),
        ("<", "< 2.06 [0.45, 9.45]"),
        ("both", "2.06 [0.45, 9.45] (both censored)"),
        ("neither", "neither got there"),
    ],
)
def test_how_a_bound_is_printed(kind: Relation, text: str) -> None:
    assert shown(Quantity(2.06, 0.45, 9.45, kind), "ratio") == text


@pytest.mark.parametrize(("horizon", "kind"), [(190, "="), (115, ">"), (20, "both"), (5, "neither")])
def test_all_that_is_printed_of_two_arms_says_the_same(tmp_path: Path, horizon: float, kind: str) -> None:
    """Verdict, forest, sentences, tables, page of results and API, at the horizon of the claim about the two."""
    claim = synthetic.claim("P", "primary", **{**synthetic.sooner("fedpg"), "horizon": horizon})
    methods = {"afedpg": (1, 4), "fedpg": (4,)}
    scenario = synthetic.scenario(seeds=tuple(range(6)), methods=methods, claims={"claims": [claim]})
    synthetic.write_all(tmp_path, scenario)
    base = tmp_path / scenario.name
    load.collect(scenario, tmp_path, base, partial=False)
    frame = load.read_curves(base)
    times = [seed_times(all_curves(frame, TIME)["Swimmer", name, 4], 60) for name in ("fedpg", "afedpg")]
    slow, fast = (np.log(np.minimum(np.nan_to_num(of, nan=np.inf), horizon)).mean() for of in times)
    number = f"{np.exp(slow - fast):.2f}"
    text = {"=": number, ">": f"> {number}", "both": number, "neither": "neither got there"}[kind]
    shares = " and ".join(str(int((of <= horizon).sum())) for of in times) + " of 6"

    judged = judge.write(scenario, base)
    (part,) = judged.parts
    assert part.measured is not None
    assert part.measured.relation == kind
    told = verdict.table(judged, judged.parts, ("ours", "reached")).texts()[0]
    assert told[0].startswith(text)
    assert told[0].endswith("(both censored)") == (kind == "both")
    assert told[1] == shares
    with style.paper_style():
        line = forest.forest(scenario, judged, style.WIDE).data.iloc[0]
    assert forest.Line(**line.to_dict()).measured.startswith(text)
    assert forest.Line(**line.to_dict()).measured.endswith(shares)
    (sentence,) = answer.answer(judged)
    assert text in sentence
    assert (shares in sentence) == (kind != "=")
    of_task = tasks.sections(scenario, base).replace("Neither", "neither").replace("&gt;", ">")
    assert text in of_task
    assert shares in of_task
    tables = {table.name: table for table in summary.build(scenario, frame, load.read_runs(base))}
    row = dict(zip((c.key for c in tables["time_ratio"].columns), tables["time_ratio"].texts()[0], strict=True))
    assert row["ratio"].startswith(text)
    assert row["reached"] == shares
    assert any(cell.startswith(text) for cell in tables["results"].texts()[1])
    assert any(cell.startswith(text) for cell in results.section(base).rows[0])
    _the_api_says(frl.runs(base.parent), horizon, text, kind)


def _the_api_says(runs: frl.Runs, horizon: float, text: str, kind: str) -> None:
    asked: dict[str, Any] = {"by": "time", "level": 60, "horizon": horizon}
    if kind == "neither":
        with pytest.raises(frl.RunsError, match=text):
            runs.compare("fedpg", ("afedpg", 4), **asked)
        return
    with nullcontext() if kind == "=" else pytest.warns(frl.ComparabilityWarning, match="bound"):
        found = runs.compare("fedpg", ("afedpg", 4), **asked)
    assert f"takes {text} [" in str(found)
    assert found.relation == kind


@pytest.mark.parametrize("kind", ["=", ">", "<", "both", "neither", "?"])
def test_a_bound_is_hollow_with_an_arrow(kind: Relation) -> None:
    panel = style.new_figure(2, 2).subplots()
    bounds.mark(panel, 1.0, 2.0, kind, style.Look("#000000", "o"), 5, "x")
    (line,) = panel.get_lines()
    assert line.get_markerfacecolor() == ("white" if kind in (">", "<", "both") else "#000000")
    back = panel.transData.inverted()
    tips = [back.transform(text.xycoords.transform(text.xy))[0] for text in panel.texts]  # type: ignore[union-attr]
    assert [tip > 1 for tip in tips] == {">": [True], "<": [False], "both": [False, True]}.get(kind, [])
