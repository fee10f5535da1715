"""How far a scenario is while its runs are made, by whatever process and on whatever machine.

`frl watch` shows it on a terminal, Snakemake prints its first line now and then.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, TextIO

from frl.runs.files import parse_json
from frl.runs.paths import progress_path
from frl.runs.plan import duration
from frl.scenario.kinds import AnyRun, budget, unit

SHOW_EVERY_S = 5.0
SAY_EVERY_S = 30.0
SILENT_S = 60.0
"""A run that has written nothing for so long is not at work: runs write every few seconds."""
SHOWN = 30
"""Runs that are listed."""
CLEAR = "\x1b[H\x1b[J"
"""Clears a terminal."""
Facts = dict[str, Any]


class Watch:
    """Reads the runs' progress files (:class:`frl.runs.progress.ProgressFile`).

    Args:
        specs: the runs; at least one.
        results: the results folder.
        scenario: the scenario's name.
        done: ids of those that were finished before.
        clock: seconds that never go back.
        now: seconds since the epoch, as the file system counts them.
    """

    def __init__(
        self,
        specs: Iterable[AnyRun],
        results: Path,
        scenario: str,
        done: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ):
        self.clock, self.now, self.scenario = clock, now, scenario
        specs = list(specs)
        self.unit = unit(specs[0])
        self.budgets = {spec.run_id: budget(spec) for spec in specs}
        self.files = {spec.run_id: progress_path(spec, results, scenario) for spec in specs}
        self.done = set(done)
        # what an earlier start left of a run that has to be made again says nothing
        self.before = {run_id: facts_of(path) for run_id, path in self.files.items() if run_id not in self.done}
        self.made: dict[str, int] = {}
        """By run: steps made since its process began, without those of a checkpoint or of the store."""
        self.history: deque[tuple[float, dict[str, int]]] = deque(maxlen=20)
        """(time, `made` by then) of the last looks."""

    def look(self) -> dict[str, Facts]:
        """What the runs at work say now; those that got done are noted."""
        at_work = {}
        for run_id in self.budgets.keys() - self.done:
            facts = facts_of(self.files[run_id])
            if facts is None or (facts["outcome"] is not None and facts == self.before[run_id]):
                continue
            if facts["outcome"] is not None:
                self.done.add(run_id)
            elif self.now() - facts["written"] < SILENT_S:
                at_work[run_id] = facts
            else:
                continue
            given = facts["outcome"] in ("present", "restored")
            self.made[run_id] = 0 if given else facts["env_steps_total"] - facts["env_steps_begun"]
        self.history.append((self.clock(), dict(self.made)))
        return at_work

    def lines(self) -> list[str]:
        """One for the scenario, and one for each run at work, with its share and, where it trains, its last return."""
        at_work = self.look()
        listed = sorted(at_work)[:SHOWN]
        more = [f"  and {len(at_work) - SHOWN} more"] if len(at_work) > SHOWN else []
        return [self._head(at_work), *(f"  {run_id}: {self._run(at_work[run_id])}" for run_id in listed), *more]

    def _head(self, at_work: dict[str, Facts]) -> str:
        whole, total = sum(self.budgets.values()), sum(self.budgets[run_id] for run_id in self.done)
        total += sum(min(facts["env_steps_total"], self.budgets[run_id]) for run_id, facts in at_work.items())
        waiting = len(self.budgets) - len(self.done) - len(at_work)
        rate = self._rate()
        left = f"{duration((whole - total) / rate)} to go" if rate > 0 else "time to go not known yet"
        return (
            f"{self.scenario}: {len(self.done)} of {len(self.budgets)} runs done, {len(at_work)} at work, {waiting} "
            f"waiting; {total / whole:.0%} of {whole / 1e6:,.2f} M {self.unit}, {rate:,.0f} {self.unit}/s, "
            f"{left if total < whole else 'nothing left to do'}"
        )

    def _run(self, facts: Facts) -> str:
        share, last = f"{facts['env_steps_total'] / facts['env_steps_budget']:.0%}", facts.get("eval_return_mean")
        if self.unit == "gradients":  # a cell of the theory lab has no return
            return share
        return f"{share}, {'no return yet' if last is None else f'last return {last:.1f}'}"

    def _rate(self) -> float:
        """Steps per second lately."""
        (before, then), (after, now) = self.history[0], self.history[-1]
        made = sum(max(steps - then.get(run_id, 0), 0) for run_id, steps in now.items())
        return made / (after - before) if after > before else 0.0

    def show(self, stream: TextIO = sys.stdout, interval_s: float = SHOW_EVERY_S) -> None:
        """Show it again and again, on a terminal in place, until all runs are done."""
        while True:
            lines = self.lines()
            shown = CLEAR + "\n".join(lines) if stream.isatty() else lines[0]
            print(shown, file=stream, flush=True)
            if len(self.done) == len(self.budgets):
                return
            time.sleep(interval_s)

    def start(self, stream: TextIO = sys.stderr, interval_s: float = SAY_EVERY_S) -> None:
        """Print the first line now and then, from a thread that ends with the process or with the last run."""

        def speak() -> None:
            while len(self.done) < len(self.budgets):
                time.sleep(interval_s)
                print(self.lines()[0], file=stream, flush=True)

        threading.Thread(target=speak, name="progress", daemon=True).start()


def facts_of(path: Path) -> Facts | None:
    """What a progress file says, and when it was written (seconds since the epoch); None if there is none."""
    try:
        facts: Facts = parse_json(path.read_bytes())
        written = path.stat().st_mtime
    except (OSError, ValueError):
        return None
    return {**facts, "written": written} if isinstance(facts, dict) and "outcome" in facts else None
