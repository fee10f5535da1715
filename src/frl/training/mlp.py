"""Tanh multilayer perceptrons on one flat parameter vector.

Two forward passes of the same function: numpy for sampling, where a batch is a few dozen rows and numpy needs less
than half of torch's time, and torch where derivatives are wanted. tests/unit/test_learner.py holds them together.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Layers = list[tuple[Float32, Float32]]


class MLP:
    """sizes = (inputs, hidden..., outputs); weights are (in, out), flattened layer by layer, weight before bias."""

    def __init__(self, sizes: Sequence[int]):
        self.shapes = [shape for a, b in itertools.pairwise(sizes) for shape in ((a, b), (b,))]
        self.splits = [int(np.prod(shape)) for shape in self.shapes]
        self.size = sum(self.splits)

    def init(self, stream: np.random.Generator, output_gain: float) -> Float32:
        """Orthogonal weights (gain sqrt 2, `output_gain` in the last layer), zero biases; shape (size,)."""
        parts: list[NDArray[np.float64]] = []
        for index, shape in enumerate(self.shapes):
            if len(shape) == 1:
                parts.append(np.zeros(shape))
                continue
            gain = output_gain if index == len(self.shapes) - 2 else np.sqrt(2)
            normal = stream.standard_normal((max(shape), min(shape)))
            q, r = np.linalg.qr(normal)
            q *= np.sign(np.diag(r))
            parts.append(gain * (q if shape[0] >= shape[1] else q.T).ravel())
        return np.concatenate(parts).astype(np.float32)

    def layers(self, flat: Float32) -> Layers:
        """Views (weight, bias) into the flat vector."""
        pieces = np.split(flat, np.cumsum(self.splits)[:-1])
        arrays = [piece.reshape(shape) for piece, shape in zip(pieces, self.shapes, strict=True)]
        return list(zip(arrays[::2], arrays[1::2], strict=True))

    def torch(self, flat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Outputs (n, out) for inputs (n, in), differentiable in `flat`."""
        tensors = [p.view(shape) for p, shape in zip(torch.split(flat, self.splits), self.shapes, strict=True)]
        last = len(tensors) - 2
        for index in range(0, len(tensors), 2):
            x = torch.addmm(tensors[index + 1], x, tensors[index])
            if index < last:
                x = torch.tanh(x)
        return x


def forward(layers: Layers, x: Float32) -> Float32:
    """Outputs (n, out) for inputs (n, in), without derivatives."""
    for weight, bias in layers[:-1]:
        x = x @ weight
        x += bias
        np.tanh(x, out=x)
    weight, bias = layers[-1]
    return x @ weight + bias
