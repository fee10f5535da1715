"""What every claim has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from frl import spec
from frl.training.servers.base import Settings

Role = Literal["confirmatory", "exploratory"]
Agents = spec.Count
Finite = spec.Number
Number = spec.Positive


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
    title: Line
    """A few words."""
    statement: Line
    """The claim in a sentence."""
    source: Line
    """Where it is claimed."""
    environment: str
    """The MuJoCo task that it is about."""
    role: Role
    """confirmatory: its p-values are corrected together with those of all confirmatory claims; exploratory: not."""

    def parts(self) -> Iterator[Part]:
        """The comparisons that the claim consists of."""
        raise NotImplementedError
