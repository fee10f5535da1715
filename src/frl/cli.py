"""The command ``frl``: every step of the workflow, usable without Snakemake.

Heavy imports happen inside the commands, so that ``frl --help`` and a refused argument answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from frl import commands, run_commands
from frl.terminal import print_on_any_terminal

EPILOG = """\
A scenario is one YAML file that is complete by itself (config/README.md explains each key). Examples:

  frl runs config/quick.yaml
  frl train config/quick.yaml --environment Swimmer --method afedpg --n-agents 4 --seed 0
  frl collect config/quick.yaml && frl verdict config/quick.yaml
  frl figures config/quick.yaml && frl tables config/quick.yaml
  frl report config/quick.yaml

The workflow runs these commands for a whole scenario: snakemake --cores 2 --configfile config/quick.yaml
"""


EXAMPLE = "e.g. results/quick/runs/Swimmer/afedpg/n1/seed0.csv"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 the input cannot be used, 130 Ctrl-C."""
    print_on_any_terminal()
    arguments = parser().parse_args(argv)
    try:
        arguments.command(arguments)
    except KeyboardInterrupt:
        print("frl: stopped", file=sys.stderr)
        return 130
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
    subparsers = top.add_subparsers(required=True, metavar="COMMAND")
    _add_train(subparsers)
    _add_scenario_command(subparsers, "runs", commands.runs, "list every run of a scenario and its state")
    plan = _add_scenario_command(
        subparsers, "plan", commands.plan, "predict core-hours, wall time and disk space of the missing runs"
    )
    plan.add_argument("--cores", type=int, default=os.cpu_count() or 1, metavar="C", help="default: all of them")
    watch = _add_scenario_command(
        subparsers, "watch", commands.watch, "show the progress of a scenario's runs until all are done"
    )
    watch.add_argument("--once", action="store_true", help="show it once, then end")
    _add_analysis(subparsers)
    publish = _add_scenario_command(
        subparsers, "publish", commands.publish, "copy a finished scenario's results to RESULTS/published"
    )
    publish.epilog = "Policies are not copied: they do not compress, and `frl reproduce` makes them again."
    publish.add_argument("--partial", action="store_true", help="copy what was built from the runs finished so far")
    _add_others(subparsers)
    return top


Subparsers = argparse._SubParsersAction  # argparse has no public name for it


def _add_scenario_command(subparsers: Subparsers, name: str, function: object, text: str) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    command: argparse.ArgumentParser = subparsers.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    command.add_argument("scenario", type=Path, metavar="SCENARIO.yaml", help="the scenario file")
    command.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    command.set_defaults(command=function)
    return command


def _add_analysis(subparsers: Subparsers) -> None:  # type: ignore[type-arg]
    analysis = {
        "collect": (commands.collect, "join the runs into curves.csv, runs.csv and missing.csv"),
        "verdict": (commands.verdict, "judge the scenario's claims (verdicts.json and tables/verdict)"),
        "figures": (commands.figures, "draw the scenario's figures (SVG, PDF, PNG)"),
        "tables": (commands.tables, "write the summary tables (CSV, Markdown, HTML)"),
        "times": (commands.times, "print how long each seed of a tuning scenario took to the threshold, as CSV"),
        "best": (commands.best, "choose among the values of each sweep of a tuning scenario by the manual's rule"),
        "report": (commands.report, "run the notebooks and write report.html, which needs no network"),
        "export": (commands.export, "write the collected runs as TensorBoard's event files or as rliable's scores"),
    }
    for name, (function, text) in analysis.items():
        command = _add_scenario_command(subparsers, name, function, text)
        command.add_argument(
            "--partial",
            action="store_true",
            help="use only the runs finished so far; files go to RESULTS/<scenario>/partial",
        )
        if name == "export":
            command.add_argument("--format", choices=("tensorboard", "rliable"), required=True)
            command.add_argument("--out", type=Path, metavar="DIR", help="default: RESULTS/<scenario>/export/<format>")
        if name == "best":
            command.add_argument(
                "--penalty", type=float, default=1.0, metavar="K",
                help="count a seed that did not get to the threshold as K horizons; default: 1",
            )  # fmt: skip
            command.add_argument("--csv", action="store_true", help="print all rows as CSV instead")
            command.add_argument(
                "--rules", action="store_true", help="also print the horizons and thresholds that follow by rule"
            )
        if name == "report":
            command.add_argument("--code", action="store_true", help="show the notebooks' code cells")
            command.add_argument(
                "--notebooks",
                type=Path,
                metavar="DIR",
                help="default: notebooks, or notebooks/theory for the theory lab",
            )
    power = "simulate the chance of each verdict on the primary claims, from the tuning times that the scenario names"
    _add_scenario_command(subparsers, "power", commands.power, power)


