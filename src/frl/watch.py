"""How far a whole scenario is while its jobs run: runs done, steps, speed and time to go."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from frl.plan import duration
from frl.runner import run_paths
from frl.spec import Scenario

INTERVAL_S = 30.0
_STEPS = re.compile(rb": ([0-9,]+) of [0-9,]+ steps")


class Watch:
    """Reads what is on disk, so that it does not matter where jobs run: finished runs, and running jobs' logs.

    Args:
        scenario: what is under way.
        results: the results folder.
        clock: seconds that never go back.
    """

    def __init__(self, scenario: Scenario, results: Path, clock: Callable[[], float] = time.monotonic):
        base = results / scenario.name
        self.clock = clock
        self.open = {
            run_paths(spec, results, scenario.name)[0]: (
                base / "logs" / "train" / f"{spec.run_id}.log",
                spec.env_steps_budget,
            )
            for spec in scenario.runs()
        }
        self.runs = len(self.open)
        self.budget = sum(steps for _, steps in self.open.values())
        self.finished_steps = 0
        self.began = clock()
        # a log may be of an earlier, stopped start: only what is written from now on counts
        self.stale = {log: log.stat().st_mtime for log, _ in self.open.values() if log.exists()}
        self.steps_before = self.steps()

    def steps(self) -> int:
        """Environment steps made so far, by finished runs and by those under way."""
        under_way = 0
        for path, (log, budget) in list(self.open.items()):
            if path.exists():
                self.finished_steps += budget
                del self.open[path]
            else:
                under_way += min(self._logged(log), budget)
        return self.finished_steps + under_way

    def _logged(self, log: Path) -> int:
        try:
            if log.stat().st_mtime == self.stale.get(log):
                return 0
            found = _STEPS.findall(log.read_bytes()[-2000:])
        except OSError:
            return 0
        return int(found[-1].replace(b",", b"")) if found else 0

    def line(self) -> str:
        """Runs done of all, steps of all, steps per second since the start, time to go."""
        steps, seconds = self.steps(), self.clock() - self.began
        rate = (steps - self.steps_before) / seconds if seconds > 0 else 0.0
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
