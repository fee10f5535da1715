"""What a scenario's grid is made of: methods, seeds, and settings for some of the runs."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from frl.errors import shown
from frl.settings import Count, Seed
from frl.spec import SERVERS, EnvironmentName
from frl.training.servers.base import Settings

MAX_SEEDS = 100_000
"""Of one range."""
_NAME = r"^[a-z0-9][a-z0-9_.-]{0,60}$"
MethodName = Annotated[str, Field(pattern=_NAME)]
Keys = Annotated[dict[str, Any], BeforeValidator(lambda given: {} if given is None else given)]
"""Keys with values; nothing behind the colon means none."""
Cell = tuple[str, str, int]
"""One arm: environment, the method's key, N."""


def _in_full(given: Any) -> Any:
    """A range of seeds as a list."""
    if isinstance(given, list) and (odd := [entry for entry in given if isinstance(entry, str)]):
        raise ValueError(f"{shown(odd[0])} is text; a range of seeds stands alone, as in 0-29")
    if isinstance(given, list | tuple):
        return given
    found = re.fullmatch(r"([0-9]{1,10})-([0-9]{1,10})", given) if isinstance(given, str) else None
    if found is None:
        raise ValueError("should be a list, as in [0, 1, 2], or a range, as in 0-29")
    first, last = int(found[1]), int(found[2])
    if not first < last < first + MAX_SEEDS:
        raise ValueError(f"a range goes up, and has at most {MAX_SEEDS:,} seeds")
    return tuple(range(first, last + 1))


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if twice := [value for value, count in Counter(values).items() if count > 1]:
        raise ValueError(f"{twice[0]} is listed twice")
    return values


Seeds = Annotated[
    tuple[Seed, ...],
    Field(min_length=1),
    AfterValidator(_once),
    BeforeValidator(
        _in_full, json_schema_input_type=list[Seed] | Annotated[str, Field(pattern=r"^[0-9]{1,10}-[0-9]{1,10}$")]
    ),
]
"""Seeds: a list, or a range with both ends, as 0-29."""
SeedsOfTasks = Annotated[
    Annotated[Seeds, Tag("[list]")] | Annotated[dict[EnvironmentName, Seeds], Tag("[map]")],
    Discriminator(lambda given: "[map]" if isinstance(given, dict) else "[list]"),
]
"""Seeds of every environment, or of each its own."""
Environments = Annotated[tuple[EnvironmentName, ...], Field(min_length=1), AfterValidator(_once)]


def _number(given: Any) -> Any:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError("should be a number, as in 0.5")
    return given


Values = Annotated[
    tuple[Annotated[int | float, BeforeValidator(_number)], ...], Field(min_length=1), AfterValidator(_once)
]
Sweep = Annotated[dict[str, Values], Field(min_length=1, max_length=1)]
"""One setting of a run, dotted, with the values that it takes."""


@functools.cache
def decimal(value: float) -> str:
    """The shortest decimal notation of a number, without an exponent: 0.0025, 5, 1000."""
    return str(value) if isinstance(value, int) else np.format_float_positional(value, trim="-")


def span(seeds: Sequence[int]) -> str:
    """Seeds in a message: a range if they are one."""
    if len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}-{seeds[-1]}"
    return ", ".join(map(str, seeds))


