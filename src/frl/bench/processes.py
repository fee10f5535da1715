"""Whole processes: start-up, memory, contenders taking turns, and the workflow's own share of the CPU time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]

_START = """
import os, sys
from frl.training.physics import Physics
Physics.step = lambda self, lanes: os._exit(0)
from frl.cli import main
main(["train", *sys.argv[1:]])
"""
_MEMORY = """
import sys
from frl.bench.limit import train, trainer
from frl.runs.runner import peak_memory_mb
training = trainer(sys.argv[1], 8, evaluation={"episodes": 10})
train(training, 40_000)
training._evaluate()
print(peak_memory_mb())
"""
_WORKFLOW = """
import json, resource, sys
from snakemake.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    if end.code:
        raise
own, jobs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"own": own.ru_utime + own.ru_stime, "jobs": jobs.ru_utime + jobs.ru_stime}))
"""


def _environment() -> dict[str, str]:
    """This interpreter's programs first, one thread."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}


def _output(command: Sequence[str]) -> str:
    """Standard output of a command.

    Raises:
        ChildProcessError: if it fails; with the end of what it wrote to standard error.
    """
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChildProcessError(f"{' '.join(command[:3])} ... ended with {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout


def startup_seconds(repetitions: int) -> list[float]:
    """Wall seconds from `frl train` to its first physics step."""
    scenario = ROOT / "config" / "quick.yaml"
    run = ["--environment", "Swimmer", "--method", "afedpg", "--n-agents", "4", "--seed", "0", "--quiet"]
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _START, str(scenario), *run, "--results", folder]
        for _ in range(repetitions + 1):
            begun = time.perf_counter()
            _output(command)
            seconds.append(time.perf_counter() - begun)
    return seconds[1:]  # the first one reads the files from disk


def memory_mb(environment: str) -> float:
    """Peak resident MB of a process that trains eight agents and evaluates."""
    command = [sys.executable, "-c", _MEMORY, environment]
    return float(_output(command).split()[-1])


def workflow_seconds(scenario: Path, cores: int) -> dict[str, float]:
    """CPU seconds of Snakemake itself (`own`) and of its `jobs` for a scenario run from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _WORKFLOW, "--snakefile", str(ROOT / "workflow" / "Snakefile")]
        command += ["--cores", str(cores), "--directory", folder, "--quiet", "all", "--configfile", str(scenario)]
        seconds: dict[str, float] = json.loads(_output(command).splitlines()[-1])
    return seconds


def turns(names: Sequence[str], environment: str, repetitions: int) -> dict[str, list[float]]:
    """Steps per CPU second of contenders (see contenders.py) that take turns, each in a process of its own."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        processes = {name: stack.enter_context(_contender(name, environment)) for name in names}
        for _ in range(repetitions):
            for name, process in processes.items():
                steps, seconds = _ask(process, "go\n").split()
                rates[name].append(int(steps) / float(seconds))
    return rates


@contextmanager
def _contender(name: str, environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "ignore", "-m", "frl.bench.contenders", name, environment]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
    ) as process:
        try:
            while _ask(process) != "ready":
                pass
            yield process
        finally:
            process.kill()


def _ask(process: subprocess.Popen[str], question: str = "") -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(question)
    process.stdin.flush()
    if not (line := process.stdout.readline()):
        raise ChildProcessError(f"a contender ended: {' '.join(map(str, process.args))}")  # type: ignore[arg-type]
    return line.strip()
