"""What was judged, as data: the content of verdicts.json, which figures, tables and the report read.

One :class:`Judgement` for each part of a claim. Numbers are in full precision; what readers see is made of them in
:mod:`frl.verdicts.words` and in the report.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from pydantic import ValidationError

from frl.analysis.curves import Cell
from frl.analysis.quantity import Quantity
from frl.analysis.thresholds import OF_RATIO, relation, slope_weights
from frl.errors import SpecError
from frl.runs.files import write_atomically
from frl.scenario.claim_base import Per, Role
from frl.scenario.products import JUDGED
from frl.training.servers.base import Settings


class Interval(Settings):
    """A number and the two ends of its interval; no ends where an interval could not be computed."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, q: Quantity) -> Interval:
        """From a quantity."""
        return cls(value=q.value, low=q.low, high=q.high) if q.has_interval else cls(value=q.value)

    @property
    def quantity(self) -> Quantity:
        """As a quantity."""
        if self.low is None or self.high is None:
            return Quantity(self.value)
        return Quantity(self.value, self.low, self.high)


class Reason(Settings):
    """Why a verdict is what it is: a key of :data:`frl.verdicts.words.REASONS` and the values in its sentence."""

    code: str
    details: dict[str, int | float | str] = {}


class Notes(Settings):
    """What to know besides; None where it means nothing."""

    waiting_gain: float | None = None
    """Ratio that not waiting alone gives, in closed form."""
    t_max_over_t_min: float | None = None
    """Slowest over fastest agent."""
    alpha: float | None = None
    """Weight of an arriving gradient in the momentum."""
    momentum_share: float | None = None
    """Share of the bias of Vanilla's direction that the lookahead removes in theory."""
    capped_area_gain: Interval | None = None
    """Mean of min(return, threshold) up to the horizon: the faster arm's less the slower one's, in return."""
    lack_of_fit: float | None = None
    """p of "the logarithms of the times are linear in log N"; small where no power law fits."""
    other_way: Interval | None = None
    """The effect with the interval of the test that the claim does not name: seed by seed, or of independent arms."""
    seeds_to_decide: int | None = None
    """Seeds an arm with which an interval of this spread would exclude either no effect or one that matters."""


class ArmResult(Settings):
    """One arm of a comparison."""

    label: str
    """What readers call it."""
    method: str
    n_agents: int
    seeds: int
    missing: int
    """Runs that the scenario has and that were not collected."""
    diverged: int = 0
    reached: int = 0
    """Seeds that got to the threshold within the horizon."""
    time: Interval | None = None
    """Restricted geometric mean of what the seeds need, in the unit of what is counted."""
    capped_area: Interval | None = None
    """Mean of min(return, threshold) up to the horizon, in return; of the runs that are not set to stop at one."""

    @property
    def share(self) -> float:
        """Share of the seeds that got there; nan without seeds."""
        return self.reached / self.seeds if self.seeds else float("nan")

    @property
    def needed(self) -> Quantity | None:
        """`time`, a lower bound where a seed did not get there."""
        return replace(self.time.quantity, relation="=" if self.share == 1 else ">") if self.time else None


class Judgement(Settings):
    """One part of a claim, judged."""

    claim: str
    """Its id."""
    title: str
    statement: str
    source: str
    environment: str
    role: Role
    family: str
    test: Literal["ratio", "lookahead", "fleets", "exponent"]
    part: str
    """Which comparison."""
    joint: bool
    """Whether it sums up the claim's other parts."""
    per: Per
    """What is counted until the threshold."""
    threshold: float
    horizon: float
    unit: Literal["ratio", "exponent"]
    margin: float
    """In `unit`: 1.25 is a ratio of 1.25 or, for a claimed number, a factor of 1.25 about it."""
    number: float | None = None
    """The claimed number; None where only a direction is claimed."""
    paired: bool = False
    """Whether equal seeds were compared with each other."""
    arms: tuple[ArmResult, ...]
    """In the order of the test: slower and faster; by N; slower and then each fleet's."""
    effect: Interval | None = None
    p_above: float | None = None
    """Of "there is no effect", one-sided."""
    p_below: float | None = None
    """Of "it is one that matters", one-sided."""
    p_above_holm: float | None = None
    """Corrected among the primary claims of the family; None for others."""
    p_below_holm: float | None = None
    verdict: Literal["replicated", "contradicted", "inconclusive", "not run"]
    reason: Reason
    notes: Notes = Notes()

    @property
    def measured(self) -> Quantity | None:
        """The effect with its interval, as a bound where seeds did not get there: what readers are shown."""
        if self.effect is None:
            return None
        if self.joint:  # the slower arm's share cancels out, and in which direction a fleet counts is not known here
            weights = np.array([0.0] + [np.nan] * (len(self.arms) - 1))
        elif self.unit == "exponent":
            weights = -slope_weights([arm.n_agents for arm in self.arms])
        else:
            weights = np.array(OF_RATIO)
        return replace(self.effect.quantity, relation=relation([arm.share for arm in self.arms], weights))

    @property
    def cells(self) -> list[Cell]:
        """Environment, method and N of each arm."""
        return [(self.environment, arm.method, arm.n_agents) for arm in self.arms]

    @property
    def shares(self) -> list[tuple[int, int]]:
        """Of each arm the seeds that got there, and all."""
        return [(arm.reached, arm.seeds) for arm in self.arms]

    @property
    def seeds(self) -> tuple[int, int]:
        """The fewest and the most seeds of an arm."""
        counts = [arm.seeds for arm in self.arms] or [0]
        return min(counts), max(counts)


class Verdicts(Settings):
    """All parts of all claims of a scenario, in the order of its claims file."""

    scenario: str
    level: float
    """Of the intervals."""
    alpha: float
    """Of a family of primary claims, on either side."""
    instructions: dict[str, int] = {}
    """How many of the runs were made with each set of vector instructions."""
    parts: tuple[Judgement, ...]

    def of(self, test: str, joint: bool = False) -> list[Judgement]:
        """The measured parts of the claims with this test, joint ones last and only if asked for."""
        found = [one for one in self.parts if one.test == test and one.effect is not None and (joint or not one.joint)]
        return sorted(found, key=lambda one: one.joint)

    def write(self, base: Path) -> Path:
        """Write verdicts.json into `base`."""
        path = base / JUDGED
        write_atomically(path, (self.model_dump_json(indent=1) + "\n").encode())
        return path


def read(base: Path) -> Verdicts:
    """What `frl verdict` wrote into `base` of a scenario of training runs; see :func:`read_as`."""
    return read_as(Verdicts, base)


Judged = TypeVar("Judged", bound=Settings)


def read_as(kind: type[Judged], base: Path) -> Judged:
    """What `frl verdict` wrote into `base`.

    Raises:
        SpecError: if it is not there, or not what this version writes.
    """
    path = base / JUDGED
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise SpecError(f"{path} is not there: judge the claims first, with frl verdict") from None
    except ValidationError:
        raise SpecError(f"{path} is of another version: judge the claims again, with frl verdict") from None
