"""A finished run's last policy is played again: from the store, as the run played it and on other episodes."""

from __future__ import annotations

import csv
import json
import os
import shutil

import numpy as np
import pytest
from scipy import stats

from frl.cli import main
from frl.runs import named
from frl.runs.evaluate import EvaluateError, evaluate, play
from frl.runs.paths import run_paths
from frl.runs.runner import run_one
from frl.runs.store import Store, checksum, dump_meta
from frl.spec import RunSpec
from frl.training import kept
from frl.training.evaluation import Evaluator, Point
from frl.training.heterogeneity import variants
from frl.training.normalizer import Normalizer

SMALL = {
    "environment": "Hopper",
    "algorithm": "afedpg",
    "n_agents": 2,
    "seed": 3,
    "steps_per_agent": 256,
    "policy": {"hidden": (8,)},
    "sampling": {"lanes": 4, "segment_steps": 16},
    "evaluation": {"episodes": 6},
}
ALIKE = RunSpec(**SMALL)
HETEROGENEITY = {"gravity": (0.5, 2), "reward_scale": (0.5, 2)}
UNLIKE = RunSpec(**SMALL, estimator={"standardize": False}, heterogeneity=HETEROGENEITY)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Finished runs of both."""
    folder = tmp_path_factory.mktemp("results")
    for spec, scenario in ((ALIKE, "alike"), (UNLIKE, "unlike")):
        run_one(spec, folder, scenario)
    return folder


@pytest.fixture
def path(results, tmp_path):
    """The CSV of the run of equal agents, in a copy of the results."""
    shutil.copytree(results, tmp_path / "results")
    return run_paths(ALIKE, tmp_path / "results", "alike")[0]


def at(results, spec):
    return named.read(run_paths(spec, results, "alike" if spec is ALIKE else "unlike")[0])


@pytest.mark.parametrize("spec", [ALIKE, UNLIKE], ids=["alike", "unlike"])
def test_a_kept_policy_plays_the_last_row_of_its_csv_again(results, spec):
    run = at(results, spec)
    last = list(csv.DictReader(run.table.decode().splitlines()))[-1]
    again = play(spec, run.policy(), int(last["point"]), 6, mean_action=False)
    mean_action = play(spec, run.policy(), int(last["point"]), 6, mean_action=True)
    assert float(last["eval_return_std"]) == np.std(again.returns)
    assert float(last["eval_length_mean"]) == np.mean(again.lengths)
    if spec is ALIKE:
        assert float(last["eval_return_mean"]) == np.mean(again.returns)
        assert float(last["eval_return_mean_action"]) == np.mean(mean_action.returns)
    else:
        assert float(last["eval_return_agent_min"]) == np.reshape(again.returns, (-1, 2)).mean(axis=0).min()


@pytest.mark.parametrize("spec", [ALIKE, UNLIKE], ids=["alike", "unlike"])
def test_the_mean_is_what_the_runs_own_evaluations_would_say(results, spec):
    run = at(results, spec)
    counted = spec.model_copy(update={"evaluation": spec.evaluation.model_copy(update={"episodes": 10})})
    point = Point(-1, *kept.from_bytes(run.policy()), mean_action=True)
    (row,) = Evaluator(counted, kept.make_policy(spec)).evaluate([point])
    sampled, mean_action = evaluate(run, 10), evaluate(run, 10, mean_action=True)
    assert sampled.returns.mean == pytest.approx(row["eval_return_mean"], rel=1e-12)
    assert sampled.returns.sd == pytest.approx(row["eval_return_std"] * np.sqrt(10 / 9), rel=1e-12)
    assert sampled.lengths.mean == pytest.approx(row["eval_length_mean"], rel=1e-12)
    assert mean_action.returns.mean == pytest.approx(row["eval_return_mean_action"], rel=1e-12)
    assert mean_action.returns.mean != sampled.returns.mean


def test_the_interval_is_students(results):
    run = at(results, ALIKE)
    found, returns = evaluate(run, 20).returns, play(ALIKE, run.policy(), -1, 20, mean_action=False).returns
    expected = stats.t.interval(0.95, 19, np.mean(returns), stats.sem(returns))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-9)


def test_agents_that_differ_make_no_part_of_the_intervals_width(results):
    """Episodes of one round are of all agents: what differs between agents is no chance."""
    run = at(results, UNLIKE)
    found = evaluate(run, 20)
    scales = np.array([variant.reward_scale for variant in variants(UNLIKE)])
    returns = play(UNLIKE, run.policy(), -1, 20, mean_action=False).returns
    rounds = np.reshape(returns, (10, 2)) @ scales / scales.sum()
    expected = stats.t.interval(0.95, 9, rounds.mean(), stats.sem(rounds))
    assert (found.returns.low, found.returns.high) == pytest.approx(expected, rel=1e-9)
    assert evaluate(run).episodes == 100


def test_seeds_draw_other_episodes_and_the_same_seed_the_same(path, capsys):
    def said(*arguments: str) -> dict:
        assert main(["evaluate", str(path), "--episodes", "8", "--json", *arguments]) == 0
        return json.loads(capsys.readouterr().out)

    first, again, other = said(), said("--seed", "0"), said("--seed", "1")
    assert first == again
    assert first["episodes"] == 8
    assert first["returns"]["mean"] != other["returns"]["mean"]


def test_it_is_told_as_a_table(path, capsys):
    assert main(["evaluate", str(path), "--episodes", "8", "--mean-action"]) == 0
    head, columns, returns, lengths = capsys.readouterr().out.splitlines()
    assert head == f"{path}: last policy, mean action, evaluation seed 0"
    assert columns.split() == ["mean", "sd", "n", "95", "%", "interval"]
    found = evaluate(named.read(path), 8, mean_action=True)
    assert returns.split()[:4] == ["return", f"{found.returns.mean:.2f}", f"{found.returns.sd:.2f}", "8"]
    assert lengths.endswith(f"[{found.lengths.low:.2f}, {found.lengths.high:.2f}]")


def test_what_cannot_be_played_is_one_message(results, path, tmp_path, capsys):
    for arguments, told in (
        (["--episodes", "1"], "--episodes = 1: must be a number of episodes, from 2 to 10,000"),
        (["--episodes", "20000"], "--episodes = 20000: must be"),
        (["--seed", "-1"], "--seed = -1: must be 0 or more"),
    ):
        assert main(["evaluate", str(path), *arguments]) == 2
        assert told in capsys.readouterr().err
    with pytest.raises(EvaluateError, match="a multiple of 2, as the agents' environments differ, from 4"):
        evaluate(at(results, UNLIKE), 5)
    for file in path.parent.iterdir():
        shutil.copy(file, tmp_path)
    assert main(["evaluate", str(tmp_path / path.name)]) == 2
    assert "lies in no results folder" in capsys.readouterr().err
    edit(path, status="diverged")
    assert main(["evaluate", str(path)]) == 2
    assert "the run diverged, so it has no policy to play" in capsys.readouterr().err
    edit(path, status="ok", spec={"a_setting_of_the_past": 1})
    assert main(["evaluate", str(path)]) == 2
    assert "settings that this version does not have" in capsys.readouterr().err


def edit(path, drop="", **facts):
    """The run in its place with other facts."""
    meta_path = path.with_name(f"{path.stem}.meta.json")
    meta = {key: value for key, value in json.loads(meta_path.read_text()).items() if key != drop} | facts
    meta["checksum"] = checksum(path.read_bytes(), meta)
    meta_path.write_bytes(dump_meta(meta))
    return meta["digest"], path.read_bytes(), meta_path.read_bytes()


@pytest.mark.parametrize("older", [False, True], ids=["lost policy", "run of before there were policies"])
def test_a_policy_that_is_not_kept_is_made_by_reproduce(path, capsys, older):
    before = named.read(path).policy()
    if older:
        store = named.read(path).store
        shutil.rmtree(store.root)
        store.put(*edit(path, drop="policy_digest"))
    else:
        named.read(path).policy_path.unlink()
    assert main(["evaluate", str(path)]) == 2
    assert f"its policy is not kept; `frl reproduce {path}` makes and keeps it" in capsys.readouterr().err
    assert main(["reproduce", str(path)]) == 0
    assert main(["evaluate", str(path)]) == 0
    assert named.read(path).policy() == before


def test_a_comparison_does_not_fail_where_the_policy_cannot_be_kept(path, capsys, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    named.read(path).policy_path.unlink()
    monkeypatch.setattr(os, "fsync", full)
    assert main(["reproduce", str(path)]) == 0
    said = capsys.readouterr()
    assert "identical, byte for byte" in said.out
    assert "its policy could not be kept: [Errno 28] No space left on device" in said.err


def test_a_damaged_policy_counts_as_not_kept(path, capsys):
    named.read(path).policy_path.write_bytes(b"half")
    assert main(["evaluate", str(path)]) == 2
    error = capsys.readouterr().err
    assert "ignoring the stored policy" in error
    assert "its policy is not kept" in error


def test_what_is_no_policy_is_refused(path):
    run, small = named.read(path), kept.to_bytes(np.zeros(1, np.float32), Normalizer(None, 0))
    for policy, told in ((b"no policy", "not a kept policy"), (small, "of 1 parameters")):
        shutil.rmtree(run.store.root)
        run.keep(policy)
        with pytest.raises(EvaluateError, match=told):
            evaluate(run)


def test_the_policy_is_found_from_wherever_the_run_is_named(path, monkeypatch, tmp_path):
    for folder, name in (
        (tmp_path, path.relative_to(tmp_path)),
        (path.parent, path.name),
        (path.parent, f"../{path.parent.name}/{path.name}"),
    ):
        monkeypatch.chdir(folder)
        assert named.read(type(path)(name)).policy() is not None


def test_a_run_that_diverged_keeps_no_policy(tmp_path, capsys, monkeypatch):
    spec = RunSpec(**{**SMALL, "server": {"step_size": 1e30}})
    run_one(spec, tmp_path, "s")
    path = run_paths(spec, tmp_path, "s")[0]
    assert named.read(path).meta["status"] == "diverged"
    assert not list(Store(tmp_path).root.rglob("*.safetensors"))
    assert main(["evaluate", str(path)]) == 2
    assert "the run diverged" in capsys.readouterr().err
