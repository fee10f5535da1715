"""What a pull request must pass, and the optional suites that it runs a short part of."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SUITES = re.findall(r'^    "(\w+)": Suite\(', (ROOT / "tests/conftest.py").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def tools(tmp_path):
    """Commands that write down how they were called; make and apt-get end with $MAKE_RC and $APT_RC."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("bash", "env", "cat", "dirname", "timeout"):
        (folder / tool).symlink_to(str(shutil.which(tool)))
    for tool, does in {
        "id": "echo $USER_ID",
        "dpkg": "exit 1",
        "make": "exit $MAKE_RC",
        "apt-get": "exit $APT_RC",
    }.items():
        (folder / tool).write_text(f'#!/bin/bash\necho "{tool} $*" >> {tmp_path}/log\n{does}\n', encoding="utf-8")
        (folder / tool).chmod(0o755)
    return folder


def ci(tools: Path, user: int = 0, apt: int = 0, make: int = 0) -> tuple[int, list[str]]:
    """Exit status of .ci/run, and what it called of apt-get and make."""
    environment = {"PATH": str(tools), "USER_ID": str(user), "APT_RC": str(apt), "MAKE_RC": str(make)}
    done = subprocess.run([ROOT / ".ci/run"], env=environment, capture_output=True, text=True)
    calls = (tools.parent / "log").read_text(encoding="utf-8").splitlines()
    return done.returncode, [call for call in calls if call.startswith(("apt-get", "make"))]


def test_ci_brings_what_the_suites_need_and_runs_make_test(tools):
    status, (update, install, make) = ci(tools)
    assert status == 0
    assert update.startswith("apt-get update")
    assert "--no-install-recommends" in install
    assert install.endswith(" slurm-wlm")
    assert make == "make test"


@pytest.mark.parametrize(("user", "apt"), [(1000, 0), (0, 100)], ids=["not root", "apt fails"])
def test_ci_tests_all_the_same_where_they_cannot_be_had(tools, user, apt):
    status, calls = ci(tools, user, apt)
    assert (status, calls[-1]) == (0, "make test")
    assert len(calls) == (1 if user else 2)


def test_ci_tests_all_the_same_without_apt(tools):
    (tools / "apt-get").unlink()
    assert ci(tools) == (0, ["make test"])


def test_ci_fails_where_the_tests_do(tools):
    assert ci(tools, make=2)[0] == 2


def test_ci_is_the_readmes_test_command_on_every_python_that_is_promised():
    assert (ROOT / ".ci/run").stat().st_mode & stat.S_IXUSR
    assert re.search(r"^make test +#", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    job = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert job["steps"][-1]["run"] == ".ci/run"
    assert job["env"]["TORCH_INDEX"] == "cpu"


def plan(*words: str) -> str:
    """What make would do."""
    done = subprocess.run(["make", "-n", "-B", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("said", ["cpu", "https://example.invalid/cpu"])
def test_make_takes_torch_from_the_index_that_is_asked_for(said):
    """PyTorch's CPU index for short, or any address."""
    index = re.escape(said) if "/" in said else r"https://\S+/cpu"
    (torch,) = re.findall(r"^(torch==\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert re.search(rf"--index-url {index} {re.escape(torch)} \| ", plan("setup", f"TORCH_INDEX={said}"))


# --------------------------------------------------------------------------------------------------
# Optional suites

SUITE = """
import pytest

@pytest.mark.suite("slurm")
@pytest.mark.short
def test_short(): pass

@pytest.mark.suite("slurm")
def test_long(): pass

def test_of_none(): pass
"""


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and words of pytest on `SUITE`, with the project's conftest, where no command is installed."""
    shutil.copy(ROOT / "tests/conftest.py", folder / "conftest.py")
    (folder / "test_it.py").write_text(SUITE, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  suite\n  short\naddopts = -ra\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PATH": "/nowhere"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_skipped_suite_says_why(tmp_path):
    status, said = run(tmp_path)
    assert (status, "1 passed, 2 skipped" in said) == (0, True), said
    assert re.search(r"SKIPPED.*no .*sbatch.* here: apt-get install .*slurm-wlm", said)
    assert re.search(r"SKIPPED.*takes long: make test-slurm", said)


def test_a_suite_that_is_asked_for_and_cannot_run_fails(tmp_path):
    status, said = run(tmp_path, "--suite", "slurm")
    assert status == pytest.ExitCode.USAGE_ERROR, said
    assert re.search(r"the suite slurm cannot run here: no .*sbatch", said)


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_has_a_short_part_and_a_target(name):
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    assert any(f'mark.suite("{name}")' in text and "mark.short" in text for text in texts)
    assert f"pytest --suite {name}" in plan(f"test-{name}")


def test_ten_equal_lines_of_logic_are_found(tmp_path):
    """And neither nine, nor equal docstrings, comments and imports."""
    logic = "".join(f"    total = total * {i} + step({i})\n" for i in range(8))
    for name, lines in (("a", logic), ("b", logic), ("c", logic.replace("* 7 +", "* 8 +"))):
        (tmp_path / f"{name}.py").write_text(
            f'"""Same."""\n\nfrom math import sqrt as step\n\n\ndef {name}(total):\n    """Same."""\n    # same\n'
            f"    assert total\n{lines}    return total\n",
            encoding="utf-8",
        )
    command = [sys.executable, "-m", "pylint", f"--rcfile={ROOT / 'pyproject.toml'}", *sorted(tmp_path.glob("*.py"))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0, done.stdout + done.stderr
    assert re.findall(r"^==(\w)", done.stdout, re.MULTILINE) == ["a", "b"], done.stdout
