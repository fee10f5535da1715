"""The command ``frl``: every step of the workflow, usable without Snakemake.

Heavy imports happen inside the commands, so that ``frl --help`` and a refused argument answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frl.scenario import Scenario
    from frl.spec import RunSpec

EPILOG = """\
A scenario is one YAML file that is complete by itself (config/README.md explains each key). Examples:

  frl runs config/quick.yaml
  frl train config/quick.yaml --environment Swimmer --method afedpg --n-agents 4 --seed 0
  frl collect config/quick.yaml && frl figures config/quick.yaml && frl tables config/quick.yaml
  frl verdict config/quick.yaml
  frl report config/quick.yaml

The workflow runs these commands for a whole scenario: snakemake --cores 2 --configfile config/quick.yaml
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 the input cannot be used."""
    arguments = parser().parse_args(argv)
    try:
        arguments.command(arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `frl runs ... | head`
    except OSError as error:
        print(f"frl: error: {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print("frl: error: out of memory; give it more (training goes on from its last checkpoint)", file=sys.stderr)
        return 1
    except ValueError as error:
        if not type(error).__module__.startswith("frl."):
            raise
        print(f"frl: error: {error}", file=sys.stderr)  # one of our own: written for the user
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="frl",
        description="Train, collect, draw and report federated policy gradient runs.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    from frl import __version__

    top.add_argument("--version", action="version", version=f"frl {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    _add_scenario_command(commands, "runs", _runs, "list every run of a scenario and its state")
    plan = _add_scenario_command(
        commands, "plan", _plan, "predict core-hours, wall time and disk of what is to be done"
    )
    plan.add_argument("--cores", type=int, default=os.cpu_count() or 1, metavar="C", help="default: all of them")
    analysis = {
        "collect": (_collect, "join the runs into curves.csv, runs.csv and missing.csv"),
        "figures": (_figures, "draw the scenario's figures (SVG, PDF, PNG)"),
        "tables": (_tables, "write the summary tables (CSV, Markdown, HTML)"),
        "verdict": (_verdict, "judge each claim that the scenario names (tables/verdict as CSV, Markdown, HTML)"),
        "report": (_report, "render the notebooks into one report.html that needs no network"),
        "trials": (_trials, "rank the settings that a tuning scenario tried, by mean return over simulated time"),
    }
    for name, (function, text) in analysis.items():
        command = _add_scenario_command(commands, name, function, text)
        command.add_argument(
            "--partial",
            action="store_true",
            help="use the runs finished so far; everything goes to RESULTS/<scenario>/partial",
        )
        if name == "trials":
            command.add_argument(
                "--keep",
                type=Path,
                metavar="FILE.csv",
                help="put one row a run into FILE.csv, as a scenario's key `trials` names, and rank all its rows",
            )
        if name == "report":
            command.add_argument("--code", action="store_true", help="show the notebooks' code cells")
            command.add_argument(
                "--notebooks", type=Path, default=Path("notebooks"), metavar="DIR", help="default: notebooks"
            )
    publish = _add_scenario_command(
        commands, "publish", _publish, "copy a finished scenario's results to RESULTS/published"
    )
    publish.add_argument("--partial", action="store_true", help="what was built from the runs finished so far")
    _add_others(commands)
    return top


Commands = argparse._SubParsersAction  # argparse has no public name for it


def _add_scenario_command(commands: Commands, name: str, function: object, text: str) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text.capitalize()}.")
    command.add_argument("scenario", type=Path, metavar="SCENARIO.yaml", help="the scenario file")
    command.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    command.set_defaults(command=function)
    return command


def _add_train(commands: Commands) -> None:  # type: ignore[type-arg]
    command = _add_scenario_command(commands, "train", _train, "train one run of a scenario")
    command.description = (
        "Train one run of a scenario and write its CSV and meta data below RESULTS/<scenario>/runs. A run that was "
        "finished before with the same settings and the same code is taken from the store instead."
    )
    command.add_argument("--environment", required=True, metavar="E", help="one of the scenario's environments")
    command.add_argument("--method", required=True, metavar="M", help="one of the scenario's methods, by its name")
    command.add_argument("--n-agents", required=True, type=int, metavar="N", help="number of agents")
    command.add_argument("--seed", required=True, type=int, metavar="S", help="seed of the run")
    command.add_argument("--expect-digest", metavar="HEX", help="refuse to run if settings and code are not these")
    command.add_argument("--quiet", action="store_true", help="show no progress")
    command.add_argument(
        "--checkpoint-every",
        metavar="S",
        help="seconds between checkpoints (default: $FRL_CHECKPOINT_EVERY, else 60); a run that was stopped goes on "
        "from its last one",
    )


def _add_others(commands: Commands) -> None:  # type: ignore[type-arg]
    schema = commands.add_parser(
        "schema", help="print the JSON schema of scenario files", description="Print the JSON schema of scenario files."
    )
    schema.add_argument(
        "--check", type=Path, metavar="FILE", help="compare with FILE instead; exit code 2 if it differs"
    )
    schema.set_defaults(command=_schema)
    again = commands.add_parser(
        "reproduce",
        help="train a finished run again and compare",
        description="Train a finished run again from the specification in its meta file, not from the store, and "
        "compare the two: byte for byte on a processor with the same vector instructions. Exit code 1 if they differ.",
    )
    again.add_argument("run", type=Path, metavar="RUN.csv", help="e.g. results/quick/runs/Swimmer/afedpg/n1/seed0.csv")
    again.set_defaults(command=_reproduce)
    store = commands.add_parser(
        "store", help="pack or unpack finished runs", description="Pack or unpack finished runs."
    )
    store.add_argument("action", choices=("export", "import"))
    store.add_argument("archive", type=Path, metavar="ARCHIVE", help="a tar file; .gz, .xz and .bz2 compress")
    store.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    store.set_defaults(command=_store)
    bench = commands.add_parser(
        "bench",
        help="measure the speed of training on this machine",
        description="Measure the speed of training beside bare physics and other libraries; writes DIR/results.csv and "
        "DIR/README.md. Everything takes about half an hour on 2 cores that are otherwise idle.",
    )
    measured = ("physics", "peers", "agents", "process", "workflow")
    bench.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(measured)} (default: all)")
    bench.add_argument("--repetitions", type=int, default=9, metavar="N", help="turns of each (default: 9)")
    bench.add_argument("--out", type=Path, default=Path("benchmarks"), metavar="DIR", help="default: benchmarks")
    bench.set_defaults(command=_bench)


# --------------------------------------------------------------------------------------------------
# Commands


def _scenario(arguments: argparse.Namespace) -> Scenario:
    from frl.scenario import load_scenario

    return load_scenario(arguments.scenario)


def _spec(arguments: argparse.Namespace, scenario: Scenario) -> RunSpec:
    from frl.spec import SpecError

    if arguments.environment not in scenario.environments:
        allowed = ", ".join(scenario.environments)
        raise SpecError(f"--environment = {arguments.environment!r}: scenario {scenario.name!r} has {allowed}")
    spec = scenario.resolve(arguments.environment, arguments.method, arguments.n_agents, arguments.seed)
    if arguments.seed not in scenario.seeds:
        print(f"frl: note: seed {arguments.seed} is not in the scenario: no figure will show it", file=sys.stderr)
    return spec


def _train(arguments: argparse.Namespace) -> None:
    from frl.progress import Progress
    from frl.runner import run_one, run_paths

    scenario = _scenario(arguments)
    spec, name = _spec(arguments, scenario), scenario.name
    every = _checkpoint_every(arguments.checkpoint_every)
    with Progress(spec.run_id) as progress:
        shown = None if arguments.quiet else progress
        outcome = run_one(spec, arguments.results, name, arguments.expect_digest, shown, every)
    if not arguments.quiet:
        print(f"{outcome}: {run_paths(spec, arguments.results, name)[0]}")


def _checkpoint_every(given: str | None) -> float:
    """Seconds between checkpoints: the option, else $FRL_CHECKPOINT_EVERY (for a workflow's jobs), else the default."""
    from frl.runner import CHECKPOINT_EVERY_S
    from frl.spec import SpecError

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


def _runs(arguments: argparse.Namespace) -> None:
    from collections import Counter

    from frl.runner import state

    scenario = _scenario(arguments)
    states: Counter[str] = Counter()
    for spec in scenario.runs():
        now = state(spec, arguments.results, scenario.name)
        states[now] += 1
        print(f"{now:<10}{spec.run_id}")
    print(f"{states.total()} runs: {', '.join(f'{n} {name}' for name, n in states.most_common())}")
    if scenario.claims is not None:
        from frl.analysis.verdict import absent

        if said := absent(scenario):
            print(f"frl: note: {said} Their methods, N or environment are not here.", file=sys.stderr)


def _plan(arguments: argparse.Namespace) -> None:
    from frl.plan import plan
    from frl.spec import SpecError

    if arguments.cores < 1:
        raise SpecError(f"--cores = {arguments.cores}: must be 1 or more")
    scenario = _scenario(arguments)
    for line in plan(list(scenario.runs()), arguments.results, scenario.name, arguments.cores).lines():
        print(line)


def _base(arguments: argparse.Namespace, scenario: Scenario) -> Path:
    base: Path = arguments.results / scenario.name
    return base / "partial" if arguments.partial else base


def _collect(arguments: argparse.Namespace) -> None:
    from frl.analysis import load

    scenario = _scenario(arguments)
    load.collect(scenario, arguments.results, _base(arguments, scenario), arguments.partial)


def _figures(arguments: argparse.Namespace) -> None:
    from frl.analysis import figures

    scenario = _scenario(arguments)
    figures.draw(scenario, _base(arguments, scenario))


def _tables(arguments: argparse.Namespace) -> None:
    from frl.analysis import tables

    scenario = _scenario(arguments)
    tables.write(scenario, _base(arguments, scenario))


def _verdict(arguments: argparse.Namespace) -> None:
    from frl.analysis import verdict

    scenario = _scenario(arguments)
    print(verdict.write(scenario, _base(arguments, scenario)))


def _report(arguments: argparse.Namespace) -> None:
    from frl.analysis import report

    scenario = _scenario(arguments)
    report.render(scenario, _base(arguments, scenario), arguments.notebooks, arguments.code)


def _trials(arguments: argparse.Namespace) -> None:
    from frl.analysis import trials
    from frl.analysis.load import read_curves

    scenario = _scenario(arguments)
    base, file = _base(arguments, scenario), arguments.keep
    if file is not None and file.exists() and not (base / "curves.csv").exists():
        table = trials.kept(file)  # what was published, say
    else:
        table = trials.tried(scenario, read_curves(base))
        table = table if file is None else trials.keep(table, file)
    for line in trials.ranking(table):
        print(line)


def _publish(arguments: argparse.Namespace) -> None:
    from frl.analysis.publish import publish

    for path in publish(_scenario(arguments), arguments.results, arguments.partial):
        print(path)


def _schema(arguments: argparse.Namespace) -> None:
    from frl.schema import schema_text
    from frl.spec import SpecError

    text = schema_text()
    if arguments.check is None:
        print(text, end="")
    elif arguments.check.read_text(encoding="utf-8") != text:
        raise SpecError(f"{arguments.check} is out of date; write it anew: frl schema > {arguments.check}")


def _store(arguments: argparse.Namespace) -> None:
    from frl.store import Store

    store = Store(arguments.results)
    count = store.export(arguments.archive) if arguments.action == "export" else store.import_(arguments.archive)
    print(f"{count} runs {arguments.action}ed: {arguments.archive}")


def _reproduce(arguments: argparse.Namespace) -> None:
    from frl.progress import Progress
    from frl.reproduce import reproduce

    with Progress(arguments.run.stem) as progress:
        outcome = reproduce(arguments.run, progress)
    print(f"{arguments.run}: {outcome.message}")
    if not outcome.agrees:
        raise SystemExit(1)


def _bench(arguments: argparse.Namespace) -> None:
    from frl.bench import table
    from frl.spec import SpecError

    if unknown := [name for name in arguments.names if name not in table.BENCHMARKS]:
        raise SpecError(f"benchmark {unknown[0]!r}: there are {', '.join(table.BENCHMARKS)}")
    if arguments.repetitions < 1:
        raise SpecError(f"--repetitions = {arguments.repetitions}: must be 1 or more")
    table.run(arguments.names or list(table.BENCHMARKS), arguments.repetitions, arguments.out)
