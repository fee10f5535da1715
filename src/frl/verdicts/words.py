"""What readers see of a judgement: its reason and its notes in words, and the headline of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from frl.analysis.load import mixed
from frl.analysis.quantity import BOTH, NOTHING, shown
from frl.scenario.claim_base import Per
from frl.verdicts.record import ArmResult, Judgement, Reason, Verdicts
from frl.verdicts.rules import CENSORED, ENOUGH, NOT_RUN, VERDICTS

MEANING = {
    "replicated": "there is an effect, and it is not shown to be too small to matter; or the interval lies within the "
    "margin around the claimed number",
    "contradicted": "the effect is shown to be opposite or too small to matter; or the interval lies outside the "
    "margin",
    "inconclusive": "the runs do not decide",
    "not run": "its runs were not made",
}
"""One sentence for each verdict."""

REASONS = {
    "not_in_scenario": "not part of this scenario",
    "no_runs": "no run of {arms} was collected",
    "missing": "{missing} of its runs are missing",
    "few_seeds": "an arm has {seeds} seeds, fewer than {least}",
    "at_start": "{runs} of the runs are at the threshold before any training",
    "ended_early": "{runs} of the runs ended before the horizon without getting to the threshold",
    "no_spread": "all seeds take equally long",
    "unpaired": "equal seeds are to be compared, but the arms have different ones",
    "differ": "the two differ in {settings} as well",
    "retime": "{why}",
    "above": "above {none}, and not shown to stay below {matter}",
    "opposite": "below {none}: the opposite",
    "too_small": "below {matter}: too small to matter",
    "stuck": f"below {{matter}}, but in an arm fewer than {100 * ENOUGH:.0f} % of the seeds got to the threshold, and "
    "stuck seeds make any effect look small",
    "open": "excludes neither {none} nor {matter}",
    "within": "the interval lies within the margin around {number}",
    "outside": "the interval lies outside the margin around {number}",
    "overlaps": "the interval lies partly within the margin around {number}",
    "censored": f"more than {100 * CENSORED:.0f} % of an arm's seeds did not get to the threshold, so that the number "
    "cannot be judged",
}
"""A sentence for each code of a reason; what is in braces is in its details or known from the judgement."""

BOUNDS = (
    "After > stands a lower bound: some seeds of the slower arm did not get there within the horizon. After < stands "
    f"an upper bound: some of the faster arm's did not. {BOTH[1:-1].capitalize()}: a ratio that is neither. The "
    "interval is of the ratio in which these seeds count as the horizon."
)
"""What is said of ratios beside every table of them."""

_UNITS: dict[Per, tuple[str, str]] = {
    "samples": ("count", "steps per agent"),
    "time": ("seconds", "s"),
    "uploads": ("count", "uploads per agent"),
    "uplink_bytes": ("bytes", "up per agent"),
    "total_bytes": ("bytes", "both ways per agent"),
}


def reason(one: Judgement) -> str:
    """Why the verdict is what it is."""
    none, matter = ("1", shown(one.margin, "ratio")) if one.unit == "ratio" else ("0", shown(one.margin, "ratio"))
    number = shown(one.number, "ratio")
    return REASONS[one.reason.code].format(**{"none": none, "matter": matter, "number": number, **one.reason.details})


def arm(one: ArmResult, per: Per) -> str:
    """An arm in words: restricted geometric mean, and the share of seeds that got there."""
    if one.needed is None:
        return f"{one.label}: no runs"
    form, unit = _UNITS[per]
    needed = shown(replace(one.needed, low=float("nan")), form)
    return f"{one.label}: {needed} {unit}, {one.reached} of {one.seeds} seeds"


def arms(one: Judgement) -> str:
    """All arms in words."""
    return "; ".join(arm(each, one.per) for each in one.arms)


def reached(arms: Sequence[tuple[int, int]]) -> str:
    """How many seeds of each arm got there, in the order of the arms: "0 and 3 of 3", "9 of 10 and 30 of 30".

    Args:
        arms: of each how many did, and how many it has.
    """
    if not arms:
        return NOTHING
    if len({seeds for _, seeds in arms}) > 1:
        return listed([f"{some} of {seeds}" for some, seeds in arms])
    return f"{listed([str(some) for some, _ in arms])} of {arms[0][1]}"


def got_there(one: Judgement) -> str:
    """The same with the horizon: "0 and 3 of 3 seeds got there within 100 s"."""
    form, unit = _UNITS["samples" if one.test == "fleets" else one.per]  # those have horizons in steps
    return f"{reached(one.shares)} seeds got there within {shown(one.horizon, form)} {unit}"


def listed(names: Sequence[str]) -> str:
    """Several in words."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def notes(one: Judgement) -> list[str]:
    """What to know besides, a phrase each."""
    said, known = [], one.notes
    if known.waiting_gain is not None and one.number is None:
        said.append(f"not waiting alone gives {shown(known.waiting_gain, 'ratio')}")
    if known.momentum_share is not None:
        said.append(f"in theory the lookahead removes {shown(known.momentum_share, 'share')} of the bias")
    if known.capped_area_gain is not None:
        gain = shown(known.capped_area_gain.quantity, "return")
        said.append(f"mean of min(return, {one.threshold:g}) up to the horizon differs by {gain}")
    if known.lack_of_fit is not None:
        verb = "does not fit" if known.lack_of_fit < 0.05 else "fits"
        said.append(f"a power law {verb} (chi-square test, p = {known.lack_of_fit:.2g})")
    if known.other_way is not None:
        other = "with the arms as independent samples" if one.paired else "seed by seed, a test that was not registered"
        relation = one.measured.relation if one.measured else "="
        said.append(f"{other}, {shown(replace(known.other_way.quantity, relation=relation), 'ratio')}")
    if known.seeds_to_decide is not None:
        said.append(f"about {known.seeds_to_decide:,} seeds an arm would decide")
    if diverged := sum(each.diverged for each in one.arms):
        said.append(f"{diverged} of the runs diverged and hold their last return")
    return said


