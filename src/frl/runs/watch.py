"""How far a whole scenario is while its jobs run: runs done, steps, speed and time to go."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

from frl.runs.files import parse_json
from frl.runs.paths import progress_path
from frl.runs.plan import duration
from frl.scenario.kinds import AnyRun, budget, unit

INTERVAL_S = 30.0
Facts = dict[str, Any]


class Watch:
    """Reads the runs' progress files (:class:`frl.runs.progress.ProgressFile`), wherever the jobs run.

    Args:
        specs: the runs that are to be made now.
        results: the results folder.
        scenario: the scenario's name.
        clock: seconds that never go back.
    """

    def __init__(
        self, specs: Iterable[AnyRun], results: Path, scenario: str, clock: Callable[[], float] = time.monotonic
    ):
        self.clock, specs = clock, list(specs)
        budgets = {progress_path(spec, results, scenario): budget(spec) for spec in specs}
        # what an earlier start left says nothing: only what is written from now on counts
        self.open = {path: facts_of(path) for path in budgets}
        """By file of a run that is not finished: what it said at the beginning."""
        self.runs = len(budgets)
        self.unit = unit(specs[0])
        self.budget = sum(budgets.values())
        self.finished_steps = 0
        self.given: dict[Path, int] = {}
        """By file: steps that were there already, of a checkpoint or of the store."""
        self.history: deque[tuple[float, int]] = deque(maxlen=20)
        """(time, steps made) of the last lines: what the jobs need to start is in no speed."""

    def steps(self) -> int:
        """Environment steps of the runs finished and under way."""
        under_way = 0
        for path, before in list(self.open.items()):
            facts = facts_of(path)
            if facts is None or facts == before:
                continue
            self.given[path] = facts["env_steps_begun"]
            if facts["outcome"] in ("present", "restored", "trained"):
                if facts["outcome"] != "trained":
                    self.given[path] = facts["env_steps_budget"]
                self.finished_steps += facts["env_steps_budget"]
                del self.open[path]
            else:
                under_way += min(facts["env_steps_total"], facts["env_steps_budget"])
        return self.finished_steps + under_way

    def line(self) -> str:
        """Runs done of all, steps of all, steps per second lately, time to go."""
        steps, now = self.steps(), self.clock()
        self.history.append((now, steps - sum(self.given.values())))
        (before, made_before), (_, made) = self.history[0], self.history[-1]
        rate = max(made - made_before, 0) / (now - before) if now > before else 0.0
        left = "time to go not known yet"
        if rate > 0:
            left = f"{rate:,.0f} {self.unit}/s, {duration((self.budget - steps) / rate)} to go"
        return (
            f"Progress: {self.runs - len(self.open)} of {self.runs} runs, {steps / 1e6:,.2f} of "
            f"{self.budget / 1e6:,.2f} M {self.unit} ({steps / self.budget:.0%}), {left}"
        )

    def start(self, stream: TextIO = sys.stderr, interval_s: float = INTERVAL_S) -> None:
        """Print a line now and then, from a thread that ends with the process or with the last run."""

        def speak() -> None:
            while self.open:
                time.sleep(interval_s)
                print(self.line(), file=stream, flush=True)

        threading.Thread(target=speak, name="progress", daemon=True).start()


def facts_of(path: Path) -> Facts | None:
    """What a progress file says; None if there is none."""
    try:
        facts: Facts = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and "outcome" in facts else None
