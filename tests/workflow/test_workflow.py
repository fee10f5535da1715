"""The workflow's behaviour beyond the rerun boundary: which scenario, bad input, speed, partial results, style."""

from __future__ import annotations

import json
import re
import resource
import sys
from pathlib import Path

import pytest
import yaml

from frl.scenario.loading import load_scenario

ROOT = Path(__file__).resolve().parents[2]


def test_default_scenario_is_config_yaml(project):
    plan = project.planned(config=None)
    scenario = load_scenario(project.root / "config/config.yaml")
    assert plan.jobs["train"] == len({spec.run_id for spec in scenario.runs()})


def test_quick_scenario_reads_no_other_file(project):
    """The plan of the quick scale is the same with and without a config.yaml beside it."""
    before = project.snakemake("-n", "-p", config="config/quick.yaml")
    (project.root / "config/config.yaml").write_text("name: [broken", encoding="utf-8")
    after = project.snakemake("-n", "-p", config="config/quick.yaml")
    assert before.returncode == after.returncode == 0, after.stderr
    digests = [sorted(re.findall(r"--expect-digest (\w{64})", text.stdout + text.stderr)) for text in (before, after)]
    assert digests[0] == digests[1] != []
    assert "results/quick/report.html" in after.stdout + after.stderr


def test_bad_scenario_is_one_clear_error_before_any_job(project):
    """Two mistakes, one answer; every kind of mistake is tested without Snakemake in tests/unit/test_spec.py."""
    project.edit("config/tiny.yaml", "n_agents: [1, 2]", "n_agents: [0, 2]")
    project.edit("config/tiny.yaml", "5 return", "'5'")
    done = project.snakemake("--cores", "1")
    assert done.returncode == 2
    for piece in ("n_agents", "= 0", "greater than or equal to 1", "thresholds", "Swimmer", "'5'", "'100 return'"):
        assert piece in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.root / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--config", "seeds=3"], "--config seeds: not supported"),
        (["--configfile", "config/tiny.yaml", "config/config.yaml"], "a scenario is one file, got 2"),
        (["--configfile", "config/tiny.yaml", "--configfile", "config/quick.yaml"], "the option is given 2 times"),
        (["--configfile", "config/absent.yaml"], "absent.yaml"),
    ],
    ids=["--config", "two files", "two options", "no file"],
)
def test_other_ways_to_set_keys_are_refused(project, arguments, told):
    done = project.snakemake("--cores", "1", *arguments, config=None)
    assert done.returncode != 0
    assert told in done.stdout + done.stderr
    assert not (project.root / "results").exists()


def test_whole_graph_on_the_runs_finished_so_far(project):
    """Real training, tables, figures and report, of 3 of 4 runs; from another folder, where the results go."""
    project.edit("config/tiny.yaml", "n_agents: [1, 2]", "n_agents: [1]")
    project.edit("config/tiny.yaml", "  - {algorithm: a3c, n_agents: [2]}\n", "")
    project.edit("config/tiny.yaml", "seeds:", "claims: claims-quick.yaml\nseeds:")
    elsewhere = project.root / "elsewhere"
    arguments = ["--cores", "2", "--directory", str(elsewhere)]
    runs = [f"results/tiny/runs/Swimmer/{run}.csv" for run in ("afedpg/n1/seed0", "afedpg/n1/seed1", "fedpg/n2/seed0")]
    trained = project.snakemake(*arguments, *runs)
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert sorted(map(str, elsewhere.glob("results/tiny/runs/**/*.csv"))) == sorted(
        str(elsewhere / run) for run in runs
    )

    done = project.snakemake(*arguments, "partial")
    assert done.returncode == 0, done.stdout + done.stderr
    base = elsewhere / "results/tiny/partial"
    assert (base / "report.html").stat().st_size > 10_000
    assert "1 of 4 runs are missing" in done.stderr
    assert "Swimmer/fedpg/n2/seed1" in done.stderr
    assert "seed1" in (base / "missing.csv").read_text(encoding="utf-8")
    assert not (elsewhere / "results/tiny/report.html").exists()
    again = project.snakemake(*arguments, "partial")
    assert "Nothing to be done" in again.stdout + again.stderr
    assert not (project.root / "results").exists()

    judged = json.loads((base / "verdicts.json").read_text(encoding="utf-8"))
    assert {part["verdict"] for part in judged["parts"]} == {"not run"}  # no arm of them is here
    project.edit("config/claims-quick.yaml", "horizon: 60_000", "horizon: 55_000")
    plan = project.planned("partial", "--directory", str(elsewhere))
    assert set(plan.jobs) == {"partial", "verdict", "figures", "tables", "report"}  # nothing is trained or collected
    project.edit("config/claims-quick.yaml", "horizon: 55_000", "horizon: 60_000")
    project.edit("src/frl/verdicts/rules.py", "MIN_SEEDS = 5", "MIN_SEEDS = 6")
    plan = project.planned("partial", "--directory", str(elsewhere))
    assert set(plan.jobs) == {"partial", "verdict", "figures", "tables", "report"}


