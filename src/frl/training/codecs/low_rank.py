"""PowerSGD (Vogels, Karimireddy and Jaggi, NeurIPS 2019): each weight matrix by its leading directions.

There one all-reduce averages the agents' factors. Here each agent sends its own P and Q, since no two arrive together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from frl.training.codecs.base import CodecSettings, Coded, Compression, Shapes
from frl.training.servers.base import Array


class LowRank(Compression):
    """M (n, m) as P (n, r) with orthonormal columns and Q = M'P (m, r), after one power step from the last Q.

    Biases, and matrices for which r (n + m) >= n m, travel as they are.
    """

    class Settings(CodecSettings):
        """Low-rank matrices."""

        name: Literal["low_rank"]
        """PowerSGD for each weight matrix, with a warm start."""
        rank: Annotated[int, Field(ge=1, strict=True)] = 2
        """r."""

    def __init__(self, settings: Any, shapes: Shapes):
        super().__init__(settings, shapes)
        ends = itertools.accumulate((math.prod(shape) for shape in self.shapes), initial=0)
        self.parts = [slice(a, b) for a, b in itertools.pairwise(ends)]

    def compress(self, vector: Array, memory: dict[str, Array], stream: np.random.Generator) -> Coded:
        coded: list[Array] = []
        for number, (part, shape, factored) in enumerate(self._layout()):
            if not factored:
                coded.append(vector[part].astype(np.float32))
                continue
            matrix, name = vector[part].reshape(shape), f"q{number}"
            if name not in memory:
                memory[name] = stream.standard_normal((shape[1], self.settings.rank))
            p = np.linalg.qr(matrix @ memory[name])[0]
            q = matrix.T @ p
            if np.isfinite(q).all() and q.any():  # else the next power step would start from nothing
                memory[name] = q
            coded += [p.astype(np.float32), q.astype(np.float32)]
        return tuple(coded)

    def expand(self, coded: Coded) -> Array:
        arrays, parts = iter(coded), []
        for _, _, factored in self._layout():
            parts.append((next(arrays) @ next(arrays).T).ravel() if factored else next(arrays))
        return np.concatenate(parts)

    def _layout(self) -> Iterator[tuple[slice, tuple[int, ...], bool]]:
        """Place, shape, and whether it is factored, of each weight and bias."""
        for part, shape in zip(self.parts, self.shapes, strict=True):
            yield part, shape, len(shape) == 2 and self.settings.rank * sum(shape) < shape[0] * shape[1]
