"""The slurm and generic profiles on real Slurm daemons: `make test-slurm`, of which `make test` runs a short part.

A cluster of two nodes on this machine's loopback (cluster.sh), thrown away at the end: the same bytes as a local run,
and what happens when a node dies, a job is cancelled, or is over its time or memory.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from frl.runs.plan import request
from frl.scenario.loading import load_scenario

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = Path(__file__).with_name("cluster.sh")
WHERE = f"{os.environ['PATH']}:/usr/sbin"


pytestmark = pytest.mark.suite("slurm")


class Cluster:
    """The throw-away cluster and a working directory on it."""

    def __init__(self, home: Path, work: Path, scenario: Path):
        self.home, self.work, self.scenario = home, work, scenario
        self.said = work.with_name("said.log")
        self.process: subprocess.Popen[str] | None = None
        work.mkdir()
        self.environment = {**os.environ, "PATH": f"{home}/bin:{WHERE}"}

    def __call__(self, *command: str | Path) -> str:
        """Output of a command."""
        text = list(map(str, command))
        done = subprocess.run(text, env=self.environment, capture_output=True, text=True, cwd=self.work)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *arguments: str, profile: str = "slurm") -> subprocess.Popen[str]:
        """Snakemake with a profile of the project, impatient."""
        command = [sys.executable, "-m", "snakemake", *arguments, "--snakefile", ROOT / "workflow/Snakefile"]
        command += ["--workflow-profile", ROOT / "workflow/profiles" / profile, "--directory", self.work]
        command += ["--latency-wait", "10", "--seconds-between-status-checks", "2"]
        if profile == "slurm":
            command += ["--slurm-status-command", "squeue", "--slurm-no-account"]
            command += ["--slurm-init-seconds-before-status-checks", "2"]
        else:  # the profile names it from the project's folder, where one usually starts
            command += ["--cluster-generic-status-cmd", ROOT / "workflow/profiles/generic/status.sh"]
        command += ["--configfile", self.scenario]
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                list(map(str, command)),
                env=self.environment,
                cwd=ROOT,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        return self.process

    def clear(self) -> None:
        """Nothing of a test goes on after it."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self("scancel", "--user=root")

    def end(self, process: subprocess.Popen[str], returncode: int = 0) -> str:
        """What it had to say, when it has ended as it should."""
        process.wait(timeout=1800)
        assert process.returncode == returncode, self.said.read_text()
        return self.said.read_text()

    def wait_for(self, condition: Callable[[], object], seconds: float = 600) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.said.read_text() + self("sinfo") + self("squeue")
            time.sleep(0.2)

    def run(self, *arguments: str, profile: str = "slurm") -> str:
        return self.end(self.start(*arguments, profile=profile))

    def submitted(self) -> int:
        """Slurm jobs that the last start submitted."""
        return self.said.read_text().count("has been submitted")

    def jobs(self) -> list[tuple[str, str]]:
        """(id, node) of the running training jobs."""
        lines = self("squeue", "-h", "--states=RUNNING", "--array", "--format=%i %N").splitlines()
        return [(line.split()[0], line.split()[1]) for line in lines]

    def checkpoints(self) -> int:
        return len(list(self.work.glob("results/.checkpoints/*.npz")))

    def logs(self) -> str:
        return "".join(path.read_text() for path in sorted(self.work.glob("results/*/logs/train/**/*.log")))

    def tables(self) -> dict[str, bytes]:
        base = self.work / "results"
        return {str(path.relative_to(base)): path.read_bytes() for path in sorted(base.glob("*/runs/**/*.csv"))}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("slurm")
    try:
        subprocess.run([CLUSTER, "up", home, "2", "2"], check=True)
        yield home
    finally:
        subprocess.run([CLUSTER, "down", home], check=True)