def test_without_claims_there_is_no_verdict(project):
    assert not project.planned().jobs["verdict"]
    project.edit("config/tiny.yaml", "seeds:", "claims: claims-quick.yaml\nseeds:")
    assert project.planned().jobs["verdict"] == 1


def test_the_number_of_cores_changes_no_byte(project):
    """Fresh training with one job and with two at a time; the store is not shared between the two folders."""
    tables = {}
    for cores in ("1", "2"):
        folder = project.root / f"cores{cores}"
        runs = [f"results/tiny/runs/Swimmer/{run}/seed0.csv" for run in ("afedpg/n2", "fedpg/n2", "a3c/n2")]
        done = project.snakemake("--cores", cores, "--directory", str(folder), *runs)
        assert done.returncode == 0, done.stdout + done.stderr
        tables[cores] = {run: (folder / run).read_bytes() for run in runs}
    assert tables["1"] == tables["2"]


def test_a_run_outside_the_grid_is_refused(project):
    done = project.snakemake("-n", "results/tiny/runs/Swimmer/fedpg/n1/seed0.csv")
    assert done.returncode == 1
    assert "Swimmer/fedpg/n1/seed0 is not a run of scenario 'tiny'" in done.stdout + done.stderr


def test_names_of_methods_are_taken_literally(project):
    """One name that begins another, dots and dashes: each run is planned by its own name, none that is only alike."""
    names = ("afedpg-a0.5", "afedpg-a0.5-b", "fedpg.2")
    common = "algorithm: afedpg, n_agents: [2]"
    given = [f"  - {{name: {name}, {common}, server: {{momentum: 0.{i + 5}}}}}\n" for i, name in enumerate(names)]
    project.edit("config/tiny.yaml", "methods:\n", "methods:\n" + "".join(given))
    assert project.planned().train == {"afedpg": 4, "fedpg": 2, "a3c": 2, **dict.fromkeys(names, 2)}
    runs = [f"results/tiny/runs/Swimmer/{name}/n2/seed0.csv" for name in names]
    plan = project.snakemake("-n", "-p", *runs)
    planned = re.findall(r"--method (\S+) --n-agents 2 --seed 0 ", plan.stdout + plan.stderr)
    assert sorted(planned) == sorted(names)
    for alike in ("afedpg-a0x5", "fedpg-2", "afedpg-a0.5-"):
        refused = project.snakemake("-n", f"results/tiny/runs/Swimmer/{alike}/n2/seed0.csv")
        assert refused.returncode == 1
        assert "MissingRuleException" in refused.stdout + refused.stderr


def test_thousand_jobs_are_planned_fast(project):
    """In CPU time, against what Snakemake needs for eight jobs, mostly to start: a noisy machine slows down both."""

    def planned() -> tuple[int, float]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        plan = project.planned()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return plan.jobs["train"], after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    few, start = planned()
    project.edit("config/tiny.yaml", "seeds: [0, 1]", f"seeds: {list(range(250))}")
    measured = []
    while not measured or (min(measured) >= 2.4 * start and len(measured) < 3):  # what disturbs one comes and goes
        many, whole = planned()
        measured.append(whole)
    assert (few, many) == (8, 1000)
    assert min(measured) < 2.4 * start, f"{measured} s against {start:.1f} s"


def test_a_home_that_cannot_be_written_stops_nothing(project):
    project.fill_store()
    spec = next(iter(project.scenario.runs()))
    target = f"results/{project.scenario.name}/runs/{spec.run_id}.csv"
    done = project.run(
        "env", "HOME=/dev/null", "XDG_CACHE_HOME=", sys.executable, "-m", "snakemake", "--cores", "1", target,
        "--configfile", "config/tiny.yaml",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project.root / target).exists()


def test_default_profile():
    """Without these 4,000 jobs take minutes to schedule; what is out of date is no matter of a profile."""
    profile = yaml.safe_load((ROOT / "workflow/profiles/default/config.yaml").read_text(encoding="utf-8"))
    assert "rerun-triggers" not in profile
    assert (profile["scheduler"], profile["keep-going"], profile["rerun-incomplete"]) == ("greedy", True, True)


def test_every_rule_has_log_benchmark_and_memory():
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    rules = re.split(r"^rule ", text, flags=re.MULTILINE)[1:]
    assert [rule.partition(":")[0] for rule in rules] == ["collect", "figures", "report", "tables", "train", "verdict"]
    for rule in rules:
        for directive in ("log:", "benchmark:", "mem_mb=", "runtime=", "message:", 'shell:\n        "frl '):
            assert directive in rule, f"{rule.splitlines()[0]} has no {directive}"


def test_snakefile_reads_as_a_table_of_contents():
    for name, most in (("Snakefile", 60), ("rules/common.smk", 80)):
        assert len((ROOT / "workflow" / name).read_text(encoding="utf-8").splitlines()) <= most
