"""What each ``frl`` command does with its arguments. Heavy imports happen inside the functions."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from frl.runs.lineage import Lineage
    from frl.scenario.kinds import AnyScenario
    from frl.scenario.scenario import Scenario
    from frl.scenario.theory import TheoryScenario


def _scenario(arguments: argparse.Namespace) -> AnyScenario:
    from frl.scenario.loading import load_scenario

    return load_scenario(arguments.scenario)


def _is_theory(scenario: AnyScenario) -> TypeIs[TheoryScenario]:
    from frl.scenario.theory import TheoryScenario

    return isinstance(scenario, TheoryScenario)


def _training(arguments: argparse.Namespace) -> Scenario:
    """The scenario, if it is one of training runs."""
    from frl.scenario.loading import load_training

    return load_training(arguments.scenario)


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
    _say_what_other_code_made(scenario, arguments.results)
    if absent := ", ".join(_claims_about_others(scenario)):
        what = "panel" if _is_theory(scenario) else "method, N or environment"
        print(f"frl: note: claims with a {what} that is not here: {absent}", file=sys.stderr)


def _say_what_other_code_made(scenario: AnyScenario, results: Path) -> None:
    from frl.runs.validity import meta_of, of_other_code

    metas = ((spec, meta_of(spec, results, scenario.name)) for spec in scenario.runs())
    for told in of_other_code(((spec, meta) for spec, meta in metas if meta is not None), results, scenario.name):
        print(f"frl: note: {told}", file=sys.stderr)


def _claims_about_others(scenario: AnyScenario) -> dict[str, None]:
    """Ids of the claims that need what the scenario does not have."""
    if _is_theory(scenario):
        claims = scenario.claims.claims if scenario.claims else ()
        return dict.fromkeys(claim.id for claim in claims if claim.panel not in scenario.panels)
    from frl.verdicts.judge import parts_of

    return dict.fromkeys(claim.id for claim, _, cells in parts_of(scenario) if cells is None)


def plan(arguments: argparse.Namespace) -> None:
    from frl.errors import SpecError
    from frl.runs.plan import plan

    if arguments.cores < 1:
        raise SpecError(f"--cores = {arguments.cores}: must be 1 or more")
    scenario = _scenario(arguments)
    for line in plan(list(scenario.runs()), arguments.results, scenario.name, arguments.cores).lines():
        print(line)


def watch(arguments: argparse.Namespace) -> None:
    from frl.runs.validity import state
    from frl.runs.watch import Watch

    scenario, results = _scenario(arguments), arguments.results
    finished = ("finished", "diverged", "stored")
    done = {spec.run_id for spec in scenario.runs() if state(spec, results, scenario.name) in finished}
    watch = Watch(scenario.runs(), results, scenario.name, done)
    if arguments.once:
        print("\n".join(watch.lines()))
    else:
        watch.show()


def _lineage(arguments: argparse.Namespace, scenario: AnyScenario, **report: Any) -> Lineage:
    from frl.runs.lineage import Lineage
    from frl.runs.paths import base_of

    return Lineage(scenario, base_of(arguments.results, scenario.name, arguments.partial), arguments.partial, **report)


def collect(arguments: argparse.Namespace) -> None:
    from frl.analysis import load
    from frl.theory import collect

    scenario = _scenario(arguments)
    base = _lineage(arguments, scenario).base
    if _is_theory(scenario):
        collect.collect(scenario, arguments.results, base, arguments.partial)
    else:
        load.collect(scenario, arguments.results, base, arguments.partial)
    _say_what_other_code_made(scenario, arguments.results)


def figures(arguments: argparse.Namespace) -> None:
    from frl.report.figures import draw
    from frl.theory import figures

    scenario = _scenario(arguments)
    of = _lineage(arguments, scenario)
    with of.step("figures"):
        if _is_theory(scenario):
            figures.draw(scenario, of.base)
        else:
            draw.draw(scenario, of.base)


def tables(arguments: argparse.Namespace) -> None:
    from frl.report.tables import summary

    scenario = _training(arguments)
    of = _lineage(arguments, scenario)
    with of.step("tables"):
        summary.write(scenario, of.base)


def verdict(arguments: argparse.Namespace) -> None:
    from frl.report.tables import verdict
    from frl.theory import judge as theory
    from frl.verdicts import judge
    from frl.verdicts.words import headline

    scenario = _scenario(arguments)
    of = _lineage(arguments, scenario)
    with of.step("verdict"):
        if _is_theory(scenario):
            said = headline(theory.write(scenario, of.base))
        else:
            verdicts = judge.write(scenario, of.base)
            verdict.write(verdicts, of.base)
            said = headline(verdicts)
    print(said)


def power(arguments: argparse.Namespace) -> None:
    from frl.verdicts import power

    scenario = _training(arguments)
    times = power.named_times(scenario)
    print(power.power(scenario, times).to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    print("\nHorizons of the primary claims, and 4 times the largest median of their arms in tuning:\n")
    print(power.horizons(scenario, times).to_string(index=False, float_format=lambda value: f"{value:,.0f}"))


def times(arguments: argparse.Namespace) -> None:
    from frl.analysis.load import read_curves
    from frl.verdicts.power import tuning_times

    scenario = _training(arguments)
    of = _lineage(arguments, scenario)
    of.require("collect")
    found = tuning_times(scenario, read_curves(of.base))
    print(found.to_csv(index=False, lineterminator="\n"), end="")


def best(arguments: argparse.Namespace) -> None:
    from frl.analysis.load import read_curves
    from frl.errors import SpecError
    from frl.verdicts import choice

    scenario = _training(arguments)
    if not any(method.swept for method in scenario.methods):
        raise SpecError(f"scenario {scenario.name!r}: no method has a `sweep`, so that there is nothing to choose")
    if not 1 <= arguments.penalty < float("inf"):
        raise SpecError(f"--penalty = {arguments.penalty:g}: allowed are finite numbers of at least 1")
    of = _lineage(arguments, scenario)
    of.require("collect")
    curves = read_curves(of.base)
    table = choice.choices(scenario, curves, arguments.penalty)
    if arguments.csv:
        print(table.to_csv(index=False, lineterminator="\n"), end="")
    else:
        rules = ["", *choice.horizons(table), "", *choice.heights(choice.thresholds(scenario, curves))]
        print("\n".join([*choice.lines(table), *(rules if arguments.rules else [])]))
    for told in choice.warnings(scenario, table):
        print(f"frl: warning: {told}", file=sys.stderr)


def report(arguments: argparse.Namespace) -> None:
    from frl.report import page
    from frl.report.gaits.best import film_best
    from frl.scenario.products import notebooks_of

    scenario = _scenario(arguments)
    notebooks = arguments.notebooks or Path(notebooks_of(scenario))
    of = _lineage(arguments, scenario, notebooks=notebooks, code=arguments.code)
    if not _is_theory(scenario):
        of.require("collect")
        film_best(scenario, arguments.results, of.base)
    with of.step("report"):
        page.render(scenario, of.base, notebooks, arguments.code)


def export(arguments: argparse.Namespace) -> None:
    from frl.analysis.load import read_curves
    from frl.report.export import FORMATS

    of = _lineage(arguments, _training(arguments))
    of.require("collect")
    for path in FORMATS[arguments.format](read_curves(of.base), arguments.out or of.base / "export" / arguments.format):
        print(path)


def publish(arguments: argparse.Namespace) -> None:
    from frl.report.publish import publish

    for path in publish(_scenario(arguments), arguments.results, arguments.partial):
        print(path)


def results(arguments: argparse.Namespace) -> None:
    from frl.report import results
    from frl.runs.files import write_atomically
    from frl.scenario.products import CELLS, RUNS
    from frl.theory import show

    trained, lab = (sorted(path.parent for path in arguments.published.glob(f"*/{name}")) for name in (RUNS, CELLS))
    sections = [*map(results.section, trained), *map(show.section, lab)]
    write_atomically(arguments.page, results.renewed(arguments.page, sections))


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


def bench(arguments: argparse.Namespace) -> None:
    from frl.bench import table
    from frl.errors import SpecError

    if unknown := [name for name in arguments.names if name not in table.BENCHMARKS]:
        raise SpecError(f"benchmark {unknown[0]!r}: there are {', '.join(table.BENCHMARKS)}")
    if arguments.repetitions < 1:
        raise SpecError(f"--repetitions = {arguments.repetitions}: must be 1 or more")
    table.run(arguments.names or list(table.BENCHMARKS), arguments.repetitions, arguments.out)
