"""The trace of a run by the wall clock: with the settings, it decides every byte of the run.

A JSON line that says which run it is, then one line an arrival: agent, k' (the server step of its task), the task's
number in the order in which tasks were sent, and wall seconds since the first task. Lines are written one by one as the
answers arrive.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from frl.errors import explain
from frl.spec import RunSpec
from frl.training.numerics import NUMERICS_VERSION

FORMAT = 1


class TraceError(ValueError):
    """A trace that cannot be replayed; the message says why."""


class Arrival(NamedTuple):
    """An answer that the server took."""

    agent: int
    step: int
    """k', the server step at which its task was sent."""
    task: int
    """Number of its task, in the order in which the run's tasks were sent."""
    wall_time_s: float
    """Seconds since the first task was sent."""

    def line(self) -> str:
        """As text; the shortest digits that give the same float back."""
        return f"{self.agent} {self.step} {self.task} {self.wall_time_s!r}\n"


def first_line(spec: RunSpec) -> str:
    """What a trace begins with."""
    facts = {"format": FORMAT, "numerics_version": NUMERICS_VERSION, "spec": spec.given()}
    return json.dumps(facts, sort_keys=True) + "\n"


def to_text(arrivals: Iterable[Arrival]) -> str:
    """The lines of a trace, without its first."""
    return "".join(arrival.line() for arrival in arrivals)


def from_text(text: str) -> list[Arrival]:
    """The arrivals of lines; a last one without its end was cut when the process was killed, and is left out.

    Raises:
        TraceError: if a line is no arrival.
    """
    arrivals = []
    for place, line in enumerate(text.split("\n")[:-1]):
        try:
            agent, step, task, wall = line.split(" ")
            arrivals.append(Arrival(int(agent), int(step), int(task), float(wall)))
        except ValueError:
            raise TraceError(f"arrival {place + 1} of the trace is {line[:80]!r}: not four numbers") from None
    return arrivals


def read(path: Path) -> tuple[RunSpec, list[Arrival]]:
    """The run and the arrivals of a trace.

    Raises:
        TraceError: if it is no trace, or one of other numerics.
    """
    try:
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
        facts: Any = json.loads(first)
        given, version, form = facts["spec"], facts["numerics_version"], facts["format"]
    except (ValueError, KeyError, TypeError):
        raise TraceError(f"{path}: is no trace of a run: its first line says no run") from None
    if (form, version) != (FORMAT, NUMERICS_VERSION):
        here = f"{FORMAT} and {NUMERICS_VERSION}"
        raise TraceError(f"{path}: has format {form} and NUMERICS_VERSION {version}; this version reads {here}")
    try:
        spec = RunSpec.model_validate(given)
    except ValidationError as error:
        raise TraceError(explain(error, RunSpec, prefix=f"{path}: ")) from None
    if spec.engine is None:
        raise TraceError(f"{path}: its run is a simulated one, which has no trace")
    return spec, from_text(rest)
