"""What every claim has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from frl import settings
from frl.training.servers.base import Settings

Role = Literal["primary", "secondary", "exploratory"]
Per = Literal["samples", "time", "uploads", "uplink_bytes", "total_bytes"]
"""What is counted until the threshold: environment steps per agent, simulated seconds, and uploads, bytes up or bytes
of both directions per agent."""
Agents = settings.Count
Finite = settings.Number
Number = settings.Positive
Factor = Annotated[Finite, Field(gt=1)]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _one_line(text: str) -> str:
    if len(text.strip().splitlines()) > 1:
        raise ValueError("must be one line")
    return text.strip()


Text = Annotated[str, AfterValidator(_not_blank)]
Line = Annotated[Text, AfterValidator(_one_line)]


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Methods = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
"""A method by name, or a list of names of which the first that the scenario has is meant."""

Need = tuple[tuple[str, ...], int]
"""The names of a method, as in `Methods`, and N."""


class ArmOf(Settings):
    """One arm of a comparison: all seeds of a method with N agents."""

    method: Methods
    n_agents: Agents

    @property
    def need(self) -> Need:
        """As a :class:`Part` has it."""
        return self.method, self.n_agents


@dataclass(frozen=True)
class Part:
    """One comparison of a claim: what it is called, the arms it needs, in the order of its test, and what is claimed.

    `number`: the claimed number; None where only a direction is claimed. `joint` parts sum up the others.
    """

    label: str
    needs: tuple[Need, ...]
    number: float | Literal["waiting_gain"] | None = None
    joint: bool = False


class ClaimBase(Settings):
    """What every claim has."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,20}$")]
    """Short name, used once."""
    title: Line
    """A few words."""
    statement: Line
    """The claim in a sentence."""
    source: Line
    """Where it is claimed."""
    environment: str
    """The MuJoCo task that it is about."""
    role: Role
    """primary: corrected for the number of primary claims of its environment and family; secondary and exploratory: not
    corrected, but judged by the same wide interval; exploratory ones were thought of late, or cannot decide."""
    family: str = ""
    """Primary claims of one environment that belong together; empty where an environment has one family."""
    threshold: Finite
    """Return to reach."""
    horizon: Number
    """Where times to it are censored, in the unit of what is counted; fixed before the runs."""

    def parts(self) -> Iterator[Part]:
        """The comparisons that the claim consists of."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _a_primary_claim_is_one_direction(self) -> ClaimBase:
        parts = list(self.parts())
        if self.role == "primary" and (len(parts) > 1 or parts[0].number is not None):
            raise ValueError("role = 'primary': such a claim has one part, and claims a direction, not a number")
        return self
