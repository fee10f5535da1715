"""What the Snakefile needs to know of a scenario: its files, and which of them have to be made again.

The digests decide. Snakemake's own memory (``.snakemake``, times of files) is a cache that may vanish or be wrong.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from frl.errors import SpecError
from frl.runs.lineage import Lineage, reads
from frl.runs.paths import CELL_ID, RUN_FILES, base_of
from frl.runs.plan import plan, request
from frl.runs.runner import restore
from frl.runs.store import Meta, Store
from frl.runs.validity import Found, Unfit, of_other_code, published_key, read, run_digest, stored
from frl.runs.watch import Watch
from frl.scenario.kinds import AnyRun, AnyScenario
from frl.scenario.loading import load_scenario
from frl.scenario.products import MISSING, REPORT, figure_names, files, notebooks_of, record, steps_of
from frl.scenario.theory import TheoryScenario
from frl.spec import RUN_ID, RunSpec

SHOWN_MISSING = 20
_CONFIGFILE = re.compile(r"--configf\w*(=.*)?")


def scenario_file(given: Sequence[Path], config: Mapping[str, object], arguments: Sequence[str], default: Path) -> Path:
    """The one scenario file: what ``--configfile`` names, else the default. Nothing is merged over it.

    Args:
        given: the files after the last ``--configfile``.
        config: what ``--config`` sets.
        arguments: Snakemake's command line, in which a second ``--configfile`` silently replaces the first.
        default: the file if none is named.

    Raises:
        SpecError: if keys are set or several files are named.
    """
    if config:
        keys = ", ".join(config)
        raise SpecError(f"--config {keys}: not supported; a scenario is one complete file, see config/README.md")
    if len(given) > 1:
        raise SpecError(f"--configfile: a scenario is one file, got {len(given)}: {', '.join(map(str, given))}")
    if (options := sum(_CONFIGFILE.fullmatch(word) is not None for word in arguments)) > 1:
        raise SpecError(f"--configfile: a scenario is one file, but the option is given {options} times")
    return Path(given[0]) if given else default


def jobs_of(given: Sequence[Path], config: Mapping[str, object], arguments: Sequence[str], root: Path) -> Jobs:
    """The jobs of the scenario that Snakemake's command line names (:func:`scenario_file`), or one message and exit 2.

    Args:
        given, config, arguments: see :func:`scenario_file`.
        root: the folder of the project, with its ``config`` and ``notebooks``.
    """
    try:
        file = _from_here(scenario_file(given, config, arguments, root / "config" / "config.yaml"))
        scenario = load_scenario(file)
        return Jobs(file, scenario, _from_here(root / notebooks_of(scenario)))
    except SpecError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _from_here(path: Path) -> Path:
    """The path as seen from the working directory, if it is below it: what the shell commands and logs show."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def one_of(names: Iterable[object]) -> str:
    """Regular expression of a wildcard that is one of these names, tried before any that it begins with."""
    return "|".join(re.escape(name) for name in sorted({str(name) for name in names}, reverse=True))


