"""QSGD (Alistarh et al., NeurIPS 2017): stochastic rounding to a few levels of each bucket's norm, unbiased."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from frl.training.codecs.base import CodecSettings, Coded, Compression, Shapes
from frl.training.servers.base import Array

BUCKET = 128
"""Entries that share a norm; the last bucket is filled up with zeros, which do not travel."""


class QSGD(Compression):
    """Per bucket a norm in float32; per entry an integer in -s ... s, packed into ceil(log2(2 s + 1)) bits."""

    class Settings(CodecSettings):
        """Stochastic rounding."""

        name: Literal["qsgd"]
        """Stochastic rounding to s levels of the norm of each 128 entries."""
        levels: Annotated[int, Field(ge=1, le=127, strict=True)] = 7
        """s: with 1, 3, 7, 127 an entry is 2, 3, 4, 8 bits."""

    unbiased: ClassVar[bool] = True

    def __init__(self, settings: Any, shapes: Shapes):
        super().__init__(settings, shapes)
        self.bits = math.ceil(math.log2(2 * settings.levels + 1))
        self.buckets = -(-self.size // BUCKET)

    def compress(self, vector: Array, memory: dict[str, Array], stream: np.random.Generator) -> Coded:
        del memory
        entries = np.zeros(self.buckets * BUCKET)
        entries[: self.size] = vector
        norm = np.sqrt(np.square(entries).reshape(-1, BUCKET).sum(axis=1)).astype(np.float32)
        whole = np.where(norm > 0, norm, 1).astype(np.float64).repeat(BUCKET)[: self.size]
        level = np.abs(entries[: self.size]) / whole * self.settings.levels
        level = np.minimum(np.floor(level + stream.random(self.size)), self.settings.levels)
        code = (np.copysign(level, vector) + self.settings.levels).astype(np.uint8)
        digits = np.unpackbits(code[:, None], axis=1, count=8)[:, 8 - self.bits :]
        return norm, np.packbits(digits)

    def expand(self, coded: Coded) -> Array:
        norm, packed = coded
        digits = np.zeros((self.size, 8), np.uint8)
        digits[:, 8 - self.bits :] = np.unpackbits(packed, count=self.size * self.bits).reshape(self.size, self.bits)
        level = np.packbits(digits, axis=1)[:, 0].astype(np.float32) - self.settings.levels
        return np.asarray(level / np.float32(self.settings.levels) * norm.repeat(BUCKET)[: self.size])

    @property
    def gain(self) -> float:
        """1 / (1 + omega), with omega = min(b / s^2, sqrt(b) / s) the bound on the relative variance."""
        s: int = self.settings.levels
        return 1 / (1 + min(BUCKET / s**2, math.sqrt(BUCKET) / s))
