"""A wheel built from the tree works outside it: face, training, published runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import frl
from frl.runs.provenance import SRC

ROOT = SRC.parent
SMOKE = """
import json
import sys
from importlib.metadata import version
from pathlib import Path

import frl

site, names = Path(sys.argv[1]), sys.argv[2:]
assert site in Path(frl.__file__).parents, frl.__file__
assert version("afedpg-replication") == frl.__version__
for name in names:
    assert len(frl.published(name)) > 0
made = frl.runs("results/tiny")
assert len(made) == 1, made
spec = next(frl.load_scenario("tiny.yaml").runs())
assert made.facts[0].settings == json.loads(spec.to_json())
assert issubclass(frl.Server, object)
made.plot("samples").figure.savefig("own.png")
print("works")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the built wheel installed."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    build = ["wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder)]
    done = subprocess.run([*pip, *build], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    assert wheel.stat().st_size < 10_000_000
    target = folder / "site"
    install = ["install", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run([*pip, *install], capture_output=True, check=True, cwd=folder)
    return target


def test_wheel_works_outside_the_tree(site: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_bytes((ROOT / "tests/workflow/tiny.yaml").read_bytes())
    environment = {**os.environ, "PYTHONPATH": str(site), "MPLBACKEND": "Agg"}
    spec = next(frl.load_scenario(tmp_path / "tiny.yaml").runs())
    cell = ["--environment", spec.environment, "--method", spec.method, "--n-agents", str(spec.n_agents)]
    train = [sys.executable, str(site / "bin" / "frl"), "train", "tiny.yaml", *cell, "--seed", str(spec.seed)]
    done = subprocess.run(train, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = sorted(path.parent.name for path in (ROOT / "results/published").glob("*/runs.csv"))
    smoke = [sys.executable, "-c", SMOKE, str(site), *names]
    done = subprocess.run(smoke, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "works\n", done.stderr


def test_nothing_sends_people_to_a_strangers_package() -> None:
    """The import is frl, but that name on the package index is somebody else's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "afedpg-replication"
    assert project["scripts"] == {"frl": "frl.cli:main"}
    pages = [path for kind in ("*.md", "*.yml", "*.yaml", "Makefile") for path in ROOT.rglob(kind)]
    pages = [path for path in pages if not {"results", ".venv", ".snakemake"} & set(path.relative_to(ROOT).parts[:-1])]
    assert len(pages) > 20
    command = re.compile(r"""\bpip3? install( (?!&&|;)\S+)*? ["'`]?frl(?![\w/.-])""")
    assert command.search('pip install -U "frl[cluster]"')
    assert not command.search('pip install -e ".[peers]" && frl bench')
    for page in [*pages, *(ROOT / "notebooks").glob("*.py"), *SRC.rglob("*.py")]:
        assert not command.search(page.read_text(encoding="utf-8")), page
