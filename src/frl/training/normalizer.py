"""Observation normaliser: sums that agents add up exactly, and the snapshot that a task works with.

Before any sums have arrived it is the identity, so the N tasks sent first sample with raw observations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frl.training.mlp import Float32

Sums = NDArray[np.float64]


def empty_sums(observation_size: int) -> Sums:
    """No data yet: count, sum (O), sum of squares (O); shape (1 + 2 O,)."""
    return np.zeros(1 + 2 * observation_size)


def sums_of(observation: Float32) -> Sums:
    """Count, sum and sum of squares in float64 of raw observations (n, O)."""
    data = observation.astype(np.float64)
    return np.concatenate(([len(data)], data.sum(axis=0), np.einsum("no,no->o", data, data)))


class Normalizer:
    """x -> clip((x - mean) / std, -clip, clip) with the statistics of `sums`; the identity without data.

    Args:
        sums: shape (1 + 2 O,); None for no normalisation at all.
        clip: bound of the result.
    """

    def __init__(self, sums: Sums | None, clip: float):
        self.mean, self.inverse_std, self.clip = _NO_MEAN, _UNIT, _NO_BOUND
        if sums is None or sums[0] == 0:
            return
        count, size = sums[0], (len(sums) - 1) // 2
        mean = sums[1 : 1 + size] / count
        variance = np.maximum(sums[1 + size :] / count - np.square(mean), 0)
        self.mean = mean.astype(np.float32)
        self.inverse_std = (1 / np.sqrt(variance + 1e-8)).astype(np.float32)
        self.clip = np.array(clip, np.float32)

    def __call__(self, raw: Float32) -> Float32:
        """Normalised observations, same shape as `raw`."""
        out: Float32 = raw - self.mean
        out *= self.inverse_std
        np.minimum(out, self.clip, out=out)
        np.maximum(out, -self.clip, out=out)
        return out


_NO_MEAN, _UNIT, _NO_BOUND = (np.array(value, np.float32) for value in (0, 1, np.inf))
