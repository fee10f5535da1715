"""A scenario: one YAML file in ``config/``, a grid of runs and how to look at it.

It resolves to many :class:`frl.spec.RunSpec`, one per (environment, method, N, seed). The file is complete: nothing but
the claims file and the trials that it names is read besides.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from frl.errors import SpecError, explain, shown
from frl.scenario import feasible, judgeable
from frl.scenario.claim_base import Line, Part, Text
from frl.scenario.claims import Claim, Claims
from frl.spec import SERVERS, Count, EnvironmentName, RunSpec, Seed
from frl.training.servers.base import Settings

MethodName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,60}$")]
Keys = Annotated[dict[str, Any], BeforeValidator(lambda given: {} if given is None else given)]
"""Keys with values; nothing behind the colon means none."""
FigureName = Literal["sample_complexity", "time_complexity", "sensitivity", "communication", "variance_multiplier"]


class Method(Settings):
    """One algorithm with its settings, at one or more N; under names of their own one algorithm makes many methods."""

    algorithm: str
    """One of the keys of frl.spec.SERVERS."""
    name: MethodName | None = None
    """What paths, tables and figures call it; empty means the algorithm's name."""
    n_agents: Annotated[tuple[Count, ...], Field(min_length=1)]
    """The values of N to run."""
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


class Where(Settings):
    """Which runs an override touches: those that match every list given."""

    environment: tuple[EnvironmentName, ...] | None = None
    method: tuple[str, ...] | None = None
    algorithm: tuple[str, ...] | None = None
    n_agents: tuple[Count, ...] | None = None

    def matches(self, environment: str, method: Method, n_agents: int) -> bool:
        """Whether a run of this identity is touched."""
        return (
            (self.environment is None or environment in self.environment)
            and (self.method is None or method.key in self.method)
            and (self.algorithm is None or method.algorithm in self.algorithm)
            and (self.n_agents is None or n_agents in self.n_agents)
        )

    def idle(self, touched: Sequence[tuple[str, Method, int]]) -> str:
        """The first entry, with its key, that none of the touched runs has; empty if there is none."""
        for key in Where.model_fields:
            for entry in getattr(self, key) or ():
                if not any(Where(**{key: (entry,)}).matches(*cell) for cell in touched):
                    return f"{key} = {shown(entry)}"
        return ""


class Override(Settings):
    """Settings for some of the runs; later overrides win."""

    where: Where
    set: Keys
    """A part of a RunSpec, merged over what came before."""


