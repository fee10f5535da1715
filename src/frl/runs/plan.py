"""What a scenario will cost before it is run: core-hours, wall time on C cores, disk.

A run's speed comes from past runs of the same environment, networks and lanes on this kind of processor; where there
are none, from a few seconds of training now, in as many processes at once as there will be, since busy cores slow
each other down.
"""

from __future__ import annotations

import heapq
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from frl.runs import provenance
from frl.runs.files import parse_json
from frl.runs.memory import refuse_what_cannot_fit
from frl.runs.validity import State, code_digest, run_digest, state
from frl.scenario import feasible
from frl.scenario.kinds import AnyRun, budget, spec_of, unit
from frl.spec import RunSpec
from frl.theory.cells.spec import Cell

START_S = 2.0
"""Wall seconds of a training job before its first step and after its last."""
ANALYSIS_S = 15.0
"""Wall seconds of everything after the last run: collect, figures, tables, report."""
DISK_PER_ROW_B = 800
"""A row of a run's CSV, there and in the store, and in curves.csv."""
DISK_PER_CELL_B = 180_000
"""A cell of the theory lab of 32 seeds, there and in the store."""
DISK_PER_RUN_B = 24_000
"""Meta data, log and benchmark files, rounded up to blocks of the file system."""
DISK_REPORT_B = 2_000_000

SNAKEMAKE_MB = 500
"""Memory of the two Snakemake processes around a job on a cluster."""

CALIBRATION_S = 60.0
"""Wall seconds after which a measurement of the speed is given up."""

Kind = tuple[str, ...]
"""Environment, networks and lanes, or problem, gradient and seeds: what decides the speed of a run, most of it."""


@dataclass(frozen=True)
class Speed:
    """Of one kind of run."""

    seconds_per_step: float
    """Wall seconds per environment step, of training and evaluation alike."""
    evaluation_share: float
    """Steps actually made in evaluations over those if all episodes were full."""
    source: str
    unit: str = "steps"
    """What is meant by a step (:func:`frl.scenario.kinds.unit`)."""


@dataclass(frozen=True)
class Plan:
    """The prediction."""

    states: dict[State, int]
    kinds: list[tuple[Kind, int, int, Speed]]
    """Each kind that is to be trained: its runs, their steps with evaluations, its speed."""
    core_seconds: float
    wall_seconds: float
    cores: int
    disk_bytes: int
    stopping: int
    """Runs to be trained that end where they reach a return, and are priced as if they did not."""

    def lines(self) -> Iterator[str]:
        """The prediction as text."""
        there = ", ".join(f"{count} {name}" for name, count in self.states.items())
        yield f"{sum(self.states.values())} runs: {there}"
        for each, runs, steps, speed in self.kinds:
            yield (
                f"  {', '.join(each)}: {runs} runs to train, {steps / 1e6:,.1f} M {speed.unit} at "
                f"{1 / speed.seconds_per_step:,.0f} {speed.unit}/s ({speed.source})"
            )
        yield (
            f"to do: {self.core_seconds / 3600:.2f} core-hours, about {duration(self.wall_seconds)} on {self.cores} "
            f"core{'s' * (self.cores > 1)}, {self.disk_bytes / 1e6:.0f} MB of disk"
        )
        if self.stopping:
            yield f"at most: {self.stopping} of the runs stop at a return (stop_at), and are priced to the end"


