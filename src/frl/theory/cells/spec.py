"""The settings of one cell: problem, gradient, algorithm, N, schedule, fleet, seeds.

Every model is frozen and refuses unknown keys.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, model_validator

from frl.settings import AdversarySpec, Count, FleetSpec, NonNegative, Positive, Seed
from frl.spec import SERVERS, RunSpec, check_uploads, gradients_uploaded
from frl.training.codecs.wire import CodecSpec, LocalSpec
from frl.training.servers.base import Momentum, Schedule, Settings, StepSize

PanelName = Literal[
    "rates", "speedup", "time", "lookahead", "best", "sampled", "tuning",
    "adversaries", "rennala", "compression", "bandwidth", "natural",
]  # fmt: skip
AlgorithmName = Literal[
    "afedpg", "async_pg", "fedpg", "robust_afedpg", "robust_fedpg", "rennala",
    "lapg", "lazy_afedpg", "afednpg", "fednpg",
]  # fmt: skip
AGENTS = ("damping", "window", "xi", "variance_multiplier")
"""Options that the agents read."""
THEORY_VERSION = 3
"""Raised whenever a change of problems, servers or clock reorders arithmetic, so that a cell's CSV is no longer
byte-identical to older ones; what NUMERICS_VERSION is to a training run. Published cells are accepted by it."""
EXTENSIONS = ("attack", "defence", "communication", "method", "bandwidth", "options")
"""Columns that tables have where some cell has them."""
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


class ServerOptions(Settings):
    """What some algorithms' servers are told beside step size, momentum and schedule."""

    defence: str | None = None
    aggregator: str | None = None
    faulty: NonNegativeInt | None = None
    batch: Count | None = None
    damping: Positive | None = None
    window: Count | None = None
    xi: NonNegative | None = None
    variance_multiplier: NonNegative | None = None

    @property
    def label(self) -> str:
        """In file names and tables: the defence, with its aggregator, or the batch."""
        words = (self.defence, self.aggregator, self.batch and f"m{self.batch}")
        return "-".join(str(word) for word in words if word is not None)

    @property
    def numbers(self) -> str:
        """In tables: the agents' own settings, e.g. damping 0.1."""
        return ", ".join(f"{name} {value:g}" for name, value in self.given().items() if name in AGENTS)


class Traffic(Settings):
    """What travels, of cells that count bytes: parameters and gradients in single precision, as where agents train."""

    method: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
    """What tables and figures call it."""
    codec: CodecSpec | None = None
    """Of the gradients."""
    downlink: CodecSpec | None = None
    """Of the parameters, as differences."""
    batch: Count = 1
    """Gradients at one point whose mean is uploaded."""
    local: LocalSpec | None = None
    """Local steps, each with a gradient of its own."""

    @property
    def samples(self) -> int:
        """Gradients that an answer takes."""
        return self.batch * (1 if self.local is None else self.local.steps)


