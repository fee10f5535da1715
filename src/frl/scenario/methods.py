"""A scenario's list of methods: sweeps spelled out as one method for each value, and what must not be listed."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from frl.scenario.grid import Method


def spelled_out(methods: Iterable[Method]) -> tuple[Method, ...]:
    """The methods with each sweep as one method for each of its values, in their order; those of one value stay."""
    return tuple(
        method.model_copy(update={"sweep": sweep})
        for method in methods
        for sweep in (
            [{key: (value,)} for key, values in method.sweep.items() for value in values] if method.sweep else [None]
        )
    )


def called(labels: Mapping[str, str], methods: Sequence[Method]) -> dict[str, str]:
    """The labels of a figure by the methods' own keys: the name of a sweep stands for all of its methods."""
    spelled: dict[str, str] = {}
    for name, label in labels.items():
        keys = dict.fromkeys(method.key for method in methods if method.swept and method.family == name)
        spelled |= dict.fromkeys(keys or [name], label)
    return spelled


def settings(sweep: tuple[str, float] | None) -> dict[str, Any]:
    """A swept value as a part of a RunSpec."""
    if sweep is None:
        return {}
    path, value = sweep
    nested: Any = value
    for key in reversed(path.split(".")):
        nested = {key: nested}
    return dict(nested)


def holds(spec: object, sweep: tuple[str, float] | None) -> bool:
    """Whether the run has the swept value."""
    if sweep is None:
        return True
    return bool(functools.reduce(lambda part, key: getattr(part, key, None), sweep[0].split("."), spec) == sweep[1])


def problem(methods: Sequence[Method], environments: Sequence[str]) -> str:
    """Why these methods cannot be told apart, in one sentence; empty if they can.

    Args:
        methods: spelled out.
        environments: of a method that names none.
    """
    algorithms: dict[str, str] = {}
    swept: dict[str, str | None] = {}
    families: dict[str, str] = {}
    for one in methods:
        if (other := algorithms.setdefault(one.family, one.algorithm)) != one.algorithm:
            return f"{one.family!r} names both {other} and {one.algorithm}"
        setting = one.swept[0] if one.swept else None
        if (before := swept.setdefault(one.family, setting)) != setting:
            both = " and ".join(
                f"a sweep of {each}" if each else "a method without a sweep" for each in (before, setting)
            )
            return f"{one.family!r} names {both}; give one of them another name"
        if (family := families.setdefault(one.key, one.family)) != one.family:
            return f"{one.key!r} names one of the sweep {family!r} and another method; give one another name"
    arms = Counter((one.key, n, e) for one in methods for n in one.n_agents for e in one.environments or environments)
    if twice := [arm for arm, count in arms.items() if count > 1]:
        key, n_agents, environment = twice[0]
        told = f"{key}, N = {n_agents} is listed twice"
        told += f" in {environment}" if len(environments) > 1 else ""
        return f"{told}; tell methods of one algorithm apart by `name`"
    return ""


def told(methods: Sequence[Method]) -> str:
    """The methods with their N, in words; those of a sweep together."""
    entries: dict[object, list[Method]] = {}
    for one in methods:
        alike = (one.family, one.n_agents, one.environments, one.seeds)
        entries.setdefault((alike, one.swept is None), []).append(one)
    return ", ".join(str(_joined(some)) for some in entries.values())


def _joined(some: Sequence[Method]) -> Method:
    values = [one.swept for one in some if one.swept]
    return some[0].model_copy(update={"sweep": {values[0][0]: tuple(v for _, v in values)}}) if values else some[0]
