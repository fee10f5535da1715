"""What the server takes as the answer to a task; all else is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from frl.spec import RunSpec
from frl.training.agent import Work
from frl.training.servers.base import Task


class Refused(ValueError):
    """An answer that is none; the message says why."""


class NotFinite(Refused):
    """An answer that is one but for a number that is not finite: a broken agent, or a run that diverges."""

    def __init__(self, work: Work):
        super().__init__("it holds a number that is not finite")
        self.work = work


def check(answer: Any, number: int, task: Task, spec: RunSpec) -> Work:
    """The work in an agent's answer to `task`, of this number.

    Raises:
        Refused: if it is no answer to this task, or has an array of another shape or dtype.
        NotFinite: if a number in it is not finite.
    """
    work = answer.get("work") if isinstance(answer, dict) else None
    if not isinstance(work, Work) or not _is(answer.get("state"), np.uint8, None):
        raise Refused("it is no answer to a task")
    if answer.get("number") != number:
        raise Refused(f"it answers task {answer.get('number')}, and {number} was asked")
    update = work.update
    if (update.agent, update.step) != (task.agent, task.step):
        asked = f"agent {task.agent} with k' = {task.step}"
        raise Refused(f"it is signed by agent {update.agent} with k' = {update.step}, and {asked} was asked")
    if type(work.env_steps) is not int or not 1 <= work.env_steps <= spec.steps_per_upload:
        raise Refused(f"it states {work.env_steps!r} environment steps")
    if not all(type(value) is float and math.isfinite(value) for value in work.returns):
        raise Refused("it states a return that is no finite number")
    size = None if task.normalizer is None else task.normalizer.shape
    expected: dict[str, tuple[Any, Any, tuple[int, ...] | None]] = {
        "gradient": (update.gradient, task.parameters.dtype, task.parameters.shape),
        "normalizer": (update.normalizer, np.float64, size if size is not None else ()),
        "sums": (work.sums, np.float64, None),
    }
    for name, (array, dtype, shape) in expected.items():
        if array is not None and not _is(array, dtype, shape):
            raise Refused(f"its {name} is {_told(array)}, expected {np.dtype(dtype)} of shape {shape}")
    arrays = [array for array, _, _ in expected.values()] + list(update.coded or ())
    for array in arrays:
        if array is not None and not np.isfinite(array).all():
            raise NotFinite(work)
    return work


def _is(array: Any, dtype: Any, shape: tuple[int, ...] | None) -> bool:
    """Whether it is an array of this dtype and shape (None: of one dimension)."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        return False
    return array.ndim == 1 if shape is None else array.shape == shape


def _told(array: Any) -> str:
    return f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
