"""What the server takes as the answer to a task; all else is refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from frl.training.server_side import ServerSide
from frl.training.servers.base import CodedTask, Task, Update
from frl.training.work import Work


class Refused(ValueError):
    """An answer that is none; the message says why."""


class NotFinite(Refused):
    """An answer that is one but for a number that is not finite: a broken agent, or a run that diverges."""

    def __init__(self, work: Work):
        super().__init__("it holds a number that is not finite")
        self.work = work


def check(answer: Any, number: int, task: Task | CodedTask, run: ServerSide) -> Work:
    """The work in an agent's answer to a task.

    Args:
        answer: what came.
        number: the task's.
        task: the task as it was sent.
        run: the server's side.

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
    if type(work.env_steps) is not int or not 1 <= work.env_steps <= run.spec.steps_per_upload:
        raise Refused(f"it states {work.env_steps!r} environment steps")
    decoded = _decoded(update, run)
    if decoded.gradient is None and not type(run.server).lazy:
        raise Refused("it has no gradient")
    theta, size = run.server.parameters, run.local_sums[task.agent].size
    vectors: dict[str, tuple[Any, Any, tuple[int, ...]]] = {
        "gradient": (decoded.gradient, theta.dtype, theta.shape),
        "normalizer": (update.normalizer, np.float64, (0 if task.normalizer is None else size,)),
        "sums": (work.sums, np.float64, (size,)),
    }
    for name, (array, dtype, shape) in vectors.items():
        if array is not None and not _is(array, dtype, shape):
            raise Refused(f"its {name} is {_told(array)}, expected {np.dtype(dtype)} of shape {shape}")
    arrays = [array for array, _, _ in vectors.values() if array is not None]
    if not all(np.isfinite(array).all() for array in (*arrays, np.array(work.returns))):
        raise NotFinite(work)
    return work


def _decoded(update: Update, run: ServerSide) -> Update:
    """The update without what a codec made of it.

    Raises:
        Refused: if it is coded in another way than the run's.
    """
    if (update.gradient if run.codec is not None else update.coded) is not None:
        raise Refused("its gradient is coded in another way")
    try:
        return update if run.codec is None else run.codec.decode(update)
    except (ValueError, TypeError, AttributeError) as error:
        raise Refused(f"its gradient cannot be decoded ({error})") from None


def _is(array: Any, dtype: Any, shape: tuple[int, ...] | None) -> bool:
    """Whether it is an array of this dtype and shape (None: of one dimension)."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        return False
    return array.ndim == 1 if shape is None else array.shape == shape


def _told(array: Any) -> str:
    return f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
