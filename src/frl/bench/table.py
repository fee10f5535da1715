"""``frl bench``: every measurement, its goal, and the two files that hold them."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
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
SHIPPED = "training / mujoco.rollout as shipped"
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
    measured: str = ""
    """Date."""


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
    """Training beside bare physics, N = 8 also beside mujoco.rollout with the wheel as shipped and in its parts."""
    for env in ROBOTS:
        for n_agents in (8, 1):
            training = limit.trainer(env, n_agents)
            rates = limit.measure(training, repetitions)
            name, goal = f"{PHYSICS}, N = {n_agents}", 0.85 if n_agents == 8 else None
            yield _rates(name, env, "64x64", rates.training, rates.physics, goal)
            length = rates.steps / max(rates.episodes, 1)
            yield Row(f"mean episode measured, N = {n_agents}", env, "64x64", length, "steps", None, None, "", "", "")
            if n_agents == 8:
                goal = 1.1 if env != "Humanoid" else None
                yield _rates(f"{SHIPPED}, N = 8", env, "64x64", rates.training, rates.rollout, goal)
                for part, microseconds in limit.breakdown(training).items():
                    yield Row(PART + part, env, "64x64", microseconds, "us per step", None, None, "", "", "")
    rates = limit.measure(limit.trainer("Hopper", 8, sampling={"lanes": 8, "segment_steps": 128}), repetitions)
    yield _rates(f"{PHYSICS}, N = 8, 8 lanes x 128", "Hopper", "64x64", rates.training, rates.physics, 0.85)


def edition(repetitions: int) -> Iterator[Row]:
    """Training beside the first edition's, where its commit is at hand."""
    if not processes.has_first_edition():
        print(f"skipped for want of the commit {processes.FIRST_EDITION}: this is no full clone", flush=True)
        return
    for env in ("Swimmer", "Hopper"):
        for n_agents in (8, 1):
            now, then = processes.edition_turns(env, n_agents, repetitions).values()
            yield _rates(f"training / first edition, N = {n_agents}", env, "64x64", now, then, 2)


def peers(repetitions: int) -> Iterator[Row]:
    """Training beside other libraries' training on Hopper."""
    pairs = {  # the other side has the same batch
        "sb3_a2c": ("frl_64x32", 10, "stable_baselines3"),
        "sb3_a2c_16x64": ("frl_16x64", None, "stable_baselines3"),
        "cleanrl_reinforce": ("frl_16x64", 2.5, "gymnasium"),
        "bare_reinforce": ("frl_16x64", None, "gymnasium"),
        "envpool_frl": ("frl_64x32", 1.2, "envpool"),
    }
    there = [name for name, (_, _, module) in pairs.items() if importlib.util.find_spec(module)]
    if missing := [name for name in pairs if name not in there]:
        print(f"skipped for want of their libraries (pip install -e '.[peers]'): {', '.join(missing)}", flush=True)
    rates = processes.turns(["frl_16x64", "frl_64x32", *there], "Hopper", repetitions)
    for name in there:
        ours, goal, _ = pairs[name]
        yield _rates(f"training / {name}", "Hopper", "64x64", rates[ours], rates[name], goal)


def agents(repetitions: int) -> Iterator[Row]:
    """Cost of an environment step with 64 agents over that with one."""
    rates = processes.turns(["frl_1", "frl_64"], "Swimmer", repetitions)
    costs = [one / many for one, many in zip(rates["frl_1"], rates["frl_64"], strict=True)]
    yield _value("cost per step, N = 64 over N = 1", "Swimmer", "64x64", costs, "ratio", 1.1)


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
    each.__name__: each for each in (physics, edition, peers, agents, process, workflow)
}