class Method(Settings):
    """One algorithm with its settings, at one or more N; under names of their own one algorithm makes many methods."""

    algorithm: str
    """One of the keys of frl.spec.SERVERS."""
    name: MethodName | None = None
    """What paths, tables and figures call it; empty means the algorithm's name."""
    n_agents: Annotated[tuple[Count, ...], Field(min_length=1)]
    """The values of N to run."""
    environments: Environments | None = None
    """Where it is run; empty means in all of the scenario's environments."""
    seeds: Seeds | None = None
    """Its own seeds, a list or a range; empty means the scenario's."""
    server: Keys = {}
    """The algorithm's own settings."""
    set: Keys = {}
    """A part of a RunSpec, merged over `run` and `server`; overrides win over it."""
    sweep: Sweep | None = None
    """One numeric setting, dotted, as server.step_size, and a list of values: a method for each, named NAME-VALUE."""

    @field_validator("algorithm")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in SERVERS:
            raise ValueError(f"unknown algorithm; allowed are {', '.join(SERVERS)}")
        return name

    @field_validator("name")
    @classmethod
    def _of_no_other_algorithm(cls, name: str | None, info: ValidationInfo) -> str | None:
        algorithm = info.data.get("algorithm", name)
        if name in SERVERS and name != algorithm:
            raise ValueError(f"this is another algorithm than {algorithm!r}; choose another name")
        return name

    @model_validator(mode="after")
    def _what_is_swept_has_a_name_and_is_set_nowhere_else(self) -> Method:
        for setting, values in (self.sweep or {}).items():
            if any(_has(given, setting.split(".")) for given in ({"server": self.server}, self.set)):
                raise ValueError(f"sweep.{setting}: is set as well, by `server` or `set`; leave it out there")
            if odd := [one for one in map(self._called, values) if not re.fullmatch(_NAME, one)]:
                raise ValueError(f"sweep.{setting}: {shown(odd[0])} is too long for a name; give a shorter `name`")
        return self

    @property
    def family(self) -> str:
        """Its name, else its algorithm's; of a sweep, all methods have the same."""
        return self.name or self.algorithm

    @property
    def swept(self) -> tuple[str, float] | None:
        """The setting that tells it from the others of its sweep, dotted, and its value; None without a sweep."""
        return next(((setting, values[0]) for setting, values in (self.sweep or {}).items()), None)

    @property
    def key(self) -> str:
        """What identifies the method in its scenario: its family, and with a sweep its value."""
        return self.family if self.swept is None else self._called(self.swept[1])

    def _called(self, value: float) -> str:
        return f"{self.family}-{decimal(value)}"

    def __str__(self) -> str:
        values = next(iter(self.sweep.values()), ()) if self.sweep else ()
        name = f"{self.family}-[{', '.join(map(decimal, values))}]" if len(values) > 1 else self.key
        counts = f"N = {', '.join(map(str, self.n_agents))}"
        facts = ["" if name == self.algorithm else self.algorithm, counts]
        facts += [f"in {', '.join(self.environments)}"] if self.environments else []
        facts += [f"seeds {span(self.seeds)}"] if self.seeds else []
        return f"{name} ({', '.join(filter(None, facts))})"


def _has(settings: Any, path: Sequence[str]) -> bool:
    """Whether nested settings have an entry at this path."""
    if not path:
        return True
    return isinstance(settings, dict) and path[0] in settings and _has(settings[path[0]], path[1:])


class Where(Settings):
    """Which runs an override touches: those that match every list given."""

    environment: tuple[EnvironmentName, ...] | None = None
    method: tuple[str, ...] | None = None
    algorithm: tuple[str, ...] | None = None
    n_agents: tuple[Count, ...] | None = None
    seed: Seeds | None = None
    """A list or a range; an override for some seeds sets `stop_at` and nothing else."""

    def matches(self, environment: str, method: Method, n_agents: int, seed: int) -> bool:
        """Whether a run of this identity is touched."""
        return all(
            wanted is None or not names.isdisjoint(wanted)
            for wanted, names in zip(
                (self.environment, self.method, self.algorithm, self.n_agents, self.seed),
                _names(environment, method, n_agents, seed),
                strict=True,
            )
        )

    def idle(self, touched: Iterable[tuple[str, Method, int, int]]) -> str:
        """The first entry, with its key, that none of the touched runs has; empty if there is none."""
        there = [_names(*run) for run in touched]
        for place, key in enumerate(("environment", "method", "algorithm", "n_agents", "seed")):
            values = set[Any]().union(*(one[place] for one in there))
            for entry in getattr(self, key) or ():
                if entry not in values:
                    return f"{key} = {shown(entry)}"
        return ""


def _names(environment: str, method: Method, n_agents: int, seed: int) -> tuple[set[Any], ...]:
    """What `where` may call a run, key by key: a method of a sweep by its own name, or by that of all of the sweep."""
    return {environment}, {method.key, method.family}, {method.algorithm}, {n_agents}, {seed}


class Override(Settings):
    """Settings for some of the runs; later overrides win."""

    where: Where
    set: Keys
    """A part of a RunSpec, merged over what came before."""

    @field_validator("set")
    @classmethod
    def _the_seeds_of_an_arm_are_alike(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        where = info.data.get("where")
        if where is not None and where.seed is not None and given.keys() != {"stop_at"}:
            raise ValueError("where `where` names seeds, only stop_at may be set: all else is equal for all seeds")
        return given
