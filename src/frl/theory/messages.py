"""The panels beyond the poster: bytes and samples of compressed messages, their time, and natural gradients."""

from __future__ import annotations

import numpy as np

from frl.theory.cells.problems import Array
from frl.theory.measured import Measured, Row, groups

PLAIN = "plain"
"""What every method is compared with."""
CONTROL = "fewer"
"""Names of the controls begin so: larger batches, and so fewer uploads."""


def compression(measured: list[Measured], targets: tuple[float, ...]) -> list[Row]:
    """Of each method at its best step: what plain AFedPG sends over what it sends, and its samples over plain's.

    And what the best of the controls sends over what it sends: by the estimates, so in favour of the control.
    """
    rows: list[Row] = []
    plain = next(m for m in measured if _method(m) == PLAIN)
    for epsilon in targets:
        plain_R, samples_R = plain.bytes_to(epsilon), plain.samples_to(epsilon)
        if not np.isfinite(plain_R).all():
            continue
        controls = [m.bytes_to(epsilon) for m in measured if _method(m).startswith(CONTROL)]
        control_R = min(controls, key=lambda bytes_R: float(bytes_R[0]), default=plain_R)
        for m in measured:
            bytes_R, own_R = m.bytes_to(epsilon), m.samples_to(epsilon)
            last = m.cell.updates * m.cell.samples / samples_R[0]
            rows.append(m.row("bytes", bytes_R, _sent(m), epsilon=epsilon))
            rows.append(m.row("samples", own_R, m.cell.updates * m.cell.samples, epsilon=epsilon))
            rows.append(m.row("samples_ratio", own_R / samples_R, last, epsilon=epsilon))
            rows.append(m.row("bytes_saving", plain_R / bytes_R, epsilon=epsilon))
            if not _method(m).startswith(CONTROL) and np.isfinite(control_R).all():
                rows.append(m.row("bytes_against_control", control_R / bytes_R, epsilon=epsilon))
    return rows


def bandwidth(measured: list[Measured], targets: tuple[float, ...]) -> list[Row]:
    """For each bandwidth the time of each method, and plain AFedPG's over it."""
    rows: list[Row] = []
    for rate in sorted({m.cell.bandwidth or np.inf for m in measured}):
        some = [m for m in measured if (m.cell.bandwidth or np.inf) == rate]
        plain = next(m for m in some if _method(m) == PLAIN)
        for epsilon in targets:
            plain_R = plain.seconds_to(epsilon)
            for m in some if np.isfinite(plain_R).all() else ():
                own_R = m.seconds_to(epsilon)
                rows.append(m.row("seconds", own_R, float(m.curves.time_SP[:, -1].min()), epsilon=epsilon))
                rows.append(m.row("time_saving", plain_R / own_R, epsilon=epsilon))
    return rows


NATURAL = {"afednpg": "afedpg", "fednpg": "fedpg"}
"""Methods with natural gradients, and the same without."""


def natural(measured: list[Measured], targets: tuple[float, ...]) -> list[Row]:
    """Each at its best setting: gradients to epsilon, and those with natural directions over those without."""
    rows: list[Row] = []
    for group in groups(measured, "algorithm", "step_size", "momentum", "options"):
        by = {m.cell.algorithm: m for m in group}
        for epsilon in targets:
            rows += [m.row("updates", m.updates_to(epsilon), m.cell.updates, epsilon=epsilon) for m in group]
            for name, other in NATURAL.items():
                if name in by and other in by and np.isfinite(without_R := by[other].updates_to(epsilon)).all():
                    own, with_R = by[name], by[name].updates_to(epsilon)
                    last = own.cell.updates / without_R[0]
                    rows.append(own.row("natural_ratio", with_R / without_R, last, epsilon=epsilon))
    return rows


def _method(m: Measured) -> str:
    return m.cell.traffic.method if m.cell.traffic is not None else ""


def _sent(m: Measured) -> float:
    """Bytes of the whole cell, at least."""
    sent: Array | None = m.curves.bytes_SP
    return np.inf if sent is None else float(sent[:, -1].min())
