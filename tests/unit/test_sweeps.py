"""A sweep is one method for each of its values, and a bad one is one message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import synthetic
import yaml
from test_analysis_figures import drawn, named, x_of

from frl.errors import SpecError
from frl.report.figures import sensitivity
from frl.scenario.loading import load_scenario
from frl.scenario.scenario import Scenario
from frl.verdicts import power

ROOT = Path(__file__).parents[2]
SIZES = {"server.step_size": [0.01, 0.02]}


def scenario(*methods: dict[str, Any], **more: Any) -> Scenario:
    given = [{"algorithm": "afedpg", "n_agents": [1, 2], "sweep": SIZES}] if not methods else list(methods)
    return synthetic.scenario(methods=given, claims=None, environments=("Swimmer", "Hopper"), **more)


def test_a_sweep_is_a_method_for_each_value() -> None:
    small = {
        "algorithm": "afedpg",
        "n_agents": [8],
        "environments": ["Hopper"],
        "sweep": {"server.step_size": [0.005, 0.01]},
    }
    of = scenario({"algorithm": "afedpg", "n_agents": [1, 2], "sweep": SIZES}, small)
    assert [cell for cell in of.cells() if cell[0] == "Hopper"] == [
        ("Hopper", "afedpg-0.01", 1), ("Hopper", "afedpg-0.01", 2), ("Hopper", "afedpg-0.01", 8),
        ("Hopper", "afedpg-0.02", 1), ("Hopper", "afedpg-0.02", 2), ("Hopper", "afedpg-0.005", 8),
    ]  # fmt: skip
    for cell in of.cells():
        method, spec = of.method(*cell), of.arm(*cell)
        assert (method.family, method.swept) == ("afedpg", ("server.step_size", spec.server.step_size))  # type: ignore[attr-defined]
        assert spec.method == f"afedpg-{spec.server.step_size:g}"  # type: ignore[attr-defined]
    plain = [{"name": f"afedpg-{v}", "algorithm": "afedpg", "n_agents": [1, 2], "server": {"step_size": v}}
             for v in SIZES["server.step_size"]]  # fmt: skip
    assert [spec.to_json() for spec in scenario().runs()] == [spec.to_json() for spec in scenario(*plain).runs()]


def test_a_scenario_with_sweeps_survives_being_written_and_read() -> None:
    of = scenario(
        overrides=[{"where": {"method": ["afedpg"]}, "set": {"stop_at": 70}}], figures={"sensitivity": {"afedpg": "A"}}
    )
    again = Scenario.model_validate(of.model_dump(mode="json"))
    assert again == of
    assert list(again.runs()) == list(of.runs())


@pytest.mark.parametrize(
    ("values", "names"),
    [([1_000, 0.5], ["1000", "0.5"]), ([2.0, 1e-5], ["2", "0.00001"]), ([1e16], ["10000000000000000"])],
)
def test_a_name_has_the_value_in_decimals(values: list[float], names: list[str]) -> None:
    of = scenario({"name": "x", "algorithm": "afedpg", "n_agents": [1], "sweep": {"server.step_size": values}})
    assert [method.key for method in of.methods] == [f"x-{name}" for name in names]


def test_any_numeric_setting_can_be_swept_and_keeps_its_type() -> None:
    of = scenario(
        {"name": "ratio", "algorithm": "fedpg", "n_agents": [2], "set": {"fleet": {"kind": "straggler"}},
         "sweep": {"fleet.ratio": [1, 2.5]}},
        {"name": "lanes", "algorithm": "fedpg", "n_agents": [2], "sweep": {"sampling.lanes": [8, 16]}},
        {"name": "budget", "algorithm": "fedpg", "n_agents": [2], "sweep": {"steps_per_agent": [50_000]}},
    )  # fmt: skip
    assert [of.arm("Hopper", f"ratio-{v}", 2).fleet.ratio for v in ("1", "2.5")] == [1, 2.5]  # type: ignore[union-attr]
    assert of.arm("Hopper", "lanes-16", 2).sampling.lanes == 16
    assert of.arm("Hopper", "budget-50000", 2).steps_per_agent == 50_000


def test_overrides_and_figures_may_name_a_sweep_or_one_of_it() -> None:
    overrides = [
        {"where": {"method": ["afedpg"]}, "set": {"estimator": {"discount": 0.9}}},
        {"where": {"method": ["afedpg-0.02"]}, "set": {"estimator": {"discount": 0.8}}},
    ]
    of = scenario(overrides=overrides, figures={"sensitivity": {"afedpg": "AFedPG"}})
    assert [of.arm("Hopper", f"afedpg-{v}", 1).estimator.discount for v in (0.01, 0.02)] == [0.9, 0.8]
    assert of.figures["sensitivity"] == {"afedpg-0.01": "AFedPG", "afedpg-0.02": "AFedPG"}


def test_messages_list_a_sweep_once() -> None:
    with pytest.raises(SpecError, match=r"has afedpg-\[0\.01, 0\.02\] \(afedpg, N = 1, 2\)$"):
        scenario().method("Hopper", "afedpg", 1)


ONE = {"algorithm": "afedpg", "n_agents": [1]}
SWEPT, STEP = {**ONE, "sweep": SIZES}, "server.step_size"
REFUSED: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
    ([{**ONE, "sweep": {"server.stepsize": [1]}}], {},
     r"afedpg-1, N = 1\): server\.stepsize = 1: unknown key; allowed here"),
    ([{**ONE, "sweep": {"learning.rate": [1]}}], {}, r"learning = {'rate': 1}: unknown key; allowed here"),
    ([{**ONE, "sweep": {"estimator.name": [1]}}], {}, r"estimator\.name = 1: Input should be 'reward_to_go'"),
    ([{**ONE, "sweep": {"server": [1]}}], {}, r"server"),
    ([{**ONE, "sweep": {"n_agents": [1, 2]}}], {}, r"run\.n_agents: the grid sets this"),
    ([{**ONE, "sweep": {STEP: ["0.1"]}}], {}, r"sweep\.server\.step_size\.0 = '0\.1': should be a number"),
    ([{**ONE, "sweep": {STEP: [True]}}], {}, r"= True: should be a number"),
    ([{**ONE, "sweep": {STEP: [float("inf")]}}], {}, r"= inf: should be a number"),
    ([{**ONE, "sweep": {STEP: []}}], {}, r"needs at least 1 entry"),
    ([{**ONE, "sweep": {STEP: 0.1}}], {}, r"should be a list"),
    ([{**ONE, "sweep": {}}], {}, r"sweep = {}: needs at least 1 entry"),
    ([{**ONE, "sweep": {**SIZES, "server.momentum": [0.1]}}], {}, r"has 2 entries; at most 1 allowed"),
    ([{**ONE, "sweep": {STEP: [1, 1.0]}}], {}, r"1(\.0)? is listed twice"),
    ([{**SWEPT, "server": {"step_size": 1}}], {}, r"sweep\.server\.step_size: is set as well"),
    ([{**SWEPT, "set": {"server": {"step_size": 1}}}], {}, r"sweep\.server\.step_size: is set as well"),
    ([{**ONE, "sweep": {STEP: [1e-60]}}], {}, r"is too long for a name"),
    ([SWEPT, {**ONE, "n_agents": [2]}], {}, r"'afedpg' names a sweep of server\.step_size and a method without"),
    ([SWEPT, {**ONE, "n_agents": [2], "sweep": {"server.momentum": [0.1]}}], {},
     r"and a sweep of server\.momentum"),
    ([SWEPT, {**ONE, "n_agents": [2], "name": "afedpg-0.01"}], {}, r"'afedpg-0\.01' names one of the sweep"),
    ([SWEPT, {**ONE, "sweep": {STEP: [0.02]}, "environments": ["Hopper"]}], {},
     r"afedpg-0\.02, N = 1 is listed twice in Hopper"),
    ([SWEPT], {"overrides": [{"where": {}, "set": {"server": {"step_size": 1}}}]},
     r"overrides 0 apply: server\.step_size: is swept, so that no override may set it"),
    ([SWEPT], {"overrides": [{"where": {"method": ["afedpg-0.03"]}, "set": {}}]}, r"matches no run"),
    ([SWEPT], {"figures": {"time_complexity": {"afedpg": "X"}}}, r"two methods have the same label"),
    ([SWEPT, {"algorithm": "fedpg", "n_agents": [1], "sweep": {"server.momentum": [0.1]}}],
     {"figures": {"sensitivity": {"afedpg": "A", "fedpg": "B"}}},
     r"figures\.sensitivity: its methods sweep more than one"),
    ([{**ONE, "sweep": {"policy.log_std_init": [-1, 1]}}], {"figures": {"sensitivity": {"afedpg": "A"}}},
     r"figures\.sensitivity: afedpg--1 has policy\.log_std_init = -1; the axis is logarithmic"),
]  # fmt: skip


@pytest.mark.parametrize(("methods", "more", "told"), REFUSED, ids=[told for _, _, told in REFUSED])
def test_what_is_no_sweep_is_one_clear_message(
    tmp_path: Path, methods: list[dict[str, Any]], more: dict[str, Any], told: str
) -> None:
    text = {
        "name": "toy", "title": "t", "tuned": "t", "environments": ["Swimmer", "Hopper"], "seeds": [0],
        "methods": methods,
        "thresholds": {"Swimmer": "60 return", "Hopper": "60 return"}, "run": {"steps_per_agent": 100_000}, **more,
    }  # fmt: skip
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(text))
    with pytest.raises(SpecError, match=told) as error:
        load_scenario(tmp_path / "toy.yaml")
    assert len(str(error.value).splitlines()) == 1


def test_one_name_may_have_other_settings_in_other_environments() -> None:
    of = scenario(
        {**ONE, "environments": ["Swimmer"], "server": {"step_size": 0.1}},
        {**ONE, "environments": ["Hopper"], "server": {"step_size": 0.2}, "seeds": [7]},
    )
    steps = {spec.run_id: spec.server.step_size for spec in of.runs()}  # type: ignore[attr-defined]
    assert steps["Swimmer/afedpg/n1/seed0"] == 0.1
    assert [run for run in steps.items() if run[0].startswith("Hopper")] == [("Hopper/afedpg/n1/seed7", 0.2)]


def test_times_know_the_sweep_and_its_value() -> None:
    of = scenario({**ONE, "sweep": SIZES}, {"algorithm": "fedpg", "n_agents": [1]})
    times = power.tuning_times(of, synthetic.frame(of))
    assert list(times) == [*power.COLUMNS, *power.OF_SWEEPS]
    found = times[list(power.OF_SWEEPS)].drop_duplicates().dropna().to_numpy().tolist()
    assert found == [["afedpg", "server.step_size", 0.01], ["afedpg", "server.step_size", 0.02]]
    assert times[times["method"] == "fedpg"]["sweep"].isna().all()


def test_the_figure_of_sensitivity_is_of_what_is_swept() -> None:
    sweep = {"server.momentum": [0.1, 0.2, 0.4]}
    of = synthetic.scenario(
        methods=[{"algorithm": "afedpg", "n_agents": [1, 4], "sweep": sweep}],
        claims=None, figures={"sensitivity": {"afedpg": "AFedPG"}},
    )  # fmt: skip
    frame = synthetic.frame(of)
    drawing = drawn(lambda width: sensitivity.sensitivity(of, frame, width))
    (panel,) = drawing.figure.axes
    assert panel.get_xlabel().startswith("server.momentum (")
    assert x_of(named(panel, "curve")["curve N = 4"]).tolist() == sweep["server.momentum"]


def test_the_sensitivity_study_gives_each_arm_its_trials() -> None:
    """As many values for each rival as for AFedPG with as many agents; settings of the tasks as elsewhere."""
    of = load_scenario(ROOT / "config/sensitivity.yaml")
    values: dict[tuple[str, str, int], int] = {}
    for cell in of.cells():
        arm = (cell[0], of.method(*cell).family, cell[2])
        values[arm] = values.get(arm, 0) + 1
        spec = of.arm(*cell)
        assert (spec.sampling.trajectories, len(of.seeds_of(*cell))) == (1, 5)
        assert spec.stop_at == {"Swimmer": 100, "Hopper": 1000}.get(cell[0])
        assert min(of.seeds_of(*cell)) >= 1000
    assert {count for (e, _, _), count in values.items() if e == "Swimmer"} == {6}
    assert {count for (e, _, _), count in values.items() if e != "Swimmer"} == {5}
