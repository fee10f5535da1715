"""Whole processes: start-up, memory, contenders taking turns, and the workflow's own share of the CPU time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
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
_EDITION = """
import json, sys, time
from threadpoolctl import threadpool_limits
from frl.spec import RunSpec
from frl.training.loop import Training
training = Training(RunSpec.model_validate(json.loads(sys.argv[1])))
def computed():
    return training.recorder.env_steps_total + sum(work.env_steps for work in training._works.values())
def turn(steps):
    begun, before = time.process_time(), computed()
    while (made := computed() - before) < steps:
        training.advance()
    return made, time.process_time() - begun
with threadpool_limits(1):
    training.begin()
    turn(8_192)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(*turn(32_768), flush=True)
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


FIRST_EDITION = "e3e79ce"
"""The last commit of the first edition."""


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
    module = [sys.executable, "-W", "ignore", "-m", "frl.bench.contenders"]
    return _take_turns({name: ([*module, name, environment], _environment()) for name in names}, repetitions)


def has_first_edition() -> bool:
    """Whether this is a clone in which the first edition's commit is."""
    command = ["git", "-C", str(ROOT), "cat-file", "-e", f"{FIRST_EDITION}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def edition_turns(environment: str, n_agents: int, repetitions: int) -> dict[str, list[float]]:
    """Steps per CPU second of whole trajectories with the source of now and of the first edition, in turns.

    The policy stays as it is drawn, so that both step through episodes of the same kind; Hopper's are short.
    """
    spec = {"environment": environment, "algorithm": "afedpg", "n_agents": n_agents, "steps_per_agent": 2**31}
    spec |= {"seed": 0, "sampling": {"trajectories": 1}, "server": {"step_size": 1e-12}}
    never = {"now": {"ratio": 1e9, "episodes": 1}, FIRST_EDITION: {"points": 1, "episodes": 1}}
    with tempfile.TemporaryDirectory() as folder:
        archive = ["git", "-C", str(ROOT), "archive", FIRST_EDITION, "src"]
        packed = subprocess.run(archive, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=packed, check=True)
        source = {"now": ROOT / "src", FIRST_EDITION: Path(folder) / "src"}
        contenders = {
            edition: (
                [sys.executable, "-c", _EDITION, json.dumps({**spec, "evaluation": never[edition]})],
                {**_environment(), "PYTHONPATH": str(source[edition])},
            )
            for edition in source
        }
        return _take_turns(contenders, repetitions)


def _take_turns(
    contenders: Mapping[str, tuple[Sequence[str], Mapping[str, str]]], repetitions: int
) -> dict[str, list[float]]:
    """Rates of contenders, each a command and its environment variables."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    with ExitStack() as stack:
        processes = {name: stack.enter_context(_contender(*each)) for name, each in contenders.items()}
        for _ in range(repetitions):
            for name, process in processes.items():
                steps, seconds = _ask(process, "go\n").split()
                rates[name].append(int(steps) / float(seconds))
    return rates


@contextmanager
def _contender(command: Sequence[str], variables: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(variables)
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
