# The scenario and functions of it; no rules. (The rules' conda: line is what `snakemake --lint` asks for; the environment
# to use is the one that Snakemake runs in, and --sdm conda is not supported.)

import re
import sys
from functools import cache
from pathlib import Path
from shlex import quote

from frl.runs.locks import Busy, clear_stale, hold
from frl.runs.plan import plan, request
from frl.runs.provenance import analysis_digest, digest_of
from frl.runs.runner import run_digest
from frl.runs.watch import Watch
from frl.scenario.products import figure_names
from frl.scenario.loading import load_scenario
from frl.errors import SpecError

ROOT = Path(workflow.basedir).parent
TABLES = (
    "final_return",
    "samples_to_threshold",
    "time_to_threshold",
    "time_ratio",
    "communication",
    "throughput",
)

# `frl` is found also where the environment was not activated (path/to/venv/bin/snakemake)
shell.prefix(
    f"set -euo pipefail; export PATH={quote(str(Path(sys.executable).parent))}:$PATH; "
)


def from_here(path) -> str:
    """The path as seen from the working directory, if it is below it: what the shell commands and logs show."""
    return str(
        path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    )


def scenario_file() -> str:
    """The one scenario file: what --configfile names, else config/config.yaml. Nothing is merged over it."""
    given = workflow.config_settings.configfiles
    if workflow.config_settings.config:
        keys = ", ".join(workflow.config_settings.config)
        raise SpecError(
            f"--config {keys}: not supported; a scenario is one complete file, see config/README.md"
        )
    if len(given) > 1:
        raise SpecError(
            f"--configfile: a scenario is one file, got {len(given)}: {', '.join(map(str, given))}"
        )
    return from_here(Path(given[0]) if given else ROOT / "config" / "config.yaml")


try:
    SCENARIO_FILE = scenario_file()
    SCENARIO = load_scenario(SCENARIO_FILE)
except SpecError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)

BASE = f"results/{SCENARIO.name}"
LOCK = Path(f".snakemake/frl-{SCENARIO.name}.lock")
if workflow.is_main_process:  # not in the jobs of a cluster
    clear_stale(LOCK, Path(".snakemake"), f"{BASE}/")
FIGURES = figure_names(SCENARIO)  # those that the scenario has the runs for
# Beside a figure's SVG: for print, for one column, and its numbers
FIGURE_FILES = [".pdf", ".png", "-narrow.svg", "-narrow.pdf", "-narrow.png", ".csv"]
RUNS = {spec.run_id: spec for spec in SCENARIO.runs()}
RUN = "{environment}/{method}/n{n_agents}/seed{seed}"
NOTEBOOKS = [from_here(path) for path in sorted((ROOT / "notebooks").glob("*.py"))]
RUN_FILES = [
    f"{BASE}/runs/{run}{suffix}" for run in RUNS for suffix in (".csv", ".meta.json")
]


def one_of(names) -> str:
    """Regular expression of a wildcard that is one of these names, tried before any that it begins with."""
    return "|".join(re.escape(name) for name in sorted(set(names), reverse=True))


def products(part) -> list[str]:
    """The final files of the scenario; of its finished part with "partial/"."""
    base = f"{BASE}/{part}".rstrip("/")
    return [
        f"{base}/report.html",
        *(f"{base}/figures/{name}.svg" for name in FIGURES),
        *(f"{base}/tables/{name}.html" for name in TABLES),
        *([f"{base}/verdicts.json"] if SCENARIO.claims else []),
    ]


@cache
def _digest(run_id) -> str:
    return run_digest(RUNS[run_id])


def planned_digest(wildcards) -> str:
    """Digest of a run's settings and code: when it changes the run is out of date."""
    run_id = RUN.format(**wildcards)
    if run_id not in RUNS:
        raise SpecError(
            f"{run_id} is not a run of scenario {SCENARIO.name!r} ({SCENARIO_FILE})"
        )
    return _digest(run_id)


def runtime_minutes(wildcards, attempt) -> int:
    """Time to ask a cluster for."""
    return request(RUNS[RUN.format(**wildcards)], Path("results"), attempt)[0]


def memory_mb(wildcards, attempt) -> int:
    """Memory to ask a cluster for."""
    return request(RUNS[RUN.format(**wildcards)], Path("results"), attempt)[1]


def wanted_runs(wildcards) -> list[str]:
    """What `collect` waits for: all runs, or with "partial/" none (it takes what is there)."""
    return [] if wildcards.part else RUN_FILES


def finished_runs(wildcards) -> str:
    """With "partial/" a digest of the run files that exist, so that a new one rebuilds it."""
    there = [Path(name) for name in RUN_FILES if wildcards.part and Path(name).exists()]
    return digest_of(f"{path} {path.stat().st_mtime_ns}" for path in there)


def partial_flag(wildcards) -> str:
    return "--partial" if wildcards.part else ""


@cache
def version(*modules, claims=True, trials=False) -> str:
    """Digest of the scenario and of the analysis code behind a step: when it changes the step is redone.

    The scenario includes what its claims file says, unless the step doesn't read that; trials and tuning times, if it does.
    """
    read = {"claims": claims, "trials": trials, "tuning_times": trials}
    unread = {key for key in read if not read[key]}
    scenario = SCENARIO.model_dump_json(exclude=unread)
    return digest_of([scenario, analysis_digest(*modules)])


def lock_scenario() -> None:
    """From now to the end of this process no other Snakemake builds the scenario."""
    try:
        hold(LOCK)
    except Busy as busy:
        raise SpecError(
            f"{busy}: another Snakemake is at work on this scenario"
        ) from None


def say_what_will_happen() -> None:
    """Before the first job: what its training will cost; from then on now and then how far it is.

    On a cluster nothing is measured: the machine that this runs on is another. It is advice, and no reason to fail.
    """
    try:
        jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name == "train"]
        todo = [RUNS[RUN.format(**job.wildcards_dict)] for job in jobs]
        if not todo or workflow.touch:
            return
        results = Path(BASE).parent
        if workflow.local_exec:
            cores = workflow.resource_settings.cores
            for line in plan(todo, results, SCENARIO.name, cores).lines():
                print(line, file=sys.stderr, flush=True)
        Watch(todo, results, SCENARIO.name).start()
    except Exception as error:
        print(f"no prediction: {error}", file=sys.stderr, flush=True)


def say_what_there_is() -> None:
    """After a successful run: where the report is and, if it is of a part, what is missing."""
    part = "partial/" if "partial" in workflow.dag_settings.targets else ""
    report_file = Path(f"{BASE}/{part}report.html")
    if part:
        header, *missing = (
            Path(f"{BASE}/{part}missing.csv").read_text(encoding="utf-8").splitlines()
        )
        print(
            f"{len(missing)} of {len(RUNS)} runs are missing ({BASE}/{part}missing.csv)",
            file=sys.stderr,
        )
        print(
            "\n".join([*missing[:20], *(["..."] if len(missing) > 20 else [])]),
            file=sys.stderr,
        )
    if report_file.exists():
        print(f"Report: {report_file}", file=sys.stderr)
