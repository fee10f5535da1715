"""A cell's problem and its stochastic gradient, from their settings."""

from __future__ import annotations

from functools import cache

from frl.errors import SpecError
from frl.theory.cells.garnet import Garnet, SampledTrajectories
from frl.theory.cells.lqr import LQR
from frl.theory.cells.problems import GaussianNoise, Oracle, Problem, Quadratic
from frl.theory.cells.spec import GarnetSpec, GaussianSpec, LQRSpec, QuadraticSpec, SampledSpec


@cache
def build_problem(spec: QuadraticSpec | GarnetSpec | LQRSpec) -> Problem:
    """The problem of a specification."""
    settings = spec.model_dump(exclude={"kind"})
    if isinstance(spec, QuadraticSpec):
        return Quadratic(**settings)
    return Garnet(**settings) if isinstance(spec, GarnetSpec) else LQR(**settings)


def build_oracle(problem: Problem, spec: GaussianSpec | SampledSpec) -> Oracle:
    """The stochastic gradient of a problem."""
    if isinstance(spec, GaussianSpec):
        return GaussianNoise(problem, spec.relative)
    if not isinstance(problem, Garnet):
        raise SpecError(f"gradient.kind = 'sampled': only a garnet has sampled gradients, not {type(problem).__name__}")
    return SampledTrajectories(problem, spec.trajectories, spec.horizon)
