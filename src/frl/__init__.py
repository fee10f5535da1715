"""Asynchronous federated policy gradients: a reproducible replication of AFedPG and its baselines.

    import frl

    runs = frl.published("poster").select(method="afedpg") + frl.runs("results/mine")
    runs.plot("samples")
    print(runs.compare(("afedpg", 1), ("afedpg", 8), level=100))

Each name is loaded when it is first used, so that `import frl` needs neither torch nor pandas nor matplotlib.
"""

import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.2.0"

# The face. Modules of this package import from where a name is defined, never from here, so that imports show what a
# run or a figure depends on. __init__.pyi has the same names for type checkers.
_HOME = {
    "ComparabilityWarning": "frl.face.facts",
    "Comparison": "frl.face.comparison",
    "RunSpec": "frl.spec",
    "Runs": "frl.face.collection",
    "RunsError": "frl.face.facts",
    "Scenario": "frl.scenario.scenario",
    "Server": "frl.training.servers.base",
    "Task": "frl.training.servers.base",
    "Update": "frl.training.servers.base",
    "from_csv": "frl.face.reading",
    "judge": "frl.verdicts.judge",
    "load_scenario": "frl.scenario.loading",
    "published": "frl.face.reading",
    "train": "frl.face.training",
}
__all__ = [*_HOME, "runs"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'frl' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Runs(ModuleType):
    """The room `frl.runs`, which is also the function of that name."""

    def __call__(self, folder: object) -> object:
        return import_module("frl.face.reading").runs(folder)


import_module("frl.runs")
sys.modules["frl.runs"].__class__ = _Runs
