"""``frl bench``: every measurement, its goal, and the two files that hold them."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from frl.bench import limit, processes
from frl.runs import provenance
from frl.runs.files import write_atomically, write_csv
from frl.scenario.loading import load_training

ROBOTS = ("Swimmer", "Hopper", "Walker2d", "Humanoid")
RATE = "steps per CPU second"
PHYSICS = "training / bare physics"
PART = "where time goes: "


@dataclass
class Row:
    """One line of results.csv."""

    benchmark: str
    env: str
    policy: str
    value: float
    unit: str
    baseline: float | None
    """The other side of the ratio, in the same unit."""
    ratio: float | None
    """Median of the turns' ratios value / baseline."""
    goal: str
    met: str
    spread: str
    """Smallest and largest of the turns' ratios (of the values, where there is no ratio)."""
    versions: str = ""
    cpu: str = ""


def _rates(
    benchmark: str, env: str, policy: str, ours: Sequence[float], theirs: Sequence[float], goal: float | None
) -> Row:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    middle = statistics.median(ratios)
    text, met = ("", "") if goal is None else (f">= {goal:g}", "yes" if middle >= goal else "no")
    spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
    return Row(
        benchmark, env, policy, statistics.median(ours), RATE, statistics.median(theirs), middle, text, met, spread
    )


def _value(benchmark: str, env: str, policy: str, values: Sequence[float], unit: str, goal: float) -> Row:
    middle = statistics.median(values)
    met = "yes" if middle <= goal else "no"
    spread = f"{min(values):.3g}-{max(values):.3g}"
    return Row(benchmark, env, policy, middle, unit, None, None, f"<= {goal:g}", met, spread)


def physics(repetitions: int) -> Iterator[Row]:
    """Training beside bare physics, and beside mujoco.rollout with the wheel as shipped."""
    for hidden, goal in (((64, 64), 0.85), ((256, 256), 0.75)):
        policy = "x".join(map(str, hidden))
        for env in ROBOTS:
            rates = limit.measure(env, hidden, repetitions)
            yield _rates(PHYSICS, env, policy, rates["training"], rates["physics"], goal)
            if hidden == (64, 64):
                shipped = 1.1 if env != "Humanoid" else None
                yield _rates(
                    "training / mujoco.rollout as shipped", env, policy, rates["training"], rates["rollout"], shipped
                )
    for env in ROBOTS:
        for part, microseconds in limit.breakdown(env, (64, 64)).items():
            yield Row(PART + part, env, "64x64", microseconds, "us per step", None, None, "", "", "")


def peers(repetitions: int) -> Iterator[Row]:
    """Training beside other libraries' training on Hopper."""
    small, large = "frl_few_lanes", "frl_one_agent"  # 16 x 64 and 64 x 32: the other side has the same batch
    pairs = {
        "sb3_a2c": (large, 10, "stable_baselines3"),
        "sb3_a2c_16x64": (small, None, "stable_baselines3"),
        "cleanrl_reinforce": (small, 2.5, "gymnasium"),
        "bare_reinforce": (small, None, "gymnasium"),
        "envpool_frl": (large, 1.2, "envpool"),
    }
    there = [name for name, (_, _, module) in pairs.items() if importlib.util.find_spec(module)]
    if missing := [name for name in pairs if name not in there]:
        print(f"skipped for want of their libraries (pip install -e '.[peers]'): {', '.join(missing)}", flush=True)
    rates = processes.turns([small, large, *there], "Hopper", repetitions)
    for name in there:
        ours, goal, _ = pairs[name]
        yield _rates(f"training / {name}", "Hopper", "64x64", rates[ours], rates[name], goal)


def agents(repetitions: int) -> Iterator[Row]:
    """Cost of an environment step with 64 agents over that with one."""
    rates = processes.turns(["frl_few_lanes", "frl_many_agents"], "Hopper", repetitions)
    costs = [one / many for one, many in zip(rates["frl_few_lanes"], rates["frl_many_agents"], strict=True)]
    yield _value("cost per step, N = 64 over N = 1", "Hopper", "64x64", costs, "ratio", 1.1)


def process(repetitions: int) -> Iterator[Row]:
    """Start-up, memory, and the share of evaluation in the full grid."""
    seconds = processes.startup_seconds(repetitions)
    yield _value("start of frl train to its first step", "Swimmer", "64x64", seconds, "s", 2.5)
    for env in ("Swimmer", "Humanoid"):
        yield _value("peak memory, N = 8", env, "64x64", [processes.memory_mb(env)], "MB", 400)
    runs = list(load_training(processes.ROOT / "config" / "config.yaml").runs())
    share = sum(spec.evaluation_steps_at_most for spec in runs) / sum(spec.env_steps_budget for spec in runs)
    yield _value("evaluation steps over training steps, at most", "config.yaml", "", [share], "ratio", 0.12)


def workflow(repetitions: int) -> Iterator[Row]:
    """Snakemake's own CPU time on the quick scenario, run from nothing (minutes; once, whatever `repetitions`)."""
    del repetitions
    seconds = processes.workflow_seconds(processes.ROOT / "config" / "quick.yaml", cores=2)
    share = seconds["own"] / (seconds["own"] + seconds["jobs"])
    yield _value("Snakemake's share of CPU time", "quick.yaml", "", [share], "ratio", 0.05)


BENCHMARKS: dict[str, Callable[[int], Iterator[Row]]] = {
    each.__name__: each for each in (physics, peers, agents, process, workflow)
}


