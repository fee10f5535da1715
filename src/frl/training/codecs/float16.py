"""Half precision: two bytes a number instead of four."""

from __future__ import annotations

from typing import Literal

import numpy as np

from frl.training.codecs.base import CodecSettings, Coded, Compression
from frl.training.servers.base import Array

_LARGEST = np.float32(65504)


class Float16(Compression):
    """Rounded to the nearest half; what is too large for one is cut, and comes later."""

    class Settings(CodecSettings):
        """Half precision."""

        name: Literal["float16"]
        """Two bytes a number."""

    def compress(self, vector: Array, memory: dict[str, Array], stream: np.random.Generator) -> Coded:
        del memory, stream
        cut = np.where(np.isfinite(vector), np.clip(vector, -_LARGEST, _LARGEST), vector)
        return (cut.astype(np.float16),)

    def expand(self, coded: Coded) -> Array:
        return np.asarray(coded[0].astype(np.float32))
