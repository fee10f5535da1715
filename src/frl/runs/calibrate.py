"""How fast this machine trains a run, measured in a process of its own: ``python -m frl.runs.calibrate JSON``."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from frl.scenario.kinds import spec_of
from frl.spec import RunSpec
from frl.theory.cells.spec import Cell

if TYPE_CHECKING:
    from frl.training.loop import Training

MEASURE_S = 2.0
MEASURED_UPDATES = 300


def computed(training: Training) -> int:
    """Environment steps made so far, of answers that have not arrived too."""
    return training.recorder.env_steps_total + sum(work.env_steps for work in training._works.values())


def seconds_per_step(spec: RunSpec) -> float:
    """Wall seconds per environment step of `spec`, from `MEASURE_S` seconds of training on one thread."""
    from frl.training.loop import Training

    with threadpool_limits(1):
        training = Training(spec)
        training.begin()
        for _ in range(2 * spec.n_agents):
            training.advance()
        begun, before = time.perf_counter(), computed(training)
        while time.perf_counter() - begun < MEASURE_S or computed(training) == before:
            training.advance()
        return (time.perf_counter() - begun) / (computed(training) - before)


def seconds_per_gradient(cell: Cell) -> float:
    """Wall seconds per gradient of a cell, of a part that ends soon; the second time, when all is in memory."""
    from frl.theory.cells.execute import execute

    part = cell.model_copy(update={"updates": min(cell.updates, max(MEASURED_UPDATES, cell.n_agents))})
    for _ in range(2):
        begun = time.perf_counter()
        execute(part)
        spent = time.perf_counter() - begun
    return spent / part.gradients


if __name__ == "__main__":
    job = spec_of(json.loads(sys.argv[1]))
    print(seconds_per_gradient(job) if isinstance(job, Cell) else seconds_per_step(job))
