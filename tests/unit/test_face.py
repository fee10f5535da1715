"""What `import frl` offers: light to import, seen by tools, and the names that README and docs use."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import frl
from frl.runs.provenance import SRC
from frl.runs.store import Store

ROOT = SRC.parent
NOTEBOOK = ROOT / "notebooks" / "compare_your_own.py"
PROMISED = {
    "published", "runs", "from_csv", "load_scenario", "Scenario", "RunSpec", "train", "judge", "Server", "Task",
    "Update", "Runs", "Comparison", "RunsError", "ComparabilityWarning",
}  # fmt: skip


def test_import_is_light() -> None:
    """Nothing heavy is loaded, and it takes at most 0.2 s of CPU time (the fastest of five)."""
    code = (
        "import sys, time; before = set(sys.modules); start = time.process_time(); import frl; "
        "t = time.process_time() - start; "
        "import json; print(json.dumps([t, sorted({name.split('.')[0] for name in set(sys.modules) - before})]))"
    )
    measured = [
        json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(seconds for seconds, _ in measured) <= 0.2
    assert set(measured[0][1]) - set(sys.stdlib_module_names) == {"frl"}


def test_names_are_there_and_listed() -> None:
    assert set(frl.__all__) == PROMISED
    assert set(dir(frl)) >= PROMISED
    for name in PROMISED:
        assert callable(getattr(frl, name)), name
        assert getattr(frl, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'publishd'"):
        frl.publishd  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    """__init__.pyi takes each name from the module from which it is loaded."""
    tree = ast.parse((SRC / "frl/__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.asname: (node.module, alias.name) for node in imports for alias in node.names}
    assert set(seen) == PROMISED
    for name, (module, original) in seen.items():
        assert name == original
        if name != "runs":  # a room of the package too, that is called
            assert getattr(importlib.import_module(str(module)), original) is getattr(frl, name)


def test_runs_is_a_room_and_a_function(tmp_path: Path) -> None:
    import frl.runs.store

    assert frl.runs.store.Store is Store
    with pytest.raises(frl.RunsError, match="no finished run there"):
        frl.runs(tmp_path)


def test_no_module_takes_a_name_from_the_face() -> None:
    """What a run or a figure depends on is read from imports; the face's are not seen there."""
    for path in (SRC / "frl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module == "frl":
                assert not {alias.name for alias in node.names} & (PROMISED - {"runs"}), path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "frl":
                assert node.attr in ("__file__", "__version__"), f"{path}: frl.{node.attr}"


def test_a_server_is_written_against_the_face() -> None:
    """README's example, its base class and messages taken from `frl`."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(\"\"\"Plain asynchronous gradient ascent.*?)```", readme, flags=re.DOTALL)
    (line,) = re.findall(r"^from frl\.training\.servers\.base import .*$", example, flags=re.MULTILINE)
    rest = {"Server", "Task", "Update"} & set(re.findall(r"\w+", line.split("import")[1]))
    assert rest == {"Server", "Task", "Update"}
    code = example.replace(line, f"{line}\nfrom frl import Server, Task, Update")
    scope: dict[str, object] = {}
    exec(compile(code, "async_sgd.py", "exec", dont_inherit=True), scope)
    kind = scope["AsyncSGD"]
    assert isinstance(kind, type)
    assert issubclass(kind, frl.Server)
    server = kind(np.zeros(2), 3, kind.Settings(step_size=0.5))
    assert [task.agent for task in server.start()] == [0, 1, 2]
    (task,) = server.receive(frl.Update(1, 0, np.array([2.0, -4.0])))
    assert isinstance(task, frl.Task)
    np.testing.assert_array_equal(task.parameters, [1.0, -2.0])


def test_the_notebook_compares_in_ten_lines() -> None:
    code = [line for line in NOTEBOOK.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert len(code) <= 10
    done = subprocess.run(
        [sys.executable, str(NOTEBOOK)],
        cwd=ROOT,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    ratio = re.search(r"takes ([\d.]+) \[([\d.]+), ([\d.]+)\] times the samples per agent of mine", done.stdout)
    assert ratio, done.stdout
    value, low, high = map(float, ratio.groups())
    assert 0 < low < value < high
    assert "ComparabilityWarning: the runs differ in" in done.stderr
