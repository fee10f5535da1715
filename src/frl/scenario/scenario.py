"""A scenario: one YAML file in ``config/``, a grid of runs and how to look at it.

It resolves to many :class:`frl.spec.RunSpec`, one per (environment, method, N, seed). The file is complete: nothing but
the claims file and the tuning times that it names is read besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from frl.errors import SpecError, explain, shown
from frl.scenario import feasible, judgeable, methods
from frl.scenario.claim_base import Line, Part, Text
from frl.scenario.claims import Claim, Claims
from frl.scenario.grid import Cell, Environments, Keys, Method, MethodName, Override, SeedsOfTasks
from frl.spec import EnvironmentName, RunSpec
from frl.training.servers.base import Settings

FigureName = Literal["sample_complexity", "time_complexity", "sensitivity", "communication", "traffic"]


class Scenario(Settings):
    """A grid of runs and how to look at it: one complete YAML file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
    """Folder below results/."""
    title: Line
    """Heading of the report."""
    tuned: Text
    """Where the settings come from, in a sentence that the report prints; of several lines each is a paragraph."""
    environments: Environments
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    seeds: SeedsOfTasks
    """A list, or a range as 0-29, or one of these for each environment; of every method without seeds of its own."""
    thresholds: dict[EnvironmentName, str]
    """For each environment the return whose crossing is timed, with its unit: "100 return"."""
    run: Keys
    """The part of a RunSpec common to all runs."""
    overrides: tuple[Override, ...] = ()
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

    @field_validator("methods")
    @classmethod
    def _sweeps_are_spelled_out(cls, given: tuple[Method, ...]) -> tuple[Method, ...]:
        return methods.spelled_out(given)

    @field_validator("figures")
    @classmethod
    def _the_name_of_a_sweep_is_all_its_methods(cls, given: Any, info: ValidationInfo) -> Any:
        return {figure: methods.called(labels, info.data.get("methods", ())) for figure, labels in given.items()}

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
        if problem := methods.problem(self.methods, self.environments):
            raise ValueError(f"methods: {problem}")
        self._every_environment_has_runs()
        self._figures_name_what_there_is()
        if self.name == "published":
            raise ValueError("name = 'published': results/published/ is where results are kept; choose another")
        self._overrides_touch_runs()
        specs = {cell: self._judged(cell) for cell in self.cells()}
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

    def _every_environment_has_runs(self) -> None:
        """Every environment has seeds and a method, and neither seeds nor methods name another one."""
        named = [(f"methods: {m.key}.environments", m.environments) for m in self.methods if m.environments]
        if isinstance(self.seeds, dict):
            named.append(("seeds", tuple(self.seeds)))
            if missing := [name for name in self.environments if name not in self.seeds]:
                raise ValueError(f"seeds: no entry for {', '.join(missing)}")
        for what, environments in named:
            if alien := [name for name in environments if name not in self.environments]:
                raise ValueError(f"{what}: {alien[0]} is none of `environments`: {', '.join(self.environments)}")
        there = {environment for environment, _, _ in self.cells()}
        if idle := [name for name in self.environments if name not in there]:
            raise ValueError(f"environments: no method is run in {idle[0]}; there are {self._methods()}")

    def _overrides_touch_runs(self) -> None:
        runs = [(e, self.method(e, key, n), n, seed) for e, key, n in self.cells() for seed in self.seeds_of(e, key, n)]
        for index, override in enumerate(self.overrides):
            touched = [run for run in runs if override.where.matches(*run)]
            if not touched:
                where = shown(override.where.model_dump(exclude_none=True))
                raise ValueError(f"overrides.{index}.where = {where}: matches no run; there are {self._methods()}")
            if idle := override.where.idle(touched):
                raise ValueError(f"overrides.{index}.where.{idle}: matches no run; there are {self._methods()}")

    def _judged(self, cell: Cell) -> RunSpec:
        """What all seeds of an arm have in common, with the lowest return at which one of its runs stops."""
        specs = list(self._runs_of(cell))
        stops = [spec.stop_at for spec in specs if spec.stop_at is not None]
        level = self.threshold(cell[0])
        if low := [stop for stop in stops if stop < level]:
            raise ValueError(
                f"run ({cell[0]}, {cell[1]}, N = {cell[2]}): stop_at = {low[0]:g}: ends before the threshold of "
                f"{level:g}, whose crossing is timed"
            )
        return specs[0].model_copy(update={"seed": 0, "stop_at": min(stops, default=None)})

    def _figures_name_what_there_is(self) -> None:
        for figure, labels in self.figures.items():
            if unknown := [name for name in labels if name not in {m.key for m in self.methods}]:
                raise ValueError(f"figures.{figure}.{unknown[0]}: no such method; there are {self._methods()}")
            if figure != "sensitivity" and len(set(labels.values())) < len(labels):
                raise ValueError(f"figures.{figure}: two methods have the same label")

    def _figures_compare_what_can_be_compared(self) -> None:
        try:
            methods.swept_setting(self.methods, self.figures.get("sensitivity", {}))
        except ValueError as error:
            raise ValueError(f"figures.sensitivity: {error}") from None

    def _methods(self) -> str:
        """The methods with their N, in words."""
        return methods.told(self.methods)

    def method(self, environment: str, key: str, n_agents: int) -> Method:
        """The method of an arm.

        Raises:
            SpecError: if there is no such arm.
        """
        candidates = [one for one in self.methods if n_agents in one.n_agents and key.startswith(one.family)]
        found = [one for one in candidates if one.key == key]
        if not found:
            raise SpecError(f"method = {key!r}, n_agents = {n_agents}: scenario {self.name!r} has {self._methods()}")
        for one in found:
            if environment in (one.environments or self.environments):
                return one
        there = ", ".join(name for one in found for name in one.environments or ())
        raise SpecError(f"method = {key!r}: is run in {there}, not in {environment!r}")

    def cells(self) -> list[Cell]:
        """Every arm, which is (environment, method's key, N): environments, then methods, then N in ascending order."""
        counts: dict[str, dict[str, list[int]]] = {}  # of each key in each environment
        for one in self.methods:
            of_key = counts.setdefault(one.key, {})
            for environment in one.environments or self.environments:
                of_key.setdefault(environment, []).extend(one.n_agents)
        return [
            (e, key, n) for e in self.environments for key, there in counts.items() for n in sorted(there.get(e, ()))
        ]

    def seeds_of(self, environment: str, method: str, n_agents: int) -> tuple[int, ...]:
        """The seeds of an arm."""
        of_task = self.seeds.get(environment, ()) if isinstance(self.seeds, dict) else self.seeds  # type: ignore[call-overload]
        return self.method(environment, method, n_agents).seeds or of_task

    def arm(self, environment: str, method: str, n_agents: int) -> RunSpec:
        """The run of an arm's first seed; of the others at most `stop_at` differs."""
        return self.resolve(environment, method, n_agents, self.seeds_of(environment, method, n_agents)[0])

    def resolve(self, environment: str, method: str, n_agents: int, seed: int) -> RunSpec:
        """The RunSpec of one cell of the grid; `method` is the method's key.

        Raises:
            SpecError: if there is no such cell, or the merged settings are no valid RunSpec; names the run, the key and
                what is allowed.
        """
        one = self.method(environment, method, n_agents)
        settings = merge(merge(merge(self.run, {"server": one.server}), one.set), methods.settings(one.swept))
        touched = self._touching((environment, method, n_agents), seed)
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
            raise SpecError(
                f"run.{clash[0]}: the grid sets this, not `run`, an override, or a method's `set` or `sweep`"
            )
        where = f"run ({environment}, {method}, N = {n_agents})"
        if touched:
            where += f", to which overrides {', '.join(map(str, touched))} apply"
        try:
            spec = RunSpec.model_validate(settings | identity)
        except ValidationError as error:
            raise SpecError(explain(error, RunSpec, prefix=f"{where}: ")) from None
        if one.swept and not methods.holds(spec, one.swept):
            raise SpecError(f"{where}: {one.swept[0]}: is swept, so that no override may set it")
        if problem := feasible.problem(spec):
            raise SpecError(f"{where}: {problem}")
        return spec

    def _touching(self, cell: Cell, seed: int) -> tuple[int, ...]:
        """The overrides that touch a run, by their places."""
        environment, key, n_agents = cell
        run = (environment, self.method(environment, key, n_agents), n_agents, seed)
        return tuple(index for index, override in enumerate(self.overrides) if override.where.matches(*run))

    def _runs_of(self, cell: Cell) -> Iterator[RunSpec]:
        """The runs of an arm; what the same overrides touch is resolved once."""
        known: dict[tuple[int, ...], RunSpec] = {}
        for seed in self.seeds_of(*cell):
            touching = self._touching(cell, seed)
            if touching not in known:
                known[touching] = self.resolve(*cell, seed)
            yield known[touching].model_copy(update={"seed": seed})

    def runs(self) -> Iterator[RunSpec]:
        """Every run of the grid: environments, then methods, then N, then seeds."""
        for cell in self.cells():
            yield from self._runs_of(cell)

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


def cells_of(scenario: Scenario, claim: Claim, part: Part) -> list[Cell] | None:
    """Everything that the part needs; None if the scenario lacks something of it."""
    there = {(key, n) for environment, key, n in scenario.cells() if environment == claim.environment}
    chosen = [next(((name, n) for name in names if (name, n) in there), None) for names, n in part.needs]
    if None in chosen:
        return None
    return [(claim.environment, *cell) for cell in chosen if cell]
