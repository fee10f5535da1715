"""Agents as processes: replayed, killed at any moment, together with their server or not, and nobody can connect."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import pytest

from engines import Local, descendants, listening, replayed, spec, survives, told, written
from frl.cli import main
from frl.engines import execute
from frl.engines.links import EngineError
from frl.runs import named
from frl.runs.checkpoints import Keeper
from frl.runs.gait import gait
from frl.runs.paths import run_paths
from frl.runs.plan import request
from frl.runs.reproduce import reproduce
from frl.runs.runner import run_one
from frl.runs.store import Store, checksum, dump_meta
from frl.runs.validity import run_digest, state, stored
from frl.scenario.loading import load_scenario
from frl.spec import SERVERS

SCENARIO = """
name: small
title: t
tuned: not tuned
environments: [Hopper]
methods:
  - {algorithm: afedpg, n_agents: [3]}
  - {algorithm: lapg, n_agents: [3]}
seeds: [0]
thresholds: {Hopper: 1000 return}
run:
  steps_per_agent: 512
  policy: {hidden: [8]}
  sampling: {lanes: 4, segment_steps: 8}
  evaluation: {episodes: 2}
  fleet: {kind: constant, seconds_per_1000_steps: 1.0}
"""
RUN = ["--environment", "Hopper", "--n-agents", "3", "--seed", "0", "--quiet"]


@pytest.mark.parametrize("algorithm", SERVERS)
def test_a_run_of_every_algorithm_is_replayed_byte_for_byte(tmp_path, algorithm):
    run = spec(algorithm)
    table, result, facts = execute.execute(run, tmp_path / "run.trace")
    again, same = replayed(tmp_path / "run.trace")
    assert again == table
    assert (same.policy, same.facts) == (result.policy, result.facts)
    assert facts["engine"]["restarts"] == facts["engine"]["refused_answers"] == 0


def test_a_run_that_stops_at_a_return_is_replayed_too(tmp_path):
    run = spec(stop_at=-1e6)
    table, result, _ = execute.execute(run, tmp_path / "run.trace")
    assert len(result.rows) == 2
    assert replayed(tmp_path / "run.trace")[0] == table


PACED = {"paced": True, "fleet": {"kind": "constant", "seconds_per_1000_steps": 1.0}, "steps_per_agent": 640}


@pytest.mark.parametrize("algorithm", ["afedpg", "lapg"])
def test_agents_that_are_killed_lose_nothing(tmp_path, algorithm):
    restarts, killed = survives(spec(algorithm, **PACED), tmp_path, kills=4, seed=algorithm)
    assert killed == 4
    assert restarts >= 1  # one that is killed when it has nothing to do is missed at its next task, or never


@pytest.mark.suite("long")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("algorithm", SERVERS)
def test_agents_that_are_killed_again_and_again_lose_nothing(tmp_path, algorithm, seed):
    run = spec(algorithm, **{**PACED, "steps_per_agent": 1600})
    _, killed = survives(run, tmp_path, kills=6, seed=f"{algorithm} {seed}", between=0.4, after=-seed)
    assert killed == 6


# --- the server is killed, and the commands ---


@pytest.fixture
def scenario(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO)
    return file


def command(scenario, method, *more):
    return ["train", str(scenario), "--method", method, *RUN, "--results", str(scenario.parent), *more]


def real(scenario, method):
    """The run of a method with processes, and its files."""
    run = load_scenario(scenario).resolve("Hopper", method, 3, 0)
    run = run.model_copy(update={"engine": spec(paced=True, timeout_s=600.0).engine})
    return run, *run_paths(run, scenario.parent, "small-processes")


def test_agents_that_cannot_be_started_cost_no_checkpoint(tmp_path):
    class Dead(Local):
        def ask(self, message):
            raise EOFError

    run, keeper = spec(), Keeper(tmp_path, "digest", 0)
    keeper._stop = signal.SIGTERM
    for connect, error in ((Local, SystemExit), (Dead, EngineError)):
        with pytest.raises(error):
            execute.execute(run, tmp_path / "run.trace", None, keeper, lambda _, kind=connect: nullcontext(kind))
        assert keeper.path.exists()


def killed_and_resumed(scenario, method, kills, seed):
    run, table, _ = real(scenario, method)
    keeper = Keeper(scenario.parent, run_digest(run), 1)
    moments, arguments = random.Random(seed), command(scenario, method, "--engine", "processes")
    for _ in range(kills):
        before = written(keeper.path)
        process = subprocess.Popen([sys.executable, "-m", "frl", *arguments, "--checkpoint-every", "0"])
        while process.poll() is None and written(keeper.path) in (None, before):
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        process.wait()
    assert main(arguments) == 0
    facts = Store(scenario.parent).get(run_digest(run))[1]
    assert f'"resumed": {kills},'.encode() in facts
    assert replayed(table.with_suffix(".trace"))[0] == table.read_bytes()
    assert not keeper.path.exists()
    assert not keeper.trace.exists()


def test_a_server_that_is_killed_goes_on_with_the_tasks_in_flight(scenario):
    killed_and_resumed(scenario, "lapg", 1, seed=0)


@pytest.mark.suite("long")
@pytest.mark.parametrize("method", ["afedpg", "lapg"])
def test_a_server_that_is_killed_again_and_again_goes_on(scenario, method):
    killed_and_resumed(scenario, method, 4, seed=method)


def test_a_signal_is_heard_while_nothing_arrives(tmp_path):
    """The server writes its checkpoint and ends, though its agents work for a minute more."""
    run = spec(paced=True, timeout_s=600.0, fleet={"kind": "constant", "seconds_per_1000_steps": 2000.0})

    class Signalled(Keeper):
        """Gets the signal when it was just asked, which it is again only if the server looks up."""

        def keep(self, run):
            super().keep(run)
            os.kill(os.getpid(), signal.SIGTERM)

    keeper = Signalled(tmp_path, run_digest(run), 3600)
    with keeper.on_terminate(), pytest.raises(SystemExit, match="143"):
        execute.execute(run, keeper.trace, keeper=keeper)
    assert told(keeper.trace.read_text()) == []
    assert keeper.path.exists()


def test_where_an_agent_rounded_differently_another_draw_is_expected(scenario):
    _, table, meta = real(scenario, "lapg")
    assert main(command(scenario, "lapg", "--engine", "processes")) == 0
    lines, facts = table.read_text().splitlines(), json.loads(meta.read_bytes())
    cells, names = lines[3].split(","), lines[0].split(",")
    for name in ("eval_return_mean", "uploads"):
        cells[names.index(name)] = "1"
    content = "\n".join([*lines[:3], ",".join(cells), *lines[4:], ""]).encode()
    for agents, agrees in ([], False), ([{"blas": ["Pencil"], "cpu_capability": "ABACUS"}], True):
        facts["engine"]["arithmetic"] += agents
        facts["checksum"] = checksum(content, facts)
        table.write_bytes(content)
        meta.write_bytes(dump_meta(facts))
        assert reproduce(named.read(table)).agrees == agrees


def test_the_commands_train_replay_reproduce_and_restore(scenario, capsys):
    _, table, meta = real(scenario, "afedpg")
    arguments = command(scenario, "afedpg", "--engine", "processes")
    assert main(arguments) == 0
    content = table.read_bytes()
    assert content.splitlines()[0].endswith(b",status,wall_time_s")
    assert main(["replay", str(table.with_suffix(".trace"))]) == 0
    assert "identical, byte for byte" in capsys.readouterr().out
    assert main(["reproduce", str(table)]) == 0
    half = gait(named.read(table), at=256)
    assert 256 <= half.steps_per_agent < 512
    assert half.note == ""
    files = [table, meta, table.with_suffix(".trace")]
    before = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    assert main(arguments) == 0
    assert [file.read_bytes() for file in files] == before
    table.write_bytes(content[:-9] + b"12345678\n")
    with pytest.raises(SystemExit, match="1"):
        main(["replay", str(table.with_suffix(".trace"))])


def test_a_run_by_the_wall_clock_never_counts_as_a_simulated_one(scenario):
    """Neither at its path nor in the store; nor the other way around."""
    simulated = load_scenario(scenario).resolve("Hopper", "afedpg", 3, 0)
    run, _, _ = real(scenario, "afedpg")
    results = scenario.parent
    assert main(command(scenario, "afedpg", "--engine", "processes")) == 0
    assert state(simulated, results, "small") == "missing"
    assert state(simulated, results, "small-processes") == "stale"
    assert stored(simulated, results) is None
    assert run_one(simulated, results, "small") == "trained"
    assert stored(simulated, results) != stored(run, results)
    assert state(run, results, "small") == "stored"
    assert b"wall_time_s" not in run_paths(simulated, results, "small")[0].read_bytes()


def test_a_scenario_that_names_the_engine_is_collected(scenario):
    text = scenario.read_text().replace("run:\n", "run:\n  engine: {kind: processes, paced: false}\n")
    scenario.write_text(text)
    for method in ("afedpg", "lapg"):
        assert main(command(scenario, method)) == 0
    assert main(["collect", str(scenario), "--results", str(scenario.parent)]) == 0
    curves = (scenario.parent / "small/curves.csv").read_text().splitlines()
    assert "wall_time_s" not in curves[0]
    assert len({line.count(",") for line in curves}) == 1


def test_a_cluster_is_asked_for_the_time_that_agents_sleep(tmp_path):
    """20 rounds of 64 s, and the margins that every job has."""
    fleet = {"kind": "straggler", "seconds_per_1000_steps": 500.0, "ratio": 4.0}
    run = spec("fedpg", steps_per_agent=640, fleet=fleet, paced=True)
    minutes, memory_mb = request(run, tmp_path)
    assert minutes == math.ceil(10 + 2 * 20 * 64 / 60)
    fewer, less = request(run.model_copy(update={"engine": None}), tmp_path)
    assert fewer < minutes
    assert less < memory_mb


def test_agents_that_would_always_be_late_are_refused(scenario, capsys):
    scenario.write_text(scenario.read_text().replace("seconds_per_1000_steps: 1.0", "seconds_per_1000_steps: 1.0e5"))
    assert main(command(scenario, "afedpg", "--engine", "processes")) == 2
    assert "engine.timeout_s = 600: a task of the slowest agent may take 3200 s" in capsys.readouterr().err


def test_without_ray_the_engine_is_refused_in_words(scenario, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    assert main(command(scenario, "afedpg", "--engine", "ray")) == 2
    assert "Ray is not installed; pip install -e '.[ray]'" in capsys.readouterr().err


def test_processes_listen_nowhere(tmp_path):
    seen = []

    class Looking:
        def resume(self, spec, make):
            return None

        def keep(self, run):
            found = descendants(os.getpid())
            assert len(found) >= 5  # the agents, the evaluation, and the server of forks
            seen.extend(listening(found))

    execute.execute(spec(), tmp_path / "run.trace", keeper=Looking())
    assert seen == []


def test_an_agent_is_a_process_with_its_own_lanes_and_one_thread_of_blas():
    from frl.engines.worker import OneAgent

    agent = OneAgent(spec(), 1)
    assert len(agent.agents.sampler.env.all_lanes) == 4
    assert list(agent.agents.each) == [1]
