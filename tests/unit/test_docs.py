"""What people read: every link leads somewhere, and every number is that of the published results."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
VERDICTS = [pd.read_csv(path) for path in sorted(ROOT.glob("results/published/*/tables/verdict.csv"))]
HOW_TO = ["docs/running.md", "docs/cluster.md", "docs/processes.md", "docs/method.md", "docs/theory.md"]
WORDS = {"not": "contradicted", "untested": "inconclusive"}
"""What the first edition's files say, and what the pages say; other words are the same."""


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """`make docs`, of another folder."""
    recipe = re.search(r"sphinx-build (.*) -c docs \. site", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert recipe
    command = [sys.executable, "-m", "sphinx", *recipe[1].split(), "-c", "docs", ".", str(site)]
    return subprocess.run(command, cwd=source, capture_output=True, text=True)


def test_the_site_builds_and_no_link_is_broken(tmp_path):
    done = build(ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "docs/results.html").read_text(encoding="utf-8")
    (report,) = set(re.findall(r'href="([^"]+)">swimmer</a>', re.sub(r"<span[^>]*>|</span>", "", page)))
    assert (tmp_path / "docs" / report).read_bytes() == (ROOT / "results/published/swimmer/report.html").read_bytes()
    assert "docs/index.html" in (tmp_path / "index.html").read_text(encoding="utf-8")
    beside = 0
    for copy in tmp_path.glob("_downloads/*/report.html"):
        linked = set(re.findall(r'<a href="([^"#:]+)"', copy.read_text(encoding="utf-8")))
        assert not [name for name in linked if not (copy.parent / name).exists()]
        beside += len(linked)
    assert beside >= 10  # data and figures of a report


def test_broken_links_are_errors(tmp_path):
    links = ["absent.md", "index.md#absent-1", "../absent.py", "#absent-2"]
    shutil.copytree(ROOT / "docs/root", tmp_path / "docs/root")
    shutil.copy(ROOT / "docs/conf.py", tmp_path / "docs")
    page = "# Page\n\n" + "\n".join(f"[there]({link})" for link in links)
    (tmp_path / "docs/index.md").write_text(page, encoding="utf-8")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    for named in ("absent.md", "absent-1", "absent.py", "absent-2"):
        assert named in done.stderr


def test_readme_is_short_and_finished():
    assert len(README.split()) <= 800
    assert not re.findall(r"@[A-Z]+@", README)
    first = README.split("\n\n")[1]
    assert re.search(r"published\s+neither\s+code\s+nor\s+settings", first)


def test_published_pages_and_films_are_small():
    films, pages = (list(ROOT.glob(f"results/published/*/{name}")) for name in ("gaits/*.gif", "report.html"))
    assert films
    assert pages
    assert not [path for path in films if path.stat().st_size > 300_000]
    assert not [path for path in pages if path.stat().st_size > 3_000_000]


def test_the_repositorys_address_is_to_be_filled_in_at_one_place():
    pages = [path for path in ROOT.rglob("*.md") if not {".venv", "site"} & set(path.relative_to(ROOT).parts)]
    found = [path for path in pages if "<address>" in path.read_text(encoding="utf-8")]
    assert found == [ROOT / "README.md"]
    assert README.count("git clone <address>") == README.count("<address>") == 1


@pytest.mark.parametrize(
    "name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "config/README.md", "results/README.md", *HOW_TO]
)
def test_files_that_commands_name_are_in_the_tree(name):
    """Pages of results may name those of an earlier edition, and say where they are."""
    named = set(
        re.findall(r"\b(?:config|tests|workflow|src|results/published)/[\w./-]*\w", (ROOT / name).read_text("utf-8"))
    )
    absent = {path for path in named if not (ROOT / path).exists() and "mine" not in path}
    assert not absent


# --------------------------------------------------------------------------------------------------
# Numbers

ESTIMATE = re.compile(r"([−+]?[\d.]+) \[([−\d.]+),\s([−\d.]+)\]")


def says(number: str, value: float) -> bool:
    """Whether a quoted number is the value, rounded."""
    decimals = len(number.partition(".")[2])
    return bool(np.isfinite(value)) and round(float(value), decimals) == float(number.replace("−", "-"))


def published(numbers: tuple[str, str, str]) -> list[str]:
    """The verdicts, as the pages call them, on the parts of claims with this estimate and interval."""
    return [
        WORDS.get(row.verdict, row.verdict)
        for table in VERDICTS
        for row in table.itertuples()
        if all(map(says, numbers, (row.ours, row.ours_low, row.ours_high)))
    ]


@pytest.mark.parametrize("name", ["README.md", "docs/results.md", "results/published/README.md"])
def test_estimates_are_the_published_ones(name):
    """Each with its interval is that of a published claim, or stands in the evidence of one."""
    evidence = " ".join(line for table in VERDICTS for line in table["evidence"])
    quoted = ESTIMATE.findall((ROOT / name).read_text(encoding="utf-8"))
    assert len(quoted) >= 5
    for numbers in quoted:
        assert published(numbers) or "{} [{}, {}]".format(*numbers) in evidence, numbers


def test_readmes_verdicts_are_the_published_ones():
    rows = re.findall(r"^\| .* \| (\S+ \[.*?\]) \| (\w+) \|$", README, re.MULTILINE)
    assert len(rows) >= 5
    for estimate, verdict in rows:
        (numbers,) = ESTIMATE.findall(estimate)
        assert verdict in published(numbers), (estimate, verdict)
