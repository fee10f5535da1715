"""The prediction of what a scenario costs, and the file in which a run says how far it is."""

from __future__ import annotations

import json
import math
import os
import sys

import pytest

from frl.cli import main
from frl.runs import plan, provenance
from frl.runs.paths import progress_path
from frl.runs.plan import Speed
from frl.runs.runner import run_one
from frl.scenario.loading import load_scenario
from frl.spec import RunSpec

SCENARIO = """
name: small
title: t
tuned: not tuned
environments: [Swimmer]
methods:
  - {algorithm: afedpg, n_agents: [1, 2]}
seeds: [0, 1]
thresholds: {Swimmer: 100 return}
run:
  steps_per_agent: 640
  policy: {hidden: [8]}
  sampling: {lanes: 4, segment_steps: 16}
  evaluation: {ratio: 100, episodes: 1, mean_action_every: 1}
"""


@pytest.fixture
def scenario(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO)
    return load_scenario(file)


@pytest.fixture
def known(monkeypatch):
    """A machine of 1,000 steps a second on which evaluation episodes last half of what they might."""
    monkeypatch.setattr(plan, "calibrate", lambda spec, processes: Speed(0.001, 0.5, f"{processes} at once"))


def test_cost_is_steps_over_speed_and_starts(scenario, tmp_path, known):
    found = plan.plan(list(scenario.runs()), tmp_path, "small", cores=1)
    steps = 640 * (1 + 1 + 2 + 2) + 4 * 6 * 1000 // 2  # 3 points + 3 with the mean action, halved
    assert found.states == {"missing": 4}
    assert [(runs, planned) for _, runs, planned, _ in found.kinds] == [(4, steps)]
    assert found.core_seconds == pytest.approx(4 * plan.START_S + steps / 1000 + plan.ANALYSIS_S)
    assert found.wall_seconds == pytest.approx(found.core_seconds)
    two = plan.plan(list(scenario.runs()), tmp_path, "small", cores=2)
    jobs = [plan.START_S + 3 + n * 0.64 for n in (1, 1, 2, 2)]
    assert two.wall_seconds == pytest.approx(jobs[0] + jobs[2] + plan.ANALYSIS_S)
    assert two.core_seconds == found.core_seconds
    assert plan.plan(list(scenario.runs()), tmp_path, "small", cores=64).wall_seconds == pytest.approx(
        jobs[3] + plan.ANALYSIS_S
    )


def test_finished_runs_cost_nothing_and_tell_the_speed(scenario, tmp_path, monkeypatch):
    def refuse(spec, processes):
        raise AssertionError("there is a past run")

    monkeypatch.setattr(plan, "calibrate", refuse)
    spec = next(scenario.runs())
    run_one(spec, tmp_path, scenario.name)
    found = plan.plan(list(scenario.runs()), tmp_path, "small", cores=1)
    assert found.states == {"finished": 1, "missing": 3}
    ((_, runs, _, speed),) = found.kinds
    assert runs == 3
    meta = json.loads((tmp_path / "small" / "runs" / f"{spec.run_id}.meta.json").read_text())
    assert speed.seconds_per_step == meta["wall_time_s"] / (meta["env_steps_total"] + meta["eval_steps"])
    assert speed.evaluation_share == 1
    monkeypatch.setattr(provenance, "cpu_model", lambda: "another processor")
    assert plan.past_speeds(tmp_path) == {}


def test_a_cluster_is_asked_for_what_past_runs_needed_and_more_on_each_attempt(scenario, tmp_path):
    spec = next(scenario.runs())
    steps = spec.env_steps_budget + spec.evaluation_steps_at_most
    assert plan.request(spec, tmp_path / "new") == (math.ceil(10 + 2 * steps / 60_000), 1550)
    run_one(spec, tmp_path, scenario.name)
    meta = json.loads((tmp_path / "small" / "runs" / f"{spec.run_id}.meta.json").read_text())
    minutes, memory = plan.request(spec, tmp_path)
    assert minutes == math.ceil(
        10 + 2 * meta["wall_time_s"] * steps / (meta["env_steps_total"] + meta["eval_steps"]) / 60
    )
    assert memory == math.ceil(1.5 * meta["peak_memory_mb"] + plan.SNAKEMAKE_MB)
    longer = spec.model_copy(update={"steps_per_agent": 10**9})
    assert plan.request(longer, tmp_path)[0] > 100 * minutes
    twice = plan.request(longer, tmp_path, attempt=2)
    assert twice[0] == pytest.approx(2 * plan.request(longer, tmp_path)[0], abs=1)
    assert twice[1] == pytest.approx(2 * memory, abs=1)


