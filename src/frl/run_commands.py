"""What the ``frl`` commands about single runs do: train, reproduce, evaluate, render, smoke. Heavy imports inside."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frl.scenario.kinds import AnyRun, AnyScenario


def _spec(arguments: argparse.Namespace, scenario: AnyScenario) -> AnyRun:
    from frl.scenario.choose import chosen
    from frl.scenario.grid import span
    from frl.scenario.scenario import Scenario
    from frl.spec import RunSpec

    spec = chosen(scenario, vars(arguments))
    if isinstance(spec, RunSpec) and isinstance(scenario, Scenario):
        seeds = scenario.seeds_of(spec.environment, spec.method, spec.n_agents)
        if spec.seed not in seeds:
            told = f"seed {spec.seed} is none of this method's, {span(seeds)}: no figure will show it"
            print(f"frl: note: {told}", file=sys.stderr)
    return spec


def train(arguments: argparse.Namespace) -> None:
    from frl.runs.memory import refuse_what_cannot_fit
    from frl.runs.paths import run_paths
    from frl.runs.progress import Progress
    from frl.runs.runner import run_one
    from frl.runs.validity import meta_of, of_other_code
    from frl.scenario.kinds import unit
    from frl.scenario.loading import load_scenario
    from frl.spec import RunSpec

    scenario = load_scenario(arguments.scenario)
    spec, name = _with_engine(_spec(arguments, scenario), scenario.name, arguments.engine)
    every = _checkpoint_every(arguments.checkpoint_every)
    if isinstance(spec, RunSpec):
        refuse_what_cannot_fit(spec)
    with Progress(spec.run_id, unit=unit(spec)) as progress:
        shown = None if arguments.quiet else progress
        outcome = run_one(spec, arguments.results, name, arguments.expect_digest, shown, every)
    if not arguments.quiet:
        path = run_paths(spec, arguments.results, name)[0]
        print(f"{outcome}: {path}")
        if isinstance(spec, RunSpec):
            _say_where_the_policy_is(path)
        meta = meta_of(spec, arguments.results, name)
        for told in of_other_code([(spec, meta)] if meta else [], arguments.results, name):
            print(f"frl: note: {told}", file=sys.stderr)


def _with_engine(spec: AnyRun, scenario: str, engine: str | None) -> tuple[AnyRun, str]:
    """The run with another engine than its scenario's, and the name of the folder that keeps it apart."""
    from frl.errors import SpecError
    from frl.scenario import feasible
    from frl.settings import EngineSpec
    from frl.spec import RunSpec

    if engine is None:
        return spec, scenario
    if not isinstance(spec, RunSpec):
        raise SpecError(f"--engine = {engine!r}: a cell of the theory lab is no training run")
    if engine == ("simulated" if spec.engine is None else spec.engine.kind):
        return spec, scenario
    given = {} if spec.engine is None else spec.engine.model_dump()
    other = None if engine == "simulated" else EngineSpec.model_validate({**given, "kind": engine})
    changed = spec.model_copy(update={"engine": other})
    if problem := feasible.problem(changed):
        raise SpecError(f"--engine = {engine!r}: {problem}")
    return changed, f"{scenario}-{engine}"


def replay(arguments: argparse.Namespace) -> None:
    from frl.engines import trace
    from frl.engines.replay import replay
    from frl.runs.files import write_atomically
    from frl.runs.progress import Progress
    from frl.runs.reproduce import first_difference

    spec, arrivals = trace.read(arguments.trace)
    with Progress(spec.run_id) as progress:
        table, result = replay(spec, arrivals, progress)
    out = arguments.out or arguments.trace.with_suffix(".replay.csv")
    write_atomically(out, table)
    print(f"{out}: {len(arrivals)} arrivals, {result.facts['env_steps_total']:,} steps")
    beside = arguments.trace.with_suffix(".csv")
    if not beside.exists():
        return
    difference = first_difference(beside.read_bytes(), table)
    print(f"{beside}: {difference or 'identical, byte for byte'}")
    if difference:
        raise SystemExit(1)


def _say_where_the_policy_is(path: Path) -> None:
    from frl.runs import named

    run = named.read(path)
    if run.policy() is not None:
        print(f"policy: {run.policy_path} (frl evaluate {path})")
    elif run.meta.get("status") == "diverged":
        print("policy: none, as the run diverged")
    else:
        print(f"policy: not kept (frl reproduce {path} makes it)")


def _checkpoint_every(given: str | None) -> float:
    """Seconds between checkpoints: the option, else $FRL_CHECKPOINT_EVERY (for a workflow's jobs), else the default."""
    from frl.errors import SpecError
    from frl.runs.runner import CHECKPOINT_EVERY_S

    name, text = "--checkpoint-every", given
    if text is None:
        name, text = "FRL_CHECKPOINT_EVERY", os.environ.get("FRL_CHECKPOINT_EVERY", str(CHECKPOINT_EVERY_S))
    try:
        every = float(text)
    except ValueError:
        every = -1.0
    if not every >= 0:
        raise SpecError(f"{name} = {text!r}: must be a number of seconds, 0 or more")
    return every


def reproduce(arguments: argparse.Namespace) -> None:
    from frl.runs import named
    from frl.runs.progress import Progress
    from frl.runs.reproduce import reproduce
    from frl.scenario.kinds import unit

    run = named.read(arguments.run)
    with Progress(arguments.run.stem, unit=unit(run.spec) if run.spec else "steps") as progress:
        outcome = reproduce(run, progress)
    print(f"{arguments.run}: {outcome.message}")
    if outcome.policy is not None:
        try:
            run.keep(outcome.policy)
        except OSError as error:  # a results folder that one may only read is no reason to fail
            print(f"frl: note: its policy could not be kept: {error}", file=sys.stderr)
    if not outcome.agrees:
        raise SystemExit(1)


def evaluate(arguments: argparse.Namespace) -> None:
    import json

    from frl.runs import named
    from frl.runs.evaluate import evaluate

    found = evaluate(named.read(arguments.run), arguments.episodes, arguments.seed, arguments.mean_action)
    print(json.dumps(found.facts()) if arguments.json else "\n".join(found.lines()))


def render(arguments: argparse.Namespace) -> None:
    from frl.report.gaits import film
    from frl.runs import named
    from frl.runs.gait import gait
    from frl.runs.progress import Progress

    run = named.read(arguments.run)
    film.check(arguments.out, arguments.seconds)
    with Progress(arguments.run.stem) as progress:
        played = gait(run, arguments.at, arguments.seed, arguments.mean_action, progress)
    if played.note:
        print(f"frl: note: {played.note}", file=sys.stderr)
    path = arguments.out or film.path_of(arguments.run, played)
    for written in film.write(played, path, arguments.seconds, arguments.skeleton):
        print(written)


def smoke(arguments: argparse.Namespace) -> None:
    from frl.runs.smoke import smoke

    if not smoke(arguments.profile, arguments.results, arguments.minutes):
        raise SystemExit(1)
