"""Fewer uploads: several steps on the agent between two of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from frl.training.servers.base import Settings


class LocalSpec(Settings):
    """Local steps: the agent moves by its own gradient and samples again, several times before it uploads."""

    steps: Annotated[int, Field(ge=2, strict=True)]
    """H: an upload is the mean of H gradients, each at the next point; a task asks for H times the samples."""
    step_size: Annotated[float, Field(gt=0, strict=True)]
    """Length of a local step, in multiples of the gradient."""