def evidence(one: Judgement) -> str:
    """Reason and notes in one line."""
    return "; ".join([reason(one), *notes(one)])


class JudgedPart(Protocol):
    """A part of a claim, of training runs or of the theory lab."""

    @property
    def role(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def reason(self) -> Reason: ...


class Judged(Protocol):
    """All parts of a scenario's claims."""

    @property
    def parts(self) -> Sequence[JudgedPart]: ...
    @property
    def instructions(self) -> Mapping[str, int]: ...


def headline(verdicts: Judged) -> str:
    """The verdicts in one sentence, for a reader who stops there: the primary claims', or all where there are none."""
    primary = [one for one in verdicts.parts if one.role == "primary" and one.reason.code != "not_in_scenario"]
    counted = primary or [one for one in verdicts.parts if one.reason.code != "not_in_scenario"]
    if not counted:
        return "No claim can be judged in this scenario."
    count: Counter[str] = Counter(one.verdict for one in counted)
    parts = "; ".join(f"{count[verdict]} {verdict}" for verdict in VERDICTS if count[verdict])
    what = "primary claim" if primary else "part of the claims"
    what = what if len(counted) == 1 else {"primary claim": "primary claims"}.get(what, "parts of the claims")
    return f"{len(counted)} {what}: {parts}. {mixed(verdicts.instructions)}".strip()


def absent(verdicts: Verdicts) -> str:
    """The claims that the scenario has no runs for, in one sentence; empty if it has them all."""
    names = _in_short((one.claim, one.part, one.reason.code == "not_in_scenario") for one in verdicts.parts)
    return f"Not part of this scenario: {names}." if names else ""


def waiting(verdicts: Verdicts) -> str:
    """The parts of which there is no number yet, in one sentence; empty if there are none."""
    runs = {"no_runs"}
    names = _in_short(
        (one.claim, one.part, one.verdict == NOT_RUN and one.reason.code in runs) for one in verdicts.parts
    )
    return f"Too many runs are missing to say anything of {names}." if names else ""


def _in_short(parts: Iterable[tuple[str, str, bool]]) -> str:
    """Those parts (claim, part, whether it is meant), a claim by its name alone if all of its parts are."""
    whole: dict[str, list[str | None]] = {}
    for name, label, meant in parts:
        whole.setdefault(name, []).append(label if meant else None)
    texts = []
    for name, labels in whole.items():
        if some := [label for label in labels if label]:
            texts.append(name if len(some) == len(labels) else f"{name} ({'; '.join(some)})")
    return ", ".join(texts)
