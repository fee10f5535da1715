"""What is known of each run besides its curve, and whether runs can be compared."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from frl.analysis.curves import Cell
from frl.analysis.names import time_of
from frl.scenario.claim_base import Per
from frl.verdicts.estimate import AXES
from frl.verdicts.rules import MIN_SEEDS

UNIT: dict[Per, str] = {
    "samples": "steps",
    "time": "s",
    "uploads": "uploads",
    "uplink_bytes": "bytes",
    "total_bytes": "bytes",
}
CLOCK = ("fleet", "link", "engine")
"""Settings of the clock: with others, times are not comparable; without a clock they do nothing."""
LENGTH = ("sim_seconds", "stop_at")
"""Settings of how long a run goes on: a horizon beyond the end of one is refused, whatever they are."""
OWN = ("algorithm", "method", "server", "n_agents", "seed")
"""Settings that compared methods may have of their own."""


class RunsError(ValueError):
    """A question that these runs cannot answer; the message says why, and what is allowed."""


class ComparabilityWarning(UserWarning):
    """Runs that are shown or compared although something else than the method and N differs; it is named."""


@dataclass(frozen=True)
class Facts:
    """One run's identity and origin.

    Attributes:
        cell: environment, method, N.
        seed: its seed.
        source: where it was read from, in words.
        settings: the RunSpec as it was dumped with the run; None where nobody wrote it down.
        numerics_version: of the learner that made it; None where unknown.
        instructions: vector instructions of the processor, as "AVX2"; None where unknown.
    """

    cell: Cell
    seed: int
    source: str
    settings: dict[str, Any] | None = None
    numerics_version: int | None = None
    instructions: str | None = None

    def renamed(self, method: str) -> Facts:
        """The same run under another method's name."""
        return replace(self, cell=(self.cell[0], method, self.cell[2]))


def check_axis(by: str) -> None:
    """Refuse what is no axis.

    Raises:
        RunsError: names the axes.
    """
    if by not in AXES:
        raise RunsError(f"by = {by!r}: allowed are {', '.join(AXES)}")


def name_of(cell: Cell) -> str:
    """What messages call a cell."""
    return f"{cell[1]} (N = {cell[2]}, {cell[0]})"


def clock_of(facts: Iterable[Facts]) -> str:
    """What the time of these runs is, in words."""
    settings = (one.settings for one in facts)
    return time_of({None if known is None else known.get("engine") is None for known in settings})


def check_cells(facts: Iterable[Facts]) -> None:
    """Refuse a seed that is there twice, seeds of one cell that were made with different settings, and empty names.

    Raises:
        RunsError: names the cell, and the settings in which its runs differ.
    """
    first: dict[Cell, Facts] = {}
    seen: set[tuple[Cell, int]] = set()
    for one in facts:
        name = name_of(one.cell)
        if not one.cell[1].strip():
            raise RunsError(f"method = {one.cell[1]!r}: a method needs a name")
        other = first.setdefault(one.cell, one)
        if (one.cell, one.seed) in seen:
            raise RunsError(f"{name}: seed {one.seed} is there twice; tell the two apart with .rename({{...}})")
        seen.add((one.cell, one.seed))
        changed = list(differences([other, one], own=("seed", "method", "stop_at")).values())
        if None in (one.settings, other.settings) and one.source != other.source:
            changed = [f"source ({other.source}, {one.source}), and not all settings are known"]
        if changed:
            differ = f"{name}: runs under one name that differ in {'; '.join(changed)}"
            raise RunsError(f"{differ}; tell them apart with .rename({{...}})")


