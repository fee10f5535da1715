"""How colours look without colour, and to people whose eyes lack one kind of cone.

Dichromats are simulated with the matrices of Machado, Oliveira and Fernandes (2009) at full severity, on linear RGB;
differences of colours are distances in CIE L*a*b* (1976, D65).
"""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MATRICES: dict[str, list[list[float]]] = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900],
    ],
    "greyscale": [[0.2126, 0.7152, 0.0722]] * 3,
}  # fmt: skip
SIGHTS = tuple(_MATRICES)
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.0890])


def seen(colour: str, sight: str) -> Array:
    """L*, a*, b* of a colour as it looks with this sight."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = _TO_XYZ @ np.clip(np.array(_MATRICES[sight]) @ linear, 0, 1) / _WHITE
    fx, fy, fz = (t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def difference(first: str, second: str, sight: str) -> float:
    """How far two colours are apart; above about 10 they differ at a glance, 100 is black and white."""
    return float(np.linalg.norm(seen(first, sight) - seen(second, sight)))
