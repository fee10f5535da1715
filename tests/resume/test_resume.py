"""A run that was stopped, in whatever way and at whatever moment, goes on to the same bytes."""

from __future__ import annotations

import collections
import concurrent.futures
import math
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from engines import written
from frl.cli import main
from frl.runs.checkpoints import Keeper
from frl.runs.files import write_atomically
from frl.runs.paths import run_paths
from frl.runs.runner import run_one
from frl.runs.store import Store
from frl.runs.validity import run_digest
from frl.scenario.loading import load_scenario
from frl.spec import SERVERS, RunSpec
from frl.training import checkpoint, envs, loop, server_side
from frl.training.execute import csv_bytes
from frl.training.loop import Training, train

SCENARIO = """
name: small
title: t
tuned: not tuned
environments: [Swimmer, Hopper]
methods:
  - {algorithm: afedpg, n_agents: [5]}
  - {algorithm: fedpg, n_agents: [5]}
  - {algorithm: a3c, n_agents: [5]}
seeds: [0]
thresholds: {Swimmer: 100 return, Hopper: 1000 return}
run:
  steps_per_agent: 2_000
  policy: {hidden: [8]}
  sampling: {lanes: 4, segment_steps: 8}
  evaluation: {episodes: 2}
"""


def spec(algorithm="afedpg", environment="Hopper", **settings):
    small = {
        "policy": {"hidden": (8,)},
        "sampling": {"lanes": 4, "segment_steps": 8},
        "evaluation": {"episodes": 20},
    }
    identity = {"environment": environment, "algorithm": algorithm, "n_agents": 3, "seed": 0}
    return RunSpec(**{**identity, "steps_per_agent": 256, **small, **settings})


def finish(training):
    while not training.finished:
        training.advance()
    return csv_bytes(training.recorder.rows), training.evaluator.env_steps


@pytest.fixture(autouse=True)
def evaluations_wait(monkeypatch):
    """For each other and for nothing else, so that it is known when they are made."""
    monkeypatch.setattr(server_side, "EVALUATE_EVERY_S", math.inf)


SETTINGS = {
    "defaults": {},
    "local normaliser": {"normalizer": {"mode": "local"}},
    "no critic": {
        "critic": {"mode": "none"},
        "estimator": {"name": "gpomdp", "standardize": False},
        "sampling": {"trajectories": 1},
        "steps_per_agent": 2500,
        "evaluation": {"episodes": 32},
    },
    "whole episodes": {
        "sampling": {"trajectories": 1},
        "normalizer": {"freeze_after_steps": 100},
        "steps_per_agent": 2500,
        "evaluation": {"episodes": 32},
    },
    "priced link": {"link": {"uplink_bytes_per_s": 1e4}, "fleet": {"kind": "lognormal", "sigma": 0.5}},
}


