"""Where a result comes from: digests of the code that makes it, and the facts of machine and versions.

The code digest is what decides a retraining. It covers what an algorithm's run executes and nothing else: comments,
docstrings, figures and other algorithms' servers are not in it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Container, Iterable
from functools import cache
from pathlib import Path

import frl
from frl.spec import SERVERS

SRC = Path(frl.__file__).resolve().parents[1]
LIBRARIES = ("numpy", "mujoco", "gymnasium")
CELL_LIBRARIES = ("numpy", "scipy")
"""Of the theory lab's cells, which neither simulate nor train a network."""
SPEC_FUNCTIONS = ("stream", "env_steps_budget", "any", "steps_per_upload", "evaluation_grid")
"""What a run executes of frl.spec and frl.settings; help texts, checks and the list of servers enter no numbers."""
OPAQUE = ("frl", "frl.spec", "frl.settings")
"""Modules that are not followed: importing frl decides nothing (a test says so); of the others `SPEC_FUNCTIONS` do."""


@cache
def code_digest(algorithm: str) -> str:
    """Hex SHA-256 of the code and the library versions that make up a run of this algorithm.

    Covers every module of the package that training, checkpointing and the algorithm's server import, directly or not,
    without comments, docstrings and other bare strings; `SPEC_FUNCTIONS`; the versions of `LIBRARIES`.

    Raises:
        KeyError: if the algorithm is unknown.
    """
    return digest_of([*_texts(executed_modules(algorithm)), spec_functions(), *library_versions()])


def executed_modules(algorithm: str) -> dict[str, Path]:
    """The modules of the package that a run of this algorithm executes, with their files, but for those `OPAQUE`."""
    start = ("frl.training.execute", "frl.training.checkpoint", SERVERS[algorithm].__module__)
    return closure(SRC, start, "frl", OPAQUE)


@cache
def cell_code_digest(algorithm: str) -> str:
    """:func:`code_digest` of a cell of the theory lab: driver, problems, clock, the algorithm's server, libraries."""
    modules = closure(SRC, ("frl.theory.cells.execute", SERVERS[algorithm].__module__), "frl", OPAQUE)
    return digest_of([*_texts(modules), spec_functions(), *library_versions(CELL_LIBRARIES)])


@cache
def analysis_digest(*names: str) -> str:
    """Hex SHA-256 of the code and data behind a step of the analysis: when it changes the step is done again.

    Args:
        names: modules that the step begins with, e.g. ``frl.report.figures.draw``; none means the whole package.
    """
    package = SRC / "frl"
    modules = closure(SRC, names, "frl", OPAQUE[:1]) if names else _every_module(package)
    data = sorted(  # styles, reference curves
        path
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyi") and "__pycache__" not in path.parts
    )
    return digest_of(
        [
            *_texts(modules),
            *(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in data),
        ]
    )


def _every_module(package: Path) -> dict[str, Path]:
    """Dotted names of all modules of the package, with their files."""
    return {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in package.rglob("*.py")
    }


def _texts(modules: dict[str, Path]) -> list[str]:
    return [f"{name} {_stripped_once(path)}" for name, path in sorted(modules.items())]


def digest_of(parts: Iterable[str]) -> str:
    """Hex SHA-256 of the parts, one a line."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def library_versions(names: Iterable[str] = LIBRARIES) -> list[str]:
    """``name version`` of each library, without the build tag: ``2.13.0+cpu`` and ``2.13.0`` are one version."""
    return [f"{name} {importlib.metadata.version(name).split('+')[0]}" for name in names]


# --------------------------------------------------------------------------------------------------
# Import closure


def closure(src: Path, start: Iterable[str], package: str, opaque: Container[str] = ()) -> dict[str, Path]:
    """The modules inside `package` that importing `start` executes, with their files.

    Read from the source, nothing is imported: the packages' own ``__init__`` and imports inside functions count.

    Args:
        src: folder that holds the top package.
        start: dotted names to begin with.
        package: dotted name of the package to stay in.
        opaque: modules that are left out, and what they import is not followed.

    Raises:
        FileNotFoundError: if a module of `start` does not exist.
    """
    found: dict[str, Path] = {}
    todo = list(start)
    for name in todo:
        if module_file(src, name) is None:
            raise FileNotFoundError(f"no module {name} under {src}")
    while todo:
        name = todo.pop()
        path = module_file(src, name)
        if path is None or name in found or name in opaque or not f"{name}.".startswith(f"{package}."):
            continue  # a name from a module, seen already, or outside
        found[name] = path
        todo += [name.rpartition(".")[0], *_imported_once(path, name)]
    return found


def module_file(src: Path, name: str) -> Path | None:
    """The source file of a dotted module name, None if there is none."""
    base = src.joinpath(*name.split("."))
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def imported_names(path: Path, name: str) -> list[str]:
    """Every dotted name that the file imports: modules, and ``module.attribute`` since that may be a module too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:  # relative: one dot is the package itself, each further dot its parent
                parents = package.split(".")
                module = ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [module])])
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return names


def stripped(path: Path) -> str:
    """The file as text, without comments, docstrings, bare strings and layout."""
    return _strip(ast.parse(path.read_bytes()))


# A file is parsed once a process for all digests: they are the most that the workflow does before its first job.
_imported_once = cache(imported_names)
_stripped_once = cache(stripped)


def spec_functions() -> str:
    """`SPEC_FUNCTIONS`, stripped like :func:`stripped`."""
    trees = [ast.parse((SRC / f"frl/{name}.py").read_bytes()) for name in ("spec", "settings")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    functions = [n for n in nodes if isinstance(n, ast.FunctionDef) and n.name in SPEC_FUNCTIONS]
    return "\n".join(_strip(function) for function in functions)


def _strip(tree: ast.AST) -> str:
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):  # a lambda's body is one expression
                setattr(node, field, [s for s in statements if not _bare_string(s)])
    return ast.unparse(tree)  # not ast.dump: its form changes with every Python version


def _bare_string(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


# --------------------------------------------------------------------------------------------------
# Facts of a run


def versions(names: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Versions of Python, of the libraries that make the numbers and of frl itself."""
    found = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), **found, "frl": frl.__version__}


def git() -> dict[str, object]:
    """Commit of this source tree and whether anything in it is uncommitted; both None where no commit tells the source.

    Only a repository whose top level is this tree and that tracks the package counts: the commit of one around it, or
    of one that ``GIT_DIR`` names, is somebody else's. A module that git does not track makes the tree dirty.
    """
    unknown: dict[str, object] = {"commit": None, "dirty": None}
    package = f"{SRC.name}/frl/__init__.py"
    try:
        if Path(_git("rev-parse", "--show-toplevel")).resolve() != SRC.parent or not _git("ls-files", "--", package):
            return unknown
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
        return {"commit": commit, "dirty": bool(changed or _git("ls-files", "--others", "--", f"{SRC.name}/*.py"))}
    except (OSError, subprocess.SubprocessError):
        return unknown


def _git(*arguments: str) -> str:
    """What git says about the tree, whatever GIT_* is set; no optional locks, for many jobs ask at the same time."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(SRC.parent), *arguments],
        env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


def cpu_model() -> str:
    """The processor's name as the operating system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
