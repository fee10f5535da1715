"""`frl watch`: the runs of a scenario while they are made, by whatever process and on whatever machine."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

from frl.runs.paths import progress_path
from frl.runs.plan import duration
from frl.runs.validity import state
from frl.runs.watch import Facts, facts_of
from frl.scenario.kinds import AnyRun, budget, unit

INTERVAL_S = 5.0
SILENT_S = 60.0
"""A run that has said nothing for so long is not at work: it says something every few seconds."""
SHOWN = 30
"""Runs that are listed."""
_DONE = ("finished", "diverged", "stored")
HOME = "\x1b[H\x1b[J"
"""Clears a terminal."""


class Live:
    """What there is to see of the runs, read from their progress files (:class:`frl.runs.progress.ProgressFile`).

    Args:
        specs: all runs of the scenario.
        results: the results folder.
        scenario: the scenario's name.
        clock: seconds that never go back.
        now: seconds as files have them.
    """

    def __init__(
        self,
        specs: Iterable[AnyRun],
        results: Path,
        scenario: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ):
        self.clock, self.now, self.scenario = clock, now, scenario
        specs = list(specs)
        self.budgets = {spec.run_id: budget(spec) for spec in specs}
        self.unit = unit(specs[0])
        self.files = {spec.run_id: progress_path(spec, results, scenario) for spec in specs}
        self.done = {spec.run_id for spec in specs if state(spec, results, scenario) in _DONE}
        # what an earlier start left of a run that has to be made again says nothing
        self.before = {run_id: facts_of(path) for run_id, path in self.files.items() if run_id not in self.done}
        self.history: deque[tuple[float, dict[str, int]]] = deque(maxlen=20)
        """(time, steps of each run that is at work or was made meanwhile) of the last looks."""

    def look(self) -> dict[str, Facts]:
        """What the runs at work say by now; those that got done are noted."""
        at_work = {}
        for run_id in self.budgets.keys() - self.done:
            facts = facts_of(self.files[run_id])
            if facts is None:
                continue
            if facts["outcome"] is not None and facts == self.before[run_id]:
                continue
            if facts["outcome"] is not None:
                self.done.add(run_id)
            elif self.now() - self.files[run_id].stat().st_mtime < SILENT_S:
                at_work[run_id] = facts
        return at_work

    def lines(self) -> list[str]:
        """One for the scenario, and one for each run at work, with its share and, where it trains, its last return."""
        at_work = self.look()
        steps = {run_id: min(facts["env_steps_total"], self.budgets[run_id]) for run_id, facts in at_work.items()}
        steps |= {run_id: self.budgets[run_id] for run_id in self.done}
        self.history.append((self.clock(), steps))
        rate, total, whole = self._rate(), sum(steps.values()), sum(self.budgets.values())
        waiting = len(self.budgets) - len(self.done) - len(at_work)
        left = f"{duration((whole - total) / rate)} to go" if rate > 0 else "time to go not known yet"
        head = (
            f"{self.scenario}: {len(self.done)} of {len(self.budgets)} runs done, {len(at_work)} at work, {waiting} "
            f"waiting; {total / whole:.0%} of {whole / 1e6:,.2f} M {self.unit}, {rate:,.0f} {self.unit}/s, "
            f"{left if total < whole else 'nothing left to do'}"
        )
        listed = sorted(at_work)[:SHOWN]
        more = [f"  and {len(at_work) - SHOWN} more"] if len(at_work) > SHOWN else []
        return [head, *(f"  {run_id}: {self._run(at_work[run_id])}" for run_id in listed), *more]

    def _run(self, facts: Facts) -> str:
        share, last = f"{facts['env_steps_total'] / facts['env_steps_budget']:.0%}", facts.get("eval_return_mean")
        if self.unit == "gradients":  # a cell of the theory lab has no return
            return share
        return f"{share}, {'no return yet' if last is None else f'last return {last:.1f}'}"

    def _rate(self) -> float:
        """Steps per second lately, of runs that were seen at the beginning too."""
        (before, then), (after, now) = self.history[0], self.history[-1]
        made = sum(max(now[run_id] - steps, 0) for run_id, steps in then.items() if run_id in now)
        return made / (after - before) if after > before else 0.0

    def watch(self, stream: TextIO = sys.stdout, interval_s: float = INTERVAL_S) -> None:
        """Show it again and again, on a terminal in place, until all runs are done."""
        while True:
            lines = self.lines()
            shown = HOME + "\n".join(lines) if stream.isatty() else lines[0]
            print(shown, file=stream, flush=True)
            if len(self.done) == len(self.budgets):
                return
            time.sleep(interval_s)