def plan(specs: Sequence[AnyRun], results: Path, scenario: str, cores: int) -> Plan:
    """Predict what `specs` cost on `cores` cores, given what is finished below `results`.

    Runs of equal settings are trained once. That a run goes on from a checkpoint is not counted.

    Raises:
        ChildProcessError: if the speed of a kind of run cannot be measured.
    """
    states: dict[State, int] = {}
    missing: dict[str, AnyRun] = {}
    for spec in specs:
        now, digest = state(spec, results, scenario), run_digest(spec)
        if now in ("missing", "stale", "damaged") and digest in missing:
            now = "stored"  # it will be, by the time that this one is due
        elif now in ("missing", "stale", "damaged"):
            missing[digest] = spec
        states[now] = states.get(now, 0) + 1
    todo = list(missing.values())
    past = past_speeds(results)
    kinds: dict[Kind, list[AnyRun]] = {}
    for spec in todo:
        kinds.setdefault(kind(spec), []).append(spec)
    cores = max(1, min(cores, len(todo)))
    at_once = min(cores, os.cpu_count() or 1)
    speeds = {each: past.get(each) or calibrate(specs[0], at_once) for each, specs in kinds.items()}
    works = [env_steps(spec, speeds[kind(spec)]) * speeds[kind(spec)].seconds_per_step for spec in todo]
    seconds = [START_S + max(work, slept_seconds(spec)) for work, spec in zip(works, todo, strict=True)]
    return Plan(
        states,
        [(each, len(s), sum(env_steps(spec, speeds[each]) for spec in s), speeds[each]) for each, s in kinds.items()],
        sum(seconds) + ANALYSIS_S,
        _makespan(seconds, cores) + ANALYSIS_S,
        cores,
        sum(disk_bytes(spec) + DISK_PER_RUN_B for spec in todo) + DISK_REPORT_B,
        sum(isinstance(spec, RunSpec) and spec.stop_at is not None for spec in todo),
    )


def kind(spec: AnyRun) -> Kind:
    """What decides the speed of a run, most of it (N and the fleet matter by some percent)."""
    return _kind(json.loads(spec.to_json()))


def _kind(spec: dict[str, Any]) -> Kind:
    if spec.get("kind") == "theory":
        return spec["problem_spec"]["kind"], f"{spec['gradient']['kind']} gradients", f"{len(spec['seeds'])} seeds"
    sampling, critic = spec["sampling"], spec["critic"]
    lanes = f"{sampling['lanes']} lanes x {sampling['segment_steps']} steps"
    if "trajectories" in sampling:
        lanes = f"{sampling['trajectories']} trajectories"
    networks = f"policy {'x'.join(map(str, spec['policy']['hidden']))}"
    if critic["mode"] != "none":
        networks += f", {critic['mode']} critic"
    if "engine" in spec:
        lanes += f", by the wall clock with N = {spec['n_agents']}"
    return f"{spec['environment']}-{spec['env_version']}", networks, lanes


def disk_bytes(spec: AnyRun) -> int:
    """What a run's rows and its policy (float32) take on disk."""
    if isinstance(spec, Cell):
        return DISK_PER_CELL_B
    return feasible.expected(spec).evaluations * DISK_PER_ROW_B + 4 * feasible.parameters(spec)


def env_steps(spec: AnyRun, speed: Speed) -> int:
    """Environment steps of a run, evaluations included; of a cell its gradients."""
    if isinstance(spec, Cell):
        return budget(spec)
    whole = feasible.expected(spec)
    return whole.env_steps_budget + round(whole.evaluation_steps_at_most * speed.evaluation_share)


def slept_seconds(spec: AnyRun) -> float:
    """What a run by the wall clock takes at least, if its agents are paced; of others 0."""
    paced = isinstance(spec, RunSpec) and spec.engine is not None and spec.engine.paced
    return feasible.run_seconds(spec) if isinstance(spec, RunSpec) and paced else 0.0


def past_speeds(results: Path) -> dict[Kind, Speed]:
    """Medians over the finished runs in the store that this kind of processor made with this version's numerics."""
    seconds: dict[Kind, list[float]] = {}
    shares: dict[Kind, list[float]] = {}
    units: dict[Kind, str] = {}
    cpu = provenance.cpu_model()
    for path in (results / ".store").glob("*/*/meta.json"):
        try:
            meta = parse_json(path.read_bytes())
            spec = spec_of(meta["spec"])
            if meta["cpu"] != cpu or meta["code_digest"] != code_digest(spec):
                continue
            each = kind(spec)
            seconds.setdefault(each, []).append(meta["wall_time_s"] / _amount(meta))
            units[each] = unit(spec)
            most = 0 if isinstance(spec, Cell) else feasible.expected(spec).evaluation_steps_at_most
            shares.setdefault(each, []).append(meta["eval_steps"] / most if most else 0.0)
        except (ValueError, KeyError, TypeError, ZeroDivisionError):
            continue  # damaged, or of a version with other settings
    return {
        each: Speed(statistics.median(values), statistics.median(shares[each]), f"{len(values)} past runs", units[each])
        for each, values in seconds.items()
    }


