"""How far a whole scenario is while its jobs run: runs done, steps, speed and time to go."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

from frl.runs.plan import duration
from frl.runs.runner import run_paths
from frl.spec import RunSpec

INTERVAL_S = 30.0
_STEPS = re.compile(rb": ([0-9,]+) of [0-9,]+ steps")
_GIVEN = re.compile(rb"^(restored|present): ", re.MULTILINE)
_RESUMED = re.compile(rb"resumed at ([0-9,]+) steps")


class Watch:
    """Reads what is on disk, so that it does not matter where jobs run: finished runs, and running jobs' logs.

    Args:
        specs: the runs that are to be made now.
        results: the results folder.
        scenario: the scenario's name.
        clock: seconds that never go back.
    """

    def __init__(
        self, specs: Iterable[RunSpec], results: Path, scenario: str, clock: Callable[[], float] = time.monotonic
    ):
        logs = results / scenario / "logs" / "train"
        self.clock = clock
        self.open = {
            run_paths(spec, results, scenario)[0]: (logs / f"{spec.run_id}.log", spec.env_steps_budget)
            for spec in specs
        }
        self.runs = len(self.open)
        self.budget = sum(steps for _, steps in self.open.values())
        self.finished_steps = 0
        self.given: dict[Path, int] = {}
        """By log: steps that were there already, of a checkpoint or of the store."""
        # a file of an earlier start says nothing: only what is written from now on counts
        self.stale = {path: path.stat().st_mtime_ns for path in self._files() if path.exists()}
        self.history = deque([(clock(), 0)], maxlen=20)
        """(time, steps made) of the last lines."""

    def _files(self) -> list[Path]:
        return [*self.open, *(log for log, _ in self.open.values())]

    def _new(self, path: Path) -> bool:
        try:
            return path.stat().st_mtime_ns != self.stale.get(path)
        except FileNotFoundError:
            return False

    def steps(self) -> int:
        """Environment steps of the runs finished and under way."""
        under_way = 0
        for path, (log, budget) in list(self.open.items()):
            text = log.read_bytes() if self._new(log) else b""
            if resumed := _RESUMED.search(text):
                self.given[log] = _number(resumed)
            if self._new(path):
                if _GIVEN.search(text):
                    self.given[log] = budget
                self.finished_steps += budget
                del self.open[path]
            elif found := _STEPS.findall(text[-2000:]):
                under_way += min(int(found[-1].replace(b",", b"")), budget)
        return self.finished_steps + under_way

    def line(self) -> str:
        """Runs done of all, steps of all, steps per second lately, time to go."""
        steps, now = self.steps(), self.clock()
        self.history.append((now, steps - sum(self.given.values())))
        (before, made_before), (_, made) = self.history[0], self.history[-1]
        rate = max(made - made_before, 0) / (now - before) if now > before else 0.0
        left = duration((self.budget - steps) / rate) + " to go" if rate > 0 else "time to go not known yet"
        return (
            f"Progress: {self.runs - len(self.open)} of {self.runs} runs, {steps / 1e6:,.2f} of "
            f"{self.budget / 1e6:,.2f} M steps ({steps / self.budget:.0%}), {rate:,.0f} steps/s, {left}"
        )

    def start(self, stream: TextIO = sys.stderr, interval_s: float = INTERVAL_S) -> None:
        """Print a line now and then, from a thread that ends with the process or with the last run."""

        def speak() -> None:
            while self.open:
                time.sleep(interval_s)
                print(self.line(), file=stream, flush=True)

        threading.Thread(target=speak, name="progress", daemon=True).start()


def _number(match: re.Match[bytes]) -> int:
    return int(match[1].replace(b",", b""))