class Cell(Settings):
    """One setting, run with all seeds of its scenario: one job, and what a RunSpec is to a training run."""

    kind: Literal["theory"] = "theory"
    panel: PanelName
    problem: str
    problem_spec: ProblemSpec
    gradient: GradientSpec
    algorithm: AlgorithmName
    n_agents: Count
    step_size: StepSize
    momentum: Momentum
    schedule: Schedule
    fleet: FleetSpec
    updates: Count
    """Answers after which the cell ends, of all agents together: gradients, if an answer takes one."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    server: ServerOptions | None = None
    traffic: Traffic | None = None
    bandwidth: Positive | None = None
    """Bytes a second, up and down; empty means that messages take no time."""

    @model_validator(mode="after")
    def _has_what_its_agents_need(self) -> Cell:
        if self.wired and (self.adversary or self.communication):
            raise ValueError(
                "adversary, communication: not of cells that count bytes or whose agents do more than upload"
            )
        if self.traffic is not None:
            check_uploads(self.algorithm, self.traffic.codec, self.traffic.local)
        if SERVERS[self.algorithm].lazy and not isinstance(self.gradient, GaussianSpec):
            raise ValueError(f"{self.algorithm}: its agents must know their noise; use gradients of kind gaussian")
        if self.algorithm in ("afednpg", "fednpg") and isinstance(self.problem_spec, QuadraticSpec):
            raise ValueError(f"{self.algorithm}: a quadratic has no policy, and so no Fisher information")
        return self

    adversary: AdversarySpec | None = None
    communication: Positive | None = None
    """Time that an agent needs to fetch a point and send what it has for it, in multiples of a gradient's; none: 0."""

    @model_validator(mode="after")
    def _has_rewards_to_flip(self) -> Cell:
        if self.adversary is not None and self.adversary.attack == "reward_flip":
            raise ValueError("adversary.attack = 'reward_flip': the lab's gradients come from no rewards")
        return self

    @property
    def wired(self) -> bool:
        """Whether messages have a size, or agents do more than upload the gradient."""
        sized = self.traffic is not None or self.bandwidth is not None
        return sized or self.algorithm not in gradients_uploaded()

    @property
    def run_id(self) -> str:
        """What the cell is called in its scenario, and where its files are; a digest tells what the words do not."""
        absent = type(self).model_fields.keys() - self.given().keys()
        settings = self.model_dump_json(exclude={"kind", "seeds", *absent}, exclude_none=True)
        short = hashlib.sha256(settings.encode()).hexdigest()[:8]
        words = [self.gradient.label, f"n{self.n_agents}", f"eta{self.step_size:g}", f"alpha{self.momentum:g}"]
        words += [self.server.label] if self.server and self.server.label else []
        words += [self.adversary.attack] if self.adversary else []
        words += [self.traffic.method] if self.traffic else []
        return f"{self.panel}/{self.problem}/{self.algorithm}/{'-'.join([*words, short])}"

    @property
    def gradients(self) -> int:
        """That it takes, with all seeds: what progress and plan count."""
        return self.updates * self.samples * len(self.seeds)

    @property
    def samples(self) -> int:
        """Gradients that an answer takes."""
        return 1 if self.traffic is None else self.traffic.samples

    def to_json(self) -> str:
        """Canonical JSON of :meth:`given`, keys sorted."""
        return json.dumps(self.given(), sort_keys=True)

    def digest(self, code_digest: str) -> str:
        """Hex SHA-256 of the cell and of the code that runs it (:func:`frl.runs.provenance.code_digest`)."""
        return hashlib.sha256(f"{self.to_json()}\n{code_digest}".encode()).hexdigest()

    def run_spec(self, seed: int) -> RunSpec:
        """What server, clock and the closed forms of waiting read: N, settings, fleet, tasks of 1,000 steps.

        The environment that a RunSpec must name is never made.
        """
        steps = {"step_size": self.step_size, "momentum": self.momentum, "schedule": self.schedule}
        known = SERVERS[self.algorithm].Settings.model_fields
        return RunSpec.model_validate(
            {
                "environment": "Swimmer",
                "algorithm": self.algorithm,
                "n_agents": self.n_agents,
                "seed": seed,
                "steps_per_agent": TASK_STEPS * self.updates,
                "server": {name: value for name, value in steps.items() if name in known}
                | (self.server.given() if self.server else {}),
                "adversary": self.adversary,
                "sampling": {"lanes": 2, "segment_steps": TASK_STEPS // 2},
                "fleet": self.fleet,
                "link": {"uplink_bytes_per_s": self.bandwidth, "downlink_bytes_per_s": self.bandwidth},
            }
        )


def identity(cell: Cell) -> dict[str, object]:
    """The columns that say which cell a row is about; those of `EXTENSIONS` where the cell has them."""
    own = {
        "attack": cell.adversary and cell.adversary.attack,
        "defence": (cell.server and cell.server.label) or None,
        "communication": cell.communication,
        "method": cell.traffic and cell.traffic.method,
        "bandwidth": cell.bandwidth,
        "options": (cell.server and cell.server.numbers) or None,
    }
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
    } | {name: value for name, value in own.items() if value is not None}
