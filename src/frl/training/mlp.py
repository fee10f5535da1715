"""Tanh multilayer perceptrons on one flat parameter vector: outputs, and first derivatives of them.

All numpy's: torch's cost per call is what sampling and small batches would mostly pay for, and its import takes longer
than many an update. tests/unit/test_learner.py holds the derivatives to torch's.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Layers = list[tuple[Float32, Float32]]


class MLP:
    """sizes = (inputs, hidden..., outputs); weights are (in, out), flattened layer by layer, weight before bias."""

    def __init__(self, sizes: Sequence[int]):
        self.shapes = [shape for a, b in itertools.pairwise(sizes) for shape in ((a, b), (b,))]
        ends = list(itertools.accumulate(int(np.prod(shape)) for shape in self.shapes))
        self._slices = [slice(a, b) for a, b in itertools.pairwise([0, *ends])]
        self.size = ends[-1]

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
        arrays = [flat[part].reshape(shape) for part, shape in zip(self._slices, self.shapes, strict=True)]
        return list(zip(arrays[::2], arrays[1::2], strict=True))


def forward(layers: Layers, x: Float32) -> list[Float32]:
    """[x, every hidden layer's activations, outputs] for inputs x (n, in).

    Weights may be stacked, (S, in, out) and (S, 1, out): S networks for x of shape (S, n, in), each as if alone.
    """
    values = [x]
    for weight, bias in layers[:-1]:
        x = x @ weight
        x += bias
        np.tanh(x, out=x)
        values.append(x)
    weight, bias = layers[-1]
    values.append(x @ weight + bias)
    return values


def backward(layers: Layers, values: list[Float32], gradient: Float32) -> Float32:
    """Gradient in the flat parameters, (size,), for the gradient (n, out) in the outputs of :func:`forward`."""
    parts: list[Float32] = []
    for index in reversed(range(len(layers))):
        x = values[index]
        parts = [(x.T @ gradient).ravel(), gradient.sum(axis=0), *parts]
        if index > 0:
            gradient = gradient @ layers[index][0].T
            gradient *= 1 - np.square(x)  # the derivative of tanh where its value is x
    return np.concatenate(parts)


def tangent(layers: Layers, values: list[Float32], direction: Layers) -> Float32:
    """Change of the outputs of :func:`forward`, (n, out), to first order, as the parameters change by `direction`."""
    change = np.zeros_like(values[0])
    for index, ((weight, _), (d_weight, d_bias)) in enumerate(zip(layers, direction, strict=True)):
        if index > 0:
            change *= 1 - np.square(values[index])
        change = change @ weight + values[index] @ d_weight + d_bias
    return change