class Scenario(Settings):
    """A grid of runs and how to look at it: one complete YAML file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
    """Folder below results/."""
    title: Line
    """Heading of the report."""
    tuned: Text
    """Where the settings come from, in a sentence that the report prints; of several lines each is a paragraph."""
    environments: Annotated[tuple[EnvironmentName, ...], Field(min_length=1)]
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    thresholds: dict[EnvironmentName, str]
    """For each environment the return whose crossing is timed, with its unit: "100 return"."""
    run: Keys
    """The part of a RunSpec common to all runs."""
    overrides: tuple[Override, ...] = ()
    trials: str = ""
    """What was tried to find the settings, for the report: a CSV, by its path from the scenario file; once read, its
    text."""
    tuning_times: str = ""
    """How long tuning runs took to the thresholds, for the power of the claims: a CSV that `frl times` writes, by its
    path from the scenario file; once read, its text."""
    claims: Claims | None = None
    """What to judge: a claims file, by its path from the scenario file. Its content is no setting of any run."""
    figures: dict[FigureName, Annotated[dict[MethodName, Line], Field(min_length=1)]] = {}
    """The figures to draw, and for each the methods that it shows, in this order, with their labels; empty means those
    of sample and time complexity, with the methods that belong there."""

    @field_validator("overrides", "figures", mode="before")
    @classmethod
    def _nothing_given(cls, given: Any, info: ValidationInfo) -> Any:
        return cls.model_fields[str(info.field_name)].default if given is None else given

    @field_validator("thresholds", mode="before")
    @classmethod
    def _threshold_has_a_unit(cls, thresholds: Any) -> Any:
        for environment, text in thresholds.items() if isinstance(thresholds, dict) else ():
            if not isinstance(text, str) or not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})? return", text):
                raise ValueError(f"{environment}: {shown(text)} needs a number and the unit, as in '100 return'")
        return thresholds

    @model_validator(mode="after")
    def _every_run_is_valid(self) -> Scenario:
        if missing := [name for name in self.environments if name not in self.thresholds]:
            raise ValueError(f"thresholds: no entry for {', '.join(missing)}")
        algorithms: dict[str, str] = {}
        for method in self.methods:
            if algorithms.setdefault(method.key, method.algorithm) != method.algorithm:
                raise ValueError(f"methods: {method.key!r} names both {algorithms[method.key]} and {method.algorithm}")
        pairs = [f"{m.key}, N = {n}" for m in self.methods for n in m.n_agents]
        for what, values in (("methods", pairs), ("environments", self.environments), ("seeds", self.seeds)):
            if twice := [value for value, count in Counter(values).items() if count > 1]:
                hint = "; tell methods of one algorithm apart by `name`" if what == "methods" else ""
                raise ValueError(f"{what}: {twice[0]} is listed twice{hint}")
        self._figures_name_what_there_is()
        if self.name == "published":
            raise ValueError("name = 'published': results/published/ is where results are kept; choose another")
        cells = [(environment, m, n) for environment in self.environments for m in self.methods for n in m.n_agents]
        for index, override in enumerate(self.overrides):
            touched = [cell for cell in cells if override.where.matches(*cell)]
            if not touched:
                where = shown(override.where.model_dump(exclude_none=True))
                raise ValueError(f"overrides.{index}.where = {where}: touches no run; there are {self._methods()}")
            if idle := override.where.idle(touched):
                raise ValueError(f"overrides.{index}.where.{idle}: touches no run; there are {self._methods()}")
        specs = {(e, m.key, n): self.resolve(e, m.key, n, self.seeds[0]) for e, m, n in cells}
        self._figures_compare_what_can_be_compared()
        primary: dict[tuple[object, ...], str] = {}
        for claim in self.claims.claims if self.claims else ():
            there = {(key, n): spec for (e, key, n), spec in specs.items() if e == claim.environment}
            if problem := judgeable.problem(claim, claim.test, there):
                raise ValueError(f"claim {claim.id}: {problem}")
            if claim.role == "primary":
                before = primary.setdefault(judgeable.question(claim, there), claim.id)
                if before != claim.id:
                    raise ValueError(f"claim {claim.id}: asks the same as {before}; a primary claim is made once")
        return self

    def _figures_name_what_there_is(self) -> None:
        for figure, labels in self.figures.items():
            if unknown := [name for name in labels if name not in {m.key for m in self.methods}]:
                raise ValueError(f"figures.{figure}.{unknown[0]}: no such method; there are {self._methods()}")
            if figure not in ("communication", "sensitivity") and len(set(labels.values())) < len(labels):
                raise ValueError(f"figures.{figure}: two methods have the same label")

    def _figures_compare_what_can_be_compared(self) -> None:
        """The figure of communication has a row for equal agents and one for unequal ones; a sweep varies one thing."""
        rows = [(self._any(key).heterogeneity, label) for key, label in self.figures.get("communication", {}).items()]
        if twice := [label for i, (kind, label) in enumerate(rows) if (kind, label) in rows[:i]]:
            raise ValueError(f"figures.communication: two methods have the same label, {twice[0]!r}, and equal agents")
        if len({kind for kind, _ in rows if kind.any}) > 1:
            raise ValueError("figures.communication: its agents are unequal in more than one way (heterogeneity)")
        swept = tuple(self.figures.get("variance_multiplier", {}))
        if alien := [key for key in swept if not hasattr(self._any(key).server, "variance_multiplier")]:
            raise ValueError(f"figures.variance_multiplier.{alien[0]}: the method has no variance_multiplier")
        counts = [{n for method in self.methods if method.key == key for n in method.n_agents} for key in swept]
        common = sorted(set.intersection(*counts)) if swept else []
        if swept and (len(swept) == 1 or not common):
            raise ValueError("figures.variance_multiplier: needs two or more methods that have an N in common")
        alike = []
        for key in swept:
            spec = self._any(key, common[0])
            alike.append(spec.model_copy(update={"server": spec.server.model_copy(update={"variance_multiplier": 0})}))
        if other := [spec.method for spec in alike if spec.to_json() != alike[0].to_json()]:
            pair = f"{other[0]} and {alike[0].method}"
            raise ValueError(f"figures.variance_multiplier: {pair} differ in more than server.variance_multiplier")

    def _any(self, key: str, n_agents: int | None = None) -> RunSpec:
        """The settings of a method in the first environment, with its first N if none is given."""
        method = next(method for method in self.methods if method.key == key)
        return self.resolve(self.environments[0], key, n_agents or method.n_agents[0], self.seeds[0])

    def _methods(self) -> str:
        """The methods with their N, in words."""
        return ", ".join(
            f"{m.key} ({'' if m.key == m.algorithm else f'{m.algorithm}, '}N = {', '.join(map(str, m.n_agents))})"
            for m in self.methods
        )

    def resolve(self, environment: str, method: str, n_agents: int, seed: int) -> RunSpec:
        """The RunSpec of one cell of the grid; `method` is the method's key.

        Raises:
            SpecError: if the merged settings are no valid RunSpec; names the run, the key and what is allowed.
        """
        one = next((m for m in self.methods if m.key == method and n_agents in m.n_agents), None)
        if one is None:
            raise SpecError(f"method = {method!r}, n_agents = {n_agents}: scenario {self.name!r} has {self._methods()}")
        settings = merge(merge(self.run, {"server": one.server}), one.set)
        touched = [i for i, one_of in enumerate(self.overrides) if one_of.where.matches(environment, one, n_agents)]
        for index in touched:
            settings = merge(settings, self.overrides[index].set)
        identity: dict[str, Any] = {
            "environment": environment,
            "algorithm": one.algorithm,
            "method": one.key,
            "n_agents": n_agents,
            "seed": seed,
        }
        if clash := sorted(identity.keys() & settings.keys()):
            raise SpecError(f"run.{clash[0]}: the grid sets this, not `run`, a method's `set` or an override")
        where = f"run ({environment}, {method}, N = {n_agents})"
        if touched:
            where += f", to which overrides {', '.join(map(str, touched))} apply"
        try:
            spec = RunSpec.model_validate(settings | identity)
        except ValidationError as error:
            raise SpecError(explain(error, RunSpec, prefix=f"{where}: ")) from None
        if problem := feasible.problem(spec):
            raise SpecError(f"{where}: {problem}")
        return spec

    def runs(self) -> Iterator[RunSpec]:
        """Every run of the grid: environments, then methods, then N, then seeds."""
        for environment in self.environments:
            for method in self.methods:
                for n_agents in method.n_agents:
                    first = self.resolve(environment, method.key, n_agents, self.seeds[0])
                    for seed in self.seeds:
                        yield first.model_copy(update={"seed": seed})

    def threshold(self, environment: str) -> float:
        """The return whose crossing is timed in this environment."""
        return float(self.thresholds[environment].split()[0])  # type: ignore[index]


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with `over` merged in, dictionaries key by key (a fleet of another kind replaces the whole fleet)."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if value is None and isinstance(old, dict):
            continue  # nothing behind the colon changes nothing
        if isinstance(value, dict) and isinstance(old, dict) and value.get("kind", old.get("kind")) == old.get("kind"):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def cells_of(scenario: Scenario, claim: Claim, part: Part) -> list[tuple[str, str, int]] | None:
    """(environment, method, N) of everything that the part needs; None if the scenario lacks something of it."""
    there = {(method.key, n) for method in scenario.methods for n in method.n_agents}
    chosen = [next(((name, n) for name in names if (name, n) in there), None) for names, n in part.needs]
    if claim.environment not in scenario.environments or None in chosen:
        return None
    return [(claim.environment, *cell) for cell in chosen if cell]
