"""A scenario of the theory lab: problems, panels, grids of cells; one complete YAML file, and the claims that it names.

Every model is frozen and refuses unknown keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from frl.errors import SpecError, explain
from frl.scenario.loading import read_mapping
from frl.spec import ConstantFleet, Count, FleetSpec, NonNegative, Positive, RunSpec, Seed
from frl.theory.claims import PanelName, TheoryClaims, load_claims
from frl.theory.garnet import Garnet, SampledTrajectories
from frl.theory.lqr import LQR
from frl.theory.problems import GaussianNoise, Oracle, Problem, Quadratic
from frl.training.servers.base import Momentum, Schedule, Settings, StepSize

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
TASK_STEPS = 1000
"""Environment steps that the clock charges for a gradient: one simulated second for the fastest agent."""


class QuadraticSpec(Settings):
    """A quadratic with a chosen spectrum, from a point at distance 1 of the optimum."""

    kind: Literal["quadratic"]
    eigenvalues: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Of the negative Hessian."""


class GarnetSpec(Settings):
    """A random MDP with an entropy-regularised softmax policy."""

    kind: Literal["garnet"]
    states: Count
    actions: Annotated[int, Field(ge=2, strict=True)]
    branching: Count
    """Successors of every state and action."""
    discount: Annotated[float, Field(gt=0, lt=1)]
    temperature: Positive
    """Weight of the policy's entropy in every reward."""
    seed: Seed
    """Of transitions and rewards."""

    @model_validator(mode="after")
    def _enough_states(self) -> GarnetSpec:
        if self.branching > self.states:
            raise ValueError(f"branching = {self.branching}: at most the number of states, {self.states}")
        return self


class LQRSpec(Settings):
    """A discounted linear-quadratic regulator with a Gaussian policy."""

    kind: Literal["lqr"]
    states: Count
    inputs: Count
    discount: Annotated[float, Field(gt=0, lt=1)]
    spectral_radius: NonNegative
    """Of the system without control; below 1 / sqrt(discount)."""
    exploration: Positive
    """Standard deviation of the policy."""
    seed: Seed
    """Of the system."""

    @model_validator(mode="after")
    def _finite_at_start(self) -> LQRSpec:
        if self.spectral_radius * self.discount**0.5 >= 1:
            raise ValueError(f"spectral_radius = {self.spectral_radius}: must be below 1 / sqrt(discount)")
        return self


ProblemSpec = Annotated[QuadraticSpec | GarnetSpec | LQRSpec, Field(discriminator="kind")]


class GaussianSpec(Settings):
    """The exact gradient plus isotropic Gaussian noise."""

    kind: Literal["gaussian"]
    relative: NonNegative
    """Root of E ||noise||^2, in multiples of the gradient's norm at theta_0."""

    @property
    def label(self) -> str:
        """In file names and tables."""
        return f"noise{self.relative:g}"


class SampledSpec(Settings):
    """A policy gradient from sampled trajectories."""

    kind: Literal["sampled"]
    trajectories: Count
    """Per gradient."""
    horizon: Count
    """Steps of each."""

    @property
    def label(self) -> str:
        """In file names and tables."""
        return f"sampled{self.trajectories}x{self.horizon}"


GradientSpec = Annotated[GaussianSpec | SampledSpec, Field(discriminator="kind")]


class Cell(Settings):
    """One setting, run with all seeds of its scenario: one job."""

    panel: PanelName
    problem: str
    problem_spec: ProblemSpec
    gradient: GradientSpec
    algorithm: Literal["afedpg", "async_pg", "fedpg"]
    n_agents: Count
    step_size: StepSize
    momentum: Momentum
    schedule: Schedule
    fleet: FleetSpec
    updates: Count
    """Gradients after which the cell ends: of all agents together."""

    @property
    def cell_id(self) -> str:
        """Path of its file below the scenario's folder, without suffix; a digest tells what the words do not."""
        short = hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]
        words = f"{self.gradient.label}-n{self.n_agents}-eta{self.step_size:g}-alpha{self.momentum:g}-{short}"
        return f"{self.panel}/{self.problem}/{self.algorithm}/{words}"

    def run_spec(self, seed: int) -> RunSpec:
        """What server, clock and the closed forms of waiting read: N, settings, fleet, tasks of 1,000 steps.

        The environment that a RunSpec must name is never made.
        """
        return RunSpec.model_validate(
            {
                "environment": "Swimmer",
                "algorithm": self.algorithm,
                "n_agents": self.n_agents,
                "seed": seed,
                "steps_per_agent": TASK_STEPS * self.updates,
                "server": {"step_size": self.step_size, "momentum": self.momentum, "schedule": self.schedule},
                "sampling": {"lanes": 1, "segment_steps": TASK_STEPS},
                "fleet": self.fleet,
            }
        )


