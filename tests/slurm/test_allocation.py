"""workflow/ray.sh in one allocation of two nodes: agents on both, and the run is replayed byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engines import replayed

pytest.importorskip("ray")

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = Path(__file__).with_name("cluster.sh")
SCENARIO = ROOT / "tests/workflow/tiny.yaml"
RUN = "--environment Swimmer --method afedpg --n-agents 2 --seed 0 --engine ray --quiet"

pytestmark = pytest.mark.suite("slurm")


@pytest.fixture
def slurm(tmp_path):
    """What calls a command on a throw-away cluster of two nodes of its own."""
    home = tmp_path / "slurm"
    environment = {**os.environ, "PATH": f"{home}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"}

    def call(*command):
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        call(CLUSTER, "up", home, "2", "2")
        yield call
    finally:
        call(CLUSTER, "down", home)


def test_one_allocation_runs_agents_on_all_of_its_nodes(slurm, tmp_path):
    log, results = tmp_path / "job.log", tmp_path / "results"
    environment = "ALL,RAY_PORT=17900,RAY_PORTS=18000"  # both nodes are this machine
    job = ["sbatch", "--parsable", "--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=2", "--mem=4000"]
    train = ["frl", "train", str(SCENARIO), *RUN.split(), "--results", str(results)]
    number = slurm(*job, f"--export={environment}", f"--output={log}", "workflow/ray.sh", *train).strip()
    end = time.monotonic() + 1200
    while slurm("squeue", "-h", "-j", number, "--states=PENDING,RUNNING,COMPLETING") and time.monotonic() < end:
        time.sleep(2)
    table = results / "tiny-ray/runs/Swimmer/afedpg/n2/seed0.csv"
    assert table.exists(), log.read_text()
    assert replayed(table.with_suffix(".trace"))[0] == table.read_bytes()
    told = log.read_text()
    assert told.count("Ray runtime started") == 2, told
