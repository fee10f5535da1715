"""What every method of compression does: a vector to the arrays that travel, and back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from frl.training.servers.base import Array, Settings

Shapes = Sequence[tuple[int, ...]]
Coded = tuple[Array, ...]


class CodecSettings(Settings):
    """Base of a method's own settings."""


def layout(coded: Coded) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
    """Dtype and shape of each array."""
    return [(array.dtype, array.shape) for array in coded]


class Compression(ABC):
    """Both sides of one method, the same object for all agents; what an agent remembers is in its own memory.

    Args:
        settings: an instance of the class's own `Settings`.
        shapes: of the weights and biases that the vector of d parameters holds, in their order.
    """

    Settings: ClassVar[type[CodecSettings]]
    unbiased: ClassVar[bool] = False
    """Whether the mean over the method's own draws is the vector; if not, what is lost is added to the next one."""

    def __init__(self, settings: Any, shapes: Shapes):
        self.settings = settings
        self.shapes = [tuple(shape) for shape in shapes]
        self.size = sum(math.prod(shape) for shape in self.shapes)

    @abstractmethod
    def compress(self, vector: Array, memory: dict[str, Array], stream: np.random.Generator) -> Coded:
        """The arrays that travel for a vector (d,), each in the dtype that travels.

        Args:
            memory: of this sender, kept from message to message.
            stream: for methods that draw.
        """

    @abstractmethod
    def expand(self, coded: Coded) -> Array:
        """The vector that the receiver makes of them, float32 (d,)."""

    def nbytes(self) -> int:
        """Bytes of what travels for a vector; the same for all."""
        return sum(dtype.itemsize * math.prod(shape) for dtype, shape in self.layout())

    def layout(self) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
        """Dtype and shape of each array that travels; the same for all vectors."""
        return layout(self.compress(np.zeros(self.size, np.float32), {}, np.random.default_rng(0)))

    @property
    def gain(self) -> float:
        """Share of an expanded difference that a receiver adds up, so that what is missing shrinks on average."""
        return 1.0