def identity(cell: Cell) -> dict[str, object]:
    """The columns that say which cell a row is about."""
    return {
        "panel": cell.panel,
        "problem": cell.problem,
        "gradient": cell.gradient.label,
        "algorithm": cell.algorithm,
        "n_agents": cell.n_agents,
        "schedule": cell.schedule,
        "step_size": cell.step_size,
        "momentum": cell.momentum,
        "slowest": getattr(cell.fleet, "ratio", 1.0),
    }


class Sweep(Settings):
    """A grid of cells: every combination of what is listed."""

    problem: str
    """A key of `problems`."""
    gradients: Annotated[tuple[GradientSpec, ...], Field(min_length=1)]
    algorithms: Annotated[tuple[Literal["afedpg", "async_pg", "fedpg"], ...], Field(min_length=1)] = ("afedpg",)
    n_agents: Annotated[tuple[Count, ...], Field(min_length=1)]
    step_size: Annotated[tuple[StepSize, ...], Field(min_length=1)]
    momentum: Annotated[tuple[Momentum, ...], Field(min_length=1)]
    schedule: Schedule = "constant"
    fleets: Annotated[tuple[FleetSpec, ...], Field(min_length=1)] = (ConstantFleet(seconds_per_1000_steps=1.0),)
    updates: Count


class TheoryScenario(Settings):
    """Problems, and for each panel the grids that it draws."""

    name: Name
    """Folder below results/."""
    title: str
    tuned: str
    """Where the settings come from, for readers."""
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
        ids = [cell.cell_id for cell in self.cells()]
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

    def cells(self) -> Iterator[Cell]:
        """Every cell, panel by panel."""
        for panel, sweeps in self.panels.items():
            for s in sweeps:
                for gradient, algorithm, n, eta, alpha, fleet in product(
                    s.gradients, s.algorithms, s.n_agents, s.step_size, s.momentum, s.fleets
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
                    )


@cache
def build_problem(spec: QuadraticSpec | GarnetSpec | LQRSpec) -> Problem:
    """The problem of a specification."""
    settings = spec.model_dump(exclude={"kind"})
    if isinstance(spec, QuadraticSpec):
        return Quadratic(**settings)
    return Garnet(**settings) if isinstance(spec, GarnetSpec) else LQR(**settings)


def build_oracle(problem: Problem, spec: GaussianSpec | SampledSpec) -> Oracle:
    """The stochastic gradient of a problem."""
    if isinstance(spec, GaussianSpec):
        return GaussianNoise(problem, spec.relative)
    if not isinstance(problem, Garnet):
        raise SpecError(f"gradient.kind = 'sampled': only a garnet has sampled gradients, not {type(problem).__name__}")
    return SampledTrajectories(problem, spec.trajectories, spec.horizon)


def load(path: str | Path) -> TheoryScenario:
    """Read one scenario file of the theory lab, and the claims file that it names.

    Raises:
        SpecError: if one is missing, no YAML mapping, or not valid: one line for each thing that is wrong.
    """
    path = Path(path)
    data = read_mapping(path, "scenario")
    if "claims" in data:
        if not isinstance(data["claims"], str):
            raise SpecError(f"{path}: claims: should be the path of a claims file, as in claims-theory.yaml")
        data["claims"] = load_claims(path.parent / data["claims"])
    try:
        return TheoryScenario.model_validate(data)
    except ValidationError as error:
        raise SpecError(f"{path}: {explain(error, TheoryScenario)}") from None
