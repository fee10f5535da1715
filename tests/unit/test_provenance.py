"""The code digest covers what an algorithm's run executes, and nothing else."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from frl.runs import provenance
from frl.runs.provenance import SRC, closure, code_digest, executed_modules, stripped
from frl.spec import SERVERS, RunSpec
from frl.training import checkpoint
from frl.training.execute import execute
from frl.training.loop import Training


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package with every kind of import."""
    files = {
        "pkg/__init__.py": "",
        "pkg/other.py": "x = 1",
        "pkg/core/__init__.py": '"""Docstring only."""',
        "pkg/core/loop.py": "from pkg.core import a\nimport pkg.other\nfrom .b import value\n",
        "pkg/core/a.py": "def f():\n    from pkg.core.deep import leaf\n    return leaf\n",
        "pkg/core/b.py": "import os.path\nvalue = 1\n",
        "pkg/core/deep/__init__.py": "from ..c import other\n",
        "pkg/core/deep/leaf.py": "from .. import b\n",
        "pkg/core/c.py": "other = 2\n",
        "pkg/core/unused.py": "import pkg.core.loop\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_closure_follows_every_kind_of_import_and_stays_inside(tree):
    found = closure(tree, ["pkg.core.loop"], "pkg.core")
    names = {name.removeprefix("pkg.") for name in found}
    assert names == {"core", "core.loop", "core.a", "core.b", "core.c", "core.deep", "core.deep.leaf"}


def test_closure_of_an_absent_module_is_an_error(tree):
    with pytest.raises(FileNotFoundError, match=r"no module pkg\.core\.absent"):
        closure(tree, ["pkg.core.absent"], "pkg.core")


def test_a_closure_does_not_follow_what_is_opaque(tree):
    found = closure(tree, ["pkg.core.loop"], "pkg", opaque=("pkg.core.a", "pkg"))
    assert set(found) == {"pkg.core", "pkg.core.loop", "pkg.core.b", "pkg.other"}


SMALL = {
    "environment": "Hopper",
    "n_agents": 2,
    "seed": 7,
    "steps_per_agent": 64,
    "policy": {"hidden": (4,)},
    "sampling": {"lanes": 4, "segment_steps": 8},
    "evaluation": {"episodes": 2},
}
KINDS = [
    {},
    {"heterogeneity": {"gear": (0.5, 2.0)}, "fleet": {"kind": "lognormal"}},
    {"sampling": {"trajectories": 2}, "link": {"uplink_bytes_per_s": 1e6}},
]


def of_the_package(path: str) -> bool:
    return path.startswith(str(SRC / "frl"))


@pytest.mark.parametrize("algorithm", SERVERS)
def test_a_run_executes_nothing_of_the_package_that_its_digest_does_not_cover(algorithm):
    """Each function called while a run is trained, saved and resumed is in a file of the closure, or named."""
    called: set[tuple[str, str]] = set()

    def note(frame, event, argument):
        if event == "call" and of_the_package(frame.f_code.co_filename):
            called.add((frame.f_code.co_filename, frame.f_code.co_name))

    specs = [RunSpec.model_validate({**SMALL, **more, "algorithm": algorithm}) for more in KINDS]
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for spec in specs:
            execute(spec)
        training = Training(specs[0])
        training.begin()
        _, state = checkpoint.read(checkpoint.save(training, {}))
        checkpoint.restore(Training(specs[0]), state)
    finally:
        sys.setprofile(before)
    covered = {str(path) for path in executed_modules(algorithm).values()}
    outside = {(path, name) for path, name in called if path not in covered and not name.startswith("<")}
    spec_files = {str(SRC / "frl/spec.py"), str(SRC / "frl/settings.py")}
    assert {path for path, _ in outside} <= spec_files, "executed, but not in the code digest"
    assert {name for _, name in outside} <= set(provenance.SPEC_FUNCTIONS)
    assert len(called) > 50


def test_a_training_process_loads_only_what_its_digest_covers():
    """And its closure is what Python really imports; beside it there are the spec and its list of servers."""
    code = (
        "import sys, frl.training.execute, frl.training.checkpoint; print(*[m for m in sys.modules if m[:3] == 'frl'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    for algorithm, server in SERVERS.items():
        found = set(executed_modules(algorithm))
        bases = {base.__module__ for base in server.__mro__}  # RandomSkip is LAPG with another rule
        servers = {cls.__module__ for cls in SERVERS.values()}
        helpers = {name for other in SERVERS for name in executed_modules(other)} - servers - found
        others = (servers - bases) | helpers
        assert found <= loaded
        assert loaded - found - others == {
            "frl",
            "frl.runs",
            "frl.spec",
            "frl.settings",
            "frl.errors",
        }  # frl.runs: a docstring
        assert not found & others, "an algorithm's digest must not depend on another's server"


def test_importing_frl_decides_nothing():
    """So its own module, the library's face, need not be in a digest."""
    code = (
        "import os, sys; before = dict(os.environ); import frl;"
        "print(before == dict(os.environ), *({'numpy', 'torch', 'frl.training'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"]


def test_edits_of_rooms_that_no_run_enters_retrain_nothing():
    for algorithm in SERVERS:
        rooms = {".".join(name.split(".")[:2]) for name in executed_modules(algorithm)}
        assert rooms == {"frl.training"}


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ('"""A."""\nx = 1', '"""B."""\n\n\nx = 1  # comment', True),
        ('class A:\n    x: int = 1\n    """Help."""', "class A:\n    x: int = 1", True),
        ('def f():\n    """Doc."""\n    return 1', "def f():\n    return 1", True),
        ('async def f():\n    if f:\n        "note"\n        pass', "async def f():\n    if f:\n        pass", True),
        ("x = [1,2]", "x = [\n    1,\n    2,\n]", True),
        ("x = 1", "x = 2", False),
        ('x = "a"', 'x = "b"', False),
        ('raise ValueError("a")', 'raise ValueError("b")', False),
    ],
)
def test_stripped_ignores_prose_and_layout_only(tmp_path, before, after, same):
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    first.write_text(before, encoding="utf-8")
    second.write_text(after, encoding="utf-8")
    assert (stripped(first) == stripped(second)) is same


