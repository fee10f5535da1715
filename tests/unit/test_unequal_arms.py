"""Scenarios whose methods have environments and seeds of their own, and whose runs do not all go to the horizon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import synthetic
import yaml

import frl
from frl.analysis import load
from frl.analysis.curves import STEPS, TIME, all_curves
from frl.analysis.thresholds import seed_times
from frl.cli import main
from frl.errors import SpecError
from frl.report import settings, show
from frl.report.figures import complexity
from frl.report.tables import summary, verdict
from frl.runs.plan import Plan
from frl.scenario.loading import load_scenario
from frl.scenario.scenario import Scenario
from frl.verdicts import judge, words

FLEET = {"name": "equal-fleet", "algorithm": "afedpg", "n_agents": [4], "environments": ["Swimmer"], "seeds": [7, 3],
         "set": {"fleet": {"kind": "constant"}}}  # fmt: skip
METHODS = [
    {"algorithm": "afedpg", "n_agents": [1, 4]},
    {"algorithm": "fedpg", "n_agents": [4]},
    {"algorithm": "afedpg", "n_agents": [2], "environments": ["Swimmer"], "seeds": "0-4"},
    FLEET,
]
STOP = {"where": {"seed": "6-9"}, "set": {"stop_at": 60}}
CLAIMS = {"claims": [
    synthetic.claim("P"),
    synthetic.claim("H", environment="Hopper", pairs=[{"slower": {"method": "afedpg", "n_agents": 1},
                                                       "faster": {"method": "afedpg", "n_agents": 2}}]),
]}  # fmt: skip
CLAIMS["claims"][0]["pairs"][0]["faster"]["n_agents"] = 4


def unequal(**more: Any) -> Scenario:
    seeds = {"Swimmer": "0-9", "Hopper": "0-7"}
    given = {"methods": METHODS, "seeds": seeds, "overrides": [STOP], "claims": CLAIMS}
    return synthetic.scenario(("Swimmer", "Hopper"), **given | more)


def runs_of(scenario: Scenario) -> dict[tuple[str, str, int], list[int]]:
    found: dict[tuple[str, str, int], list[int]] = {}
    for spec in scenario.runs():
        found.setdefault((spec.environment, spec.method, spec.n_agents), []).append(spec.seed)
    return found


# --------------------------------------------------------------------------------------------------
# The grid


def test_a_method_has_environments_and_seeds_of_its_own_and_a_task_has_seeds() -> None:
    ten, eight = list(range(10)), list(range(8))
    assert runs_of(unequal()) == {
        ("Swimmer", "afedpg", 1): ten, ("Swimmer", "afedpg", 2): [0, 1, 2, 3, 4], ("Swimmer", "afedpg", 4): ten,
        ("Swimmer", "fedpg", 4): ten, ("Swimmer", "equal-fleet", 4): [7, 3],
        ("Hopper", "afedpg", 1): eight, ("Hopper", "afedpg", 4): eight, ("Hopper", "fedpg", 4): eight,
    }  # fmt: skip
    assert list(runs_of(unequal())) == unequal().cells()


def test_some_seeds_stop_at_a_return_and_differ_in_nothing_else() -> None:
    specs = [spec for spec in unequal().runs() if (spec.environment, spec.method) == ("Swimmer", "fedpg")]
    assert [spec.stop_at for spec in specs] == [None] * 6 + [60] * 4
    assert len({spec.model_copy(update={"seed": 0, "stop_at": None}).to_json() for spec in specs}) == 1


def test_a_scenario_says_the_same_after_it_was_written_down() -> None:
    scenario = unequal()
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario
    assert list(Scenario.model_validate_json(scenario.model_dump_json()).runs()) == list(scenario.runs())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seeds": "9-0"}, "seeds = '9-0': a range goes up"),
        ({"seeds": "0-4000000"}, "at most 100,000 seeds"),
        ({"seeds": "0-9,12"}, "seeds = '0-9,12': should be a list, as in [0, 1, 2], or a range, as in 0-29"),
        ({"seeds": 3}, "seeds = 3: should be a list"),
        ({"seeds": ["0-9", 12]}, "'0-9' is text; a range of seeds stands alone"),
        ({"seeds": [1, 2, 1]}, "1 is listed twice"),
        ({"seeds": {"Swimmer": [1, 1], "Hopper": "0-1"}}, "seeds.Swimmer = [1, 1]: 1 is listed twice"),
        ({"seeds": {"Swimmer": [-1], "Hopper": "0-1"}}, "seeds.Swimmer.0 = -1"),
        ({"seeds": {"Swimmer": "0-1"}}, "seeds: no entry for Hopper"),
        ({"seeds": {"Swimmer": "0-1", "Hopper": "0-1", "Ant": "0-1"}}, "seeds: Ant is none of `environments`"),
        ({"methods": [{"algorithm": "afedpg", "n_agents": [1], "environments": ["Ant"]}]}, "Ant is none of"),
        ({"methods": [{"algorithm": "afedpg", "n_agents": [1], "environments": []}]}, "needs at least 1 entry"),
        ({"methods": [{"algorithm": "afedpg", "n_agents": [1], "environments": ["Hopper"] * 2}]}, "listed twice"),
        ({"methods": [{"algorithm": "afedpg", "n_agents": [1], "environments": ["Hopper"]}]}, "no method is run in Sw"),
        ({"methods": [{"algorithm": "afedpg", "n_agents": [1], "seeds": "3-3"}]}, "a range goes up"),
        ({"overrides": [{"where": {"seed": "8-12"}, "set": {"stop_at": 60}}]}, "where.seed = 10: matches no run"),
        ({"overrides": [{"where": {"seed": [7], "method": ["afedpg"], "n_agents": [2]}, "set": {"stop_at": 60}}]},
         "afedpg (N = 2, in Swimmer, seeds 0-4)"),
        ({"overrides": [{"where": {"seed": [1]}, "set": {"server": {"momentum": 1}}}]}, "only stop_at may be set"),
        ({"overrides": [{"where": {"seed": [1]}, "set": {"stop_at": 59}}]}, "stop_at = 59: ends before the threshold"),
        ({"overrides": [{"where": {"seed": [1]}, "set": {"stop_at": 61}}],
          "claims": {"claims": [synthetic.claim("P", threshold=80) | {"pairs": CLAIMS["claims"][0]["pairs"]}]}},
         "claim P: threshold = 80: runs of afedpg (N = 1) stop at 61"),
    ],
)  # fmt: skip
def test_what_a_grid_cannot_say_is_told(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    data = unequal(overrides=[]).model_dump(mode="json", exclude={"tuning_times", "figures"})
    data["seeds"], claims = "0-9", changes.pop("claims", CLAIMS)
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump(claims))
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump({**data, "claims": "claims.yaml", **changes}))
    with pytest.raises(SpecError) as error:
        load_scenario(path)
    assert told in str(error.value)
    assert not {"[list]", "[map]"} & set(str(error.value).replace(".", " ").split())


def test_a_run_outside_its_methods_environments_or_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump(unequal(claims=None).model_dump(mode="json", exclude={"claims"})))
    given = ["train", str(path), "--environment", "Hopper", "--method", "equal-fleet", "--n-agents", "4", "--seed", "3"]
    assert main(given) == 2
    assert "method = 'equal-fleet': is run in Swimmer, not in 'Hopper'" in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------
# What is made of the runs


def test_curves_and_final_returns_are_of_whole_runs_and_times_of_all() -> None:
    scenario = unequal()
    frame = synthetic.frame(scenario, noise=8.0)
    whole = unequal(seeds={"Swimmer": "0-5", "Hopper": "0-5"}, methods=METHODS[:3], overrides=[])
    alone = all_curves(synthetic.frame(whole, noise=8.0), STEPS)
    for axis in (STEPS, TIME):
        for cell, curves in all_curves(frame, axis).items():
            assert list(curves.seeds) == sorted(scenario.seeds_of(*cell))
            assert len(seed_times(curves, 60)) == len(curves.seeds)
            assert [run.seed for run in curves.whole] == [seed for seed in curves.seeds if seed < 6]
    for cell, curves in alone.items():
        found = all_curves(frame, STEPS)[cell]
        assert (found.final_S == curves.final_S).all()
        assert (complexity.median_of(found).returns == complexity.median_of(curves).returns).all()


def test_a_stuck_seed_that_was_to_stop_has_no_part_in_the_final_return() -> None:
    scenario = unequal(overrides=[{"where": {"seed": "6-9"}, "set": {"stop_at": 1e4}}])  # that none of them reaches
    table = summary.final_return(scenario, all_curves(synthetic.frame(scenario), STEPS))
    assert [row["seeds"] for row in table.rows] == [6, 5, 6, 6, 1, 6, 6, 6]


def test_an_arm_of_which_all_runs_stop_has_times_and_no_curve() -> None:
    scenario = synthetic.scenario(methods={"afedpg": (1, 4)}, seeds=tuple(range(5)), claims=None,
                                  overrides=[{"where": {"n_agents": [4]}, "set": {"stop_at": 60}}])  # fmt: skip
    frame = synthetic.frame(scenario)
    final = summary.final_return(scenario, all_curves(frame, STEPS)).rows[1]
    assert (final["seeds"], final.get("final_return")) == (0, None)
    samples = summary.build(scenario, frame, runs(scenario))[1].rows[1]
    assert (samples["seeds"], samples["reached"], samples.get("capped_area")) == (5, 1, None)
    first, second = complexity.sample_complexity(scenario, frame, 7.0).figure.axes
    medians = [
        [line for line in panel.get_lines() if str(line.get_gid()).startswith("median")] for panel in (first, second)
    ]
    assert [len(lines[0].get_xdata()) > 0 for lines in medians] == [True, False]
    assert complexity.time_curves(scenario, frame, 7.0).figure.axes


def runs(scenario: Scenario) -> pd.DataFrame:
    """runs.csv of synthetic runs."""
    return pd.DataFrame(load._flat(spec, synthetic.meta(spec, synthetic.rows(spec))) for spec in scenario.runs())


def test_tables_figures_and_settings_are_of_the_arms_that_there_are() -> None:
    scenario = unequal()
    frame = synthetic.frame(scenario)
    for table in summary.build(scenario, frame, runs(scenario)):
        if table.name != "time_ratio":
            assert [(row["environment"], row["n_agents"]) for row in table.rows] == [
                (environment, n) for environment, _, n in scenario.cells()
            ]
    found = complexity.groups(scenario, STEPS)
    assert {environment: list(by_n) for environment, by_n in found.items()} == {"Swimmer": [1, 2, 4], "Hopper": [1, 4]}
    drawn = complexity.sample_complexity(scenario, frame, 7.0)
    assert [panel.get_title().split(":")[0] for panel in drawn.figure.axes] == [
        "N = 1", "N = 2", "N = 4", "N = 1", "N = 4",
    ]  # fmt: skip
    _, different = settings.settings(scenario)
    values = different.set_index("setting")
    assert values.loc["seeds", "Swimmer, AFedPG, N = 2"] == "0-4"
    assert values.loc["stop_at", "Hopper, FedPG, N = 4"] == "– (seeds 0-5); 60.0 (seeds 6-7)"


def test_a_claim_is_judged_where_its_arms_are_run() -> None:
    scenario = unequal()
    verdicts = judge.judge(scenario, synthetic.frame(scenario))
    there, absent = verdicts.parts
    assert (there.verdict, [arm.seeds for arm in there.arms]) == ("replicated", [10, 10])
    assert absent.reason.code == "not_in_scenario"


def test_reading_accepts_seeds_that_stop_and_plots_say_so(tmp_path: Path) -> None:
    scenario = unequal()
    synthetic.write_all(tmp_path, scenario)
    found = frl.runs(tmp_path / "toy").select(environment="Swimmer", method=["afedpg", "fedpg"], n_agents=4)
    ratio = found.compare("fedpg", "afedpg", level=60)
    assert ratio.seeds == (10, 10)
    labels = {text.get_text() for text in found.plot().get_legend().get_texts()}
    assert labels == {"AFedPG, N = 4, 10 seeds (median of 6)", "FedPG, N = 4, 10 seeds (median of 6)"}


# --------------------------------------------------------------------------------------------------
# One instruction set


def test_a_mix_of_instruction_sets_is_told_wherever_results_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = synthetic.scenario(methods={"afedpg": (1, 8)}, claims={"claims": [synthetic.claim("P")]})
    for place, spec in enumerate(scenario.runs()):
        synthetic.write_run(tmp_path, scenario, spec, instructions="AVX512" if place == 2 else "AVX2")
    load.collect(scenario, tmp_path, tmp_path / "toy", partial=False)
    told = "different vector instructions, on which a run's bytes depend: 5 with AVX2, 1 with AVX512."
    assert f"frl: warning: These runs were made with {told}" in capsys.readouterr().err
    verdicts = judge.write(scenario, tmp_path / "toy")
    assert told in words.headline(verdicts)
    assert told in verdict.table(verdicts, verdicts.parts).note
    frame, facts = load.read_curves(tmp_path / "toy"), load.read_runs(tmp_path / "toy")
    assert all(told in table.note for table in summary.build(scenario, frame, facts))
    assert "5 with AVX2, 1 with AVX512" in show.cautions(scenario, tmp_path / "toy")


def test_one_instruction_set_needs_no_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = synthetic.scenario(methods={"afedpg": (1,)}, claims=None)
    synthetic.write_all(tmp_path, scenario)
    load.collect(scenario, tmp_path, tmp_path / "toy", partial=False)
    assert capsys.readouterr().err == ""
    assert "instructions" not in show.cautions(scenario, tmp_path / "toy")


# --------------------------------------------------------------------------------------------------
# What it says beside the results


def test_cautions_count_the_seeds_and_the_whole_runs(tmp_path: Path) -> None:
    scenario = unequal()
    synthetic.write_all(tmp_path, scenario)
    load.collect(scenario, tmp_path, tmp_path / "toy", partial=False)
    said = show.cautions(scenario, tmp_path / "toy")
    assert "2 to 10 seeds" in said
    assert "returns use 42 of 61 runs" in said


def test_a_plan_says_that_runs_which_stop_are_priced_to_the_end() -> None:
    lines = list(Plan({"missing": 2}, [], 60.0, 60.0, 1, 1, stopping=2).lines())
    assert lines[-1] == "at most: 2 of the runs stop at a return (stop_at), and are priced to the end"
