"""The house: each floor imports only from the floors below it, and no two modules import each other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from frl.runs.provenance import SRC, imported_names, module_file
from frl.scenario.products import ALL_FIGURES, TABLES

FLOORS = (
    "frl.cli",
    "frl.commands",
    "frl.run_commands",
    "frl.face",
    "frl.theory",
    "frl.report",
    "frl.verdicts",
    "frl.analysis",
    "frl.bench",
    "frl.runs",
    "frl.scenario",
    "frl.theory.cells",
    "frl.engines",
    "frl.training",
    "frl.spec",
    "frl.settings",
    "frl.training.codecs",
    "frl.training.servers",
    "frl.errors",
    "frl.data",
)
"""From the top down. A module belongs to the longest name that it begins with; frl itself is below all."""


def modules() -> dict[str, Path]:
    """Dotted name and file of every module of the package."""
    found = {}
    for path in sorted((SRC / "frl").rglob("*.py")):
        name = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        found[name] = path
    return found


def floor(name: str) -> int:
    """How many floors are above the module."""
    names = [each for each in FLOORS if f"{name}.".startswith(f"{each}.")]
    return FLOORS.index(max(names, key=len)) if names else len(FLOORS)


def imports(name: str, path: Path) -> set[str]:
    """Modules of the package that a file imports, those for type checkers alone and inside functions included."""
    found = set()
    for imported in imported_names(path, name):
        if imported.split(".")[0] == "frl" and module_file(SRC, imported) is not None:
            found.add(imported)
    return found - {name}


EVERY = modules()


def test_the_architecture_lists_the_floors() -> None:
    page = (SRC.parent / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^(frl\.\S+)  ", page, flags=re.MULTILINE)) == FLOORS


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("frl", "frl.__main__")])
def test_arrows_point_down(name: str) -> None:
    up = {other for other in imports(name, EVERY[name]) if floor(other) < floor(name)}
    assert not up, f"{name} imports from a floor above its own: {', '.join(sorted(up))}"


def test_no_circle() -> None:
    """Two modules that import each other are one module in two files."""
    below: dict[str, set[str]] = {name: imports(name, path) - {"frl"} for name, path in EVERY.items()}
    done: set[str] = set()
    while free := [name for name in below if name not in done and below[name] <= done]:
        done.update(free)
    assert done == set(below), f"in a circle, or above one: {', '.join(sorted(set(below) - done))}"


@pytest.mark.parametrize("name", EVERY)
def test_files_and_functions_are_short(name: str) -> None:
    text = EVERY[name].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300, f"{name} has {len(text.splitlines())} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = int(node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{name}.{node.name} has {length} lines"


def test_the_workflows_report_has_a_caption_for_each_product_and_no_other() -> None:
    captions = {path.stem for path in (SRC.parent / "workflow/report").iterdir() if path.read_text("utf-8").strip()}
    assert captions == {*ALL_FIGURES, *TABLES, "verdict", "report", "workflow"}
