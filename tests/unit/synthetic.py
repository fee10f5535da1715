"""Made-up runs of a small scenario: the files a training run would leave, without training.

The curves follow a known law (:func:`true_return`), so tests can compare what the analysis finds with closed forms.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frl.analysis import load, waiting
from frl.report.figures import draw
from frl.report.tables import summary, verdict
from frl.runs.lineage import Lineage
from frl.runs.store import checksum, dump_meta
from frl.runs.validity import run_digest
from frl.scenario.scenario import Scenario
from frl.spec import SERVERS, RunSpec
from frl.training.numerics import NUMERICS_VERSION
from frl.training.recorder import COLUMNS
from frl.verdicts import judge

STEPS = 100_000
POINTS = 20
GRADIENT_BYTES = 19_000
PACE = {"afedpg": 1.0, "fedpg": 0.8, "async_pg": 0.6, "a3c": 0.35, "lapg": 0.7, "random_skip": 0.5}


def claim(name: str, role: str = "exploratory", **more: Any) -> dict[str, Any]:
    """A claim about the time to a return of 60; what `more` does not say is that of a ratio in samples."""
    alone, eight = ({"method": "afedpg", "n_agents": n} for n in (1, 8))
    of_ratio = {"test": "ratio", "per": "samples", "pairs": [{"slower": alone, "faster": eight}]}
    about = {"title": "t", "statement": f"What {name} says.", "source": "poster", "environment": "Swimmer"}
    numbers = {"threshold": 60, "horizon": STEPS, "margin": 1.25}
    return {"id": name, "role": role, **about, **numbers, **({} if "test" in more else of_ratio), **more}


def sooner(*slower: str, n_agents: int = 4) -> dict[str, Any]:
    """Keys of a claim that AFedPG is sooner than these."""
    fast = {"method": "afedpg", "n_agents": n_agents}
    pairs = [{"slower": {"method": name, "n_agents": n_agents}, "faster": fast} for name in slower]
    return {"test": "ratio", "per": "time", "pairs": pairs, "horizon": 190}


CLAIMS = {
    "claims": [
        claim("P1", "primary"), claim("P2", "primary", **sooner("fedpg")),
        claim("S", "secondary", **sooner("async_pg")),
        claim("E4", **sooner("fedpg", "async_pg", "a3c")), claim("E8", **sooner("fedpg", n_agents=8)),
    ]
}  # fmt: skip


def scenario(
    environments: tuple[str, ...] = ("Swimmer",),
    seeds: tuple[int, ...] = (0, 1, 2),
    methods: dict[str, tuple[int, ...]] | list[dict[str, Any]] | None = None,
    threshold: str = "60 return",
    episodes: int = 10,
    **more: Any,
) -> Scenario:
    """A small scenario of the poster's shape; `methods` are the values of N of each algorithm, or spelled out.

    `more` are other keys of a scenario; it has `CLAIMS` unless they say otherwise.
    """
    methods = methods or {"afedpg": (1, 2, 4, 8), "fedpg": (4,), "async_pg": (4,), "a3c": (4,)}
    if isinstance(methods, dict):
        methods = [{"algorithm": a, "n_agents": n} for a, n in methods.items()]
    return Scenario(
        name="toy",
        title="Synthetic runs",
        tuned="Nothing was tuned: these runs are made up.",
        environments=environments,  # type: ignore[arg-type]
        methods=methods,  # type: ignore[arg-type]
        seeds=seeds,
        thresholds=dict.fromkeys(environments, threshold),  # type: ignore[arg-type]
        run={"steps_per_agent": STEPS, "evaluation": {"episodes": episodes}},
        **{"claims": CLAIMS, **more},
    )


def true_return(spec: RunSpec, steps_per_agent: float) -> float:
    """Mean evaluation return after that many steps per agent: 20 at the start, towards 120, faster with N."""
    pace = PACE[spec.algorithm] * spec.n_agents**0.75 / (1.5 * STEPS)
    return float(120 - 100 * np.exp(-2 * pace * steps_per_agent))


def rows(spec: RunSpec, noise: float = 3.0, diverge_at: int | None = None) -> list[dict[str, Any]]:
    """The rows of one run, to its horizon or its `stop_at`; `diverge_at` is the point at which it diverges."""
    rng = spec.stream("synthetic")
    level = noise * rng.normal()
    rate = float((1 / waiting.task_seconds(spec)).sum())
    if SERVERS[spec.algorithm].synchronous:
        rate = spec.n_agents / waiting.round_seconds(spec)
    steps_a_task = spec.sampling.lanes * spec.sampling.segment_steps
    budget = max(spec.env_steps_budget, int(np.ceil(spec.sim_seconds * rate)) * steps_a_task)
    result: list[dict[str, Any]] = []
    for point in range(POINTS + 1):
        uploads = int(np.ceil(point * budget / POINTS / steps_a_task))
        total = uploads * steps_a_task
        value = true_return(spec, total / spec.n_agents) + level + 0.3 * noise * rng.normal()
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {key: getattr(spec, key) for key in ("environment", "env_version", "algorithm", "n_agents", "seed")}
        row |= {
            "point": point,
            "env_steps_total": total,
            "env_steps_per_agent": total / spec.n_agents,
            "env_steps_agent_min": int(0.4 * total / spec.n_agents),
            "env_steps_agent_max": int(1.2 * total / spec.n_agents),
            "sim_time_s": uploads / rate,
            "server_step": uploads // spec.n_agents if SERVERS[spec.algorithm].synchronous else uploads,
            "uploads": uploads,
            "uplink_bytes": uploads * GRADIENT_BYTES,
            "downlink_bytes": (uploads + spec.n_agents) * GRADIENT_BYTES,
            "trajectory_bytes": total * 4 * (8 + 2 + 1),
            "eval_return_mean": value,
            "eval_return_std": 2.0,
            "eval_episodes": 10,
            "eval_length_mean": 1000.0,
            "train_episodes": point,
            "policy_std": 1.0 - 0.5 * point / POINTS,
            "status": "ok",
        }
        if point:
            row |= {"train_return_mean": value - 1, "staleness_mean": spec.n_agents, "staleness_max": 2 * spec.n_agents}
            row |= {"gradient_norm_mean": 1.5, "direction_norm": 1.2}
        if SERVERS[spec.algorithm].lazy:
            _upload_every_other_time(row, result, spec.n_agents)
        result.append(row)
        last = [each["eval_return_mean"] for each in result[-2:]]
        if spec.stop_at is not None and len(last) == 2 and min(last) >= spec.stop_at:
            break
        if diverge_at is not None and point == diverge_at:
            row |= {
                "point": point - 1,
                "status": "diverged",
                "eval_return_mean": None,
                "eval_return_std": None,
                "eval_episodes": None,
            }
            break
    return result


def _upload_every_other_time(row: dict[str, Any], before: list[dict[str, Any]], n_agents: int) -> None:
    """Agent m uploads in the rounds r = 1, 2, ... in which r + m is odd."""
    first = before[-1]["server_step"] if before else 0
    rounds = range(first + 1, row["server_step"] + 1)
    words = ["".join(str((r + m) % 2) for r in rounds) for m in range(n_agents)]
    sent, silent = (sum(word.count(mark) for word in words) for mark in "10")
    row["uploaded"] = "/".join(words)
    row["uploads"] = (before[-1]["uploads"] if before else 0) + sent
    row["uplink_bytes"] = (before[-1]["uplink_bytes"] if before else 0) + sent * GRADIENT_BYTES + silent


def frame(of: Scenario, **options: Any) -> pd.DataFrame:
    """All runs of the scenario as `frl collect` puts them together; options as for :func:`rows`."""
    data = [
        row | {"method": spec.method, "stop_at": spec.stop_at} for spec in of.runs() for row in rows(spec, **options)
    ]
    return pd.DataFrame(data).astype({"eval_return_mean": "float64", "stop_at": "float64"})


def csv_text(data: list[dict[str, Any]]) -> str:
    """The rows as the recorder's CSV."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(data)
    return buffer.getvalue()


