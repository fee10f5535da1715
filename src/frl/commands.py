"""What each ``frl`` command does with its arguments. Heavy imports happen inside the functions."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from frl.runs.lineage import Lineage
    from frl.scenario.scenario import Scenario
    from frl.spec import RunSpec


def _scenario(arguments: argparse.Namespace) -> Scenario:
    from frl.scenario.loading import load_scenario

    return load_scenario(arguments.scenario)


def _spec(arguments: argparse.Namespace, scenario: Scenario) -> RunSpec:
    from frl.errors import SpecError
    from frl.scenario.grid import span

    if arguments.environment not in scenario.environments:
        allowed = ", ".join(scenario.environments)
        raise SpecError(f"--environment = {arguments.environment!r}: scenario {scenario.name!r} has {allowed}")
    spec = scenario.resolve(arguments.environment, arguments.method, arguments.n_agents, arguments.seed)
    if arguments.seed not in (seeds := scenario.seeds_of(spec.environment, spec.method, spec.n_agents)):
        told = f"seed {arguments.seed} is none of this method's, {span(seeds)}: no figure will show it"
        print(f"frl: note: {told}", file=sys.stderr)
    return spec


def train(arguments: argparse.Namespace) -> None:
    from frl.runs import named
    from frl.runs.memory import refuse_what_cannot_fit
    from frl.runs.paths import run_paths
    from frl.runs.progress import Progress
    from frl.runs.runner import checkpoint_every, run_one

    scenario = _scenario(arguments)
    spec, name = _spec(arguments, scenario), scenario.name
    every = checkpoint_every(arguments.checkpoint_every)
    refuse_what_cannot_fit(spec)
    with Progress(spec.run_id) as progress:
        shown = None if arguments.quiet else progress
        outcome = run_one(spec, arguments.results, name, arguments.expect_digest, shown, every)
    if not arguments.quiet:
        path = run_paths(spec, arguments.results, name)[0]
        print(f"{outcome}: {path}")
        print(f"policy: {named.read(path).where_the_policy_is()}")


def runs(arguments: argparse.Namespace) -> None:
    from collections import Counter

    from frl.runs.validity import state

    scenario = _scenario(arguments)
    states: Counter[str] = Counter()
    for spec in scenario.runs():
        now = state(spec, arguments.results, scenario.name)
        states[now] += 1
        print(f"{now:<10}{spec.run_id}")
    print(f"{states.total()} runs: {', '.join(f'{n} {name}' for name, n in states.most_common())}")
    if scenario.claims is not None:
        from frl.verdicts.judge import parts_of

        if absent := dict.fromkeys(claim.id for claim, _, cells in parts_of(scenario) if cells is None):
            names = ", ".join(absent)
            print(f"frl: note: claims with a method, N or environment that is not here: {names}", file=sys.stderr)


def plan(arguments: argparse.Namespace) -> None:
    from frl.errors import SpecError
    from frl.runs.plan import plan

    if arguments.cores < 1:
        raise SpecError(f"--cores = {arguments.cores}: must be 1 or more")
    scenario = _scenario(arguments)
    for line in plan(list(scenario.runs()), arguments.results, scenario.name, arguments.cores).lines():
        print(line)


def watch(arguments: argparse.Namespace) -> None:
    from frl.runs.live import Live

    scenario = _scenario(arguments)
    live = Live(scenario.runs(), arguments.results, scenario.name)
    if arguments.once:
        print("\n".join(live.lines()))
    else:
        live.watch()


def _lineage(arguments: argparse.Namespace, **report: Any) -> Lineage:
    from frl.runs.lineage import Lineage
    from frl.runs.paths import base_of

    scenario = _scenario(arguments)
    return Lineage(scenario, base_of(arguments.results, scenario.name, arguments.partial), arguments.partial, **report)


def collect(arguments: argparse.Namespace) -> None:
    from frl.analysis import load

    of = _lineage(arguments)
    load.collect(of.scenario, arguments.results, of.base, arguments.partial)


def figures(arguments: argparse.Namespace) -> None:
    from frl.report.figures import draw

    of = _lineage(arguments)
    with of.step("figures"):
        draw.draw(of.scenario, of.base)


def tables(arguments: argparse.Namespace) -> None:
    from frl.report.tables import summary

    of = _lineage(arguments)
    with of.step("tables"):
        summary.write(of.scenario, of.base)


def verdict(arguments: argparse.Namespace) -> None:
    from frl.report.tables import verdict
    from frl.verdicts import judge
    from frl.verdicts.words import headline

    of = _lineage(arguments)
    with of.step("verdict"):
        verdicts = judge.write(of.scenario, of.base)
        verdict.write(verdicts, of.base)
    print(headline(verdicts))


def power(arguments: argparse.Namespace) -> None:
    from frl.verdicts import power

    scenario = _scenario(arguments)
    times = power.named_times(scenario)
    print(power.power(scenario, times).to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    print("\nHorizons of the primary claims, and 4 times the largest median of their arms in tuning:\n")
    print(power.horizons(scenario, times).to_string(index=False, float_format=lambda value: f"{value:,.0f}"))


def times(arguments: argparse.Namespace) -> None:
    from frl.analysis.load import read_curves
    from frl.verdicts.power import tuning_times

    of = _lineage(arguments)
    of.require("collect")
    found = tuning_times(of.scenario, read_curves(of.base))
    print(found.to_csv(index=False, lineterminator="\n"), end="")


def best(arguments: argparse.Namespace) -> None:
    from frl.analysis.load import read_curves
    from frl.errors import SpecError
    from frl.verdicts import choice

    of = _lineage(arguments)
    if not any(method.swept for method in of.scenario.methods):
        raise SpecError(f"scenario {of.scenario.name!r}: no method has a `sweep`, so that there is nothing to choose")
    of.require("collect")
    table = choice.choices(of.scenario, read_curves(of.base))
    if arguments.csv:
        print(table.to_csv(index=False, lineterminator="\n"), end="")
    else:
        print("\n".join([*choice.lines(table), *(["", *choice.horizons(table)] if arguments.horizons else [])]))
    for told in choice.warnings(of.scenario, table):
        print(f"frl: warning: {told}", file=sys.stderr)


def report(arguments: argparse.Namespace) -> None:
    from frl.report import page

    of = _lineage(arguments, notebooks=arguments.notebooks, code=arguments.code)
    with of.step("report"):
        page.render(of.scenario, of.base, arguments.notebooks, arguments.code)


def trials(arguments: argparse.Namespace) -> None:
    from frl.analysis.load import read_curves
    from frl.report import trials
    from frl.scenario.products import CURVES

    of, file = _lineage(arguments), arguments.keep
    if file is not None and file.exists() and not (of.base / CURVES).exists():
        table = trials.kept(file)  # what was published, say
    else:
        of.require("collect")
        table = trials.tried(of.scenario, read_curves(of.base))
        table = table if file is None else trials.keep(table, file)
    for line in trials.ranking(table):
        print(line)


def publish(arguments: argparse.Namespace) -> None:
    from frl.report.publish import publish

    for path in publish(_scenario(arguments), arguments.results, arguments.partial):
        print(path)


def schema(arguments: argparse.Namespace) -> None:
    from frl.errors import SpecError
    from frl.runs.files import write_atomically
    from frl.scenario.manual import renewed
    from frl.scenario.schema import schema_text

    text = schema_text()
    if arguments.manual is not None:
        write_atomically(arguments.manual, renewed(arguments.manual.read_text(encoding="utf-8")))
    elif arguments.check is None:
        print(text, end="")
    elif arguments.check.read_text(encoding="utf-8") != text:
        raise SpecError(f"{arguments.check} is out of date; write it anew: frl schema > {arguments.check}")


def store(arguments: argparse.Namespace) -> None:
    from frl.runs.store import Store

    store = Store(arguments.results)
    count = store.export(arguments.archive) if arguments.action == "export" else store.import_(arguments.archive)
    print(f"{count} runs {arguments.action}ed: {arguments.archive}")


def reproduce(arguments: argparse.Namespace) -> None:
    from frl.runs import named
    from frl.runs.progress import Progress
    from frl.runs.reproduce import reproduce

    run = named.read(arguments.run)
    with Progress(arguments.run.stem) as progress:
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


def bench(arguments: argparse.Namespace) -> None:
    from frl.bench import table
    from frl.errors import SpecError

    if unknown := [name for name in arguments.names if name not in table.BENCHMARKS]:
        raise SpecError(f"benchmark {unknown[0]!r}: there are {', '.join(table.BENCHMARKS)}")
    if arguments.repetitions < 1:
        raise SpecError(f"--repetitions = {arguments.repetitions}: must be 1 or more")
    table.run(arguments.names or list(table.BENCHMARKS), arguments.repetitions, arguments.out)
