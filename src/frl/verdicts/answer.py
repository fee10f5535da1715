"""The answer to what a scenario asks, in a few sentences that are made of its verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from frl.analysis.quantity import NEITHER, shown
from frl.scenario.claim_base import Per
from frl.verdicts.record import Judgement, Verdicts
from frl.verdicts.rules import VERDICTS
from frl.verdicts.words import got_there, listed

MOST = 3
"""Sentences."""
NOTHING = "No claim can be judged in this scenario."
_LESS: dict[Per, str] = {
    "samples": "fewer samples",
    "time": "less time",
    "uploads": "fewer uploads",
    "uplink_bytes": "fewer uploaded bytes",
    "total_bytes": "fewer bytes",
}


def answer(verdicts: Verdicts) -> list[str]:
    """At most `MOST` sentences, in the order of the claims: the verdicts with their ratios, task by task.

    The primary claims of a ratio are asked in words, all of one question together. Where that leaves room, secondary
    ones stand by their titles. Exploratory ones are asked, if there are no others.
    """
    parts = [one for one in verdicts.parts if one.reason.code != "not_in_scenario" and not one.joint]
    parts = [one for one in parts if one.unit == "ratio" and len(one.arms) == 2]
    parts = [one for one in parts if one.role != "exploratory"] or parts
    if not parts:
        return [NOTHING]
    groups: dict[tuple[bool, str], list[Judgement]] = {}
    for one in parts:
        by_title = one.role == "secondary"
        groups.setdefault((by_title, one.title if by_title else _question(one)[0]), []).append(one)
    chosen = sorted(groups, key=lambda group: group[0])[:MOST]
    said = [_sentence(*group, those) for group, those in groups.items() if group in chosen]
    if len(said) < MOST and all(one.reason.code == "few_seeds" for one in parts):
        seeds, least = max(one.seeds[0] for one in parts), parts[0].reason.details["least"]
        said.append(f"An arm has {seeds} seed{'s' * (seeds != 1)}; fewer than {least} decide nothing.")
    return said


def _question(one: Judgement) -> tuple[str, str]:
    """The claim as the beginning of a sentence, and its end, which tells parts of one question apart."""
    slower, faster = one.arms
    less = _LESS[one.per]
    if one.test == "lookahead":
        return f"With the lookahead agents need {less} than", "without"
    if slower.method == faster.method:
        return f"More agents need {less} each than", "one" if slower.n_agents == 1 else "fewer agents"
    return f"{_name(faster.label)} needs {less} than", _name(slower.label)


def _name(label: str) -> str:
    """The method alone, of a label as in "AFedPG, N = 8"."""
    return label.partition(", N = ")[0]


def _sentence(by_title: bool, begin: str, parts: Sequence[Judgement]) -> str:
    """The title or the question, then each verdict with the tasks that have it; what fared alike is said together."""
    if by_title:
        return f"{begin}: {_verdicts(parts)}."
    against: dict[str, list[Judgement]] = {}
    for one in parts:
        against.setdefault(_question(one)[1], []).append(one)
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, those in against.items():
        alike.setdefault(tuple(sorted((one.environment, one.verdict) for one in those)), []).append(name)
    said = [f"{listed(names)}: {_verdicts([p for name in names for p in against[name]])}" for names in alike.values()]
    return f"{begin[0].upper()}{begin[1:]} {'; than '.join(said)}."


def _verdicts(parts: Sequence[Judgement]) -> str:
    said = []
    for verdict in VERDICTS:
        if having := [one for one in parts if one.verdict == verdict]:
            said.append(f"{verdict} on {listed(_where(having, parts))}{_ratios(having)}")
    return ", ".join(said)


def _where(having: Sequence[Judgement], parts: Sequence[Judgement]) -> list[str]:
    """The tasks; each with what tells these parts from the others on it that have another verdict."""
    which: dict[str, list[str]] = {}
    for one in having:
        same = [other for other in parts if other.environment == one.environment]
        which.setdefault(one.environment, []).append(_which(one, same))
    return [f"{task} {listed(list(dict.fromkeys(names)))}".strip() for task, names in which.items()]


def _which(one: Judgement, same: Sequence[Judgement]) -> str:
    """N, or else the claim's title or the part, where other parts on the task have another verdict."""
    if len({other.verdict for other in same}) == 1:
        return ""
    if len({other.arms[1].n_agents for other in same}) == len(same):
        return f"with {one.arms[1].n_agents} agents"
    return f'as in "{one.title if len({other.title for other in same}) > 1 else one.part}"'


def _ratios(parts: Sequence[Judgement]) -> str:
    """One ratio with its interval, or the smallest and the largest of several; and the seeds that did not get there."""
    measured = [(one, one.measured) for one in parts]
    found = [(one, quantity) for one, quantity in measured if quantity is not None]
    ratios = [replace(quantity, low=float("nan")) for _, quantity in found if quantity.relation != "neither"]
    if len(found) == 1:
        ((one, quantity),) = found
        ratio = NEITHER if quantity.relation == "neither" else f"ratio {shown(quantity, 'ratio')}"
        stuck = "" if quantity.relation == "=" else f"; {got_there(one)}"
        small = f", below {one.margin:g}, the least that would matter" * (one.reason.code == "too_small")
        return f" ({ratio}{small}{stuck})"
    if not ratios:
        return f" ({NEITHER})" if found else ""
    low, high = (shown(of(ratios, key=lambda q: q.value), "ratio") for of in (min, max))
    text = f"ratios {low} to {high}" if len(ratios) > 1 else f"ratio {low}"
    if len(ratios) < len(found):
        text += f"; in {len(found) - len(ratios)} of {len(found)} {NEITHER}"
    shares = [arm.share for one, _ in found for arm in one.arms]
    least, most = (f"{100 * share:.0f}" for share in (min(shares), max(shares)))
    some = least if least == most else f"{least} to {most}"
    stuck = "" if min(shares) == 1 else f"; {some} % of an arm's seeds got there by the horizon"
    return f" ({text}{stuck})"