def _amount(meta: dict[str, Any]) -> int:
    """Environment steps of a run, evaluations included; of a cell its gradients."""
    return int(meta["gradients"] if "gradients" in meta else meta["env_steps_total"] + meta["eval_steps"])


def request(spec: AnyRun, results: Path, attempt: int = 1) -> tuple[int, int]:
    """Minutes and MB to ask a cluster for: generous for the first attempt, and that much more for each further one.

    With past runs of this kind in the store, on whatever processor: twice the time of the slowest and half as much
    memory again as the largest. Without: 1,000 environment steps a second, slow even for Humanoid, and 1 GB or
    half as much memory again as is estimated.
    """
    estimate = 700.0 if isinstance(spec, Cell) else max(700.0, feasible.memory_bytes(spec) / 1e6)
    seconds_per_step, memory_mb = _past_maxima(results).get(kind(spec), (1e-3, estimate))
    steps = env_steps(spec, Speed(seconds_per_step, 1.0, ""))
    minutes = 10 + 2 * max(steps * seconds_per_step, slept_seconds(spec)) / 60
    return math.ceil(attempt * minutes), math.ceil(attempt * (1.5 * memory_mb + SNAKEMAKE_MB))


@cache
def _past_maxima(results: Path) -> dict[Kind, tuple[float, float]]:
    """Largest wall seconds per environment step and largest memory in MB of the finished runs of each kind."""
    found: dict[Kind, tuple[float, float]] = {}
    for path in (results / ".store").glob("*/*/meta.json"):
        try:
            meta = parse_json(path.read_bytes())
            each, steps = _kind(meta["spec"]), _amount(meta)
            before = found.get(each, (0.0, 0.0))
            found[each] = max(before[0], meta["wall_time_s"] / steps), max(before[1], meta["peak_memory_mb"])
        except (ValueError, KeyError, TypeError, ZeroDivisionError):
            continue  # damaged, or of a version with other settings
    return found


def calibrate(spec: AnyRun, processes: int) -> Speed:
    """Train for two seconds in each of `processes` processes at once; of a cell, run a part.

    Raises:
        SpecError: if the run does not fit into this machine's memory.
        ChildProcessError: if one of them fails.
    """
    if isinstance(spec, RunSpec):
        refuse_what_cannot_fit(spec)
        spec = spec.model_copy(update={"steps_per_agent": 2**31})
    what, name = spec.model_dump_json(), spec.problem if isinstance(spec, Cell) else spec.environment
    command = [sys.executable, "-W", "ignore", "-m", "frl.runs.calibrate", what]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(max(processes, 1))
    ]
    try:
        outputs = [(child.communicate(timeout=CALIBRATION_S), child.returncode) for child in children]
    except subprocess.TimeoutExpired:
        raise ChildProcessError(f"measuring the speed of {name} took over {CALIBRATION_S} s") from None
    finally:
        for child in children:
            child.kill()
    for (_, error), code in outputs:
        if code:
            raise ChildProcessError(f"measuring the speed of {name} failed: {error[-1000:]}")
    seconds = [float(output) for (output, _), _ in outputs]
    # tasks that end early are short of full episodes by an amount that only the runs will tell
    return Speed(statistics.mean(seconds), 1.0, "measured now", unit(spec))


def _makespan(seconds: Iterable[float], cores: int) -> float:
    """End of the last job if each free core takes the next one."""
    busy = [0.0] * max(cores, 1)
    for job in seconds:
        heapq.heapreplace(busy, busy[0] + job)
    return max(busy)


def duration(seconds: float) -> str:
    """Seconds in words: "4 min", "3 h 20 min"."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
