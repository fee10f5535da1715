"""The simulated clock beside the wall's, and what an engine costs: ``python -m frl.bench.wall clock|draw|scale``.

Agents sleep for most of a task, so that a machine with fewer cores than agents can be measured.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frl.engines import trace
from frl.engines.execute import connecting, execute
from frl.engines.live import Live
from frl.engines.processes import Process
from frl.engines.trace import Arrival
from frl.runs.files import write_csv
from frl.spec import SERVERS, RunSpec
from frl.training.clock import Clock
from frl.training.loop import train
from frl.training.server_side import ServerSide
from frl.training.servers.base import Update

STEPS = 128
"""Of a task."""
FAST_S = 0.2
"""Of a task of the fast agents; the slow one takes 4 times as long."""
RUN_S = 20.0
REPLICATES = 50
"""Simulations of each run."""
SCALE_S = 4.0
"""Of a task, where engines are measured."""


def run_of(algorithm: str, n_agents: int, arrivals: int, fleet: dict[str, Any], kind: str, seed: int = 0) -> RunSpec:
    """A run with so many arrivals, of the least computing that there is."""
    return RunSpec.model_validate(
        {
            "environment": "Swimmer",
            "algorithm": algorithm,
            "n_agents": n_agents,
            "seed": seed,
            "steps_per_agent": -(-arrivals // n_agents) * STEPS,
            "sampling": {"lanes": 4, "segment_steps": STEPS // 4},
            "policy": {"hidden": [64, 64]},
            "evaluation": {"episodes": 1, "ratio": 8.0},
            "fleet": fleet,
            "engine": {"kind": kind},
        }
    )


# --------------------------------------------------------------------------------------------------
# Clock against wall


class Fitted(Clock):
    """The simulated clock whose agents' tasks take what they took by the wall, drawn anew."""

    def __init__(self, spec: RunSpec, seconds: dict[int, list[float]], seed: int):
        super().__init__(spec)
        self.seconds, self.draws = seconds, np.random.default_rng(seed)

    def _rate(self, agent: int) -> float:
        return float(self.draws.choice(self.seconds[agent])) * 1000 / STEPS


def task_seconds(spec: RunSpec, arrivals: Sequence[Arrival]) -> dict[int, list[float]]:
    """By agent: what each of its tasks took by the wall, from dispatch to arrival."""
    each: dict[int, list[float]] = {agent: [] for agent in range(spec.n_agents)}
    a_step = spec.n_agents if spec.algorithm == "fedpg" else 1
    for arrival in arrivals:
        sent = arrivals[arrival.step * a_step - 1].wall_time_s if arrival.step else 0.0
        each[arrival.agent].append(arrival.wall_time_s - sent)
    return each


def simulated(spec: RunSpec, clock: Clock, count: int) -> tuple[float, list[int]]:
    """When the last of so many answers arrives, and the staleness of each: the server itself, and nothing sampled."""
    server = SERVERS[spec.algorithm](np.zeros(1), spec.n_agents, spec.server)
    tasks, staleness = {}, []
    todo = server.start()
    for _ in range(count):
        for task in todo:
            tasks[task.agent] = task
            clock.send(task.agent, STEPS, 0, 0)
        task = tasks.pop(clock.receive())
        staleness.append(server.step + 1 - task.step)
        todo = server.receive(Update(task.agent, task.step, np.ones(1)))
    return clock.now, staleness


def observed(arrivals: Sequence[Arrival], algorithm: str, n_agents: int) -> list[int]:
    """Staleness of each arrival."""
    a_step = n_agents if algorithm == "fedpg" else 1
    return [place // a_step + 1 - arrival.step for place, arrival in enumerate(arrivals)]


def distance(one: Sequence[int], other: Sequence[int]) -> float:
    """Kolmogorov and Smirnov's, of two samples."""
    values = np.unique([*one, *other])
    cumulative = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (one, other)]
    return float(np.abs(cumulative[0] - cumulative[1]).max())


def compare(algorithm: str, n_agents: int, seed: int, kind: str) -> dict[str, object]:
    """One run by the wall clock beside simulations with its speeds."""
    fleet = {"kind": "straggler", "ratio": 4.0, "seconds_per_1000_steps": FAST_S * 1000 / STEPS}
    rate = n_agents / (4 * FAST_S) if algorithm == "fedpg" else (n_agents - 1) / FAST_S + 1 / (4 * FAST_S)
    spec = run_of(algorithm, n_agents, round(rate * RUN_S), fleet, kind, seed)
    with tempfile.TemporaryDirectory() as folder:
        _, _, facts = execute(spec, Path(folder) / "run.trace")
    arrivals = trace.from_text(facts["trace"])
    seconds, ends, staleness = task_seconds(spec, arrivals), [], list[int]()
    for replicate in range(REPLICATES):
        end, of_run = simulated(spec, Fitted(spec, seconds, replicate), len(arrivals))
        ends.append(end)
        staleness += of_run
    wall = arrivals[-1].wall_time_s
    plain = simulated(spec, Clock(spec), len(arrivals))
    return {
        "algorithm": algorithm,
        "n_agents": n_agents,
        "run": seed,
        "arrivals": len(arrivals),
        "wall_per_s": len(arrivals) / wall,
        "fitted_per_s": len(arrivals) / statistics.mean(ends),
        "specified_per_s": len(arrivals) / plain[0],
        "ratio_fitted": statistics.mean(ends) / wall,
        "ks_fitted": distance(observed(arrivals, algorithm, n_agents), staleness),
        "ks_specified": distance(observed(arrivals, algorithm, n_agents), plain[1]),
    }


