"""Random skipping: LAPG whose agents toss a coin instead of looking at their gradients.

A control of ours, in no paper: at LAPG's measured share of uploads it tells what the condition is worth.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from frl.training.servers.base import Array, Sample, ServerSettings, StepSize
from frl.training.servers.lapg import LAPG


class RandomSkip(LAPG):
    """LAPG's recursion; after the first D rounds each agent uploads with a given probability."""

    class Settings(ServerSettings):
        """Settings of random skipping."""

        step_size: StepSize = 0.02
        """alpha: multiplies the sum over the agents, as LAPG's."""
        window: Annotated[int, Field(ge=1, strict=True)] = 10
        """D: in the first D rounds everyone uploads, as in LAPG."""
        upload_probability: Annotated[float, Field(gt=0, le=1)] = 0.5
        """Probability of an upload in each later round."""

    @classmethod
    def uploads(cls, increment: Array, sample: Sample, memory: dict[str, Array], settings: Any) -> bool:
        """Heads."""
        return bool(len(memory["steps"]) < settings.window or sample.stream.random() < settings.upload_probability)
