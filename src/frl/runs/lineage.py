"""What each product of a scenario was made from, written beside it, and whether that is what there is now.

A step (collect, figures, tables, verdict, report) leaves ``<base>/provenance/<step>.json``: digests of the code and of
the part of the scenario that it read, of its inputs, and of the files that it wrote. Whoever takes these files as input
asks first whether they belong to the scenario, claims, runs and code that it is called with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from frl.runs.files import parse_json, remove, write_atomically
from frl.runs.provenance import analysis_digest, digest_of
from frl.runs.store import Meta, key_of_published
from frl.runs.validity import objection
from frl.scenario.kinds import AnyScenario
from frl.scenario.products import FILMS, NOTEBOOKS, files, record, steps_of
from frl.scenario.theory import TheoryScenario

Record = dict[str, Any]


class StaleError(ValueError):
    """An input that was made from something else than there is now; the message says what to do."""


@dataclass(frozen=True)
class Step:
    """What a step reads.

    Attributes:
        modules: where its code begins; none means the whole package.
        after: the steps whose files it reads.
        unread: keys of the scenario that it does not read.
        targets: whether it is a collection that depends on what the scenario counts the time to.
    """

    modules: tuple[str, ...]
    after: tuple[str, ...]
    unread: tuple[str, ...] = ()
    targets: bool = False


STEPS = {
    "collect": Step(("frl.analysis.load",), ()),
    "figures": Step(("frl.report.figures.draw",), ("collect", "verdict"), ("tuning_times",)),
    "tables": Step(("frl.report.tables.summary",), ("collect",), ("tuning_times",)),
    "verdict": Step(("frl.verdicts.judge", "frl.report.tables.verdict"), ("collect",), ("tuning_times",)),
    "report": Step((), ("collect", "figures", "tables", "verdict")),
}
THEORY_STEPS = {
    "collect": Step(("frl.theory.collect",), (), targets=True),
    "figures": Step(("frl.theory.figures",), ("collect",), ("title", "tuned", "trials", "claims")),
    "verdict": Step(("frl.theory.judge",), ("collect",), ("title", "tuned", "trials")),
    "report": Step((), ("collect", "figures", "verdict")),
}


def reads(scenario: AnyScenario) -> dict[str, Step]:
    """What each of the scenario's steps reads."""
    return THEORY_STEPS if isinstance(scenario, TheoryScenario) else STEPS