def test_the_speed_of_a_new_kind_is_measured(scenario, capsys, tmp_path):
    speed = plan.calibrate(next(scenario.runs()), processes=2)
    assert 1e-6 < speed.seconds_per_step < 1e-2
    assert main(["plan", str(tmp_path / "small.yaml"), "--results", str(tmp_path), "--cores", "0"]) == 2
    assert "--cores" in capsys.readouterr().err


def test_a_run_that_cannot_start_is_reported_by_the_measurement(scenario):
    broken = next(scenario.runs()).model_copy(update={"algorithm": "moonwalk"})
    with pytest.raises(ChildProcessError, match="moonwalk"):
        plan.calibrate(broken, processes=1)


@pytest.mark.parametrize(
    "settings",
    [{"sampling": {"trajectories": 1}}, {"fleet": {"kind": "sqrt"}}, {"link": {"uplink_bytes_per_s": 1e5}}],
    ids=str,
)
def test_measuring_the_speed_ends_for_every_kind_of_run(scenario, settings):
    spec = next(scenario.runs()).model_dump() | {"n_agents": 9, "algorithm": "fedpg", "server": {}, "method": "fedpg"}
    spec = RunSpec.model_validate({**spec, **settings})
    assert plan.calibrate(spec, processes=1).seconds_per_step < 1e-2


def test_what_the_store_holds_is_free_even_where_an_older_run_lies(scenario, tmp_path, known):
    specs = list(scenario.runs())
    for spec in specs:
        run_one(spec, tmp_path, "small")
    longer = [spec.model_copy(update={"steps_per_agent": 1280}) for spec in specs]
    assert plan.plan(longer, tmp_path, "small", cores=1).states == {"stale": 4}
    for spec in longer:
        run_one(spec, tmp_path, "small")
    back = plan.plan(specs, tmp_path, "small", cores=1)
    assert back.states == {"stored": 4}
    assert back.core_seconds == plan.ANALYSIS_S


def test_equal_settings_are_trained_once(scenario, tmp_path, known):
    specs = list(scenario.runs())
    twins = [spec.model_copy(update={"method": "twin"}) for spec in specs]
    assert plan.plan(specs + twins, tmp_path, "small", cores=1).states == {"missing": 4, "stored": 4}


def test_any_number_of_cores_may_be_asked_for(scenario, tmp_path, known):
    assert plan.plan(list(scenario.runs()), tmp_path, "small", cores=sys.maxsize).cores == 4


def test_a_run_says_in_a_file_how_far_it_is(scenario, tmp_path):
    spec = next(scenario.runs())
    path = progress_path(spec, tmp_path, "small")
    seen = []
    assert (
        run_one(spec, tmp_path, "small", progress=lambda facts: seen.append(json.loads(path.read_bytes()))) == "trained"
    )
    assert seen[0]["outcome"] is None
    assert seen[0]["process"].startswith(f"{os.getpid()} on ")
    last = json.loads(path.read_bytes())
    assert (last["outcome"], last["env_steps_begun"], last["env_steps_total"]) == ("trained", 0, 640)
    run_one(spec, tmp_path, "small")
    assert json.loads(path.read_bytes())["outcome"] == "present"


def test_a_full_disk_does_not_stop_a_run_that_cannot_say_how_far_it_is(scenario, tmp_path):
    spec = next(scenario.runs())
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "progress").write_text("a file where a folder should be")
    assert run_one(spec, tmp_path, "small") == "trained"


@pytest.mark.parametrize(("seconds", "words"), [(12, "12 s"), (100, "2 min"), (12_000, "3 h 20 min")])
def test_durations_in_words(seconds, words):
    assert plan.duration(seconds) == words
