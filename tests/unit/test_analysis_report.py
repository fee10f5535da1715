"""The report: one file, no network, formulas drawn, the same twice, a failing cell named and kept."""

from __future__ import annotations

import os
import re
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import synthetic

from frl.analysis import load
from frl.report import page as report
from frl.report import show
from frl.report.document import drawing
from frl.report.figures import draw
from frl.report.tables import summary, verdict
from frl.runs.files import write_csv
from frl.scenario.scenario import Scenario
from frl.verdicts import judge
from frl.verdicts.power import tuning_times

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LOADS = ("src", "href", "xlink:href", "data", "action", "poster", "srcset")
EXTERNAL = re.compile(r"""@import|url\(\s*["']?(?!#)|\b(?:fetch|import|XMLHttpRequest)\s*\(""")


class Page(HTMLParser):
    """Tags, ids and link targets of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.heads_without_scope = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.heads_without_scope += tag == "th" and "scope" not in dict(attrs)
        if tag != "a":
            self.loaded += [value or "" for name, value in attrs if name in LOADS and not (value or "").startswith("#")]
        self.links += [value for name, value in attrs if name == "href" and value and tag == "a"]


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, Path]:
    root = tmp_path_factory.mktemp("results")
    scenario = synthetic.scenario()
    synthetic.write_all(root, scenario, diverging=("Swimmer/a3c/n4/seed1",))
    synthetic.run_path(root, scenario, scenario.resolve("Swimmer", "async_pg", 4, 2)).unlink()
    base = root / scenario.name / "partial"
    load.collect(scenario, root, base, partial=True)
    verdict.write(judge.write(scenario, base), base)
    draw.draw(scenario, base)
    summary.write(scenario, base)
    return scenario, base


@pytest.fixture(scope="module")
def page(analysed: tuple[Scenario, Path]) -> str:
    scenario, base = analysed
    path = report.render(scenario, base, NOTEBOOKS, show_code=False)
    assert path == base / "report.html"
    return path.read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    parsed = Page(page)
    assert not EXTERNAL.findall(page)
    assert not parsed.loaded
    assert not {"link", "iframe", "img", "object", "embed"} & set(parsed.tags)
    # for both widths the forest plot, the figure of staleness, the folded curves and two diagrams; two lead figures
    assert parsed.tags.count("svg") == 12


def test_the_page_is_small_and_built_for_every_reader(page: str) -> None:
    """One heading of the first level, ids used once, columns headed, boxes that scroll reached by the keyboard."""
    parsed = Page(page)
    assert parsed.tags.count("h1") == 1
    assert len(set(parsed.ids)) == len(parsed.ids) > 100
    assert parsed.heads_without_scope == 0
    assert len(page.encode()) < 3e6
    assert page.index('href="#main"') < page.index("<header>") < page.index('id="main"')
    boxes = re.findall(r'<[a-z]+ [^>]*class="(?:frl-scroll|math)"[^>]*>', page)
    assert len(boxes) > 10
    assert all('tabindex="0"' in box and "aria-label=" in box for box in boxes)


def test_equal_drawings_share_no_id_and_lose_nothing_that_is_seen() -> None:
    svg = (
        '<?xml version="1.0"?><svg width="9pt" height="5pt" viewBox="0 0 9 5"><metadata>x</metadata><!-- y -->'
        '<g id="axes_1"><defs><path id="m1" d="M 0 0.123456 \nL 2 -1.98765 \n"></path></defs>'
        '<use xlink:href="#m1" x="1.23456" style="fill: none; stroke: #000"></use>'
        '<path d="M 1.26 2 " clip-path="url(#c)"></path></g><clipPath id="c"></clipPath></svg>'
    )
    one, two = (drawing(svg, name, "A < B") for name in ("one", "two"))
    ids = [set(re.findall(r' id="([^"]*)"', text)) for text in (one, two)]
    assert len(ids[0]) == len(ids[1]) == 2
    assert not ids[0] & ids[1]
    assert set(re.findall(r"#([\w-]+-\d+)", one)) == ids[0]
    assert 'aria-label="A &lt; B" viewBox' in one
    for kept in ("M0 0.12L2 -1.98", 'x="1.23"', "M1.2 2", "stroke:#000"):
        assert kept in one
    assert "metadata" not in one


def test_formulas_are_mathml_and_no_tex_is_left(page: str) -> None:
    assert page.count('display="block"') == 4
    assert "<mfrac" in page
    assert not re.search(r"\\(frac|theta|alpha|tilde|leftarrow)", page)


def test_the_table_of_contents_leads_to_every_section(page: str) -> None:
    parsed = Page(page)
    inner = [link[1:] for link in parsed.links if link.startswith("#")]
    assert set(inner) <= set(parsed.ids)
    nav = page[page.index("<nav") : page.index("</nav>")]
    assert re.findall(r">([^<]+)</a>", nav) == [
        "Task by task", "How the settings were chosen", "Deviations and limits", "Methods", "Verdicts", "Tables",
        "Provenance",
    ]  # fmt: skip
    assert re.findall(r'<h2 id="(.+?)">', page) == [link[1:] for link in re.findall(r'href="(.+?)"', nav)]


def test_what_a_busy_reader_needs_is_there(page: str) -> None:
    for text in (
        "Synthetic runs",  # the title
        "Nothing was tuned: these runs are made up.",
        "Only 3 seeds.",
        "1 of 21 runs are missing",
        "1 of 20 runs diverged",
        "20 of 21 runs, 3 seeds",
        "Runs of 2026-01-01",
        "<code>c0ffee</code>",
        "https://arxiv.org/abs/2404.08003",
        "Swimmer/async_pg/n4/seed2",
        "2 primary claims: 2 inconclusive.",
        "LAPG",
        "What P1 says.",
        "an arm has 3 seeds, fewer than 5",
        "Not part of this scenario: E8.",
        "What leaves an agent, and what never does",
    ):
        assert text in page, text
    for absent in ("What the lookahead adds", "Uploading only what has changed"):
        assert absent not in page  # the scenario has no such figure
    order = (
        'class="frl-answer"',
        'id="figure-lead-forest"',
        'id="task-swimmer"',
        'id="verdicts"',
        'id="table-results"',
    )
    assert [page.index(one) for one in order] == sorted(page.index(one) for one in order)


def test_secondary_and_exploratory_claims_are_folded_beside_primary_ones(analysed: tuple[Scenario, Path]) -> None:
    scenario, base = analysed
    roles = {claim.id: claim.role for claim in scenario.claims.claims} if scenario.claims else {}
    shown = re.split(r"<details><summary>(?:Secondary|Exploratory) claims", str(show.verdicts(scenario, base)))
    for text, role in zip(shown, ("primary", "secondary", "exploratory"), strict=True):
        listed = re.findall(r"<li><b>(.*?)</b>", text)
        assert listed
        assert {roles[name] for name in listed} == {role}
        assert set(re.findall(r"<tr><td>(.*?)</td>", text)) <= set(listed)


def test_the_chances_of_the_verdicts_are_in_the_report_where_tuning_runs_are(analysed: tuple[Scenario, Path]) -> None:
    scenario, base = analysed
    assert show.power(scenario) == ""
    times = tuning_times(scenario, load.read_curves(base)).to_csv(index=False)
    page = show.power(scenario.model_copy(update={"tuning_times": times}))
    assert page.count("<tr><td>") == 2 * 3  # two primary claims, three truths
    assert " %</td>" in page


def test_each_line_on_the_settings_is_a_paragraph_of_its_own(analysed: tuple[Scenario, Path]) -> None:
    page = show.tuned(analysed[0].model_copy(update={"tuned": "One.\nTwo < three."}))
    assert page == "<p>One.</p><p>Two &lt; three.</p>"


def test_many_missing_runs_are_folded(tmp_path: Path) -> None:
    write_csv(tmp_path / "runs.csv", pd.DataFrame({"environment": ["Swimmer"], "method": "afedpg", "n_agents": 1,
                                                   "seed": 0, "env_steps_total": 9, "status": "ok"}))  # fmt: skip
    for count in (show.SHOWN_MISSING, show.SHOWN_MISSING + 1):
        missing = pd.DataFrame({"run_id": [f"run{i}" for i in range(count)], "reason": "not run", "method": "afedpg"})
        write_csv(tmp_path / "missing.csv", missing)
        page = show.incomplete(tmp_path)
        assert page.count("not run") == count
        assert (f"<summary>{count} missing runs</summary>" in page) == (count > show.SHOWN_MISSING)


def test_no_code_and_no_trace_of_the_hidden_cell(page: str, analysed: tuple[Scenario, Path]) -> None:
    assert "show.figure(" not in page
    assert "model_validate_json" not in page
    assert str(analysed[1]) not in page


def test_rendered_twice_it_is_the_same_and_code_is_shown_on_request(analysed: tuple[Scenario, Path], page: str) -> None:
    scenario, base = analysed
    notebook = report.assemble(scenario, base, NOTEBOOKS)
    report.execute(notebook, base / "failed.ipynb")
    assert report.to_html(notebook, scenario.title, show_code=False) == page
    code = report.to_html(notebook, scenario.title, show_code=True)
    assert 'class="highlight' in code
    assert "cautions" in code
    assert "model_validate_json" not in code
    assert not Page(code).loaded


def test_the_users_own_files_change_nothing(
    analysed: tuple[Scenario, Path], page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long TMPDIR, a home that cannot be written, and Jupyter files of the user's: the report is the same."""
    scenario, base = analysed
    long = tmp_path / ("t" * (95 - len(str(tmp_path)) - 1)) if len(str(tmp_path)) < 90 else tmp_path
    long.mkdir(exist_ok=True)
    kernel = tmp_path / "jupyter/kernels/python3/kernel.json"
    template = tmp_path / "jupyter/nbconvert/templates/basic/conf.json"
    for path, text in ((kernel, '{"argv": ["false"], "display_name": "x", "language": "x"}'), (template, "no JSON")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (tmp_path / "startup.py").write_text("raise SystemExit")
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    for name, value in (
        ("HOME", "/dev/null"), ("TMPDIR", str(long)), ("PYTHONSTARTUP", str(tmp_path / "startup.py")),
        ("JUPYTER_PATH", str(tmp_path / "jupyter")), ("MPLCONFIGDIR", "/dev/null"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    assert report.render(scenario, base, NOTEBOOKS, show_code=False).read_text(encoding="utf-8") == page


def test_a_warning_goes_to_the_terminal_and_not_into_the_report(
    analysed: tuple[Scenario, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1_warns.py").write_text(
        "# %%\nimport sys\n\nprint('of this machine', file=sys.stderr)\nprint('a result')\n"
    )
    text = report.render(analysed[0], tmp_path, tmp_path, show_code=False).read_text(encoding="utf-8")
    assert "a result" in text
    assert "of this machine" not in text
    assert capsys.readouterr().err == "of this machine\n"


def test_no_folder_for_sockets_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/" + 90 * "t")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(report.ReportError, match="set TMPDIR to a shorter one"):
        report._socket_folder()


def test_notebooks_are_prose_and_calls(analysed: tuple[Scenario, Path]) -> None:
    notebook = report.assemble(*analysed, NOTEBOOKS)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert not re.search(r"^\s*(def|for|if|while|class)\b", code, re.MULTILINE)
    assert not any("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells)
    sources = {cell.metadata["source_file"] for cell in notebook.cells} - {"parameters"}
    assert len(sources) > 3
    assert all(name[0].isdigit() for name in sources), "the report is made of the numbered notebooks alone"


def test_a_failing_cell_is_named_and_the_notebook_kept(analysed: tuple[Scenario, Path], tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "1_bad.py").write_text("# %%\nprint('fine')\n\n# %%\nscenario.no_such_thing\n")
    base = tmp_path / "base"
    with pytest.raises(report.ReportError, match=r"1_bad\.py, cell-2 \('scenario\.no_such_thing'\): AttributeError"):
        report.render(analysed[0], base, tmp_path / "notebooks", show_code=False)
    assert not (base / "report.html").exists()
    kept = nbformat.read(base / "report.failed.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    assert kept.cells[1].outputs[0].text == "fine\n"


def test_a_folder_without_notebooks_is_an_error(analysed: tuple[Scenario, Path], tmp_path: Path) -> None:
    with pytest.raises(report.ReportError, match="no notebook"):
        report.render(analysed[0], tmp_path, tmp_path, show_code=False)