def clock(out: Path, kind: str) -> None:
    """Five runs of each; a row a run."""
    rows = []
    for seed, algorithm, n_agents in itertools.product(range(5), ("afedpg", "fedpg"), (2, 4)):
        rows.append(compare(algorithm, n_agents, seed, kind))
        print(rows[-1], flush=True)
        write_csv(out / "processes-clock.csv", pd.DataFrame(rows).sort_values(["algorithm", "n_agents", "run"]))


def draw(out: Path) -> None:
    """DIR/processes-clock.svg from DIR/processes-clock.csv: a dot a run, and what is allowed."""
    from matplotlib.figure import Figure

    rows = pd.read_csv(out / "processes-clock.csv")
    cells = list(rows.groupby(["algorithm", "n_agents"]))
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for place, (_, runs) in enumerate(reversed(cells)):
        left.plot(100 * (runs["ratio_fitted"] - 1), [place] * len(runs), "o", color="C0", alpha=0.6)
        right.plot(runs["ks_fitted"], [place] * len(runs), "o", color="C0", alpha=0.6)
    names = [f"{'AFedPG' if name == 'afedpg' else 'FedPG'}, N = {n}" for (name, n), _ in reversed(cells)]
    left.set_yticks(range(len(cells)), names)
    left.set_ylim(-0.5, len(cells) - 0.5)
    left.axvspan(-5, 5, color="0.9")
    left.set(xlim=(-7, 7), xlabel="arrivals a second,\nwall less simulated (%)")
    right.axvspan(0, 0.1, color="0.9")
    right.set(xlim=(-0.005, 0.14), xlabel="distance of the\nstaleness distributions")
    figure.savefig(out / "processes-clock.svg", metadata={"Date": None})


# --------------------------------------------------------------------------------------------------
# Scale


def resident_mb(pids: Iterator[int]) -> float:
    """Mean memory of processes in MB, what they share divided among those that share it."""
    each = []
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        each.append(int(next(line.split()[1] for line in lines if line.startswith("Pss:"))) / 1024)
    return statistics.mean(each)


def agent_pids() -> Iterator[int]:
    """The agents' processes: those of Ray by their name, others by the fork server that started them."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if words.startswith(b"ray::Agent") or (b"forkserver" in words and b"frl.engines" in words):
            yield int(folder.name)


class Measuring:
    """Looks at the agents' memory once, in the middle of a run, and at the CPU time of the server between arrivals."""

    def __init__(self, count: int):
        self.count, self.memory_mb = count, 0.0
        self.cpu_s: list[float] = []

    def resume(self, spec: RunSpec, make: Any) -> None:
        """A run is not resumed."""

    def keep(self, run: ServerSide) -> None:
        """Called after each arrival, and while nothing arrives."""
        self.cpu_s.append(time.process_time())
        if isinstance(run, Live) and len(run.arrivals) == self.count:
            self.memory_mb = resident_mb(agent_pids())


def measure(n_agents: int, kind: str) -> dict[str, object]:
    """Four tasks an agent, of which each takes `SCALE_S` by its sleep; what it takes beyond that is the engine's."""
    fleet = {"kind": "constant", "seconds_per_1000_steps": SCALE_S * 1000 / STEPS}
    spec = run_of("afedpg", n_agents, 4 * n_agents, fleet, kind)
    keeper = Measuring(2 * n_agents)
    with tempfile.TemporaryFile("w+") as file, connecting(spec) as connect:
        began = time.perf_counter()
        with Live(spec, connect, Process, file) as run:
            train(spec, keeper=keeper, make=lambda _: run)
        took = time.perf_counter() - began
    seconds = [value for each in task_seconds(spec, run.arrivals).values() for value in each]
    rows = {"median_ms": statistics.median(seconds), "p95_ms": float(np.quantile(seconds, 0.95))}
    return {
        "engine": kind,
        "n_agents": n_agents,
        "arrivals": len(run.arrivals),
        **{name: 1000 * (value - SCALE_S) for name, value in rows.items()},
        "server_cpu_ms": 1000 * (keeper.cpu_s[-1] - keeper.cpu_s[0]) / (len(run.arrivals) - 1),
        "start_s": took - run.now,
        "memory_mb": keeper.memory_mb,
    }


def scale(out: Path, kinds: Sequence[str], counts: Sequence[int]) -> None:
    """A row for each engine and N."""
    rows = []
    for kind, n_agents in itertools.product(kinds, counts):
        rows.append(measure(n_agents, kind))
        print(rows[-1], flush=True)
        write_csv(out / "processes-scale.csv", pd.DataFrame(rows))


def main() -> None:
    """Write DIR/processes-clock.csv, the figure of it, or DIR/processes-scale.csv."""
    parser = argparse.ArgumentParser(prog="python -m frl.bench.wall", description=__doc__)
    parser.add_argument("what", choices=("clock", "draw", "scale"))
    parser.add_argument("--engine", nargs="+", default=["processes"], choices=("processes", "ray"))
    parser.add_argument("--out", type=Path, default=Path("docs"), metavar="DIR", help="default: docs")
    parser.add_argument("--agents", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32, 64], metavar="N")
    arguments = parser.parse_args()
    if arguments.what == "draw":
        draw(arguments.out)
    elif arguments.what == "clock":
        clock(arguments.out, arguments.engine[0])
    else:
        scale(arguments.out, arguments.engine, arguments.agents)


if __name__ == "__main__":
    main()