class Jobs:
    """The files of a scenario below ``results``, as the Snakefile names them: by paths from the working directory.

    Args:
        file: the scenario's file.
        scenario: the scenario.
        notebooks: the folder of those that the report is made of.
        results: the results folder.

    Attributes:
        base: the scenario's folder.
        pattern: of its runs' ids, with wildcards.
        wildcards: regular expressions of these, not the list of runs: Snakemake copies them for every job.
        told: what Snakemake says of a run, with wildcards.
        runs: its runs by their ids.
        figures: names of its figures.
        steps: from the runs to the report, those that it has.
        fresh: ("" or "partial/", step) of those whose files need not be made again; known once it is settled.
    """

    def __init__(self, file: Path, scenario: AnyScenario, notebooks: Path, results: Path = Path("results")):
        self.file = file
        self.scenario = scenario
        self.notebooks = notebooks
        self.results = results
        self.base = base_of(results, scenario.name)
        if isinstance(scenario, TheoryScenario):
            self.pattern, self.wildcards = CELL_ID, {"cell": ".+"}
            self.told = "Run the cell {wildcards.cell}"
        else:
            names = {"environment": scenario.environments, "method": [method.key for method in scenario.methods]}
            self.pattern, self.wildcards = RUN_ID, {key: one_of(each) for key, each in names.items()}
            self.wildcards |= {"n_agents": "[0-9]+", "seed": "[0-9]+"}
            self.told = (
                "Train {wildcards.method} on {wildcards.environment}, N = {wildcards.n_agents}, seed {wildcards.seed}"
            )
        self.runs: dict[str, AnyRun] = {spec.run_id: spec for spec in scenario.runs()}
        self.figures = figure_names(scenario)
        self.steps = steps_of(scenario)
        self.reads = reads(scenario)
        self.fresh: set[tuple[str, str]] = set()

    def spec(self, wildcards: Mapping[str, object]) -> AnyRun:
        """The run of these wildcards.

        Raises:
            SpecError: if the scenario has no such run.
        """
        run_id = self.pattern.format(**wildcards)
        if run_id not in self.runs:
            raise SpecError(f"{run_id} is not a run of scenario {self.scenario.name!r}")
        return self.runs[run_id]

    def request(self, wildcards: Mapping[str, object], attempt: int) -> tuple[int, int]:
        """Minutes and MB to ask a cluster for."""
        return request(self.spec(wildcards), self.results, attempt)

    def threads(self, wildcards: Mapping[str, object]) -> int:
        """Cores of the job: one, or one an agent where agents are processes of its machine."""
        spec = self.spec(wildcards)
        return spec.n_agents if isinstance(spec, RunSpec) and spec.engine is not None else 1

    def options(self, wildcards: Mapping[str, object]) -> str:
        """How `frl train` is told which run."""
        return " ".join(f"--{key.replace('_', '-')} {wildcards[key]}" for key in self.wildcards)

    @cached_property
    def digests(self) -> dict[str, str]:
        """Of the settings and the code of each run, by its id."""
        return {run_id: run_digest(spec) for run_id, spec in self.runs.items()}

    @cached_property
    def paths(self) -> dict[str, tuple[str, str]]:
        """CSV and meta file of each run, by its id."""
        table, meta = (f"{self.base}/{name}" for name in RUN_FILES)
        return {run_id: (table.format(run_id), meta.format(run_id)) for run_id in self.runs}

    def digest(self, wildcards: Mapping[str, object]) -> str:
        """What `frl train` is told to expect: the digest of the run of these wildcards."""
        return self.digests[self.spec(wildcards).run_id]

    def files(self, step: str) -> list[str]:
        """What a step writes, by paths from the scenario's folder, with the record of what that was made from."""
        return [*files(step, self.scenario), record(step)]

    def inputs(self, part: str, step: str) -> list[str]:
        """What a step waits for: all runs (of a part none), or the records of those whose files it reads."""
        if step == "collect":
            return [] if part else [name for pair in self.paths.values() for name in pair]
        return [f"{self.base}/{part}{record(before)}" for before in self.reads[step].after if before in self.steps]

    def products(self, part: str) -> list[str]:
        """The last files of the scenario, or with "partial/" of its finished part: report and records of the steps."""
        names = [REPORT, *(record(step) for step in self.steps)]
        return [f"{self.base}/{part}{name}" for name in names]

    def settle(self, write: bool) -> set[str]:
        """The files that are there and must be made again, because they do not belong to the scenario as it is now.

        Before that, runs that are in the store are put in their places, all at once, and files from the future get the
        present as their time: by its time a file is neither fresh nor stale.

        Args:
            write: whether anything may be changed: not in a dry-run.
        """
        finished: dict[str, str] = {}
        metas: list[tuple[AnyRun, Meta]] = []
        todo: list[AnyRun] = []
        there, known = self._run_files_there(), Store(self.results).known()
        restored = 0
        for run_id, spec in self.runs.items():
            if (run := self._read(spec) if there & set(self.paths[run_id]) else None) is None:
                candidates = known and {self.digests[run_id], published_key(spec)} & known
                found = stored(spec, self.results) if candidates else None
                restored += bool(found)
                if found and write:
                    restore(spec, self.results, self.scenario.name)
                    run = self._read(spec)
                elif found:
                    metas.append((spec, json.loads(found[1])))
            if run is None:
                todo.append(spec)
            else:
                finished[run_id] = run.meta["checksum"]
                metas.append((spec, run.meta))
        if restored:
            done = "were put in their places from the store" if write else "are in the store and need no training"
            say([f"{restored} of {len(self.runs)} runs {done}"])
        say(of_other_code(metas, self.results, self.scenario.name))
        forced = {path for spec in todo for path in self.paths[spec.run_id]} & there
        for part in ("", "partial/"):
            forced |= set(self._stale_products(part, finished, bool(todo)))
        if write:
            _come_back_from_the_future([*there, *self.products(""), *self.products("partial/")])
        return forced

    def _run_files_there(self) -> set[str]:
        """Whatever is below the folder of the runs; asked once, not for each of thousands of files."""
        return {f"{folder}/{name}" for folder, dirs, names in os.walk(self.base / "runs") for name in (*dirs, *names)}

    def _read(self, spec: AnyRun) -> Found | None:
        try:
            return read(spec, self.results, self.scenario.name)
        except Unfit:
            return None

    def _stale_products(self, part: str, finished: dict[str, str], more: bool) -> Iterator[str]:
        """The files of the steps that have to be done again; `more`: whether runs are yet to come."""
        base = base_of(self.results, self.scenario.name, bool(part))
        lineage = Lineage(self.scenario, base, bool(part), self.notebooks, code=False)
        stale: set[str] = set()
        for step in lineage.steps:
            if (
                stale & set(self.reads[step].after)
                or lineage.problem(step)
                or (step == "collect" and (lineage.runs() != finished or (more and not part)))
            ):
                stale.add(step)
                yield from (name for name in self.at(part, step) if os.path.lexists(name))
            else:
                self.fresh.add((part, step))

    def at(self, part: str, step: str) -> list[str]:
        """The files of a step."""
        return [f"{self.base}/{part}{name}" for name in self.files(step)]

    def foretell(self, wildcards: Iterable[Mapping[str, object]], cores: int | None) -> None:
        """Say what training these runs will cost, and from now on now and then how far they are.

        It is advice, and no reason to fail.

        Args:
            wildcards: of the runs to be trained.
            cores: of this machine; None: others do it, of which nothing is known.
        """
        try:
            if todo := [self.spec(each) for each in wildcards]:
                if cores is not None:
                    say(plan(todo, self.results, self.scenario.name, cores).lines())
                Watch(todo, self.results, self.scenario.name).start()
        except Exception as error:
            say([f"no prediction: {error}"])

    def outcome(self, part: str) -> Iterator[str]:
        """Where the report is and, if it is of a part, what is missing."""
        base = Path(f"{self.base}/{part}")
        if part and (base / MISSING).exists():
            _, *missing = (base / MISSING).read_text(encoding="utf-8").splitlines()
            yield f"{len(missing)} of {len(self.runs)} runs are missing ({base / MISSING})"
            yield from missing[:SHOWN_MISSING]
            yield from ["..."] * (len(missing) > SHOWN_MISSING)
        if (base / REPORT).exists():
            yield f"Report: {base / REPORT}"


def say(lines: Iterable[str]) -> None:
    """To the terminal, beside what Snakemake says."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def _come_back_from_the_future(names: Iterable[str]) -> None:
    """Snakemake fails a job whose input is younger than the output that it has just made."""
    now = time.time()
    for name in names:
        try:
            if os.stat(name).st_mtime > now:  # noqa: PTH116
                os.utime(name)
        except OSError:
            continue  # not there