def run(names: Sequence[str], repetitions: int, folder: Path) -> None:
    """Measure, print each line as it comes, and write results.csv and README.md below `folder`.

    Lines of benchmarks that are not measured now stay as they are.
    """
    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions().items())
    cpu, rows = provenance.cpu_model(), read(folder / "results.csv")
    print(f"{cpu}; {versions}", flush=True)
    with threadpool_limits(1):
        for name in names:
            with _one_core() if name != "workflow" else nullcontext():
                for row in BENCHMARKS[name](repetitions):
                    rows[row.benchmark, row.env, row.policy] = dataclasses.replace(row, versions=versions, cpu=cpu)
                    print(text_line(row), flush=True)
            write(folder, list(rows.values()))


@contextmanager
def _one_core() -> Iterator[None]:
    """Stay on one core, and the processes started meanwhile too: cores differ in what else they have to do."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def text_line(row: Row) -> str:
    """A measurement in a line of text."""
    against = "" if row.baseline is None else f" against {row.baseline:,.0f}"
    value = f"{row.value:,.0f}" if row.value >= 100 else f"{row.value:.3g}"
    ratio = "" if row.ratio is None else f": {row.ratio:.2f}"
    judged = f", goal {row.goal}: {'met' if row.met == 'yes' else 'MISSED'}" if row.goal else ""
    spread = f" ({row.spread})" if row.spread else ""
    return f"{row.benchmark} | {row.env} {row.policy} | {value} {row.unit}{against}{ratio}{spread}{judged}"


def read(path: Path) -> dict[tuple[str, str, str], Row]:
    """The measurements in a results.csv; none if there is no such file."""
    if not path.exists():
        return {}
    frame = pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in ("value", "baseline", "ratio")})
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return {(row.benchmark, row.env, row.policy): row for row in (Row(**record) for record in records)}


def write(folder: Path, rows: Sequence[Row]) -> None:
    """results.csv and the README made of it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "results.csv", pd.DataFrame([dataclasses.asdict(row) for row in rows]))
    write_atomically(folder / "README.md", readme(rows))


def readme(rows: Sequence[Row]) -> str:
    """The measurements as a page of Markdown."""
    judged = [row for row in rows if not row.benchmark.startswith(PART)]
    lines = [
        "| benchmark | environment | policy | value | baseline | ratio (spread) | goal | met |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in judged:
        value = f"{row.value:,.0f}" if row.value >= 100 else f"{row.value:.3g}"
        baseline = "" if row.baseline is None else f"{row.baseline:,.0f}"
        middle = "" if row.ratio is None else f"{row.ratio:.2f} "
        cells = [row.benchmark, row.env, row.policy, f"{value} {row.unit}", baseline, f"{middle}({row.spread})"]
        lines.append(f"| {' | '.join([*cells, row.goal, row.met])} |")
    names = list(dict.fromkeys(row.benchmark.removeprefix(PART) for row in rows if row.benchmark.startswith(PART)))
    table = {(row.benchmark.removeprefix(PART), row.env): row.value for row in rows}
    parts = ["| microseconds per step | " + " | ".join(ROBOTS) + " |", "|---|" + "---|" * len(ROBOTS)]
    parts += [f"| {name} | " + " | ".join(f"{table[name, env]:.2f}" for env in ROBOTS) + " |" for name in names]
    machines = dict.fromkeys(f"{row.cpu}; {row.versions}" for row in rows)
    return README.format(results="\n".join(lines), parts="\n".join(parts), machines="\n".join(machines))


README = """\
# Benchmarks

Written by `frl bench` (with the peers: `pip install -e ".[peers]"` first); the numbers are in `results.csv`.

{results}

- Rates are environment steps per CPU second of one thread. Contenders take turns; the ratio is the median over the
  turns, in brackets the smallest and the largest.
- `training` is all of it: sampling, policy, normaliser, advantages, gradient, critic, messages, server, clock, log.
  Beside physics it is AFedPG with N = 8, 16 lanes x 64 steps, on the scenarios' fleet of one straggler. The more the
  speeds of a fleet differ, the fewer agents' answers are computed together: with `linear` times N = 8 is about 15 %
  slower than with equal ones.
- `bare physics` steps MuJoCo open loop over the very states and controls of the training that was timed, with the same
  exact switches (no profiling timer, no island discovery, contacts listed instead of looked for). `mujoco.rollout as
  shipped` does the same with the defaults of the wheel. There is no goal on Humanoid, where the switches gain little.
- Beside other libraries it is AFedPG with N = 1, on version v5 of Hopper, with as large a batch as the other side's:
  `sb3_a2c_16x64` (stable-baselines3's A2C, 16 environments, 64 steps), `cleanrl_reinforce` (REINFORCE with a value
  function in one file, on 16 Gymnasium environments under CleanRL's wrappers, 64 steps), `bare_reinforce` (the same
  without the wrappers, hence without normalising observations) with 16 lanes x 64 steps; `envpool_frl` (EnvPool's
  sampler under this project's own learner) with 64 lanes x 32 steps. `sb3_a2c` has its defaults, one environment and 5
  steps: most of that ratio is the batch. Where no goal is given none was set.
- Snakemake's share is the CPU time of its own process over that and its jobs'.

## Where the time goes

AFedPG, N = 8, 16 lanes x 64 steps, 64x64, without evaluation, medians of each part:

{parts}

Measured on: {machines}
"""
