"""What a run's settings let happen, and what is refused when the scenario is loaded."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from frl.cli import main
from frl.errors import SpecError
from frl.runs.memory import machine_bytes, refuse_what_cannot_fit
from frl.scenario import feasible
from frl.scenario.scenario import Scenario
from frl.spec import SERVERS, RunSpec
from frl.training.envs import MAKE, Environment
from frl.training.loop import Training, train

SMALL: dict[str, Any] = {
    "steps_per_agent": 640,
    "policy": {"hidden": [8]},
    "sampling": {"lanes": 4, "segment_steps": 16},
    "evaluation": {"episodes": 2, "mean_action_every": 2},
}


def spec(algorithm: str = "afedpg", n_agents: int = 1, **settings: Any) -> RunSpec:
    identity = {"environment": "Swimmer", "algorithm": algorithm, "n_agents": n_agents, "seed": 0}
    return RunSpec.model_validate({**identity, **SMALL, **settings})


def scenario(algorithm: str = "afedpg", n_agents: int = 1, **settings: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "small", "title": "t", "tuned": "not tuned", "environments": ["Swimmer"],
            "methods": [{"algorithm": algorithm, "n_agents": [n_agents]}], "seeds": [0],
            "thresholds": {"Swimmer": "10 return"}, "run": {**SMALL, **settings},
        }
    )  # fmt: skip


@pytest.mark.parametrize("name", MAKE)
def test_sizes_are_the_environments(name):
    made = [MAKE[name](version, [spec().stream("x")]) for version in ("v4", "v5")]
    assert (max(env.observation_size for env in made), made[0].action_size) == feasible.SIZES[name]
    assert (MAKE[name].healthy is Environment.healthy) == (name in feasible.NEVER_END)


LINK = {"uplink_bytes_per_s": 500, "downlink_bytes_per_s": 1500, "latency_s": 0.05}


@pytest.mark.parametrize(
    ("algorithm", "normalizer"),
    [*((algorithm, "federated") for algorithm in SERVERS), ("afedpg", "local"), ("afedpg", "none")],
)
def test_messages_are_as_long_as_is_said(algorithm, normalizer):
    given = spec(algorithm, 2, normalizer={"mode": normalizer})
    run = Training(given)
    task = run.server.start()[0]
    assert feasible.message_bytes(given) == task.nbytes == run.agents.work([task])[0].update.nbytes


@pytest.mark.parametrize(
    ("algorithm", "n_agents", "settings"),
    [
        ("afedpg", 1, {}),
        ("afedpg", 1, {"steps_per_agent": 650}),
        ("fedpg", 3, {"steps_per_agent": 300}),
        ("afedpg", 1, {"steps_per_agent": 1500, "sampling": {"trajectories": 1}}),
        ("afedpg", 3, {"steps_per_agent": 64, "sim_seconds": 1.55}),
        ("fedpg", 3, {"steps_per_agent": 64, "sim_seconds": 1.55}),
        ("afedpg", 3, {"steps_per_agent": 64, "sim_seconds": 20.0, "link": LINK}),
        ("fedpg", 3, {"steps_per_agent": 64, "sim_seconds": 20.0, "link": LINK}),
        ("afedpg", 3, {"steps_per_agent": 64, "sim_seconds": 20.0, "link": LINK, "normalizer": {"mode": "local"}}),
        ("fedpg", 3, {"steps_per_agent": 64, "sim_seconds": 20.0, "link": LINK, "normalizer": {"mode": "none"}}),
    ],
    ids=str,
)
def test_what_is_expected_is_what_happens(algorithm, n_agents, settings):
    given = spec(algorithm, n_agents, **settings)
    whole, run = feasible.expected(given), train(given)
    assert feasible.answers(given) * given.steps_per_upload == run.facts["env_steps_total"]
    assert whole.env_steps_budget - run.facts["env_steps_total"] in range(n_agents)
    assert whole.evaluations == len(run.rows)
    assert whole.evaluation_steps_at_most == run.facts["eval_steps"]


@pytest.mark.parametrize(
    ("algorithm", "n_agents", "settings", "told"),
    [
        ("afedpg", 1, {"sampling": {"lanes": 1, "segment_steps": 1}}, "standardize"),
        ("fedpg", 2, {"steps_per_agent": 20}, "steps_per_agent = 20: the run would end before"),
        ("fedpg", 2, {"steps_per_agent": 20}, r"64 steps \(sampling.lanes = 4 × sampling.segment_steps = 16\)"),
        ("afedpg", 2, {"steps_per_agent": 64, "fleet": {"kind": "straggler", "ratio": 10}}, "others answer 9 times"),
        ("afedpg", 2, {"fleet": {"kind": "straggler", "ratio": 1e308}}, "simulated time"),
        ("afedpg", 1, {"fleet": {"kind": "constant", "seconds_per_1000_steps": 1e-300}}, "simulated time"),
        ("afedpg", 1, {"link": {"latency_s": 1e308}}, "simulated time"),
        ("afedpg", 1, {"link": {"uplink_bytes_per_s": 1e-308}}, "simulated time"),
        ("afedpg", 1, {"fleet": {"kind": "lognormal", "sigma": 1e200}}, "less than or equal to 10"),
        ("afedpg", 10**9, {}, "GB of memory"),
        ("afedpg", 10**30, {}, "less than or equal to 1000000000000000"),
        ("afedpg", 1, {"sampling": {"lanes": 10**9}, "steps_per_agent": 10**12}, "GB of memory"),
        ("afedpg", 1, {"policy": {"hidden": [10**7, 10**7]}}, "GB of memory"),
        ("afedpg", 1, {"evaluation": {"episodes": 10**10}}, "GB of memory"),
        ("afedpg", 1, {"steps_per_agent": 10**12, "evaluation": {"ratio": 1 + 1e-9}}, "at most 100,000"),
        ("afedpg", 1, {"sim_seconds": 1e300}, "simulated time"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused(algorithm, n_agents, settings, told):
    with pytest.raises(ValidationError, match=told):
        scenario(algorithm, n_agents, **settings)


@pytest.mark.parametrize(
    ("algorithm", "n_agents", "settings"),
    [
        ("afedpg", 1, {"estimator": {"standardize": False}, "sampling": {"lanes": 1, "segment_steps": 1}}),
        ("afedpg", 1, {"steps_per_agent": 20}),
        ("fedpg", 2, {"steps_per_agent": 64, "fleet": {"kind": "straggler", "ratio": 10}}),
        ("afedpg", 2, {"steps_per_agent": 321, "fleet": {"kind": "straggler", "ratio": 10}}),
    ],
)  # fmt: skip
def test_what_is_just_enough_is_taken(algorithm, n_agents, settings):
    run = train(next(scenario(algorithm, n_agents, **settings).runs()))
    assert min(run.facts["env_steps_agents"]) > 0


def test_the_others_answer_as_often_before_as_is_said():
    """With 320 steps there are 10 answers, 9 of the fast agent's come before the slow one's, with 288 there are 9."""
    fleet = {"kind": "straggler", "ratio": 10}
    enough, short = (spec("afedpg", 2, steps_per_agent=steps, fleet=fleet) for steps in (320, 288))
    assert not feasible.problem(enough)
    assert feasible.problem(short)
    assert min(train(enough).facts["env_steps_agents"]) > 0
    assert min(train(short).facts["env_steps_agents"]) == 0


def test_a_run_larger_than_the_machine_does_not_begin(tmp_path, monkeypatch, capsys):
    path = tmp_path / "small.yaml"
    path.write_text(scenario().model_dump_json(exclude_defaults=True))
    run = ["--environment", "Swimmer", "--method", "afedpg", "--n-agents", "1", "--seed", "0"]
    monkeypatch.setattr("frl.runs.memory.machine_bytes", lambda: 10**8)
    assert main(["train", str(path), *run, "--results", str(tmp_path)]) == 2
    assert "needs about 0.3 GB of memory, and 0.1 GB are there" in capsys.readouterr().err
    monkeypatch.setattr("frl.runs.memory.machine_bytes", lambda: 10**10)
    refuse_what_cannot_fit(spec())
    with pytest.raises(SpecError, match="sampling"):
        refuse_what_cannot_fit(spec(sampling={"lanes": 10**6}))


def test_memory_is_the_machines_or_the_cgroups(tmp_path):
    (tmp_path / "job").mkdir()
    own = tmp_path / "own"
    own.write_text("0::/job\n")
    whole = machine_bytes(tmp_path, own)
    (tmp_path / "job" / "memory.max").write_text("max\n")
    assert machine_bytes(tmp_path, own) == whole
    (tmp_path / "job" / "memory.max").write_text("1000000\n")
    assert machine_bytes(tmp_path, own) == 1_000_000
    assert machine_bytes(tmp_path / "none", tmp_path / "none") == whole
