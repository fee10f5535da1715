"""What every claim has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from frl.training.servers.base import Settings

Role = Literal["confirmatory", "exploratory"]
Agents = Annotated[int, Field(ge=1)]
Number = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Methods = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
"""A method by name, or a list of names of which the first that the scenario has is meant."""

Need = tuple[tuple[str, ...], int]
"""The names of a method, as in `Methods`, and N."""


@dataclass(frozen=True)
class Part:
    """One comparison of a claim: what it is called, and the runs it needs. `joint` parts sum up the others."""

    label: str
    needs: tuple[Need, ...]
    joint: bool = False


class ClaimBase(Settings):
    """What every claim has."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,20}$")]
    """Short name, used once."""
    title: str
    """A few words."""
    statement: str
    """The claim in a sentence."""
    source: str
    """Where it is claimed."""
    environment: str
    """The MuJoCo task that it is about."""
    role: Role
    """confirmatory: its p-values are corrected together with those of all confirmatory claims; exploratory: not."""

    def parts(self) -> Iterator[Part]:
        """The comparisons that the claim consists of."""
        raise NotImplementedError
