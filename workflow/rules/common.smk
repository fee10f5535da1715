# The scenario, and how Snakemake is made to agree with its digests (frl.runs.workflow); no rules. (The rules' conda: line
# is what `snakemake --lint` asks for; the environment to use is the one that Snakemake runs in, and --sdm conda is not
# supported.)

import sys
from functools import cache
from pathlib import Path
from shlex import quote

from frl.runs.locks import clear_stale, hold
from frl.runs.paths import BENCHMARK, LOG, RUN_FILES
from frl.runs.workflow import jobs_of, say
from frl.scenario.products import TABLES

# `frl` is found also where the environment was not activated (path/to/venv/bin/snakemake)
shell.prefix(
    f"set -euo pipefail; export PATH={quote(str(Path(sys.executable).parent))}:$PATH; "
)

JOBS = jobs_of(
    workflow.config_settings.configfiles,
    workflow.config_settings.config,
    sys.argv if workflow.is_main_process else [],  # the jobs of a cluster have others
    Path(workflow.basedir).parent,
)
SCENARIO = JOBS.scenario
BASE = str(JOBS.base)
LOCK = Path(f".snakemake/frl-{SCENARIO.name}.lock")
if workflow.is_main_process:
    clear_stale(LOCK, Path(".snakemake"), f"{BASE}/")


@cache
def settle() -> list[str]:
    """Once, before anything is planned: stored runs are put in their places, and what is stale will be made again.

    Neither times of files nor what .snakemake remembers makes a file out of date.
    """
    workflow.dag_settings.rerun_triggers = frozenset()
    if workflow.is_main_process:
        works = workflow.executor_plugin and not (workflow.dryrun or workflow.touch)
        workflow.dag.forcefiles.update(JOBS.settle(write=bool(works)))
    return []


def at_run(name) -> str:
    """The path of a file of a run."""
    return f"{BASE}/{name.format(JOBS.pattern)}"


def at(name) -> str:
    """The path of a file of the scenario, of all its runs or with "partial/" of those finished so far."""
    return f"{BASE}/{{part}}{name}"


def after(step):
    """What a step waits for. Of a step that is fresh, the times of its inputs say nothing."""

    def inputs(wildcards) -> list[str]:
        settle()
        names = JOBS.inputs(wildcards.part, step)
        fresh = (wildcards.part, step) in JOBS.fresh
        return [ancient(name) for name in names] if fresh else names

    return inputs


def others(step, *shown) -> list[str]:
    """The files of a step, but those of the kinds that Snakemake's own report shows."""
    return [at(name) for name in JOBS.files(step) if not name.endswith(shown)]


def say_what_will_happen() -> None:
    """Before the first job: what its training will cost; from then on now and then how far it is."""
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name == "train"]
    if not workflow.touch:
        cores = workflow.resource_settings.cores if workflow.local_exec else None
        JOBS.foretell([job.wildcards_dict for job in jobs], cores)