def meta(spec: RunSpec, data: list[dict[str, Any]], instructions: str = "AVX2") -> dict[str, Any]:
    """The facts of one run."""
    total = data[-1]["env_steps_total"]
    return {
        "spec": json.loads(spec.to_json()),
        "digest": run_digest(spec),
        "code_digest": "0" * 64,
        "numerics_version": NUMERICS_VERSION,
        "status": data[-1]["status"],
        "versions": {"python": "3.11.4", "numpy": "2.4.6", "torch": "2.13.0", "mujoco": "3.4.0", "gymnasium": "1.4.0",
                     "frl": "0.1.0"},
        "git": {"commit": "c0ffee", "dirty": False},
        "cpu": "Imaginary CPU",
        "cpu_capability": instructions,
        "platform": "Linux-x86_64",
        "started": "2026-01-01T00:00:00+00:00",
        "wall_time_s": total / 20_000,
        "cpu_time_s": total / 20_000,
        "peak_memory_mb": 321.0,
        "env_steps_total": total,
        "env_steps_agents": [total // spec.n_agents] * spec.n_agents,
        "eval_steps": 1000 * 10 * len(data),
        "env_steps_per_s": 20_000.0,
    }  # fmt: skip


def run_path(results: Path, of: Scenario, spec: RunSpec) -> Path:
    """Where the run's CSV belongs."""
    return results / of.name / "runs" / f"{spec.run_id}.csv"


def write_run(results: Path, of: Scenario, spec: RunSpec, instructions: str = "AVX2", **options: Any) -> Path:
    """Write one run's CSV and meta file; options as for :func:`rows`."""
    data = rows(spec, **options)
    path = run_path(results, of, spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_files(path, csv_text(data), meta(spec, data, instructions))
    return path


def build(results: Path, of: Scenario) -> Lineage:
    """Everything of a scenario from its runs, with a page of nothing for a report; what it was made from."""
    base = results / of.name
    load.collect(of, results, base, partial=False)
    lineage = Lineage(of, base)
    makers: dict[str, Callable[[], object]] = {
        "figures": lambda: draw.draw(of, base),
        "tables": lambda: summary.write(of, base),
        "verdict": lambda: verdict.write(judge.write(of, base), base),
        "report": lambda: (base / "report.html").write_text("<html>"),
    }
    for step in lineage.steps[1:]:
        with lineage.step(step):
            makers[step]()
    return lineage


def write_files(path: Path, table: str, facts: dict[str, Any]) -> None:
    """Write a CSV and its meta file with the checksum that fits them."""
    facts = {**facts, "checksum": checksum(table.encode(), {k: v for k, v in facts.items() if k != "checksum"})}
    path.write_text(table, encoding="utf-8")
    path.with_name(f"{path.stem}.meta.json").write_bytes(dump_meta(facts))


def write_all(results: Path, of: Scenario, diverging: tuple[str, ...] = (), **options: Any) -> None:
    """Write every run of the scenario; those whose run_id is in `diverging` diverge halfway."""
    for spec in of.runs():
        halfway = {"diverge_at": POINTS // 2} if spec.run_id in diverging else {}
        write_run(results, of, spec, **options, **halfway)
