"""Robust means of n gradients of which f may be anything: pure functions of an array (n, d), in float64.

Medians and trimmed means are taken coordinate by coordinate (Yin et al., ICML 2018); Krum is Blanchard et al.'s
(NeurIPS 2017), the geometric median Pillutla et al.'s smoothed Weiszfeld iteration (IEEE TSP 2022), centred clipping
Karimireddy et al.'s (ICML 2021), the filter that of FedPG-BR (Fan et al., NeurIPS 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
AggregatorName = Literal[
    "median", "trimmed_mean", "krum", "multi_krum", "geometric_median", "centred_clipping", "fedpg_br"
]


def aggregate(name: AggregatorName, vectors: list[Array], faulty: int) -> Array:
    """One vector (d,) for n of them, in their dtype.

    Args:
        name: of the rule.
        vectors: in an order that does not depend on arrivals.
        faulty: f, how many of them the rule is to bear; with few vectors as many as are less than half.
    """
    f = min(faulty, (len(vectors) - 1) // 2)
    found: Array = AGGREGATORS[name](np.array(vectors, np.float64), f).astype(vectors[0].dtype)
    return found


def median(vectors_ND: Array, f: int) -> Array:
    """Of each coordinate."""
    del f
    ordered_ND, n = np.sort(vectors_ND, axis=0), len(vectors_ND)  # several times faster than np.median on few vectors
    return np.asarray((ordered_ND[(n - 1) // 2] + ordered_ND[n // 2]) / 2)


def trimmed_mean(vectors_ND: Array, f: int) -> Array:
    """Of each coordinate, without its f lowest and f highest values."""
    return np.asarray(np.sort(vectors_ND, axis=0)[f : len(vectors_ND) - f].mean(axis=0))


def distances(vectors_ND: Array) -> Array:
    """Euclidean distance of every pair, (n, n)."""
    return np.asarray(np.linalg.norm(vectors_ND[:, None] - vectors_ND[None], axis=2))


def scores(vectors_ND: Array, f: int) -> Array:
    """Krum's: of each vector the sum of the squared distances to its n - f - 2 nearest others (at least one), (n,)."""
    nearest = max(1, len(vectors_ND) - f - 2)
    return np.asarray(np.sort(np.square(distances(vectors_ND)), axis=1)[:, 1 : 1 + nearest].sum(axis=1))


def krum(vectors_ND: Array, f: int) -> Array:
    """The vector with the lowest score."""
    return np.asarray(vectors_ND[np.argmin(scores(vectors_ND, f))])


def multi_krum(vectors_ND: Array, f: int) -> Array:
    """The mean of the n - f vectors with the lowest scores."""
    best = np.argsort(scores(vectors_ND, f), kind="stable")[: len(vectors_ND) - f]
    return np.asarray(vectors_ND[np.sort(best)].mean(axis=0))


def geometric_median(vectors_ND: Array, f: int = 0, smoothing: float = 1e-3, iterations: int = 16) -> Array:
    """The point of the smallest sum of distances, by smoothed Weiszfeld steps from the coordinate median.

    Args:
        vectors_ND: the vectors.
        f: of no influence.
        smoothing: distances count as at least this, in multiples of their median at the start.
        iterations: how many steps at most; it ends where one moves by less than a thousandth of that median.
    """
    centre = median(vectors_ND, f)
    scale = float(np.median(np.linalg.norm(vectors_ND - centre, axis=1)))
    for _ in range(iterations if scale > 0 else 0):
        weight = 1 / np.maximum(np.linalg.norm(vectors_ND - centre, axis=1), smoothing * scale)
        before, centre = centre, weight @ vectors_ND / weight.sum()
        if np.linalg.norm(centre - before) < 1e-3 * scale:
            break
    return np.asarray(centre)


def clipped(vector: Array, radius: float) -> Array:
    """The vector, shortened to `radius` if it is longer."""
    norm = float(np.linalg.norm(vector))
    return vector if norm <= radius else np.asarray(vector * vector.dtype.type(radius / norm))


def clipped_towards(vectors_ND: Array, centre: Array, radius: float, iterations: int = 1) -> Array:
    """Centred clipping: v <- v + mean of clip(x - v), so many times."""
    for _ in range(iterations):
        centre = centre + np.mean([clipped(vector - centre, radius) for vector in vectors_ND], axis=0)
    return centre


def centred_clipping(vectors_ND: Array, f: int) -> Array:
    """Three steps of centred clipping from the coordinate median, with the median distance to it as the radius."""
    centre = median(vectors_ND, f)
    return clipped_towards(vectors_ND, centre, float(np.median(np.linalg.norm(vectors_ND - centre, axis=1))), 3)


BR_RADIUS = 1.5
"""The filter's threshold 2 sigma, in multiples of the usual distance between two honest gradients."""


def fedpg_br(vectors_ND: Array, f: int) -> Array:
    """FedPG-BR's filter: the mean of what lies within 2 sigma of the vector nearest to the mean of those with a crowd.

    Those with a crowd have more than half of all within 2 sigma. The paper knows sigma; here the usual distance is
    the median over the vectors of each one's median distance to the others, which a minority cannot move far. Its
    first pass, whose threshold shrinks with the batch, is left out: an upload is one batch.
    """
    del f
    n = len(vectors_ND)
    if n == 1:
        return np.asarray(vectors_ND[0])
    between_NN = distances(vectors_ND)
    usual = float(np.median([np.median(np.delete(row, i)) for i, row in enumerate(between_NN)]))
    near_NN = between_NN <= BR_RADIUS * usual
    crowd = np.flatnonzero(near_NN.sum(axis=1) > n / 2)
    if not len(crowd):
        return median(vectors_ND, 0)
    centre = vectors_ND[crowd].mean(axis=0)
    chosen = crowd[np.argmin(np.linalg.norm(vectors_ND[crowd] - centre, axis=1))]
    return np.asarray(vectors_ND[near_NN[chosen]].mean(axis=0))


AGGREGATORS: dict[str, Callable[[Array, int], Array]] = {
    "median": median,
    "trimmed_mean": trimmed_mean,
    "krum": krum,
    "multi_krum": multi_krum,
    "geometric_median": geometric_median,
    "centred_clipping": centred_clipping,
    "fedpg_br": fedpg_br,
}
assert AGGREGATORS.keys() == set(get_args(AggregatorName))
