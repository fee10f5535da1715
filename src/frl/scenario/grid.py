"""What a scenario's grid is made of: methods, seeds, and settings for some of the runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from frl.errors import shown
from frl.spec import SERVERS, Count, EnvironmentName, Seed
from frl.training.servers.base import Settings

MAX_SEEDS = 100_000
"""Of one range."""
MethodName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,60}$")]
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

    @property
    def key(self) -> str:
        """What identifies the method in its scenario: its name, else its algorithm's."""
        return self.name or self.algorithm

    def __str__(self) -> str:
        counts = f"N = {', '.join(map(str, self.n_agents))}"
        facts = ["" if self.key == self.algorithm else self.algorithm, counts]
        facts += [f"in {', '.join(self.environments)}"] if self.environments else []
        facts += [f"seeds {span(self.seeds)}"] if self.seeds else []
        return f"{self.key} ({', '.join(filter(None, facts))})"


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
            wanted is None or value in wanted
            for wanted, value in zip(
                (self.environment, self.method, self.algorithm, self.n_agents, self.seed),
                (environment, method.key, method.algorithm, n_agents, seed),
                strict=True,
            )
        )

    def idle(self, touched: Iterable[tuple[str, Method, int, int]]) -> str:
        """The first entry, with its key, that none of the touched runs has; empty if there is none."""
        there = [(e, m.key, m.algorithm, n, seed) for e, m, n, seed in touched]
        for place, key in enumerate(("environment", "method", "algorithm", "n_agents", "seed")):
            values = {one[place] for one in there}
            for entry in getattr(self, key) or ():
                if entry not in values:
                    return f"{key} = {shown(entry)}"
        return ""


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
