"""Optional suites: tests that need more of the machine than the others, or take longer.

A test joins one with ``@pytest.mark.suite("slurm")``. ``make test-slurm`` runs all of the suite, and fails where it
cannot. ``make test`` runs those of its tests that are also marked ``short``, and a skip says what is missing.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import shutil
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Suite:
    """What the tests of a suite need."""

    commands: tuple[str, ...] = ()
    install: str = ""
    """How to get commands or library; Debian's packages stand in tests/<suite>/apt.txt too; .ci/run installs them."""
    modules: tuple[str, ...] = ()
    extra: str = ""
    """Of pyproject.toml, that brings the modules; empty: `make setup` does."""
    library: str = ""
    """One of the system's."""
    root: bool = False

    def missing(self) -> str:
        """Why these tests cannot run here, or nothing."""
        where = f"{os.environ.get('PATH', '')}:/usr/sbin"
        if absent := [name for name in self.commands if shutil.which(name, path=where) is None]:
            return f"no {', '.join(absent)} here: {self.install}"
        if self.library and ctypes.util.find_library(self.library) is None:
            return f"no lib{self.library} here: {self.install}"
        if absent := [name for name in self.modules if importlib.util.find_spec(name) is None]:
            how = f"pip install -e '.[{self.extra}]' -c requirements.lock" if self.extra else "make setup"
            return f"no Python module {', '.join(absent)}: {how}"
        return "needs root" if self.root and os.geteuid() != 0 else ""


SUITES = {
    "gaits": Suite(library="OSMesa", install="apt-get install -y --no-install-recommends libosmesa6"),
    "long": Suite(),  # wide grids and random search, of which `make test` runs a small fixed part
    "page": Suite(
        commands=("chromium",),
        install="apt-get install -y --no-install-recommends chromium",
        modules=("axe_playwright_python",),
    ),
    "ray": Suite(modules=("ray",), extra="ray"),
    "slurm": Suite(
        commands=("slurmctld", "slurmd", "sbatch", "srun"),
        install="apt-get install -y --no-install-recommends slurm-wlm",
        modules=("snakemake_executor_plugin_slurm", "snakemake_executor_plugin_cluster_generic"),
        root=True,
    ),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite", choices=sorted(SUITES), help="run all of this optional suite and nothing else")


def suite_of(item: pytest.Item) -> str | None:
    """The optional suite that a test belongs to."""
    mark = item.get_closest_marker("suite")
    return mark.args[0] if mark else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = config.getoption("--suite")
    if asked is not None:
        if reason := SUITES[asked].missing():
            raise pytest.UsageError(f"the suite {asked} cannot run here: {reason}")
        config.hook.pytest_deselected(items=[item for item in items if suite_of(item) != asked])
        items[:] = [item for item in items if suite_of(item) == asked]
        return
    for item in items:
        if (name := suite_of(item)) is None:
            continue
        short = item.get_closest_marker("short") is not None
        if reason := SUITES[name].missing() if short else f"takes long: make test-{name}":
            item.add_marker(pytest.mark.skip(reason=reason))