def _add_train(subparsers: Subparsers) -> None:  # type: ignore[type-arg]
    command = _add_scenario_command(subparsers, "train", run_commands.train, "train one run of a scenario")
    command.description = (
        "Train one run of a scenario and write its CSV and meta data below RESULTS/<scenario>/runs. If a run with the "
        "same settings and code was finished before, it is taken from the store instead."
    )
    command.add_argument("--environment", metavar="E", help="one of the scenario's environments")
    command.add_argument("--method", metavar="M", help="one of the scenario's methods, by its name")
    command.add_argument("--n-agents", type=int, metavar="N", help="number of agents")
    command.add_argument("--seed", type=int, metavar="S", help="seed of the run")
    command.add_argument(
        "--cell", metavar="ID", help="a cell of the theory lab, instead of these options; `frl runs` lists them"
    )
    command.add_argument(
        "--engine",
        choices=("simulated", "processes", "ray"),
        help="who carries tasks and answers (default: what the scenario names, else simulated); with another than the "
        "scenario's the files go to RESULTS/SCENARIO-ENGINE",
    )
    command.add_argument("--expect-digest", metavar="HEX", help="refuse to run if settings and code are not these")
    command.add_argument("--quiet", action="store_true", help="show no progress")
    command.add_argument(
        "--checkpoint-every",
        metavar="S",
        help="seconds between checkpoints (default: $FRL_CHECKPOINT_EVERY, else 60); a run that was stopped goes on "
        "from the last one",
    )


def _add_evaluate(subparsers: Subparsers) -> None:  # type: ignore[type-arg]
    command = subparsers.add_parser(
        "evaluate",
        help="play the last policy of a finished run",
        description="Play a finished run's last policy on episodes that the run did not play, and print mean, standard "
        "deviation and 95 % interval of return and episode length. The policy comes from the store of the results "
        "folder that RUN.csv lies in. Published archives hold no policies; `frl reproduce` makes them again.",
    )
    command.add_argument("run", type=Path, metavar="RUN.csv", help=EXAMPLE)
    command.add_argument("--episodes", type=int, metavar="N", help="how many, 2 or more (default: 100)")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="seed of starts and noise (default: 0)")
    command.add_argument("--mean-action", action="store_true", help="play the policy's mean action, not a sample")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(command=run_commands.evaluate)


def _add_render(subparsers: Subparsers) -> None:  # type: ignore[type-arg]
    command = subparsers.add_parser(
        "render",
        help="film a policy of a finished run as a GIF",
        description="Film an episode of a finished run's policy as a GIF of 320 x 256 pixels and, if ffmpeg is "
        "installed, also as an MP4. No display is needed: MuJoCo draws through OSMesa if it is installed (Debian's "
        "libosmesa6); otherwise matplotlib draws the robot's parts as lines. `frl report` shows the films.",
    )
    command.add_argument("run", type=Path, metavar="RUN.csv", help=EXAMPLE)
    command.add_argument(
        "--at",
        type=int,
        metavar="STEPS",
        help="the policy after so many steps per agent; 0 is the untrained one. The run is trained again up to there "
        "(default: the last policy, from the store)",
    )
    command.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help="seconds of the episode (default: 6; 24 for Swimmer, which is shown at 4 times its speed)",
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="the episode's, as for evaluate (default: 0)")
    command.add_argument("--mean-action", action="store_true", help="play the policy's mean action, not a sample")
    command.add_argument("--skeleton", action="store_true", help="draw lines even if OSMesa is installed")
    command.add_argument(
        "--out", type=Path, metavar="FILE.gif", help="default: RESULTS/<scenario>/gaits, named after run and steps"
    )
    command.set_defaults(command=run_commands.render)


