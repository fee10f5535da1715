"""A scenario of the theory lab: problems, panels, grids of cells; one complete YAML file, and the claims that it names.

It resolves to many :class:`frl.theory.cells.spec.Cell`, each a job that runs all of its seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from frl.scenario.claim_base import Line, Text
from frl.scenario.theory_claims import TheoryClaims
from frl.settings import AdversarySpec, AttackName, ConstantFleet, Count, FleetSpec, Positive, Seed
from frl.theory.cells.spec import (
    AlgorithmName,
    Cell,
    GarnetSpec,
    GradientSpec,
    PanelName,
    ProblemSpec,
    SampledSpec,
    ServerOptions,
    Traffic,
)
from frl.training.servers.base import Momentum, Schedule, Settings, StepSize

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]


class Sweep(Settings):
    """A grid of cells: every combination of what is listed."""

    problem: str
    """A key of `problems`."""
    gradients: Annotated[tuple[GradientSpec, ...], Field(min_length=1)]
    algorithms: Annotated[tuple[AlgorithmName, ...], Field(min_length=1)] = ("afedpg",)
    n_agents: Annotated[tuple[Count, ...], Field(min_length=1)]
    step_size: Annotated[tuple[StepSize, ...], Field(min_length=1)]
    momentum: Annotated[tuple[Momentum, ...], Field(min_length=1)]
    schedule: Schedule = "constant"
    fleets: Annotated[tuple[FleetSpec, ...], Field(min_length=1)] = (ConstantFleet(seconds_per_1000_steps=1.0),)
    updates: Count
    server: Annotated[tuple[ServerOptions, ...], Field(min_length=1)] | None = None
    """More settings of the algorithm's server."""
    traffic: Annotated[tuple[Traffic, ...], Field(min_length=1)] | None = None
    """What travels, where bytes are counted."""
    bandwidth: Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    """Bytes a second, up and down; empty: messages take no time."""
    attacks: Annotated[tuple[AttackName | Literal["none"], ...], Field(min_length=1)] = ("none",)
    malicious: Count | None = None
    """How many agents attack, where one does."""
    communication: Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    """Time to fetch a point and send what belongs to it, in multiples of a gradient's."""

    @model_validator(mode="after")
    def _attacks_have_agents(self) -> Sweep:
        if (self.malicious is None) != (set(self.attacks) == {"none"}):
            raise ValueError("malicious: give it with `attacks`, and only there: how many agents make them")
        return self

    def extensions(self) -> Iterator[dict[str, Any]]:
        """The settings of a cell that are absent in most."""
        for server, attack, communication, traffic, bandwidth in product(
            self.server or (None,), self.attacks, self.communication or (None,), self.traffic or (None,),
            self.bandwidth or (None,),
        ):  # fmt: skip
            adversary = None
            if attack != "none" and self.malicious is not None:
                adversary = AdversarySpec(attack=attack, number=self.malicious)
            yield {
                "server": server,
                "traffic": traffic,
                "bandwidth": bandwidth,
                "adversary": adversary,
                "communication": communication,
            }


class TheoryScenario(Settings):
    """Problems, and for each panel the grids that it draws."""

    kind: Literal["theory"]
    name: Name
    """Folder below results/."""
    title: Line
    """Heading of the report."""
    tuned: Text
    """Where the settings come from, in a sentence that the report prints; of several lines each is a paragraph."""
    trials: str = ""
    """What was tried to find the settings, for the report: a CSV, by its path from the scenario file; once read, its
    text."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=5)]
    """Of every cell."""
    problems: dict[Name, ProblemSpec]
    targets: dict[Name, Annotated[tuple[Positive, ...], Field(min_length=1)]]
    """For each problem the values of epsilon, in multiples of the gap J* - J(theta_0)."""
    panels: dict[PanelName, Annotated[tuple[Sweep, ...], Field(min_length=1)]]
    claims: TheoryClaims | None = None
    """What to judge: a claims file, by its path from the scenario file. Its content is no setting of any cell."""

    @model_validator(mode="after")
    def _consistent(self) -> TheoryScenario:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: one is listed twice")
        for panel, sweeps in self.panels.items():
            for index, sweep in enumerate(sweeps):
                self._check(f"panels.{panel}.{index}", sweep)
        if self.name == "published":
            raise ValueError("name = 'published': results/published/ is where results are kept; choose another")
        for cell in self.runs():
            if cell.server or cell.adversary:
                cell.run_spec(0)  # refuses what the server does not know
        ids = [cell.run_id for cell in self.runs()]
        if twice := next((name for name in ids if ids.count(name) > 1), None):
            raise ValueError(f"panels: the cell {twice} is listed twice")
        return self

    def _check(self, where: str, sweep: Sweep) -> None:
        if sweep.problem not in self.problems:
            raise ValueError(f"{where}.problem = {sweep.problem!r}: allowed are {', '.join(self.problems)}")
        if sweep.problem not in self.targets:
            raise ValueError(f"targets: no entry for {sweep.problem}")
        sampled = any(isinstance(gradient, SampledSpec) for gradient in sweep.gradients)
        if sampled and not isinstance(self.problems[sweep.problem], GarnetSpec):
            raise ValueError(f"{where}.gradients: only a garnet has sampled gradients, {sweep.problem} is none")
        if max(sweep.n_agents) > sweep.updates:
            raise ValueError(f"{where}.updates = {sweep.updates}: fewer than agents, {max(sweep.n_agents)}")

    def runs(self) -> Iterator[Cell]:
        """Every cell, panel by panel."""
        for panel, sweeps in self.panels.items():
            for s in sweeps:
                for gradient, algorithm, n, eta, alpha, fleet, own in product(
                    s.gradients, s.algorithms, s.n_agents, s.step_size, s.momentum, s.fleets, s.extensions()
                ):
                    yield Cell(
                        panel=panel,
                        problem=s.problem,
                        problem_spec=self.problems[s.problem],
                        gradient=gradient,
                        algorithm=algorithm,
                        n_agents=n,
                        step_size=eta,
                        momentum=alpha,
                        schedule=s.schedule,
                        fleet=fleet,
                        updates=s.updates,
                        seeds=self.seeds,
                        **own,
                    )
