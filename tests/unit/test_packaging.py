"""pyproject.toml, the lock, the conda file, the citation and the manual agree with one another."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import frl
from frl.scenario.loading import load_scenario
from frl.scenario.manual import SECTIONS, renewed
from frl.scenario.schema import schema, schema_text

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK_LINES = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
LOCK = [Requirement(line) for line in LOCK_LINES if line and not line.lstrip().startswith("#")]
EXTRAS = [text for extra in PROJECT["optional-dependencies"].values() for text in extra]


@pytest.mark.parametrize("text", [*PROJECT["dependencies"], *EXTRAS])
def test_every_dependency_is_pinned_as_in_the_lock(text):
    wanted = Requirement(text)
    assert re.fullmatch(r"==[0-9.]+", str(wanted.specifier)), f"{text} is not an exact pin"
    locked = {str(pin.specifier) for pin in LOCK if canonicalize_name(pin.name) == canonicalize_name(wanted.name)}
    assert locked == {str(wanted.specifier)}, "requirements.lock is out of date: make lock"


def test_lock_is_portable():
    """Pins only: nothing of the machine or the index that it was made with, and no local build of torch."""
    for pin in LOCK:
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)), pin
        assert pin.url is None
    text = "\n".join(LOCK_LINES)
    for trace in ("://", "+cpu", "--", "/", "file:"):
        assert trace not in text.replace("(pyproject.toml)", ""), trace


def test_installed_versions_are_the_locked_ones():
    from importlib.metadata import PackageNotFoundError, version

    for pin in LOCK:
        if pin.marker is not None and not pin.marker.evaluate():
            continue
        try:
            found = Version(version(pin.name))
        except PackageNotFoundError:
            continue  # CUDA, where torch was installed without it
        assert pin.specifier.contains(found.public), f"{pin.name} {found}: rebuild the environment (make setup)"


def test_conda_environment_installs_this_project_from_the_lock():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, inner = conda["dependencies"]
    assert pip == "pip"
    assert inner == {"pip": ["-c requirements.lock", "-e ."]}
    assert conda["channels"] == ["conda-forge"]
    version = python.removeprefix("python=")
    assert version in PROJECT["requires-python"]
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_make_names_what_is_missing(tmp_path):
    """No Python, or a Python without ensurepip: one message that says what to do, and no environment."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "make", "sed", "nproc", "rm"):
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        (tools / tool).symlink_to(found)
    command = ["make", "setup", f"VENV={tmp_path}/venv"]
    none = subprocess.run(command, cwd=ROOT, env={"PATH": str(tools)}, capture_output=True, text=True)
    assert none.returncode != 0
    assert "no Python 3.11 or newer" in none.stderr
    python = tools / "python3"
    python.write_text('#!/bin/bash\ncase "$*" in *ensurepip*) exit 1;; esac\n', encoding="utf-8")
    python.chmod(0o755)
    bare = subprocess.run(command, cwd=ROOT, env={"PATH": str(tools)}, capture_output=True, text=True)
    assert bare.returncode != 0
    assert "apt install python3-venv" in bare.stderr
    assert not (tmp_path / "venv").exists()


def test_citation_is_complete():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == frl.__version__
    assert citation["license"] == PROJECT["license"] == "MIT"
    poster, *papers = citation["references"]
    assert poster["authors"] == [{"family-names": "Soltani", "given-names": "Ali"}]
    assert [(paper["year"], paper["identifiers"][0]["value"]) for paper in papers] == [
        (2025, "arXiv:2404.08003"),
        (2022, "arXiv:1812.03239"),
    ]


def test_committed_schema_is_current():
    assert (ROOT / "config/schema.json").read_text(encoding="utf-8") == schema_text(), "frl schema > config/schema.json"


def test_schema_accepts_the_scenarios_and_refuses_an_unknown_key():
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema())
    Draft202012Validator.check_schema(schema())
    for path in sorted((ROOT / "config").glob("*.yaml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "claims" in data and len(data) == 1:
            continue  # not a scenario
        assert not list(validator.iter_errors(data)), path
        assert list(validator.iter_errors({**data, "unknown_key": 1})), path
        if "run" in data:
            assert list(validator.iter_errors({**data, "run": {**data["run"], "unknown_key": 1}})), path


def test_the_smallest_scenario_of_the_manual_is_one(tmp_path):
    manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(name: mine\n.*?)```", manual, flags=re.DOTALL)
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    assert len(list(load_scenario(tmp_path / "mine.yaml").runs())) == 6
    required = set(schema()["$defs"]["Scenario"]["required"])
    assert set(yaml.safe_load(text)) == required == set(re.findall(r"^\| `(\w+)` \* \|", manual, flags=re.MULTILINE))


def test_manual_explains_every_key():
    manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
    for name, definition in schema()["$defs"].items():
        for key in definition["properties"]:
            assert f"`{key}`" in manual, f"config/README.md does not explain {key} of {name}"


def test_the_manuals_tables_are_made_of_the_docstrings():
    """After an edit of one: python -m frl schema --manual config/README.md"""
    manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
    assert renewed(manual) == manual
    edited = manual.replace("| `clip` | `10.0` |", "| `clip` | `9.0` |")
    assert renewed(edited) == manual != edited


@pytest.mark.parametrize("section", SECTIONS)
def test_manual_states_the_real_defaults(section):
    manual = (ROOT / "config/README.md").read_text(encoding="utf-8")
    text = re.split(r"^#+ ", manual.partition(f"### {section}\n")[2], flags=re.MULTILINE)[0]
    stated = dict(re.findall(r"^\| `(\w+)` \| `?([^`|]+?)`? \|", text, flags=re.MULTILINE))
    real = {
        key: value["default"] for key, value in schema()["$defs"][f"{section.capitalize()}Spec"]["properties"].items()
    }
    assert {key: None if text == "empty" else yaml.safe_load(text) for key, text in stated.items()} == real
