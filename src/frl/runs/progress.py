"""How far a training run is: for people a bar on a terminal or a line now and then, for programs a small file."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from frl.runs.files import write_atomically

INTERVAL_S = 15.0
FILE_INTERVAL_S = 5.0


class ProgressFile:
    """``<results>/<scenario>/progress/<run id>.json``, replaced atomically every `FILE_INTERVAL_S`.

    Its keys: process, started (of this process' work on the run, ISO 8601), outcome (null while it goes on, then
    present, restored or trained), env_steps_begun (what a checkpoint held), env_steps_total, env_steps_budget,
    eval_return_mean (of the last evaluation, null before the first). It is removed where the run fails or is stopped.
    That it cannot be written is no reason to stop.

    Args:
        path: the file.
        budget: environment steps of the run, or gradients of the cell (:func:`frl.scenario.kinds.budget`).
        begun: how many of them a checkpoint held, once the run is under way.
        also: who else is told.

    Attributes:
        outcome: to be set when the run is there.
    """

    def __init__(
        self, path: Path, budget: int, begun: Callable[[], int], also: Callable[[dict[str, Any]], None] | None = None
    ):
        self.path = path
        self.begun = begun
        self.also = also
        self.outcome: str | None = None
        self.facts: dict[str, Any] = {
            "process": f"{os.getpid()} on {socket.gethostname()}",
            "started": datetime.now(UTC).isoformat(timespec="microseconds"),
            "outcome": None,
            "env_steps_begun": 0,
            "env_steps_total": 0,
            "env_steps_budget": budget,
            "eval_return_mean": None,
        }
        self._wrote = -INTERVAL_S

    def __enter__(self) -> ProgressFile:
        self._write()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.outcome:
            self.facts |= {"outcome": self.outcome, "env_steps_total": self.facts["env_steps_budget"]}
            self._write()
        else:  # it failed or was stopped: nobody is at work on it
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)

    def __call__(self, facts: dict[str, Any]) -> None:
        """Callback for :func:`frl.training.loop.train`; see :class:`Progress`."""
        self.facts |= {"env_steps_begun": self.begun(), "env_steps_total": facts["env_steps_total"]}
        self.facts["eval_return_mean"] = facts.get("eval_return_mean")
        if time.monotonic() - self._wrote >= FILE_INTERVAL_S:
            self._write()
        if self.also is not None:
            self.also(facts)

    def _write(self) -> None:
        self._wrote = time.monotonic()
        with contextlib.suppress(OSError):
            write_atomically(self.path, json.dumps(self.facts) + "\n")


class Progress:
    """Callback for :func:`frl.training.loop.train`; use as a context manager so that the bar is closed.

    Args:
        label: what is running, e.g. the run id.
        stream: where to write; stderr if not given.
        clock: seconds that never go back.
        unit: what is counted (:func:`frl.scenario.kinds.unit`).
    """

    def __init__(
        self, label: str, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic, unit: str = "steps"
    ):
        self.label = label
        self.unit = unit
        self.stream = sys.stderr if stream is None else stream
        self.clock = clock
        self.began = self.spoke = clock()
        self.steps_before: int | None = None  # a resumed run does not begin at 0
        self.bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, facts: dict[str, Any]) -> None:
        """Show the state of the run.

        Args:
            facts: ``env_steps_total``, ``env_steps_budget`` and ``eval_return_mean`` (None before the first).
        """
        if self.steps_before is None:
            self.steps_before, self.began = facts["env_steps_total"], self.clock()
        if self.stream.isatty():
            self._draw(facts)
        elif self.clock() - self.spoke >= INTERVAL_S:
            self.spoke = self.clock()
            print(self.line(facts), file=self.stream, flush=True)

    def line(self, facts: dict[str, Any]) -> str:
        """Steps of budget, share, last return, steps per second and time to go, as one line."""
        done, budget = facts["env_steps_total"], facts["env_steps_budget"]
        rate = (done - (self.steps_before or 0)) / max(self.clock() - self.began, 1e-9)
        left = max(budget - done, 0) / rate if rate > 0 else float("inf")
        return (
            f"{self.label}: {done:,} of {budget:,} {self.unit} ({done / budget:.0%}), return {_number(facts)}, "
            f"{rate:,.0f} {self.unit}/s, {_clock_time(left)} to go"
        )

    def _draw(self, facts: dict[str, Any]) -> None:
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(
                total=facts["env_steps_budget"],
                initial=facts["env_steps_total"],
                desc=self.label,
                unit=self.unit.removesuffix("s"),
                unit_scale=True,
                file=self.stream,
            )
        self.bar.set_postfix_str(f"return {_number(facts)}", refresh=False)
        self.bar.update(min(facts["env_steps_total"], self.bar.total) - self.bar.n)


def _number(facts: dict[str, Any]) -> str:
    value = facts.get("eval_return_mean")
    return "-" if value is None else f"{value:.1f}"


def _clock_time(seconds: float) -> str:
    if seconds == float("inf"):
        return "unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