def _add_smoke(subparsers: Subparsers) -> None:  # type: ignore[type-arg]
    command = subparsers.add_parser(
        "smoke",
        help="try a cluster: three short runs, each a job",
        description="Train three short runs through a profile of Snakemake's, each as a job, and compare one with the "
        "same run made here. Says pass, or what is wrong; exit code 1 then.",
    )
    command.add_argument("profile", type=Path, metavar="PROFILE", help="e.g. workflow/profiles/slurm")
    command.add_argument("--minutes", type=float, default=30.0, metavar="M", help="how long to wait (default: 30)")
    command.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    command.set_defaults(command=run_commands.smoke)


def _add_others(subparsers: Subparsers) -> None:  # type: ignore[type-arg]
    schema = subparsers.add_parser(
        "schema", help="print the JSON schema of scenario files", description="Print the JSON schema of scenario files."
    )
    schema.add_argument(
        "--check", type=Path, metavar="FILE", help="compare the schema with FILE instead; exit code 2 if they differ"
    )
    schema.add_argument("--manual", type=Path, metavar="FILE", help="renew the tables of settings in FILE instead")
    schema.set_defaults(command=commands.schema)
    results = subparsers.add_parser(
        "results",
        help="renew the page of published results",
        description="Renew PAGE.md: between its two marks, a section for each published scenario.",
    )
    results.add_argument("page", type=Path, metavar="PAGE.md", help="e.g. docs/results.md")
    results.add_argument("--published", type=Path, default=Path("results/published"), metavar="DIR")
    results.set_defaults(command=commands.results)
    again = subparsers.add_parser(
        "reproduce",
        help="train a finished run again and compare",
        description="Train a finished run again from the specification in its meta file, not from the store, and "
        "compare the two: byte for byte on a processor with the same vector instructions. Exit code 1 if they differ. "
        "If they agree, the run's last policy is put into the store.",
    )
    again.add_argument("run", type=Path, metavar="RUN.csv", help=EXAMPLE)
    again.set_defaults(command=run_commands.reproduce)
    replay = subparsers.add_parser(
        "replay",
        help="make a run by the wall clock again from its trace",
        description="Simulate a run in the order in which its answers arrived, and write its CSV. If the run's own CSV "
        "lies beside the trace, compare: all columns are the same, byte for byte, on a processor with the same vector "
        "instructions. Exit code 1 if they differ. The trace of a run that was killed gives its beginning.",
    )
    replay.add_argument("trace", type=Path, metavar="TRACE", help="as `frl train --engine` leaves it beside the CSV")
    replay.add_argument("--out", type=Path, metavar="FILE.csv", help="default: beside the trace, named .replay.csv")
    replay.set_defaults(command=run_commands.replay)
    _add_evaluate(subparsers)
    _add_render(subparsers)
    _add_smoke(subparsers)
    store = subparsers.add_parser(
        "store",
        help="pack or unpack finished runs",
        description="Pack finished runs and their policies into an archive, or unpack one.",
    )
    store.add_argument("action", choices=("export", "import"))
    store.add_argument("archive", type=Path, metavar="ARCHIVE", help="a tar file; .gz, .xz and .bz2 compress")
    store.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    store.set_defaults(command=commands.store)
    bench = subparsers.add_parser(
        "bench",
        help="measure the speed of training on this machine",
        description="Measure the speed of training beside bare physics and other libraries, and write results.csv and "
        "README.md into DIR. All benchmarks take about half an hour on 2 cores that are otherwise idle.",
    )
    measured = ("physics", "peers", "agents", "process", "workflow")
    bench.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(measured)} (default: all)")
    bench.add_argument("--repetitions", type=int, default=9, metavar="N", help="turns of each (default: 9)")
    bench.add_argument("--out", type=Path, default=Path("benchmarks"), metavar="DIR", help="default: benchmarks")
    bench.set_defaults(command=commands.bench)