def check_comparable(facts: Sequence[Facts], axis: str, refuse: bool) -> None:
    """Warn about, or refuse, runs in which something else than the method and N differs.

    Args:
        facts: the runs, of one environment.
        axis: what they are compared by; the clock matters for time alone.
        refuse: whether other versions of the task and, by time, another clock are an error: else they are warned about.

    Raises:
        RunsError: names what differs, and the values.
    """
    clock = () if axis == "time" else CLOCK
    changed = differences(facts, own=(*OWN, *LENGTH, *clock))
    fatal = [text for key, text in changed.items() if key.partition(".")[0] in ("env_version", *CLOCK)]
    if fatal and refuse:
        raise RunsError(f"not comparable by {axis}: the runs differ in {'; '.join(fatal)}")
    if changed:
        warn(f"the runs differ in {'; '.join(changed.values())}")
    known = dict.fromkeys((one.source, one.settings is not None) for one in facts)
    for source in [source for source, has_settings in known if not has_settings] if len(known) > 1 else []:
        warn(f"the settings behind {source} are not known: task version, clock and learner cannot be checked")
    for what, key in (("versions of the learner", "numerics_version"), ("vector instructions", "instructions")):
        values = sorted({str(getattr(one, key)) for one in facts if getattr(one, key) is not None})
        if len(values) > 1:
            warn(f"the runs were made with different {what}: {', '.join(values)}")


def going_on(facts: Sequence[Facts], level: float) -> list[Facts]:
    """The runs that can tell when they get to a return: those that were not set to stop at a lower one.

    Warns about the others, whatever they had reached: if those that never stopped counted, they would stand for all.

    Raises:
        RunsError: names a cell that has no such run.
    """
    stops = [(one.settings or {}).get("stop_at") for one in facts]
    kept = [one for one, stop in zip(facts, stops, strict=True) if stop is None or stop >= level]
    for cell in dict.fromkeys(one.cell for one in facts):
        own, left = ([one.cell for one in some].count(cell) for some in (facts, kept))
        early = {
            f"{stop:g}": None for one, stop in zip(facts, stops, strict=True) if one.cell == cell and stop is not None
        }
        stopped = f"were set to stop at a return of {' or '.join(early)} (stop_at)"
        if not left:
            raise RunsError(
                f"level = {level:g}: all runs of {name_of(cell)} {stopped}: no higher level can be asked of them"
            )
        if left < own:
            warn(f"level = {level:g}: {own - left} of {own} runs of {name_of(cell)} {stopped}: the other {left} count")
    return kept


def check_twins(a: Sequence[Facts], b: Sequence[Facts]) -> None:
    """Warn where two cells have the same settings: what is then compared are seeds, or runs with themselves."""
    if a[0].settings is None or b[0].settings is None or differences([a[0], b[0]], own=("seed", "method", *LENGTH)):
        return
    both = f"{name_of(a[0].cell)} and {name_of(b[0].cell)} have the same settings"
    same = sorted({one.seed for one in a} & {one.seed for one in b}) if a[0].settings.get("engine") is None else []
    warn(f"{both}: {f'equal seeds ({listed(same)}) are the same runs' if same else 'only their seeds differ'}")


def listed(seeds: Sequence[int]) -> str:
    """Seeds in words, successive ones as first–last."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}–{seeds[-1]}"
    return ", ".join(map(str, seeds))


def check_seeds(counts: dict[str, int]) -> None:
    """Warn where so few seeds have a say that an interval is wide or missing."""
    for name, count in counts.items():
        if count < MIN_SEEDS:
            rest = "without any interval" if count < 2 else f"fewer than {MIN_SEEDS}: its interval is rough"
            warn(f"{name} has {count} seed{'s' * (count != 1)}, {rest}")


def differences(facts: Sequence[Facts], own: tuple[str, ...]) -> dict[str, str]:
    """Each setting outside `own` of which the runs have more than one value, by its dotted name: both, in words."""
    flat = [_flat(one.settings, own) for one in facts if one.settings is not None]
    found = {}
    for key in dict.fromkeys(key for settings in flat for key in settings):
        values = dict.fromkeys(str(settings.get(key, "absent")) for settings in flat)
        if len(values) > 1:
            found[key] = f"{key} ({', '.join(values)})"
    return found


def _flat(settings: dict[str, Any], own: tuple[str, ...], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted keys, without those of `own` on the first level."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict) and key not in own:
            found |= _flat(value, (), f"{prefix}{key}.")
        elif key not in own:
            found[f"{prefix}{key}"] = value
    return found


def warn(message: str) -> None:
    """A :class:`ComparabilityWarning` at the line of the caller's code that asked."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("frl."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, ComparabilityWarning, stacklevel=level)
