"""What people read: every link leads somewhere, and every number is that of the published results."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from frl.analysis import load
from frl.cli import main
from frl.report.tables.table import literal
from frl.verdicts import judge, record
from frl.verdicts.answer import answer
from frl.verdicts.record import Judgement

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
JUDGED = sorted(path.parent for path in ROOT.glob("results/published/*/verdicts.json"))
TABLES = [pd.read_csv(path) for path in sorted(ROOT.glob("results/published/*/tables/verdict.csv"))]
PAGES = ("running", "cluster", "processes", "method", "theory", "adversaries", "rennala", "compression", "natural")
HOW_TO = [f"docs/{name}.md" for name in PAGES]


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """`make docs`, of another folder."""
    recipe = re.search(r"sphinx-build (.*) -c docs \. site", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert recipe
    command = [sys.executable, "-m", "sphinx", *recipe[1].split(), "-c", "docs", ".", str(site)]
    return subprocess.run(command, cwd=source, capture_output=True, text=True)


def test_the_site_builds_and_no_link_is_broken(tmp_path):
    done = build(ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    page, links = (tmp_path / "docs/results.html").read_text(encoding="utf-8"), 0
    for base in JUDGED:
        assert f'href="../results/published/{base.name}/report.html"' in page
    for copy in tmp_path.glob("results/published/*/report.html"):
        assert copy.read_bytes() == (ROOT / copy.relative_to(tmp_path)).read_bytes()
        linked = set(re.findall(r'<a href="([^"#:]+)"', copy.read_text(encoding="utf-8")))
        assert not [name for name in linked if not (copy.parent / name).exists()]
        links += len(linked)
    assert links >= 10  # data and figures of a report
    assert not list(tmp_path.glob("_downloads/*/report.html"))  # once is enough
    assert "docs/index.html" in (tmp_path / "index.html").read_text(encoding="utf-8")


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


def test_no_line_begins_with_a_bound_which_would_be_a_quotation():
    pages = [ROOT / name for name in ("README.md", "CHANGELOG.md", "config/README.md", "results/published/README.md")]
    for page in (*pages, *(ROOT / "docs").glob("*.md")):
        assert not re.findall(r"^ *> *\d.*", page.read_text(encoding="utf-8"), re.MULTILINE), page


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
    "name",
    [
        *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "config/README.md"),
        *("results/README.md", "results/published/README.md", *HOW_TO),
    ],
)
def test_files_that_commands_name_are_in_the_tree(name):
    named = set(
        re.findall(r"\b(?:config|tests|workflow|src|results/published)/[\w./-]*\w", (ROOT / name).read_text("utf-8"))
    )
    absent = {path for path in named if not (ROOT / path).exists() and "mine" not in path}
    assert not absent


# --------------------------------------------------------------------------------------------------
# Numbers

ESTIMATE = re.compile(r"([−+]?[\d.]+)\s+\[([−\d.]+),\s([−\d.]+)\]")


def says(number: str, value: float) -> bool:
    """Whether a quoted number is the value, rounded."""
    decimals = len(number.partition(".")[2])
    return bool(np.isfinite(value)) and round(float(value), decimals) == float(number.replace("−", "-"))


def published(numbers: tuple[str, str, str]) -> list[str]:
    """The verdicts on the parts of claims with this estimate and interval."""
    return [
        row.verdict
        for table in TABLES
        for row in table.itertuples()
        if all(map(says, numbers, (row.ours, row.ours_low, row.ours_high)))
    ]


def test_estimates_are_the_published_ones():
    """Each with its interval is that of a published claim, or stands in the evidence of one."""
    evidence = " ".join(line for table in TABLES for line in table["evidence"])
    quoted = ESTIMATE.findall(README + (ROOT / "results/published/README.md").read_text(encoding="utf-8"))
    assert len(quoted) >= 5
    for numbers in quoted:
        assert published(numbers) or "{} [{}, {}]".format(*numbers) in evidence, numbers


def rows_of(page: str) -> list[tuple[str, str]]:
    """Estimate with interval, and verdict, of each row of a table of claims that has both."""
    return re.findall(r"^\| .* \| ((?:[<>] )?\S+ \[.*?\]) \| (\w+) \|$", page, re.MULTILINE)


def unsaid(page: str, parts: Iterable[Judgement]) -> list[str]:
    """The primary claims of which no row of the page says number, interval and verdict."""
    said = [(*ESTIMATE.findall(estimate), verdict) for estimate, verdict in rows_of(page)]
    return [
        f"{one.claim} {one.part}"
        for one in parts
        if one.role == "primary"
        and not any(
            verdict == one.verdict and one.effect and all(map(says, numbers, one.effect.model_dump().values()))
            for numbers, verdict in said
        )
    ]


def test_readmes_verdicts_are_the_published_ones():
    rows = rows_of(README)
    assert len(rows) >= 5
    for estimate, verdict in rows:
        (numbers,) = ESTIMATE.findall(estimate)
        assert verdict in published(numbers), (estimate, verdict)


def test_readme_has_every_published_primary_claim():
    of_runs = [base for base in JUDGED if (base / "runs.csv").exists()]
    assert of_runs
    assert not [said for base in of_runs for said in unsaid(README, record.read(base).parts)]


def test_a_primary_claim_that_a_page_leaves_out_or_says_otherwise_is_found():
    (scenario,) = (base for base in JUDGED if base.name == "quick")
    _, one, *_ = record.read(scenario).parts  # 1.34 [0.59, 3.04]
    primary = one.model_copy(update={"role": "primary"})
    assert not unsaid("| Q1 | yes | 1.34 [0.59, 3.04] | inconclusive |", [primary])
    assert unsaid("| Q1 | yes | 1.34 [0.59, 3.04] | replicated |", [primary])
    assert unsaid("| Q1 | yes | 1.34 [0.60, 3.04] | inconclusive |", [primary])
    assert not unsaid("", [one])


# --------------------------------------------------------------------------------------------------
# The page of results


def test_the_page_of_results_is_what_the_published_files_say(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "results").symlink_to(ROOT / "results")
    page = Path(shutil.copy(ROOT / "docs/results.md", tmp_path / "docs"))
    assert main(["results", str(page), "--published", str(tmp_path / "results/published")]) == 0
    assert page.read_text(encoding="utf-8") == (ROOT / "docs/results.md").read_text(encoding="utf-8"), "run: make docs"


def test_a_section_has_the_reports_answer_and_the_primary_claims_alone(tmp_path):
    base, scenario = tmp_path / "results/published/toy", synthetic.scenario()
    synthetic.write_all(base.parent, scenario)
    load.collect(scenario, base.parent, base, partial=False)
    verdicts = judge.write(scenario, base)
    (base / "figures").mkdir()
    (base / "figures/sample_complexity.svg").write_text("<svg/>")
    page = tmp_path / "results.md"
    page.write_text("# Results\n\n<!-- written by frl results -->\nold\n<!-- end -->\n\nAfter.\n", encoding="utf-8")
    for _ in range(2):  # the second time changes nothing
        assert main(["results", str(page), "--published", str(base.parent)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Results\n\n<!-- written by frl results -->\n\n## toy\n\nRuns of 2026-01-01 · ")
    assert text.endswith("<!-- end -->\n\nAfter.\n")
    for sentence in answer(verdicts):
        assert f"\n- {literal(sentence)}\n" in text
    assert re.findall(r"^\| (P1|P2|S|E4|E8): t \|", text, re.MULTILINE) == ["P1", "P2"]
    assert "(results/published/toy/figures/sample_complexity.svg)" in text


def test_a_scenario_without_claims_has_its_name_its_figure_and_what_is_not_run_yet(tmp_path):
    base, scenario = tmp_path / "results/published/toy", synthetic.scenario(("Swimmer", "Hopper"), claims=None)
    synthetic.write_all(base.parent, scenario)
    for path in (base / "runs/Hopper").rglob("*.csv"):
        path.unlink()
    load.collect(scenario, base.parent, base, partial=True)
    (base / "report.html").write_text("<title>Toys &amp; others</title>")
    (base / "figures").mkdir()
    (base / "figures/sample_complexity.svg").write_text("<svg/>")
    page = tmp_path / "results.md"
    page.write_text("<!-- written by frl results -->\n<!-- end -->\n", encoding="utf-8")
    assert main(["results", str(page), "--published", str(base.parent)]) == 0
    text = page.read_text(encoding="utf-8")
    told = ["Toys & others.", "This scenario names no claims: see what its figures show.", "Not run yet: Hopper."]
    assert "\n\n" + "\n".join(f"- {literal(one)}" for one in told) + "\n\n" in text
    assert "(results/published/toy/report.html)" in text
    assert "(results/published/toy/figures/sample_complexity.svg)" in text
    assert "|" not in text


def test_a_page_without_the_two_marks_is_refused(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("# Page\n", encoding="utf-8")
    assert main(["results", str(page), "--published", str(tmp_path)]) == 2
    assert "needs the lines '<!-- written by frl results -->' and '<!-- end -->'" in capsys.readouterr().err