class Lineage:
    """The products of one scenario in one folder.

    Args:
        scenario: what they have to belong to.
        base: the folder, ``<results>/<scenario>`` or its subfolder ``partial``.
        partial: whether runs may be missing.
        notebooks: what the report is made of; None: whichever it was made of will do.
        code: whether the report shows code cells; None: either will do.
    """

    def __init__(
        self,
        scenario: AnyScenario,
        base: Path,
        partial: bool = False,
        notebooks: Path | None = None,
        code: bool | None = None,
    ):
        self.scenario = scenario
        self.base = base
        self.partial = partial
        self.notebooks = notebooks
        self.code = code
        self.steps = steps_of(scenario)
        self.reads = reads(scenario)
        self.problem = cache(self._problem)
        """Why the files of a step are not what the scenario's would be, in words; None if they are."""

    def require(self, *steps: str) -> None:
        """Refuse to go on from files that do not belong here.

        Raises:
            StaleError: names the first such step, what is wrong, and the command that mends it.
        """
        for step in (step for step in steps if step in self.steps):
            if problem := self.problem(step):
                raise StaleError(problem)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Do a step inside: its inputs are checked before, and what it wrote is recorded after.

        Raises:
            StaleError: if an input does not belong here.
        """
        if name in self.steps:  # one that the scenario does not have says so itself
            self.require(*self.reads[name].after)
        made_from = self._made_from(name)
        yield
        self.record(name, made_from)

    def collected(self, runs: dict[str, Meta], missing: Iterable[str]) -> None:
        """Record what was collected: meta data of the runs by their ids, and the ids of those that were not there."""
        entries = {key: [meta["digest"], key_of_published(meta), meta["checksum"]] for key, meta in runs.items()}
        self.record("collect", self._settings_of_collect() | {"runs": entries, "missing": list(missing)})

    def _settings_of_collect(self) -> Record:
        """What decides the collected tables beside the runs."""
        found: Record = {"code": self._code("collect")}
        if self.reads["collect"].targets:
            found["targets"] = digest_of([self.scenario.model_dump_json(include={"targets"})])
        return found

    def record(self, step: str, made_from: Record) -> None:
        """Write what the step's files were made from; last, so that a step that was killed has no record that fits."""
        written = {name: _sha256(self.base / name) for name in self._files(step)}
        gone = [name for other in STEPS if other not in self.steps for name in (*files(other), record(other))]
        for name in {*files(step), *gone} - written.keys():  # of an earlier state of the scenario
            remove(self.base / name)
        text = json.dumps({"made_from": made_from, "files": written}, indent=1)
        write_atomically(self.base / record(step), text + "\n")
        self.problem.cache_clear()

    def runs(self) -> dict[str, str]:
        """Checksums of the runs that were collected, by their ids."""
        made_from = self._read("collect")["made_from"]
        return {run_id: checksum for run_id, (_, _, checksum) in made_from["runs"].items()}

    def digests(self) -> dict[str, str]:
        """Digests of the runs that were collected, by their ids."""
        made_from = self._read("collect")["made_from"]
        return {run_id: digest for run_id, (digest, _, _) in made_from["runs"].items()}

    def _files(self, step: str) -> list[str]:
        return files(step, self.scenario)

    def _code(self, step: str) -> str:
        return analysis_digest(*self.reads[step].modules)

    def _read(self, step: str) -> Record:
        try:
            found: Record = parse_json((self.base / record(step)).read_bytes())
            return {"made_from": dict(found["made_from"]), "files": dict(found["files"])}
        except (OSError, ValueError, KeyError, TypeError):
            return {"made_from": {}, "files": {}}

    def _made_from(self, step: str) -> Record:
        """What the step would be made from now: code, scenario, the files that earlier steps wrote, notebooks."""
        inputs: dict[str, Any] = {}
        for before in (one for one in self.reads[step].after if one in self.steps):
            inputs |= self._read(before)["files"]
        scenario = self.scenario.model_dump_json(exclude=set(self.reads[step].unread))
        found: Record = {"code": self._code(step), "scenario": digest_of([scenario]), "inputs": inputs}
        if step == "report" and self.notebooks is not None:
            found["notebooks"] = {path.name: _sha256(path) for path in sorted(self.notebooks.glob(NOTEBOOKS))}
        if step == "report":
            found["films"] = {path.name: _sha256(path) for path in sorted((self.base / FILMS).glob("*.gif"))}
        if step == "report" and self.code is not None:
            found["code cells"] = self.code
        return found

    def _problem(self, step: str) -> str | None:
        for before in (one for one in self.reads[step].after if one in self.steps):
            if problem := self.problem(before):
                return problem
        for name in self._files(step):
            if not (self.base / name).is_file():
                return f"{self.base / name} is not there; {self._remedy(step)}"
        found, where = self._read(step), self.base / self._files(step)[0]
        if not found["made_from"]:
            return f"{where}: nothing says what it was made from; {self._remedy(step)}"
        if step == "collect":
            try:
                problem = self._problem_of_runs(found["made_from"])
            except (KeyError, TypeError, ValueError):
                problem = "what it was made from cannot be read"
        else:
            now = self._made_from(step)
            differ = [key for key in now if found["made_from"].get(key) != now[key]]
            problem = f"made from another state of: {', '.join(differ)}" if differ else None
        if problem is None:
            edited = [name for name in self._files(step) if found["files"].get(name) != _sha256(self.base / name)]
            where, problem = (self.base / edited[0], "not what was written") if edited else (where, None)
        return f"{where}: {problem}; {self._remedy(step)}" if problem else None

    def _remedy(self, step: str) -> str:
        return f"run `frl {step} SCENARIO.yaml{' --partial' * self.partial}`, or snakemake"

    def _problem_of_runs(self, made_from: Record) -> str | None:
        if made_from.get("code") != self._code("collect"):
            return "made by another state of the code"
        if differ := [key for key, value in self._settings_of_collect().items() if made_from.get(key) != value]:
            return f"made from another state of: {', '.join(differ)}"
        specs = {spec.run_id: spec for spec in self.scenario.runs()}
        runs, missing = made_from["runs"], set(made_from["missing"])
        if list(runs) != [run_id for run_id in specs if run_id not in missing] or (missing and not self.partial):
            return "made from other runs than the scenario has"
        for run_id, (digest, published, _) in runs.items():
            if reason := objection(specs[run_id], digest, published):
                return f"run {run_id} is {reason}"
        return None


def _sha256(path: Path) -> str:
    """Of a file; empty if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
