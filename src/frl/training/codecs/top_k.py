"""Top-k sparsification (Stich et al., NeurIPS 2018): the largest entries and where they are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from frl.training.codecs.base import CodecSettings, Coded, Compression, Shapes
from frl.training.servers.base import Array


class TopK(Compression):
    """k values in float32 with their places, of two bytes each where d is at most 65,536, else of four."""

    class Settings(CodecSettings):
        """The largest entries."""

        name: Literal["top_k"]
        """The k entries that are largest in absolute value."""
        fraction: Annotated[float, Field(gt=0, le=1, strict=True, allow_inf_nan=False)] = 0.01
        """k / d."""

    def __init__(self, settings: Any, shapes: Shapes):
        super().__init__(settings, shapes)
        self.k = max(1, round(settings.fraction * self.size))
        self.places = np.uint16 if self.size <= 2**16 else np.uint32

    def compress(self, vector: Array, memory: dict[str, Array], stream: np.random.Generator) -> Coded:
        del memory, stream
        chosen = np.sort(np.argpartition(np.abs(vector), self.size - self.k)[self.size - self.k :])
        return vector[chosen].astype(np.float32), chosen.astype(self.places)

    def expand(self, coded: Coded) -> Array:
        values, places = coded
        vector = np.zeros(self.size, np.float32)
        vector[places] = values
        return vector
