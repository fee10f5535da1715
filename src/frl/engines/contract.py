"""What the server takes as the answer to a task; all else is refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from frl.spec import SERVERS, RunSpec
from frl.training.servers.base import Task, Update
from frl.training.work import Work


class Refused(ValueError):
    """An answer that is none; the message says why."""


class NotFinite(Refused):
    """An answer that is one but for a number that is not finite: a broken agent, or a run that diverges."""

    def __init__(self, work: Work):
        super().__init__("it holds a number that is not finite")
        self.work = work


def check(answer: Any, number: int, task: Task, spec: RunSpec, size: int) -> Work:
    """The work in an agent's answer to a task.

    Args:
        answer: what came.
        number: the task's.
        task: the task.
        spec: the run.
        size: of the sums of observations, 1 + 2 O.

    Raises:
        Refused: if it is no answer to this task, or has an array of another shape or dtype.
        NotFinite: if a number in it is not finite.
    """
    work = answer.get("work") if isinstance(answer, dict) else None
    if (
        not isinstance(work, Work)
        or not isinstance(work.update, Update)
        or not _is(answer.get("state"), np.uint8, None)
    ):
        raise Refused("it is no answer to a task")
    update = work.update
    signed, asked = (answer.get("number"), update.agent, update.step), (number, task.agent, task.step)
    if signed != asked:
        raise Refused(f"it is of (task, agent, k') = {signed}, and {asked} was asked")
    if type(work.env_steps) is not int or not 1 <= work.env_steps <= spec.steps_per_upload:
        raise Refused(f"it states {work.env_steps!r} environment steps")
    if update.gradient is None and update.coded is None and not SERVERS[spec.algorithm].lazy:
        raise Refused("it has no gradient")
    vectors: dict[str, tuple[Any, Any, tuple[int, ...]]] = {
        "gradient": (update.gradient, task.parameters.dtype, task.parameters.shape),
        "normalizer": (update.normalizer, np.float64, (0 if task.normalizer is None else size,)),
        "sums": (work.sums, np.float64, (size,)),
    }
    for name, (array, dtype, shape) in vectors.items():
        if array is not None and not _is(array, dtype, shape):
            raise Refused(f"its {name} is {_told(array)}, expected {np.dtype(dtype)} of shape {shape}")
    arrays = [array for array, _, _ in vectors.values() if array is not None]
    if not all(np.isfinite(array).all() for array in (*arrays, *(update.coded or ()), np.array(work.returns))):
        raise NotFinite(work)
    return work


def _is(array: Any, dtype: Any, shape: tuple[int, ...] | None) -> bool:
    """Whether it is an array of this dtype and shape (None: of one dimension)."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        return False
    return array.ndim == 1 if shape is None else array.shape == shape


def _told(array: Any) -> str:
    return f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