def resumed_anywhere(run):
    """Save between any two arrivals, resume from about 20 of these states; what the states were like."""
    original = Training(run)
    original.begin()
    states, waiting, halfway = [], [], []
    while not original.finished:
        states.append(checkpoint.save(original, {}))
        waiting.append(len(original._works))
        sampler = original.agents.sampler
        halfway.append(bool(getattr(sampler, "running", np.zeros(1)).any() and sampler.env.elapsed.any()))
        original.advance()
    expected = finish(original)
    assert len(states) >= 20
    for state in states[:: max(1, len(states) // 20)]:
        resumed = Training(run)
        checkpoint.restore(resumed, checkpoint.read(state)[1])
        assert finish(resumed) == expected
    return waiting, halfway


@pytest.mark.parametrize(("algorithm", "environment"), [*((name, "Hopper") for name in SERVERS), ("afedpg", "Swimmer")])
def test_a_run_resumed_between_any_two_arrivals_ends_in_the_same_bytes(algorithm, environment, monkeypatch):
    monkeypatch.setattr(envs, "MAX_EPISODE_STEPS", 150)  # Swimmer never ends by itself
    waiting, _ = resumed_anywhere(spec(algorithm, environment, evaluation={"episodes": 1}))
    assert max(waiting) >= 1 or algorithm == "fedpg", "no state lies between a prefetch and its arrival"


@pytest.mark.parametrize("algorithm", ["afedpg", "lapg"])
def test_a_run_resumed_in_the_middle_of_its_episodes_ends_in_the_same_bytes(algorithm):
    run = spec(algorithm, sampling={"trajectories": 2}, steps_per_agent=600, evaluation={"episodes": 1})
    waiting, halfway = resumed_anywhere(run)
    assert max(waiting) >= 1
    assert sum(halfway) >= 10


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("algorithm", ["afedpg", "fedpg"])
def test_every_part_of_the_state_survives(algorithm, settings):
    run = spec(algorithm, **settings)
    original = Training(run)
    original.begin()
    while original.evaluator.env_steps == 0 or not original._unevaluated:
        original.advance()
    assert not original.finished, "no checkpoint lies between evaluations made and evaluations waiting"
    content = checkpoint.save(original, {"note": 1.5})
    facts, state = checkpoint.read(content)
    assert facts == {"note": 1.5}
    resumed = Training(run)
    checkpoint.restore(resumed, state)
    checkpoint.restore(Training(run), state)  # takes nothing out of it
    assert checkpoint.save(resumed, {"note": 1.5}) == content
    assert finish(resumed) == finish(original)


def test_a_new_servers_own_attributes_are_saved_without_a_line_about_it(monkeypatch):
    class Counting(SERVERS["afedpg"]):
        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **keywords)
            self.seen = {}
            self.stream = np.random.default_rng(3)
            self.last = None

        def receive(self, update):
            self.seen.setdefault(update.agent, []).append(np.float32(self.stream.random()))
            self.last = update
            return super().receive(update)

    monkeypatch.setitem(SERVERS, "afedpg", Counting)
    run = spec()
    original = Training(run)
    original.begin()
    for _ in range(7):
        original.advance()
    resumed = Training(run)
    checkpoint.restore(resumed, checkpoint.read(checkpoint.save(original, {}))[1])
    finish(original), finish(resumed)
    assert resumed.server.seen == original.server.seen
    assert resumed.server.seen[0][0].dtype == np.float32
    np.testing.assert_array_equal(resumed.server.last.gradient, original.server.last.gradient)


@pytest.mark.parametrize("name", ["spec", "index", "policy", "critic", "identity", "reward_scale"])
def test_no_name_of_an_attribute_keeps_it_from_being_saved(name):
    original, resumed = Training(spec()), Training(spec())
    original.begin()
    vars(original.server)[name] = vars(original.clock)["now"] = 3.5
    checkpoint.restore(resumed, checkpoint.read(checkpoint.save(original, {}))[1])
    assert vars(resumed.server)[name] == 3.5


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (print, "builtin_function_or_method"),
        ({1, 2}, "set"),
        (collections.deque(), "deque"),
        (collections.namedtuple("Pair", "a b")(1, 2), "Pair"),
        (collections.defaultdict(int), "defaultdict"),
        (np.random.Generator(np.random.MT19937(0)), "Generator"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_saved_is_named_and_stops_no_run(tmp_path, capsys, value, named):
    training = Training(spec())
    training.server.mine = value
    with pytest.raises(TypeError, match=named):
        checkpoint.save(training, {})
    keeper = Keeper(tmp_path, "0" * 64, every_s=0)
    keeper.keep(training)
    assert named in capsys.readouterr().err
    assert not keeper.path.exists()


def test_what_an_agent_newly_keeps_is_saved():
    original, resumed = Training(spec()), Training(spec())
    original.begin()
    original.agents.each[1].skipped = 3
    checkpoint.restore(resumed, checkpoint.read(checkpoint.save(original, {}))[1])
    assert resumed.agents.each[1].skipped == 3


# --- the file, and what may happen to it ---


class Stopping(Keeper):
    """Stops as a killed process would, right after the checkpoint at a given number of steps."""

    def __init__(self, *arguments, at):
        super().__init__(*arguments, every_s=0)
        self.at = at

    def keep(self, training):
        super().keep(training)
        if training.recorder.env_steps_total >= self.at:
            raise KeyboardInterrupt


def stopped(run, results, at=300):
    keeper = Stopping(results, run_digest(run), at=at)
    with pytest.raises(KeyboardInterrupt):
        train(run, keeper=keeper)
    return keeper.path


def test_run_one_goes_on_and_cleans_up(tmp_path, capsys):
    run = spec()
    expected = csv_bytes(train(run).rows)
    path = stopped(run, tmp_path)
    assert path.parent == tmp_path / ".checkpoints"
    assert run_one(run, tmp_path, "small") == "trained"
    assert "resumed at 320 steps" in capsys.readouterr().err
    assert run_paths(run, tmp_path, "small")[0].read_bytes() == expected
    assert not path.exists()
    meta = Store(tmp_path).get(run_digest(run))[1]
    assert b'"resumed": 1,' in meta


DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "a flipped byte": lambda content: content[:3000] + bytes([content[3000] ^ 1]) + content[3001:],
    "another format": lambda content: b"PK not really",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_checkpoint_is_refused_and_the_run_starts_over(tmp_path, capsys, damage):
    run = spec()
    path = stopped(run, tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert run_one(run, tmp_path, "small") == "trained"
    assert "it is damaged" in (said := capsys.readouterr().err)
    assert "starts over" in said
    assert run_paths(run, tmp_path, "small")[0].read_bytes() == csv_bytes(train(run).rows)


def edited(path, **facts):
    """The checkpoint with other facts."""
    old, state = checkpoint.read(path.read_bytes())
    training = Training(spec())
    checkpoint.restore(training, state)
    path.write_bytes(checkpoint.save(training, {**old, **facts}))


@pytest.mark.parametrize("facts", [{"cpu_capability": "ABACUS"}, {"blas": ["Pencil"]}], ids=str)
def test_a_checkpoint_of_a_machine_that_rounds_differently_is_refused(tmp_path, capsys, facts):
    edited(stopped(spec(), tmp_path), **facts)
    run_one(spec(), tmp_path, "small")
    assert f"another {next(iter(facts))}" in capsys.readouterr().err


def test_a_state_that_does_not_fit_is_refused_and_the_run_starts_over(tmp_path, capsys, monkeypatch):
    run = spec()
    expected = csv_bytes(train(run).rows)
    state = checkpoint._state
    monkeypatch.setattr(
        checkpoint, "_state", lambda training: {k: v for k, v in state(training).items() if k != "clock"}
    )
    stopped(run, tmp_path)
    run_one(run, tmp_path, "small")
    assert "KeyError: 'clock'; the run starts over" in capsys.readouterr().err
    assert run_paths(run, tmp_path, "small")[0].read_bytes() == expected


def test_a_finished_run_leaves_no_checkpoint_behind(tmp_path):
    run = spec()
    run_one(run, tmp_path, "small")
    for _ in ("present", "restored"):
        path = stopped(run, tmp_path)
        run_one(run, tmp_path, "small")
        assert not path.exists()
        run_paths(run, tmp_path, "small")[0].unlink()


def test_a_run_made_in_a_thread_is_as_good(tmp_path):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert pool.submit(run_one, spec(), tmp_path, "small").result() == "trained"


def test_a_checkpoint_of_other_settings_is_refused(tmp_path, capsys):
    other, run = spec(seed=1), spec()
    content = stopped(other, tmp_path).read_bytes()
    write_atomically(Keeper(tmp_path, run_digest(run), 1).path, content)
    run_one(run, tmp_path, "small")
    assert "another digest" in capsys.readouterr().err
    assert run_paths(run, tmp_path, "small")[0].read_bytes() == csv_bytes(train(run).rows)


def test_a_checkpoint_executes_nothing(tmp_path):
    """An array of objects would need pickle to be read."""
    path = tmp_path / "evil.npz"
    np.savez(path, tree=np.array([print], dtype=object))
    with pytest.raises(checkpoint.CheckpointError, match="allow_pickle=False"):
        checkpoint.read(path.read_bytes())


# --- real processes ---


@pytest.fixture
def scenario(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO)
    return file


@pytest.fixture
def short(scenario):
    """The same with runs of a moment."""
    scenario.write_text(SCENARIO.replace("2_000", "400"))
    return scenario


def command(scenario, environment, method, *more):
    identity = ["--environment", environment, "--method", method, "--n-agents", "5", "--seed", "0"]
    return [sys.executable, "-m", "frl", "train", str(scenario), *identity, "--results", str(scenario.parent), *more]


PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["frl.commands", "frl.runs.runner", "frl.training.loop"]
)  # imported once, not for every process


def started(arguments):
    """A process of its own that runs `frl` with these arguments."""
    process = PROCESSES.Process(target=main, args=(arguments,))
    process.start()
    return process


@pytest.mark.parametrize(
    ("method", "environment"), [("afedpg", "Hopper"), ("fedpg", "Hopper"), ("a3c", "Hopper"), ("afedpg", "Swimmer")]
)
def test_sigkill_at_random_moments_loses_nothing(scenario, environment, method):
    run = load_scenario(scenario).resolve(environment, method, 5, 0)
    moments = random.Random(f"{environment} {method}")
    checkpoints = Keeper(scenario.parent, run_digest(run), 1).path
    csv, meta = run_paths(run, scenario.parent, "small")
    arguments = command(scenario, environment, method, "--quiet")[3:]
    kills = 0
    while kills < 4:
        seen = written(checkpoints)
        process = started([*arguments, "--checkpoint-every", "0"])
        while process.is_alive() and written(checkpoints) in (None, seen):
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.05))
        if not process.is_alive():
            break  # it came to its end before it could be killed
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        kills += 1
        assert csv.exists() <= meta.exists()
    assert kills >= 2
    started(arguments).join()
    assert csv.read_bytes() == csv_bytes(train(run).rows)
    assert not checkpoints.exists()


