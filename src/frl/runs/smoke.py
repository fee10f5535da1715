"""A smoke test of a cluster: three short runs, each a job, through a profile of Snakemake's.

It works in a folder of its own below the results folder, so that it tests the file system that real runs will use and
takes nothing from the store. The folder goes if the test passes.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from frl.runs import named
from frl.runs.paths import run_paths
from frl.runs.reproduce import reproduce
from frl.scenario.loading import load_training

SCENARIO = Path("config/quick.yaml")
SNAKEFILE = Path("workflow/Snakefile")
RUNS = 3
EVERY_S = 15.0
"""Seconds between two lines that say how far it is."""
TAIL = 40
"""Lines of Snakemake's output that are shown after a failure."""

HINTS = {
    "account/partition combination": "set slurm_account and slurm_partition in the profile",
    "invalid partition": "set slurm_partition in the profile; `sinfo` lists the partitions",
    "invalid account": "set slurm_account in the profile",
    "accounting storage is disabled": "set slurm-status-command: squeue in the profile",
    "sacct": "if this cluster has no accounting, set slurm-status-command: squeue in the profile",
    "invalid feature specification": "constraint in the profile must be one of the features that `sinfo -o %f` lists",
    "time limit is invalid": "the partition allows less time than a job asks for: choose another slurm_partition",
    "missingoutputexception": "what a node writes must be seen here within latency-wait seconds: choose a results "
    "folder on a file system that all nodes share",
    "no module named": "the nodes do not see this Python environment: put it on a file system that they share",
    "no such file or directory": "the nodes may not see this folder or this Python environment: put both on a file "
    "system that they share",
    "command not found": "the nodes do not see this Python environment: put it on a file system that they share",
    "partitiontimelimit": "the partition allows less time than a job asks for: choose another slurm_partition",
    "out_of_memory": "a job had too little memory: raise mem_mb in the profile",
}
"""What to do about words that Snakemake or Slurm say, in lower case."""


class SmokeError(ValueError):
    """A test that cannot be begun; the message says why."""


def smoke(profile: Path, results: Path, minutes: float, say: Callable[[str], None] = print) -> bool:
    """Run the test; whether it passed.

    Args:
        profile: a folder with Snakemake's config.yaml, as ``workflow/profiles/slurm``.
        results: the results folder.
        minutes: how long to wait for the jobs.
        say: called with a line of what is found.

    Raises:
        SmokeError: if the profile or what it needs is not there.
    """
    say(f"ok: {requirements(profile)}")
    results.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".smoke-", dir=results)).resolve()
    (work / "workflow").symlink_to(SNAKEFILE.parent.resolve())  # profiles name scripts by paths from here
    scenario = load_training(SCENARIO)
    tables = [run_paths(spec, work / "results", scenario.name)[0] for spec in list(scenario.runs())[:RUNS]]
    problem = _run(profile, work, tables, minutes, say) or _compare(tables, say)
    if problem is None:
        shutil.rmtree(work)
        say("pass: the cluster trains runs")
    else:
        say(f"failed: {problem}\nLogs are kept in {work}.")
    return problem is None


def requirements(profile: Path) -> str:
    """What the profile needs and has, in words.

    Raises:
        SmokeError: if something is missing.
    """
    if absent := [str(path) for path in (SNAKEFILE, SCENARIO) if not path.is_file()]:
        raise SmokeError(f"{absent[0]} is not here: start it in the project's folder")
    try:
        settings: dict[str, Any] = yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise SmokeError(f"{profile}: not a profile of Snakemake's: {error}") from None
    executor = str(settings.get("executor", "local"))
    if executor != "local" and not importlib.util.find_spec(f"snakemake_executor_plugin_{executor.replace('-', '_')}"):
        install = "pip install -e '.[cluster]' -c requirements.lock"
        raise SmokeError(f"{profile}: executor {executor} is not installed: {install}")
    tools = {"slurm": ("sbatch", "squeue", "scancel")}.get(executor, ())
    if absent := [tool for tool in tools if shutil.which(tool) is None]:
        raise SmokeError(f"{', '.join(absent)} not found: start it where jobs are submitted, on a login node")
    return f"{profile} with executor {executor}"


def _run(profile: Path, work: Path, tables: list[Path], minutes: float, say: Callable[[str], None]) -> str | None:
    """Submit the runs and wait; what went wrong."""
    log, began = work / "snakemake.log", time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        command = _command(profile, work, tables)
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = _wait(process, tables, began + 60 * minutes, say)
            queue = _queue() if code is None else ""
        finally:
            _stop(process)
    said = log.read_text(encoding="utf-8", errors="replace")
    if code is None:
        return f"not done after {minutes:g} minutes. {queue}Snakemake said:\n{_tail(said)}{_hints(queue + said)}"
    if code or not all(table.exists() for table in tables):
        return f"Snakemake ended with exit code {code}. It said:\n{_tail(said)}{_hints(said)}"
    say(f"ok: {RUNS} runs, each a job, in {time.monotonic() - began:.0f} s")
    return None


def _command(profile: Path, work: Path, tables: list[Path]) -> list[str]:
    targets = [str(table.relative_to(work)) for table in tables]
    command = [sys.executable, "-m", "snakemake", *targets, "--snakefile", str(SNAKEFILE.resolve())]
    command += ["--workflow-profile", str(profile.resolve()), "--directory", str(work), "--retries", "0"]
    command += ["--groups", "figures=figures"]  # not train's: of a group Snakemake does not show what sbatch said
    return [*command, "--configfile", str(SCENARIO.resolve())]


def _wait(process: subprocess.Popen[bytes], tables: list[Path], end: float, say: Callable[[str], None]) -> int | None:
    """The exit code; None if time is up."""
    while (left := end - time.monotonic()) > 0:
        try:
            return process.wait(min(EVERY_S, left))
        except subprocess.TimeoutExpired:
            say(f"{sum(table.exists() for table in tables)} of {RUNS} runs are done")
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does, which cancels the jobs; nothing if it has ended."""
    for signal_ in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, signal_)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                continue


def _compare(tables: list[Path], say: Callable[[str], None]) -> str | None:
    """Whether the runs are whole and the first has the bytes that it has here; what is wrong."""
    try:
        runs = [named.read(table) for table in tables]
        outcome = reproduce(runs[0])
    except ValueError as error:
        return str(error)
    if not outcome.agrees:
        return f"{tables[0]}: {outcome.message}"
    kinds = {f"{run.meta['cpu']} ({run.meta.get('cpu_capability')})" for run in runs}
    say(f"ok: made on {', '.join(sorted(kinds))}; beside the same run made here: {outcome.message}")
    return None


def _queue() -> str:
    """What Slurm's queue says of the user's jobs, if there is one."""
    if shutil.which("squeue") is None:
        return ""
    told = subprocess.run(["squeue", "--me", "--format=%i %j %T %r"], capture_output=True, text=True)
    return f"squeue said:\n{told.stdout}" if told.returncode == 0 else ""


def _tail(said: str) -> str:
    return "\n".join(said.rstrip().splitlines()[-TAIL:])


def _hints(said: str) -> str:
    found = dict.fromkeys(hint for words, hint in HINTS.items() if words in said.lower())
    return "".join(f"\nPerhaps: {hint}." for hint in found)
