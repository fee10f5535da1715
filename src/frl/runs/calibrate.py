"""How fast this machine trains a run, measured in a process of its own: ``python -m frl.runs.calibrate JSON``."""

from __future__ import annotations

import sys
import time

from threadpoolctl import threadpool_limits

from frl.spec import RunSpec
from frl.training.loop import Training

MEASURE_S = 2.0


def computed(training: Training) -> int:
    """Environment steps made so far, of answers that have not arrived too."""
    return training.recorder.env_steps_total + sum(work.env_steps for work in training._works.values())


def seconds_per_step(spec: RunSpec) -> float:
    """Wall seconds per environment step of `spec`, from `MEASURE_S` seconds of training on one thread."""
    with threadpool_limits(1):
        training = Training(spec)
        training.begin()
        for _ in range(2 * spec.n_agents):
            training.advance()
        begun, before = time.perf_counter(), computed(training)
        while time.perf_counter() - begun < MEASURE_S or computed(training) == before:
            training.advance()
        return (time.perf_counter() - begun) / (computed(training) - before)


if __name__ == "__main__":
    print(seconds_per_step(RunSpec.model_validate_json(sys.argv[1])))