def catches_sigterm(process):
    """Whether the process has a handler of its own by now."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_writes_a_checkpoint_and_the_run_exits_with_its_code(scenario, number):
    run = load_scenario(scenario).resolve("Hopper", "afedpg", 5, 0)
    path = Keeper(scenario.parent, run_digest(run), 1).path
    process = subprocess.Popen(
        command(scenario, "Hopper", "afedpg", "--checkpoint-every", "3600"),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not catches_sigterm(process):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == 128 + number
    assert said.splitlines()[-1].startswith("frl: stopped; ")
    assert "Traceback" not in said
    assert path.exists()
    again = subprocess.run(command(scenario, "Hopper", "afedpg"), check=True, capture_output=True, text=True)
    assert "resumed at" in again.stderr
    assert run_paths(run, scenario.parent, "small")[0].read_bytes() == csv_bytes(train(run).rows)


def test_a_full_disk_costs_checkpoints_and_then_says_so(short):
    """A limit of 2 kB on every file: no checkpoint fits, nor does the run's CSV."""
    limited = command(short, "Hopper", "afedpg", "--checkpoint-every", "0", "--quiet")
    code = (
        "import resource, os, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    failed = subprocess.run([sys.executable, "-c", code, *limited], capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "no checkpoint could be written" in failed.stderr
    assert "File too large" in failed.stderr.splitlines()[-1]
    left = [path for path in short.parent.rglob("*") if path.is_file() and path != short]
    assert left == [], "half a file was left behind"
    subprocess.run(limited, check=True)
    run = load_scenario(short).resolve("Hopper", "afedpg", 5, 0)
    assert run_paths(run, short.parent, "small")[0].read_bytes() == csv_bytes(train(run).rows)


@pytest.mark.parametrize(("value", "told"), [("soon", "'soon'"), ("-1", "'-1'"), ("nan", "'nan'")])
def test_a_bad_interval_is_refused_before_anything_starts(scenario, monkeypatch, capsys, value, told):
    monkeypatch.setenv("FRL_CHECKPOINT_EVERY", value)
    identity = ["--environment", "Hopper", "--method", "afedpg", "--n-agents", "5", "--seed", "0"]
    assert main(["train", str(scenario), *identity, "--results", str(scenario.parent)]) == 2
    said = capsys.readouterr().err
    assert f"FRL_CHECKPOINT_EVERY = {told}" in said
    assert "a number of seconds" in said


def test_the_interval_of_a_workflows_jobs_is_the_environments(scenario):
    """At 0 every arrival is followed by a checkpoint, so the first must come long before a minute has passed."""
    run = load_scenario(scenario).resolve("Hopper", "afedpg", 5, 0)
    path = Keeper(scenario.parent, run_digest(run), 1).path
    process = subprocess.Popen(
        command(scenario, "Hopper", "afedpg", "--quiet"), env={**os.environ, "FRL_CHECKPOINT_EVERY": "0"}
    )
    seen = False
    while process.poll() is None:
        seen = seen or path.exists()
        time.sleep(0.002)
    assert process.returncode == 0
    assert seen


def test_a_checkpoint_for_which_there_is_no_memory_costs_nothing(short, monkeypatch, capsys):
    def no_memory(*arguments):
        raise MemoryError("for the state")

    run = load_scenario(short).resolve("Hopper", "afedpg", 5, 0)
    monkeypatch.setattr(checkpoint, "save", no_memory)
    identity = ["--environment", "Hopper", "--method", "afedpg", "--n-agents", "5", "--seed", "0"]
    every = ["--checkpoint-every", "0", "--quiet"]
    assert main(["train", str(short), *identity, *every, "--results", str(short.parent)]) == 0
    said = capsys.readouterr().err
    assert "no checkpoint could be written (MemoryError: for the state)" in said
    assert run_paths(run, short.parent, "small")[0].read_bytes() == csv_bytes(train(run).rows)


def test_out_of_memory_is_one_message(scenario, monkeypatch, capsys):
    def no_memory(*arguments):
        raise MemoryError

    monkeypatch.setattr(loop.Training, "advance", no_memory)
    identity = ["--environment", "Hopper", "--method", "afedpg", "--n-agents", "5", "--seed", "0"]
    assert main(["train", str(scenario), *identity, "--results", str(scenario.parent)]) == 1
    assert capsys.readouterr().err.startswith("frl: error: out of memory; give it more")


def test_a_second_process_waits_for_the_first_and_takes_its_run(scenario):
    run = load_scenario(scenario).resolve("Hopper", "afedpg", 5, 0)
    lock = Keeper(scenario.parent, run_digest(run), 1).path.with_suffix(".lock")
    first = subprocess.Popen(command(scenario, "Hopper", "afedpg", "--quiet"))
    while not lock.exists():
        assert first.poll() is None
        time.sleep(0.002)
    first.send_signal(signal.SIGSTOP)  # so that it outlasts the second one's start
    second = subprocess.Popen(
        command(scenario, "Hopper", "afedpg"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert f"waiting: process {first.pid} on" in second.stderr.readline()
    first.send_signal(signal.SIGCONT)
    said, _ = second.communicate()
    assert first.wait() == second.returncode == 0
    assert said.startswith(("restored:", "present:"))
    assert not lock.exists()
