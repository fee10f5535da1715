"""The specification: streams, digests, scenarios, and what bad input gets."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from frl.errors import SpecError, _models_in
from frl.scenario.loading import load_scenario, load_training
from frl.scenario.scenario import Scenario, merge
from frl.settings import CriticSpec
from frl.spec import SERVERS, RunSpec

RUN = {"environment": "Swimmer", "algorithm": "afedpg", "n_agents": 4, "seed": 0, "steps_per_agent": 1000}
SCENARIO = {
    "name": "mini",
    "title": "A test",
    "tuned": "not at all",
    "environments": ["Swimmer", "Hopper"],
    "methods": [
        {"algorithm": "afedpg", "n_agents": [1, 2], "server": {"step_size": 0.1}},
        {"algorithm": "a3c", "n_agents": [2]},
    ],
    "seeds": [0, 1],
    "thresholds": {"Swimmer": "30 return", "Hopper": "1000 return"},
    "run": {"steps_per_agent": 10_000},
}


THEORY = {
    "kind": "theory",
    "name": "mini",
    "title": "A test",
    "tuned": "not at all",
    "seeds": [0, 1, 2, 3, 4],
    "problems": {"bowl": {"kind": "quadratic", "eigenvalues": [1, 0.1]}},
    "targets": {"bowl": [0.3]},
    "panels": {
        "tuning": [
            {"problem": "bowl", "gradients": [{"kind": "gaussian", "relative": 3}], "n_agents": [1],
             "step_size": [0.2], "momentum": [1], "updates": 100},
        ]
    },
}  # fmt: skip
CSVS = [(SCENARIO, "tuning_times", "tuning times"), (THEORY, "trials", "trials")]
"""A scenario of each kind, the key of it that names a CSV, and what messages call that."""


def write(tmp_path, scenario=SCENARIO, **changes):
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump({**scenario, **changes}))
    return path


def test_streams_depend_on_seed_and_name_only():
    first, many = RunSpec(**RUN), RunSpec(**{**RUN, "n_agents": 8, "algorithm": "a3c"})
    draw = first.stream("agent", 3, "noise").random(4)
    np.testing.assert_array_equal(draw, many.stream("agent", 3, "noise").random(4))
    others = [
        RunSpec(**{**RUN, "seed": 1}).stream("agent", 3, "noise"),
        first.stream("agent", 4, "noise"),
        first.stream("agent", 3, "lane", 0),
    ]
    for other in others:
        assert not np.array_equal(draw, other.random(4))


def test_all_streams_of_ten_seeds_and_eight_agents_are_distinct():
    draws = {
        RunSpec(**{**RUN, "seed": seed}).stream("agent", agent, "lane", lane).integers(2**63)
        for seed in range(10)
        for agent in range(8)
        for lane in range(4)
    }
    assert len(draws) == 320


def test_digest_changes_with_every_setting_and_with_the_code():
    run = RunSpec(**RUN)
    assert run.digest("a") == RunSpec(**RUN).digest("a")
    changes = [{"seed": 1}, {"steps_per_agent": 1001}, {"server": {"momentum": 0.3}}, {"critic": {"memory": 0.5}}]
    digests = {run.digest("a"), run.digest("b")} | {RunSpec(**{**RUN, **change}).digest("a") for change in changes}
    assert len(digests) == 2 + len(changes)


def test_specs_are_frozen_and_round_trip():
    run = RunSpec(**RUN, server={"step_size": 0.3})
    with pytest.raises(ValidationError, match="frozen"):
        run.seed = 3
    assert RunSpec.model_validate_json(run.to_json()) == run
    assert run.run_id == "Swimmer/afedpg/n4/seed0"
    assert run.env_steps_budget == 4000


def test_json_leaves_out_what_is_empty_by_default_and_nothing_else():
    plain = json.loads(RunSpec(**RUN).to_json())
    assert "stop_at" not in plain
    assert "trajectories" not in plain["sampling"]
    unclipped = RunSpec(**{**RUN, "algorithm": "a3c"}, server={"max_gradient_norm": None}, stop_at=3.0)
    given = json.loads(unclipped.to_json())
    assert given["server"]["max_gradient_norm"] is None  # the default is a number
    assert given["stop_at"] == 3
    assert RunSpec.model_validate(given).server == unclipped.server


def test_grid_and_overrides(tmp_path):
    overrides = [
        {"where": {"environment": ["Hopper"]}, "set": {"estimator": {"discount": 0.9}}},
        {"where": {"algorithm": ["afedpg"], "n_agents": [2]}, "set": {"server": {"momentum": 0.7}}},
        {"where": {}, "set": {"fleet": {"kind": "linear"}}},
    ]
    scenario = load_scenario(write(tmp_path, overrides=overrides))
    runs = {run.run_id: run for run in scenario.runs()}
    assert len(runs) == 2 * 3 * 2
    assert runs["Hopper/a3c/n2/seed1"].estimator.discount == 0.9
    assert runs["Swimmer/a3c/n2/seed1"].estimator.discount == 0.99
    assert runs["Swimmer/afedpg/n2/seed0"].server.model_dump() == {
        "step_size": 0.1,
        "momentum": 0.7,
        "schedule": "constant",
        "lookahead_alpha": "arrival",
    }
    assert runs["Swimmer/afedpg/n1/seed0"].server.momentum == 0.2
    assert {run.fleet.kind for run in runs.values()} == {"linear"}
    assert scenario.threshold("Hopper") == 1000
    assert runs["Hopper/a3c/n2/seed1"] == scenario.resolve("Hopper", "a3c", 2, 1)


def methods(*named):
    """Methods of AFedPG with N = 2, from what is given besides."""
    return [{"algorithm": "afedpg", "n_agents": [2], **given} for given in named]


def test_methods_of_one_algorithm_differ_by_name(tmp_path):
    given = methods({}, {"name": "a0.7", "server": {"momentum": 0.7}}, {"name": "a0.7", "n_agents": [4]})
    runs = list(load_scenario(write(tmp_path, methods=given, environments=["Hopper"], seeds=[3])).runs())
    assert [run.run_id for run in runs] == ["Hopper/afedpg/n2/seed3", "Hopper/a0.7/n2/seed3", "Hopper/a0.7/n4/seed3"]
    assert {run.algorithm for run in runs} == {"afedpg"}
    assert [run.server.momentum for run in runs] == [0.2, 0.7, 0.2]


def test_later_settings_of_a_method_win(tmp_path):
    """run < server < set < overrides; an override finds a method by its name and by its algorithm."""
    run = {
        "steps_per_agent": 10_000,
        "server": {"step_size": 1.0},
        "estimator": {"entropy_coefficient": 3, "discount": 0.5},
    }
    sets = {
        "server": {"momentum": 0.3},
        "estimator": {"entropy_coefficient": 4, "discount": 0.6},
        "steps_per_agent": 20_000,
    }
    given = methods({}, {"name": "x", "server": {"step_size": 2.0, "momentum": 0.4}, "set": sets})
    overrides = [
        {"where": {"method": ["x"]}, "set": {"estimator": {"entropy_coefficient": 5}}},
        {"where": {"algorithm": ["afedpg"]}, "set": {"normalizer": {"clip": 6.0}}},
    ]
    scenario = load_scenario(write(tmp_path, run=run, methods=given, overrides=overrides))
    plain, x = (scenario.resolve("Hopper", name, 2, 0) for name in ("afedpg", "x"))
    assert (plain.server.step_size, plain.estimator.entropy_coefficient, plain.estimator.discount) == (1.0, 3, 0.5)
    assert (x.server.step_size, x.server.momentum) == (2.0, 0.3)
    assert (x.estimator.entropy_coefficient, x.estimator.discount, x.steps_per_agent) == (5, 0.6, 20_000)
    assert plain.normalizer.clip == x.normalizer.clip == 6.0


def test_the_name_of_a_method_is_no_setting(tmp_path):
    settings = {"server": {"momentum": 0.4}}
    given = methods(settings, {"name": "x", **settings}, {"name": "y", "set": {"server": {"momentum": 0.4}}})
    scenario = load_scenario(write(tmp_path, methods=given))
    runs = [scenario.resolve("Swimmer", name, 2, 0) for name in ("afedpg", "x", "y")]
    assert [run.method for run in runs] == ["afedpg", "x", "y"]
    assert len({run.digest("code") for run in runs}) == len({run.to_json() for run in runs}) == 1
    assert "method" not in runs[1].model_dump()
    assert RunSpec(**RUN).method == RunSpec(**RUN, method="").method == "afedpg"


def test_merge_replaces_a_fleet_of_another_kind():
    merged = merge({"fleet": {"kind": "straggler", "ratio": 4}}, {"fleet": {"kind": "constant"}})
    assert merged == {"fleet": {"kind": "constant"}}
    assert merge({"a": {"x": 1}}, {"a": {"y": 2}}) == {"a": {"x": 1, "y": 2}}


BAD = {
    "unknown key": ({"sedes": [1]}, ["sedes", "unknown key", "seeds"]),
    "unknown nested key": ({"run": {"steps_per_agent": 1, "critic": {"memori": 0.2}}}, ["critic.memori", "memory"]),
    "unknown server key": (
        {"methods": [{"algorithm": "a3c", "n_agents": [1], "server": {"momentum": 1}}]},
        ["server.momentum", "learning_rate"],
    ),
    "wrong type": ({"run": {"steps_per_agent": "many"}}, ["steps_per_agent", "'many'", "integer"]),
    "N < 1": (
        {"methods": [{"algorithm": "a3c", "n_agents": [0]}]},
        ["n_agents.0", "= 0", "greater than or equal to 1"],
    ),
    "environment": ({"environments": ["Cartpole"]}, ["Cartpole", "'Swimmer'", "'Ant'"]),
    "algorithm": ({"methods": [{"algorithm": "ppo", "n_agents": [1]}]}, ["ppo", "afedpg", "a3c"]),
    "negative rate": (
        {"methods": [{"algorithm": "a3c", "n_agents": [1], "server": {"learning_rate": -1}}]},
        ["server.learning_rate", "-1", "greater than 0"],
    ),
    "threshold without unit": (
        {"thresholds": {"Swimmer": "30", "Hopper": "1 return"}},
        ["Swimmer", "'30'", "100 return"],
    ),
    "number as threshold": ({"thresholds": {"Swimmer": 30, "Hopper": "1 return"}}, ["Swimmer", "30", "100 return"]),
    "threshold missing": ({"thresholds": {"Swimmer": "30 return"}}, ["thresholds", "Hopper"]),
    "override of no run": (
        {"overrides": [{"where": {"algorithm": ["a3d"]}, "set": {}}]},
        ["overrides.0", "a3d", "a3c (N = 2)"],
    ),
    "name with other characters": (
        {"methods": methods({"name": "AFedPG 0.5"})},
        ["name", "'AFedPG 0.5'", "lower-case"],
    ),
    "path as a name": ({"methods": methods({"name": "../x"})}, ["name", "'../x'"]),
    "method twice": ({"methods": methods({}, {})}, ["methods", "afedpg, N = 2", "twice", "`name`"]),
    "named method twice": ({"methods": methods({"name": "x"}, {"name": "x"})}, ["methods", "x, N = 2", "twice"]),
    "name of another algorithm": ({"methods": methods({"name": "fedpg"})}, ["name", "'fedpg'", "'afedpg'"]),
    "unknown key of a method's settings": (
        {"methods": methods({"name": "x", "set": {"critic": {"memori": 0.2}}})},
        ["x, N = 2", "critic.memori", "memory"],
    ),
    "identity in a method's settings": ({"methods": methods({"set": {"method": "y"}})}, ["method", "`set`"]),
    "override of no named method": (
        {"methods": methods({"name": "x"}), "overrides": [{"where": {"method": ["afedpg"]}, "set": {}}]},
        ["overrides.0", "'afedpg'", "x (afedpg, N = 2)"],
    ),
    "no N": ({"methods": [{"algorithm": "a3c", "n_agents": []}]}, ["n_agents", "at least 1"]),
    "N no list": ({"methods": [{"algorithm": "a3c", "n_agents": 4}]}, ["n_agents", "= 4", "list"]),
    "a truth value as seed": ({"seeds": [True]}, ["seeds.0", "True", "integer"]),
    "text as number": ({"run": {"steps_per_agent": "1000"}}, ["steps_per_agent", "'1000'", "integer"]),
    "server key that is no text": (
        {"methods": [{"algorithm": "a3c", "n_agents": [1], "server": {1: 2}}]},
        ["server", "1"],
    ),
    "name of the kept results": ({"name": "published"}, ["published"]),
    "seed twice": ({"seeds": [1, 1]}, ["seeds", "twice"]),
    "no seeds": ({"seeds": []}, ["seeds", "at least 1"]),
    "path in name": ({"name": "../etc"}, ["name", "../etc"]),
    "identity in run": ({"run": {"steps_per_agent": 5, "seed": 3}}, ["run.seed"]),
    "missing budget": ({"run": {}}, ["steps_per_agent", "required"]),
    "gae without critic": ({"run": {"steps_per_agent": 5, "critic": {"mode": "none"}}}, ["critic", "reward_to_go"]),
    "segments without critic": (
        {"run": {"steps_per_agent": 5, "critic": {"mode": "none"}, "estimator": {"name": "reward_to_go"}}},
        ["critic.mode", "sampling.trajectories"],
    ),
    "a float as number of steps": ({"run": {"steps_per_agent": 1e6}}, ["1000000.0", "exponent", "1_000_000"]),
    "a name for keys": ({"run": {"steps_per_agent": 5, "critic": "none"}}, ["critic = 'none'", "{key: value}"]),
    "a fleet's key": (
        {"run": {"steps_per_agent": 5, "fleet": {"kind": "straggler", "sigma": 2}}},
        ["fleet.sigma = 2: unknown key", "ratio"],
    ),
    "an override's settings": (
        {"overrides": [{"where": {}, "set": {"server": {"learning_rate": 1}}}]},
        ["(Swimmer, afedpg, N = 1), to which overrides 0 apply: server.learning_rate = 1: unknown key"],
    ),
    "fleet kind": ({"run": {"steps_per_agent": 5, "fleet": {"kind": "slow"}}}, ["fleet", "slow", "straggler"]),
    "name of no method beside one": (
        {"overrides": [{"where": {"method": ["afedpg", "afedgp"]}, "set": {}}]},
        ["overrides.0.where.method = 'afedgp': matches no run", "a3c (N = 2)"],
    ),
    "algorithm that is not there": (
        {"overrides": [{"where": {"algorithm": ["a3c", "fedpg"]}, "set": {}}]},
        ["overrides.0.where.algorithm = 'fedpg'"],
    ),
    "environment that is not there": (
        {"overrides": [{"where": {"environment": ["Hopper", "Ant"]}, "set": {}}]},
        ["overrides.0.where.environment = 'Ant'"],
    ),
    "N that is not there": (
        {"overrides": [{"where": {"n_agents": [2, 3]}, "set": {}}]},
        ["overrides.0.where.n_agents = 3"],
    ),
    "N that the method has not": (
        {"overrides": [{"where": {"algorithm": ["a3c"], "n_agents": [1, 2]}, "set": {}}]},
        ["overrides.0.where.n_agents = 1"],
    ),
    "no title": ({"title": ""}, ["title = ''", "must not be empty"]),
    "a title of two lines": ({"title": "a\nb"}, ["title = 'a\\nb'", "one line"]),
    "a label of two lines": (
        {"figures": {"sample_complexity": {"afedpg": "A\nB"}}},
        ["figures.sample_complexity.afedpg", "one line"],
    ),
    "text as a flag": (
        {"run": {"steps_per_agent": 10_000, "estimator": {"standardize": "off"}}},
        ["estimator.standardize = 'off'", "true or false"],
    ),
    "a threshold that overflows": (
        {"thresholds": {"Swimmer": f"{'9' * 400} return", "Hopper": "1 return"}},
        ["Swimmer", "100 return"],
    ),
    "infinite": (
        {"run": {"steps_per_agent": 5, "fleet": {"kind": "straggler", "ratio": float("inf")}}},
        ["ratio", "finite"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_names_key_value_and_what_is_allowed(tmp_path, case):
    changes, words = BAD[case]
    with pytest.raises(SpecError) as error:
        load_scenario(write(tmp_path, **changes))
    for word in words:
        assert word in str(error.value)


def test_yaml_executes_nothing(tmp_path):
    file = tmp_path / "evil.yaml"
    file.write_text(
        f"name: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{tmp_path}/x']]"
    )
    with pytest.raises(SpecError, match="python/object"):
        load_scenario(file)
    assert not (tmp_path / "x").exists()


def test_unreadable_files(tmp_path):
    with pytest.raises(SpecError, match=r"nowhere.yaml: cannot read"):
        load_scenario(tmp_path / "nowhere.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(SpecError, match="mapping"):
        load_scenario(tmp_path / "list.yaml")
    (tmp_path / "twice.yaml").write_text("name: a\ncritic: {mode: none}\nname: b\n")
    with pytest.raises(SpecError, match=r"twice.yaml: line 3: key 'name' is given twice"):
        load_scenario(tmp_path / "twice.yaml")
    (tmp_path / "number.yaml").write_text("3: 4\n")
    with pytest.raises(SpecError, match="3 = 3: Keys should be strings"):
        load_scenario(tmp_path / "number.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: \xe9".encode("latin-1"))
    with pytest.raises(SpecError, match="not UTF-8"):
        load_scenario(tmp_path / "latin.yaml")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    with pytest.raises(SpecError, match="not valid YAML"):
        load_scenario(tmp_path / "broken.yaml")


def test_paths_that_snakemake_cannot_take(tmp_path):
    folder = tmp_path / "a{b}"
    folder.mkdir()
    with pytest.raises(SpecError, match=r"Snakemake takes no path with '{'; rename it"):
        load_scenario(write(folder))
    with pytest.raises(SpecError, match="Snakemake takes no path with"):
        load_scenario(write(tmp_path, claims="a\tb"))


@pytest.mark.parametrize(("scenario", "key", "what"), CSVS)
def test_what_is_no_csv(tmp_path, scenario, key, what):
    (tmp_path / "tried.csv").write_text("a\n" + "x" * 200_000)
    with pytest.raises(SpecError, match=rf"tried.csv: the {what} are no CSV"):
        load_scenario(write(tmp_path, scenario, **{key: "tried.csv"}))


def test_nothing_behind_the_colon_means_nothing(tmp_path):
    method = {"algorithm": "afedpg", "n_agents": [1], "server": None, "set": None, "name": None}
    run = {"steps_per_agent": 10_000, "critic": None, "policy": {"hidden": [8]}}
    empty = write(tmp_path, figures=None, overrides=None, methods=[method], run=run)
    plain = load_scenario(empty)
    assert (plain.figures, plain.overrides, plain.methods[0].server) == ({}, (), {})
    assert next(plain.runs()).critic == CriticSpec()
    over = [{"where": {}, "set": None}, {"where": {}, "set": {"policy": None}}]
    same = load_scenario(write(tmp_path, methods=[method], run=run, overrides=over))
    assert next(same.runs()).policy.hidden == (8,)
    with pytest.raises(SpecError, match="steps_per_agent: required"):
        load_scenario(write(tmp_path, methods=[method], run=None))


def test_long_values_and_many_mistakes_are_cut(tmp_path):
    """245 bytes of aliases once made a message of 53 MB."""
    aliases = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]\n" for i in range(1, 5))
    (tmp_path / "aliases.yaml").write_text(f"a0: &a0 [x, x]\n{aliases}")
    for changes in (None, {"title": ["x" * 10_000] * 100}, {f"{'k' * 500}{i}": i for i in range(1000)}):
        with pytest.raises(SpecError) as error:
            load_scenario(tmp_path / "aliases.yaml" if changes is None else write(tmp_path, **changes))
        assert len(str(error.value)) < 20_000
    assert "and 980 more" in str(error.value)


def test_seeds_of_a_scenario_share_everything_else():
    runs = list(Scenario(**SCENARIO).runs())
    assert runs[0].model_copy(update={"seed": 1}) == runs[1]


def test_entries_refused_are_not_said_to_be_missing(tmp_path):
    with pytest.raises(SpecError) as error:
        load_scenario(write(tmp_path, seeds=[-1], methods=methods({"name": "X"})))
    assert "at least 1 item" not in str(error.value)
    with pytest.raises(SpecError) as error:
        load_scenario(write(tmp_path, run={"steps_per_agent": 5, "sead": 3}))
    assert "policy" in str(error.value)
    assert "seed" not in str(error.value)


def claims_file(tmp_path, **changes):
    arms = [{"method": "afedpg", "n_agents": n} for n in (1, 2, 4)]
    claim = {"id": "C", "title": "t", "statement": "s", "source": "x", "environment": "Swimmer", "role": "secondary",
             "test": "exponent", "arms": arms, "threshold": 50, "horizon": 1000, "margin": 0.1}  # fmt: skip
    claim = {key: value for key, value in {**claim, **changes}.items() if value is not None}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"claims": [claim]}))
    return "mine.yaml"


def test_claims_are_read_from_beside_the_scenario_and_are_no_setting_of_a_run(tmp_path):
    scenario = load_scenario(write(tmp_path, claims=claims_file(tmp_path)))
    assert scenario.claims.claims[0].arms[2].method == ("afedpg",)
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario
    other = load_scenario(write(tmp_path, claims=claims_file(tmp_path, margin=0.2)))
    assert other != scenario
    without = load_scenario(write(tmp_path))
    for a, b, c in zip(scenario.runs(), other.runs(), without.runs(), strict=True):
        assert a.digest("code") == b.digest("code") == c.digest("code")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"test": "trendy"}, ["claims.0.test = 'trendy'", "allowed are ratio, lookahead, fleets, exponent"]),
        ({"test": None}, ["claims.0.test: required"]),
        ({"marginn": 1}, ["marginn = 1", "unknown key", "margin, number, per"]),
        ({"margin": None}, ["margin: required, but not given"]),
        ({"horizon": None}, ["horizon: required, but not given"]),
        ({"horizon": "x"}, ["claims.0.horizon = 'x'", "should be a number"]),
        ({"statement": ""}, ["claims.0.statement = ''", "must not be empty"]),
        ({"role": "main"}, ["role = 'main'", "'primary', 'secondary' or 'exploratory'"]),
        ({"role": "primary", "number": 1}, ["such a claim has one part, and claims a direction, not a number"]),
        ({"margin": -1}, ["claims.0.margin = -1", "greater than 0"]),
        ({"arms": [{"method": "afedpg", "n_agents": n} for n in (1, 2, 2)]}, ["two arms have n_agents = 2"]),
        ({"test": "ratio", "arms": None, "per": "steps", "pairs": [], "margin": 1.2},
         ["claims.0.per = 'steps'", "'samples', 'time', 'uploads'"]),
        ({"test": "ratio", "arms": None, "per": "time", "margin": 0.25,
          "pairs": [{"slower": {"method": "a3c", "n_agents": 2}, "faster": {"method": "afedpg", "n_agents": 2}}]},
         ["margin = 0.25", "greater than 1"]),
        ({"environment": "Swim"}, ["claim C: environment = 'Swim'", "allowed are Swimmer"]),
    ],
)  # fmt: skip
def test_a_bad_claims_file_is_one_clear_message(tmp_path, changes, told):
    with pytest.raises(SpecError) as error:
        load_scenario(write(tmp_path, claims=claims_file(tmp_path, **changes)))
    for piece in told:
        assert piece in str(error.value)
    assert "unknown key" not in str(error.value) or "mine.yaml: " in str(error.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"claims": "absent.yaml"}, "absent.yaml: cannot read the claims file"),
        ({"claims": {"claims": []}}, "should be the path of a claims file"),
        ({"tuning_times": [1]}, r"tuning_times: should be the path of a CSV, as `frl times` writes it, not a list"),
        ({"figures": {"time": {"afedpg": "X"}}}, r"figures\.time = 'time': Input should be 'sample_complexity'"),
        ({"tuning_times": "tried.csv"}, "tried.csv: cannot read the tuning times: No such file"),
        ({"figures": {"sample_complexity": {"fedpg": "FedPG"}}}, "figures.sample_complexity.fedpg: no such method"),
        ({"figures": {"time_complexity": {"afedpg": "X", "a3c": "X"}}}, "two methods have the same label"),
        ({"figures": {"scatter": {"afedpg": "X"}}}, "'sample_complexity', 'time_complexity', 'sensitivity', 'comm"),
    ],
)
def test_claims_and_figures_that_are_not_there(tmp_path, changes, told):
    with pytest.raises(SpecError, match=told):
        load_scenario(write(tmp_path, **changes))


def test_a_claims_file_is_no_scenario(tmp_path):
    with pytest.raises(SpecError, match=r"not a list; this looks like a claims file, not a scenario$"):
        load_scenario(tmp_path / claims_file(tmp_path))


@pytest.mark.parametrize(("scenario", "key", "what"), CSVS)
def test_the_csv_that_a_scenario_names_is_read(tmp_path, scenario, key, what):
    (tmp_path / "tried.csv").write_text("step_size,return\n0.1,3\n")
    given = ({}, {key: None}, {key: ""}, {key: "tried.csv"})
    texts = [getattr(load_scenario(write(tmp_path, scenario, **changes)), key) for changes in given]
    assert texts == ["", "", "", "step_size,return\n0.1,3\n"]
    for text, told in (("", f"tried.csv: the {what} have no header"), ("a,b\n1\n", "row 2 has 1 values, the header 2")):
        (tmp_path / "tried.csv").write_text(text)
        with pytest.raises(SpecError, match=told):
            load_scenario(write(tmp_path, scenario, **{key: "tried.csv"}))


@pytest.mark.parametrize("given", ["tried.csv", "", None, [1]])
@pytest.mark.parametrize(("scenario", "key"), [(SCENARIO, "trials"), (THEORY, "tuning_times")])
def test_a_csv_of_the_other_kind_of_scenario_is_an_unknown_key(tmp_path, scenario, key, given):
    (tmp_path / "tried.csv").write_text("step_size,return\n0.1,3\n")
    with pytest.raises(SpecError, match=rf"scenario.yaml: {key} = .*: unknown key; allowed here: .*\bclaims\b"):
        load_scenario(write(tmp_path, scenario, **{key: given}))


def test_the_committed_scenarios_name_claims_that_they_have_the_runs_for():
    from frl.scenario.products import figure_names
    from frl.scenario.scenario import cells_of

    config = Path(__file__).parents[2] / "config"
    quick, lazy, poster = (load_scenario(config / f"{name}.yaml") for name in ("quick", "communication", "config"))
    for whole in (quick, lazy, poster):
        assert all(cells_of(whole, claim, part) for claim in whole.claims.claims for part in claim.parts())
    primary = [claim for claim in poster.claims.claims if claim.role == "primary"]
    assert [claim.id for claim in primary] == ["P1-swimmer", "P2-swimmer", "P3-swimmer", "P4-swimmer"]
    for claim in primary:
        assert claim.threshold == poster.threshold(claim.environment)
    assert figure_names(lazy) == ["communication", "uploads", "forest"]
    assert figure_names(quick) == ["sample_complexity", "time_complexity", "staleness", "time_curves", "forest"]


# --- numbers that are none ---


def float_settings(model, path=()):
    """(path, value) of every float setting, whatever model it is nested in."""
    for name, field in model.model_fields.items():
        for nested in _models_in(field.annotation):
            yield from float_settings(nested, (*path, name))
        parts = [field.annotation]
        for part in parts:  # grows
            parts += get_args(part)
        if float in parts and get_origin(field.annotation) is not tuple:
            yield (*path, name)


FLOATS = [(name, ("server", key)) for name in SERVERS for (key,) in float_settings(SERVERS[name].Settings)]
FLOATS += [("afedpg", path) for path in float_settings(RunSpec) if path[0] != "server"]


BESIDES = {
    "codec": {"name": "top_k"},
    "downlink": {"name": "top_k"},
    "local": {"steps": 2},
    "adversary": {"attack": "sign_flip", "number": 1},
    "engine": {"kind": "processes"},
}
"""What a group has to have beside the one setting."""


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, True, "1"])
@pytest.mark.parametrize(("algorithm", "path"), FLOATS, ids=str)
def test_no_float_setting_takes_what_is_no_number(algorithm, path, value):
    settings = value
    for part in reversed(path):
        settings = {part: settings}
    if path[0] == "fleet":
        settings["fleet"]["kind"] = {"ratio": "straggler", "sigma": "lognormal"}.get(path[1], "constant")
    if path[0] in BESIDES:
        settings[path[0]] |= BESIDES[path[0]]
    with pytest.raises(ValidationError) as refused:
        RunSpec.model_validate({**RUN, "algorithm": algorithm, **settings})
    (error,) = refused.value.errors()
    assert error["type"] in ("finite_number", "float_type") or "a number" in error["msg"] or "finite" in error["msg"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampling": {"lanes": 1, "segment_steps": 1}}, "standardize leaves nothing"),
    ],
)
def test_tasks_too_small_for_what_is_done_with_them_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        RunSpec.model_validate({**RUN, "algorithm": "afedpg", **settings})


def test_the_kind_tells_the_two_kinds_of_scenarios_apart(tmp_path):
    theory = Path(__file__).parents[2] / "config" / "theory.yaml"
    assert type(load_scenario(theory)).__name__ == "TheoryScenario"
    with pytest.raises(SpecError, match=r"theory\.yaml: kind = 'theory': this needs a scenario of training runs"):
        load_training(theory)
    text = theory.read_text(encoding="utf-8")
    for given, message in (
        ("", "kind: required where there are panels"),
        ("kind: lab", "kind = 'lab': allowed is theory"),
    ):
        (tmp_path / "other.yaml").write_text(text.replace("kind: theory", given), encoding="utf-8")
        with pytest.raises(SpecError, match=message):
            load_scenario(tmp_path / "other.yaml")


UNREAD: list[tuple[dict[str, Any], str]] = [
    ({"sampling": {"trajectories": 1, "lanes": 4}}, "lanes = 4: has no effect where trajectories = 1; leave it at 64"),
    ({"sampling": {"trajectories": 2, "segment_steps": 8}}, "segment_steps = 8: has no effect where trajectories = 2"),
    ({"normalizer": {"mode": "none", "clip": 5.0}}, "clip = 5.0: has no effect where mode = 'none'; leave it at 10.0"),
    ({"normalizer": {"mode": "none", "freeze_after_steps": 9}},
     "freeze_after_steps = 9: has no effect where mode = 'none'; leave it out"),
    ({"critic": {"mode": "none", "memory": 0.5}}, "memory = 0.5: has no effect where mode = 'none'; leave it at 0.8"),
    ({"estimator": {"n_steps": 5}}, "n_steps = 5: has no effect where name = 'gae'; leave it at 20"),
    ({"algorithm": "fedpg", "server": {"variant": "plain", "momentum": 0.1}},
     "server.momentum = 0.1: has no effect where server.variant = 'plain'; leave it at 0.2"),
    ({"algorithm": "robust_fedpg", "server": {"variant": "plain", "momentum": 0.1}}, "server.momentum = 0.1: has no"),
    ({"algorithm": "robust_afedpg", "server": {"defence": "momenta", "radius": 2.0}},
     "server.radius = 2.0: has no effect where server.defence = 'momenta'; leave it at 1.0"),
    ({"algorithm": "robust_afedpg", "server": {"defence": "cosine", "aggregator": "krum"}},
     "server.aggregator = 'krum': has no effect where server.defence = 'cosine'; leave it at 'median'"),
    ({"algorithm": "robust_afedpg", "server": {"defence": "clip", "cosine": 0.5}}, "server.cosine = 0.5: has no"),
]  # fmt: skip
WHOLE = {"environment": "Swimmer", "algorithm": "afedpg", "n_agents": 2, "seed": 0, "steps_per_agent": 10**5}


@pytest.mark.parametrize(("settings", "message"), UNREAD)
def test_a_setting_that_nothing_reads_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        RunSpec.model_validate({**WHOLE, **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"sampling": {"trajectories": 1, "lanes": 64}},  # as a run's own dump says
        {"normalizer": {"mode": "local", "freeze_after_steps": 9}},
        {"estimator": {"name": "nstep", "n_steps": 5}},
        {"estimator": {"name": "reward_to_go", "gae_lambda": 0.9}},  # not read; published runs have it
        {"algorithm": "fedpg", "server": {"variant": "plain", "schedule": "global"}},  # of the step size
        {"algorithm": "robust_afedpg", "server": {"defence": "clip", "radius": 2.0}},
    ],
)
def test_what_is_read_or_was_published_is_accepted(settings: dict[str, Any]) -> None:
    RunSpec.model_validate({**WHOLE, **settings})