def write_scenario(folder: Path, name: str, steps: int, seeds: int = 1) -> Path:
    """The quick scenario with few seeds and few steps, in a copy of config/, so that all that it names is there."""
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    content = yaml.safe_load((config / "quick.yaml").read_text(encoding="utf-8"))
    content |= {"name": name, "seeds": list(range(seeds))}
    content["run"] |= {"steps_per_agent": steps, "evaluation": {"episodes": 1}}
    for override in content.get("overrides", []):
        override["set"].pop("steps_per_agent", None)
        override["set"].pop("evaluation", None)
    file = config / f"{name}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file


def local(scenario: Path, work: Path, *targets: str) -> dict[str, bytes]:
    """The runs' CSVs as made on this machine without Slurm."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *targets, "--snakefile", ROOT / "workflow/Snakefile"]
    command += ["--directory", work, "--configfile", scenario]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, cwd=ROOT)
    return {str(p.relative_to(work / "results")): p.read_bytes() for p in sorted(work.glob("results/*/runs/**/*.csv"))}


@pytest.fixture
def quick(home, tmp_path):
    cluster = Cluster(home, tmp_path / "work", write_scenario(tmp_path, "small", 4_000))
    yield cluster
    cluster.clear()


@pytest.fixture
def long(home, tmp_path):
    """Runs of some tens of seconds, which write a checkpoint every half second."""
    cluster = Cluster(home, tmp_path / "work", write_scenario(tmp_path, "long", 100_000))
    cluster.environment["FRL_CHECKPOINT_EVERY"] = "0.5"
    yield cluster
    cluster.clear()


@pytest.fixture(scope="module")
def small_tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    scenario = write_scenario(folder, "small", 4_000)
    return local(scenario, folder / "work", *run_files(scenario))


@pytest.fixture(scope="module")
def long_tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    scenario = write_scenario(folder, "long", 100_000)
    return local(scenario, folder / "work", *run_files(scenario))


def run_files(scenario: Path) -> list[str]:
    loaded = load_scenario(scenario)
    return [f"results/{loaded.name}/runs/{spec.run_id}.csv" for spec in loaded.runs()][:2]


@pytest.mark.short
@pytest.mark.parametrize("profile", ["slurm", "generic"])
def test_two_runs_give_the_same_bytes_as_without_slurm(quick, small_tables, profile):
    quick.run(*run_files(quick.scenario), profile=profile)
    assert quick.tables() == small_tables


def test_the_whole_quick_scenario_gives_the_same_bytes_as_without_slurm(quick, tmp_path):
    said = quick.run()
    assert re.search(r"train\s+\d+", said)
    there = quick.tables()
    assert len(there) == len(list(load_scenario(quick.scenario).runs())) >= 4
    assert (quick.work / "results/small/report.html").stat().st_size > 10_000
    assert there == local(quick.scenario, tmp_path / "here", *[f"results/{name}" for name in there])


@pytest.mark.short
def test_of_runs_packed_into_one_job_a_cancelled_one_resumes_alone(home, tmp_path):
    """Four runs of one agent in two jobs; one job is cancelled in its second run, and submitted again."""
    scenario = write_scenario(tmp_path, "packed", 20_000, seeds=4)
    targets = [f"results/packed/runs/Swimmer/afedpg/n1/seed{seed}.csv" for seed in range(4)]
    cluster = Cluster(home, tmp_path / "work", scenario)
    cluster.environment["FRL_CHECKPOINT_EVERY"] = "0.1"
    try:
        process = cluster.start(*targets, "--group-components", "train=2")
        cluster.wait_for(lambda: len(cluster.tables()) >= 2 and 1 <= cluster.checkpoints() == len(cluster.jobs()))
        job = cluster.jobs()[0][0]
        asked = cluster("squeue", "-h", "--format=%C %l", f"--jobs={job}").split()
        cluster("scancel", job)
        cluster.end(process)
    finally:
        cluster.clear()
    minutes = max(
        request(spec, tmp_path / "no past")[0] for spec in load_scenario(scenario).runs() if spec.n_agents == 1
    )
    assert asked == ["1", f"{2 * minutes}:00"]  # one core, and the time of two runs
    assert cluster.submitted() == 3
    assert cluster.tables() == local(scenario, tmp_path / "here", *targets)
    assert cluster.logs().count("resumed at") == 1


def test_a_node_dies_and_the_workflow_completes(long, long_tables):
    targets = run_files(long.scenario)
    process = long.start(*targets)
    long.wait_for(lambda: len(long.jobs()) == 2 and long.checkpoints() == 2)
    job, node = long.jobs()[0]
    long(CLUSTER, "kill", long.home, node)
    long.wait_for(lambda: long("squeue", "-h", "--states=PENDING", "--format=%i"))  # Slurm noticed, and queued it again
    long("scontrol", "update", f"jobid={job}", "starttime=now")  # it would wait two minutes
    long.end(process)
    long(CLUSTER, "start", long.home, node)
    assert long.tables() == long_tables
    assert "resumed at" in long.logs()


def test_a_cancelled_job_is_completed_by_the_next_start(long, long_tables):
    targets = run_files(long.scenario)
    process = long.start("--retries", "0", *targets)
    long.wait_for(lambda: len(long.jobs()) == 2 and long.checkpoints() == 2)
    long("scancel", long.jobs()[0][0])
    assert "CANCELLED" in long.end(process, returncode=1)
    assert len(long.tables()) == 1
    long.run(*targets)
    assert long.tables() == long_tables
    assert "resumed at" in long.logs()


def test_over_its_time_it_gets_more_and_goes_on(long, long_tables):
    """The first attempt gets a minute, and hangs."""
    targets = run_files(long.scenario)[:1]
    process = long.start(*targets, "--set-resources", "train:runtime=1 if attempt < 2 else 10")
    long.wait_for(lambda: long.checkpoints() == 1)
    long("pkill", "-STOP", "-f", f"frl train {long.scenario} ")
    assert "TIMEOUT" in long.end(process)
    assert long.tables().items() <= long_tables.items()
    assert "resumed at" in long.logs()


def test_over_its_memory_it_gets_more(long, long_tables):
    targets = run_files(long.scenario)[:1]
    said = long.run(*targets, "--set-resources", "train:mem_mb=150 if attempt < 2 else 3000")
    assert long.tables().items() <= long_tables.items()
    assert re.search("OUT_OF_MEMORY|FAILED|CANCELLED", said)


def smoke(home: Path, folder: Path, more: str) -> subprocess.CompletedProcess[str]:
    """`frl smoke` with a copy of the profile that says what this cluster needs."""
    profile, results = folder / "profile", folder / "results"
    shutil.copytree(ROOT / "workflow/profiles/slurm", profile)
    with (profile / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("slurm-status-command: squeue\nslurm-no-account: true\nseconds-between-status-checks: 2\n")
        file.write(f"slurm-init-seconds-before-status-checks: 2\n{more}\n")
    command = [sys.executable, "-m", "frl", "smoke", profile, "--results", results, "--minutes", "10"]
    environment = {**os.environ, "PATH": f"{home}/bin:{WHERE}"}
    return subprocess.run(list(map(str, command)), env=environment, cwd=ROOT, capture_output=True, text=True)


def test_the_smoke_test_passes_and_says_what_is_wrong(home, tmp_path):
    (tmp_path / "right").mkdir()
    done = smoke(home, tmp_path / "right", "")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok: 3 runs, each a job, in " in done.stdout
    assert "beside the same run made here: identical, byte for byte" in done.stdout
    assert done.stdout.endswith("pass: the cluster trains runs\n")
    (tmp_path / "wrong").mkdir()
    done = smoke(home, tmp_path / "wrong", "set-resources:\n  - train:slurm_partition='absent'")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Perhaps: set slurm_partition in the profile" in done.stdout