def run(names: Sequence[str], repetitions: int, folder: Path) -> None:
    """Measure, print each line as it comes, and write results.csv and README.md below `folder`.

    Lines of benchmarks that are not measured now stay as they are.
    """
    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions().items())
    cpu, rows = provenance.cpu_model(), read(folder / "results.csv")
    today = datetime.now(UTC).date().isoformat()
    print(f"{cpu}; {versions}", flush=True)
    with threadpool_limits(1):
        for name in names:
            with _one_core() if name != "workflow" else nullcontext():
                for row in BENCHMARKS[name](repetitions):
                    row = dataclasses.replace(row, versions=versions, cpu=cpu, measured=today)
                    rows[row.benchmark, row.env, row.policy] = row
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
        spread = f"({row.spread})" if row.spread else ""
        ratio = spread if row.ratio is None else f"{row.ratio:.2f} {spread}"
        cells = [row.benchmark, row.env, row.policy, f"{value} {row.unit}", baseline, ratio]
        lines.append(f"| {' | '.join([*cells, row.goal, row.met])} |")
    names = list(dict.fromkeys(row.benchmark.removeprefix(PART) for row in rows if row.benchmark.startswith(PART)))
    table = {(row.benchmark.removeprefix(PART), row.env): f"{row.value:.2f}" for row in rows}
    parts = ["| microseconds per step | " + " | ".join(ROBOTS) + " |", "|---|" + "---|" * len(ROBOTS)]
    parts += [f"| {name} | " + " | ".join(table.get((name, env), "") for env in ROBOTS) + " |" for name in names]
    return README.format(results="\n".join(lines), parts="\n".join(parts), measured="\n".join(_measured(rows)))


def _measured(rows: Sequence[Row]) -> Iterator[str]:
    """What was measured when and on what, a line of Markdown each."""
    benchmarks: dict[str, dict[str, None]] = {}
    for row in rows:
        name = PART.removesuffix(": ") if row.benchmark.startswith(PART) else row.benchmark
        benchmarks.setdefault(f"{row.measured}, {row.cpu}; {row.versions}", {})[name] = None
    if len(benchmarks) == 1:
        yield f"- All on {next(iter(benchmarks))}."
        return
    for measured, names in benchmarks.items():
        yield f"- {measured}: {'; '.join(names)}."


README = """\
# Benchmarks

Written by `frl bench` (with the peers: `pip install -e ".[peers]"` first); the numbers are in `results.csv`.

{results}

- Rates are environment steps per CPU second of one thread. Contenders take turns; the ratio is the median over the
  turns, in brackets the smallest and the largest. So a machine that has other work to do disturbs both sides alike.
- `training` is all of it: sampling, policy, normaliser, advantages, gradient, critic, messages, server, clock, log,
  but no evaluation. It is AFedPG on the fleet of one straggler, and an upload is one whole trajectory, as in the
  experiment. The policy has trained for 32,768 steps of all agents; `mean episode measured` says how long its episodes
  are by then, and the shorter they are, the more an upload weighs.
- With N = 1 one lane is stepped at a time, so every step pays for Python alone. No goal was set for it.
- With N = 8 at most eight lanes are stepped together, and fewer while an agent waits for its turn: Python is still paid
  for every few steps. `8 lanes x 128` shows what 64 lanes would gain; the experiment does not use them.
- Humanoid's critic has 756 features. To solve for them costs the same for every upload, however short its episode:
  while Humanoid falls early that is most of the time.
- `bare physics` steps MuJoCo open loop over the very states and controls of the training that was timed, with the same
  exact switches (no profiling timer, no island discovery, contacts listed instead of looked for). `mujoco.rollout as
  shipped` does the same with the defaults of the wheel. There is no goal on Humanoid, where the switches gain little.
- `first edition` is commit e3e79ce, which stepped one agent's lane at a time and had a critic in torch. Both sides hold
  the policy as it is drawn and use the settings' defaults for the rest. So Hopper's episodes are short, about 20 steps,
  and each upload weighs most.
- Beside other libraries it is AFedPG with N = 1, on version v5 of Hopper, with as large a batch as the other side's, in
  segments instead of whole trajectories: `sb3_a2c_16x64` (stable-baselines3's A2C, 16 environments, 64 steps),
  `cleanrl_reinforce` (REINFORCE with a value function in one file, on 16 Gymnasium environments under CleanRL's
  wrappers, 64 steps), `bare_reinforce` (the same without the wrappers, hence without normalising observations) with
  16 lanes x 64 steps; `envpool_frl` (EnvPool's sampler under this project's own learner) with 64 lanes x 32 steps.
  `sb3_a2c` has its defaults, one environment and 5 steps: most of that ratio is the batch. Where no goal is given none
  was set.
- Snakemake's share is the CPU time of its own process over that and its jobs'.

## Where the time goes

AFedPG, N = 8, whole trajectories, 64x64, without evaluation, medians of each part:

{parts}

## What was measured when

{measured}
"""
