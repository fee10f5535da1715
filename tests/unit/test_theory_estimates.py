"""Estimates on curves whose answers are known, the rule of the verdicts, and what a scenario refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from frl.errors import SpecError
from frl.scenario.loading import load_scenario as load
from frl.scenario.theory import TheoryScenario
from frl.scenario.theory_claims import TheoryClaim, TheoryClaims
from frl.settings import StragglerFleet
from frl.theory.cells.driver import Curves
from frl.theory.cells.execute import curves_of, execute
from frl.theory.cells.spec import Cell
from frl.theory.estimates import KNEE, crossing, fitted_slope, knee, mean_gap, quantity
from frl.theory.judge import judge
from frl.theory.panels import COLUMNS, estimates

CONFIG = Path(__file__).parents[2] / "config"
SECOND = {"kind": "constant", "seconds_per_1000_steps": 1.0}
TOY = {
    "kind": "theory",
    "name": "toy",
    "title": "Toy",
    "tuned": "Not at all.",
    "seeds": [1, 2, 3, 4, 5, 6],
    "problems": {"bowl": {"kind": "quadratic", "eigenvalues": [1.0, 0.3]}},
    "targets": {"bowl": [0.5, 0.2, 0.1]},
    "panels": {
        "time": [
            {
                "problem": "bowl",
                "gradients": [{"kind": "gaussian", "relative": 0.3}],
                "algorithms": ["afedpg", "fedpg"],
                "n_agents": [4],
                "step_size": [0.004],
                "momentum": [0.5],
                "fleets": [
                    {"kind": "straggler", "ratio": 1, "seconds_per_1000_steps": 1},
                    {"kind": "straggler", "ratio": 20, "seconds_per_1000_steps": 1},
                ],
                "updates": 1200,
            }
        ]
    },
}


def test_the_crossing_of_a_power_law_is_exact():
    x = np.array([0, 1, 10, 100, 1000])
    curve = np.array([[2.0, *(x[1:] ** -0.5)], [9.0] * 5])
    np.testing.assert_allclose(crossing(x, curve, 0.05), [400, np.inf])
    np.testing.assert_allclose(crossing(x, curve[:1], 3.0), [0.5])  # before any gradient
    assert fitted_slope(np.log(x[1:]), np.log(curve[:1, 1:]))[0] == pytest.approx(-0.5)


def test_the_knee_is_where_the_ratio_passes_and_beyond_the_largest_where_it_never_does():
    ratio_RN = np.array([[1.0, 1.0, 1.0, KNEE**2], [1.0, 1.0, 1.1, 1.2], [1.0, 0.9, np.inf, np.inf]])
    at = knee([1, 2, 8, 32], ratio_RN)
    assert at[0] == pytest.approx(16)
    assert at[1] == np.inf
    assert 2 < at[2] < 8


def test_a_number_beyond_the_budget_is_a_bound():
    values_R = np.concatenate([[np.inf], np.full(1000, 7.0), np.full(1000, np.inf)])
    q = quantity(values_R, 32, censored_at=9.0)
    assert (q.value, q.low, q.high, q.relation) == (9.0, 7.0, np.inf, ">")
    q = quantity(np.linspace(3, 5, 2001), 32)
    assert q.relation == "="
    assert q.low < 3.1 < 4.9 < q.high


def test_seeds_are_averaged_before_the_crossing_and_an_unstable_one_is_capped():
    gap_SP = np.array([[1.0, 0.1]] * 5 + [[1.0, np.inf]])
    mean_RP = mean_gap(Curves(np.array([0, 1]), np.array([0, 1]), np.zeros_like(gap_SP), gap_SP))
    assert mean_RP[0, 1] == pytest.approx((0.5 + 1e6) / 6)
    assert np.isfinite(mean_RP).all()


@pytest.fixture(scope="module")
def toy():
    scenario = TheoryScenario.model_validate(TOY)
    return scenario, {cell: curves_of(execute(cell)) for cell in scenario.runs()}


def test_time_is_the_closed_form_of_clock_and_waiting(toy):
    rows = pd.DataFrame(estimates(*toy), columns=list(COLUMNS))
    per_update = rows[rows["quantity"] == "time_per_update"]
    assert len(per_update) == 6
    assert per_update["value"].between(1 - 1e-6, 1.06).all()  # none arrives before the first task ends
    np.testing.assert_allclose(rows[rows["quantity"] == "time_per_round"]["value"], 1, atol=0.02)
    gain = rows[(rows["quantity"] == "time_ratio") & (rows["slowest"] == 20)]
    np.testing.assert_allclose(gain["theory"], 20 / 4 * (3 + 1 / 20))
    assert (gain["value"] > 4).all()


def test_a_cells_file_gives_its_curves_back(toy):
    _, runs = toy
    for cell, curves in runs.items():
        assert curves.gap_SP.shape == (6, len(curves.uploads_P))
        np.testing.assert_allclose(curves.gap_SP[:, 0], 0.325)
        assert curves.uploads_P[-1] == cell.updates


def claim(**settings):
    about = {"id": "A", "title": "t", "statement": "s", "source": "x", "falsifier": "f", "panel": "time"}
    return TheoryClaim(**about | {"quantity": "updates_ratio", "accept": (0.8, 1.25)} | settings)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.9, 1.2, "replicated"),
        (1.3, 1.4, "contradicted"),
        (0.5, 0.7, "contradicted"),
        (1.2, 1.3, "inconclusive"),
        (0.9, np.inf, "inconclusive"),
        (1.3, np.inf, "contradicted"),
        (np.nan, np.nan, "inconclusive"),
    ],
)
def test_a_verdict_is_where_the_interval_lies(low, high, verdict):
    row = {"panel": "time", "quantity": "updates_ratio", "n_agents": 8, "value": 1.0, "low": low, "high": high}
    frame = pd.DataFrame([row, row | {"n_agents": 4}], columns=list(COLUMNS)).assign(relation="=", seeds=32)
    claims = TheoryClaims(claims=(claim(where={"n_agents": (8,)}),))
    (judged,) = judge("toy", claims, frame).parts
    assert judged.verdict == verdict
    assert [one.verdict for one in judge("toy", claims, frame[frame["n_agents"] == 4]).parts] == ["not run"]


def test_the_reported_seeds_are_none_of_the_tunings():
    reported, tuning = load(CONFIG / "theory.yaml"), load(CONFIG / "tuning-theory.yaml")
    assert not set(reported.seeds) & set(tuning.seeds)
    assert len(reported.seeds) >= 30
    assert reported.problems == tuning.problems


def test_every_claim_is_about_a_panel_of_the_scenario():
    reported = load(CONFIG / "theory.yaml")
    for one in reported.claims.claims:
        cells = [cell for cell in reported.runs() if cell.panel == one.panel]
        for column in {"schedule", "step_size", "momentum", "n_agents"} & set(one.where):
            assert set(one.where[column]) <= {getattr(cell, column) for cell in cells}, (one.id, column)
        assert cells, one.id


def test_cells_of_other_settings_have_other_names():
    cells = list(TheoryScenario.model_validate(TOY).runs())
    assert len({cell.run_id for cell in cells}) == len(cells) == 4
    slower = cells[0].model_copy(update={"fleet": StragglerFleet(ratio=3.0, seconds_per_1000_steps=1.0)})
    assert isinstance(slower, Cell)
    assert slower.run_id != cells[0].run_id
    more = cells[0].model_copy(update={"seeds": (*cells[0].seeds, 99)})
    assert more.run_id == cells[0].run_id
    assert more.digest("code") != cells[0].digest("code")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (("seeds",), [1, 1, 2, 3, 4], "seeds: one is listed twice"),
        (("tempo",), 1, "tempo = 1: unknown key; allowed here: claims, kind, name"),
        (("problems", "bowl", "eigenvalues"), [0.0], "problems.bowl.eigenvalues.0 = 0.0"),
        (("problems", "bowl", "kind"), "cubic", "problems.bowl.kind = 'cubic': allowed are quadratic, garnet, lqr"),
        (("panels", "time", 0, "problem"), "hill", "panels.time.0.problem = 'hill': allowed are bowl"),
        (("panels", "time", 0, "momentum"), [0.0], "panels.time.0.momentum.0 = 0.0"),
        (("panels", "time", 0, "updates"), 3, "panels.time.0.updates = 3: fewer than agents, 4"),
        (("panels", "time", 0, "gradients"), [{"kind": "sampled", "trajectories": 1, "horizon": 5}], "only a garnet"),
        (("panels", "time", 0, "step_size"), [0.02, 0.02], "is listed twice"),
        (("targets",), {}, "targets: no entry for bowl"),
    ],
)
def test_a_bad_scenario_is_refused_in_one_line(tmp_path, key, value, message):
    data = yaml.safe_load(yaml.safe_dump(TOY))
    place = data
    for part in key[:-1]:
        place = place[part]
    place[key[-1]] = value
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(SpecError) as refused:
        load(path)
    assert message in str(refused.value)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)