def test_code_digest_differs_between_algorithms_and_knows_the_seed_streams():
    digests = [code_digest(algorithm) for algorithm in SERVERS]
    assert len(set(digests)) == len(SERVERS)
    assert all(len(digest) == 64 for digest in digests)
    assert "spawn_key" in provenance.spec_functions()
    assert "n_agents * self.steps_per_agent" in provenance.spec_functions()


def test_code_digest_covers_library_versions_but_not_the_build(monkeypatch):
    def versions(mujoco: str):
        return lambda name: mujoco if name == "mujoco" else "1.0"

    digests = []
    for mujoco in ("3.4.0", "3.4.0+own", "3.5.0"):
        monkeypatch.setattr("importlib.metadata.version", versions(mujoco))
        digests.append(code_digest.__wrapped__("afedpg"))
    assert digests[0] == digests[1] != digests[2]


def test_digests_need_no_heavy_import():
    """The workflow computes them at its start, before it knows whether there is anything to do."""
    code = (
        "import sys; from frl.runs.provenance import analysis_digest, code_digest;"
        "code_digest('afedpg'); analysis_digest();"
        "print(*({'torch', 'mujoco', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_analysis_digest_of_all_covers_each_part():
    parts = {
        provenance.analysis_digest(name)
        for name in ("frl.analysis.load", "frl.report.figures.draw", "frl.report.tables.summary")
    }
    assert len(parts) == 3
    assert provenance.analysis_digest() not in parts


NOBODY = {"commit": None, "dirty": None}


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A source tree of its own, in no repository; git finds none above it, nor in the environment."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    tree = tmp_path / "outer/tree"
    (tree / "src/frl").mkdir(parents=True)
    (tree / "src/frl/__init__.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(provenance, "SRC", tree / "src")
    return tree


def commit(repository: Path, *files: str) -> str:
    """A repository whose first commit holds these files; its commit."""
    commands = [["init", "-q"], ["add", *files] if files else [], ["commit", "-q", "--allow-empty", "-m", "first"]]
    for command in filter(None, commands):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *command], cwd=repository, check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_git_facts_of_a_checkout_and_of_no_checkout(source):
    assert provenance.git() == NOBODY
    first = commit(source, "src")
    assert provenance.git() == {"commit": first, "dirty": False}
    (source / "src/frl/__init__.py").write_text("2", encoding="utf-8")
    assert provenance.git() == {"commit": first, "dirty": True}


def test_a_module_that_git_does_not_track_is_uncommitted(source):
    first = commit(source, "src")
    (source / "src/frl/server.py").write_text("", encoding="utf-8")
    assert provenance.git() == {"commit": first, "dirty": True}


@pytest.mark.parametrize("files", [["."], [".gitignore"]], ids=["tracked there", "ignored there"])
def test_the_repository_around_an_unpacked_archive_is_somebody_elses(source, files):
    (source.parent / ".gitignore").write_text("tree/\n" if files == [".gitignore"] else "", encoding="utf-8")
    commit(source.parent, *files)
    assert provenance.git() == NOBODY


def test_a_repository_that_does_not_track_the_package_is_somebody_elses(source):
    """As where pip put the package into a folder of the reader's own repository."""
    commit(source)
    assert provenance.git() == NOBODY


def test_a_repository_named_in_the_environment_is_ignored(source, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    other = commit(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    assert provenance.git() == NOBODY
    monkeypatch.setenv("GIT_WORK_TREE", str(source))
    assert provenance.git() == NOBODY
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_WORK_TREE")
    own = commit(source, "src")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    assert provenance.git() == {"commit": own, "dirty": False} != {"commit": other, "dirty": False}


def test_cpu_and_versions_are_named():
    assert provenance.cpu_model()
    assert set(provenance.versions()) == {"python", "numpy", "mujoco", "gymnasium", "frl"}


def test_what_the_digest_takes_from_the_spec_calls_nothing_else_of_it():
    """Only these functions' bodies are in the digest: a helper of these modules that they called would not be."""
    trees = [ast.parse((provenance.SRC / f"frl/{name}.py").read_bytes()) for name in ("spec", "settings")]
    body = [node for tree in trees for node in tree.body]
    own = {n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    own |= {t.id for n in body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    nodes = [node for tree in trees for node in ast.walk(tree)]
    functions = [n for n in nodes if isinstance(n, ast.FunctionDef) and n.name in provenance.SPEC_FUNCTIONS]
    assert {function.name for function in functions} == set(provenance.SPEC_FUNCTIONS)
    for function in functions:
        names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
        assert not names & own
        reads = [n for n in ast.walk(function) if isinstance(n, ast.Attribute)]
        attributes = {n.attr for n in reads if isinstance(n.value, ast.Name) and n.value.id == "self"}
        attributes -= set(provenance.SPEC_FUNCTIONS)
        assert not attributes & {n for c in body if isinstance(c, ast.ClassDef) for n in _methods(c)}


def _methods(node):
    return [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
