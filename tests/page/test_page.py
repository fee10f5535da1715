"""The report in a browser: read by axe-core, on screens of three widths, in the dark and on paper."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import synthetic

from frl.analysis import load
from frl.report import page as report
from frl.report.figures import draw
from frl.report.tables import summary, verdict
from frl.verdicts import judge

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.suite("page")
ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results/published/quick/report.html"
A4 = 688
"""Pixels between the margins of a sheet."""
SCREENS = [(390, "light", "screen"), (768, "light", "screen"), (1440, "light", "screen"), (390, "dark", "screen"),
           (1440, "dark", "screen"), (A4, "light", "print")]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=shutil.which("chromium"), args=sandbox)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def partial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two tasks with seeds and methods of their own; runs are missing, and one diverged."""
    root = tmp_path_factory.mktemp("results")
    claims = [synthetic.claim("P1", "primary"), synthetic.claim("S", "secondary", **synthetic.sooner("fedpg"))]
    claims += [{**claims[0], "id": "P2", "environment": "Hopper"}]
    methods = [{"algorithm": name, "n_agents": (4,)} for name in ("async_pg", "a3c")]
    methods += [{"algorithm": "afedpg", "n_agents": (1, 4, 8)}]
    methods += [{"algorithm": "fedpg", "n_agents": (4,), "environments": ("Swimmer",)}]
    seeds = {"Swimmer": tuple(range(6)), "Hopper": (0, 1)}
    scenario = synthetic.scenario(("Swimmer", "Hopper"), seeds, methods, claims={"claims": claims})
    synthetic.write_all(root, scenario, diverging=("Swimmer/a3c/n4/seed1",))
    for seed in seeds["Hopper"]:
        synthetic.run_path(root, scenario, scenario.resolve("Hopper", "async_pg", 4, seed)).unlink()
    base = root / scenario.name / "partial"
    load.collect(scenario, root, base, partial=True)
    verdict.write(judge.write(scenario, base), base)
    draw.draw(scenario, base)
    summary.write(scenario, base)
    return report.render(scenario, base, ROOT / "notebooks", show_code=False)


def opened(browser: Browser, path: Path, width: int = 1440, scheme: Any = "light", media: Any = "screen") -> Page:
    """The page on a screen so wide, or on paper."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.emulate_media(media=media)
    page.goto(path.as_uri())
    return page


def findings(page: Page) -> list[str]:
    """What axe-core calls serious or critical: the rule and where."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in violations
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def cut_off(page: Page) -> list[str]:
    """Elements that reach beyond the page's right edge and cannot be scrolled to."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("main *")].filter((e) => {
            const scrolls = (p) => p && (getComputedStyle(p).overflowX === "auto" || scrolls(p.parentElement));
            return !e.closest("svg") && e.getClientRects().length && !scrolls(e)
              && e.getBoundingClientRect().right > innerWidth + 1;
        }).map((e) => e.outerHTML.slice(0, 200))"""
    )
    return found


@pytest.mark.short
@pytest.mark.parametrize("name", ["quick", "theory"])
def test_the_published_page_on_a_telephone_in_the_dark(browser: Browser, name: str) -> None:
    page = opened(browser, ROOT / f"results/published/{name}/report.html", 390, "dark")
    assert findings(page) == []
    assert cut_off(page) == []


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_serious_is_found_and_nothing_is_cut_off(browser: Browser, partial: Path, screen: Any) -> None:
    page = opened(browser, partial, *screen)
    assert findings(page) == []
    assert cut_off(page) == []
    for fold in page.locator("summary").all():
        fold.evaluate("summary => summary.parentElement.open = true")
    assert findings(page) == []
    assert cut_off(page) == []


def test_what_scrolls_on_a_telephone_has_a_shadow(browser: Browser, partial: Path) -> None:
    """Only tables scroll, above whose background a shadow shows; figures and commands fit, verdicts are cards."""
    page = opened(browser, partial, 390)
    for fold in page.locator("summary").all():
        fold.evaluate("summary => summary.parentElement.open = true")
    scrolling = page.evaluate(
        """() => [...document.querySelectorAll("main *")].map((e) => [e, getComputedStyle(e)])
            .filter(([e, s]) => e.scrollWidth > e.clientWidth + 1 && s.overflowX === "auto" && !e.matches(".math"))
            .map(([e, s]) => [e.className, e.closest("figure")?.id ?? "", s.backgroundImage.includes("gradient")])"""
    )
    assert scrolling
    assert all(name == "frl-scroll" and shadow for name, _, shadow in scrolling), scrolling
    assert not [figure for _, figure, _ in scrolling if figure.startswith("table-verdict")]
    verdicts = page.locator("[id^=table-verdict]").first
    shown = verdicts.locator("tbody tr").first.locator("td:visible").all()
    assert shown[0].get_attribute("data-label") == "claim"
    for box in [cell.bounding_box() for cell in shown]:
        assert box is not None
        assert box["x"] + box["width"] <= 390


def test_what_is_cut_off_is_found(browser: Browser, tmp_path: Path) -> None:
    """The check itself: of a wide line alone and of one in a box that scrolls the first is named."""
    line = '<p style="width: 2000px">wide</p>'
    box = f'<div style="overflow-x: auto">{line}</div>'
    (tmp_path / "page.html").write_text(f"<main>{box}{line.replace('wide', 'lost')}</main>")
    (found,) = cut_off(opened(browser, tmp_path / "page.html"))
    assert "lost" in found


@pytest.mark.parametrize("name", ["published", "partial"])
def test_it_fits_twelve_sheets(browser: Browser, partial: Path, name: str) -> None:
    page = opened(browser, PUBLISHED if name == "published" else partial)
    sheets = len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))
    assert 4 <= sheets <= 12


def test_the_answer_and_its_figures_are_on_the_first_screen(browser: Browser, partial: Path) -> None:
    page = opened(browser, partial)
    assert page.locator(".frl-answer p").count() >= 1
    for name in ("sample_complexity", "time_complexity", "forest"):
        box = page.locator(f"#figure-lead-{name}").bounding_box()
        assert box is not None
        assert box["y"] < 450
    assert page.locator("#figure-lead-forest .frl-narrow").is_visible()
    assert not page.locator("#figure-lead-forest .frl-wide").is_visible()


def test_tables_are_sorted_and_filtered(browser: Browser, partial: Path) -> None:
    page = opened(browser, partial)
    table = page.locator("#table-results")
    heads = [text.strip() for text in table.locator("th").all_inner_texts()]
    place = next(i for i, text in enumerate(heads) if text.startswith("final return"))

    def numbers() -> list[float | None]:
        cells = table.locator(f"tbody tr:visible td:nth-child({place + 1})")
        return [None if text == "–" else float(text.split()[0]) for text in cells.all_inner_texts()]

    known = sorted(value for value in numbers() if value is not None)
    assert None in numbers()  # a cell without runs stays last
    table.locator("th button").nth(place).click()
    assert numbers() == [*known, None]
    table.locator("th button").nth(place).click()
    assert numbers() == [*reversed(known), None]
    assert table.locator("th").nth(place).get_attribute("aria-sort") == "descending"
    page.locator(".frl-sortable", has=table).locator("select").first.select_option("Hopper")
    tasks = table.locator("tbody tr:visible td:nth-child(1)").all_inner_texts()
    assert set(tasks) == {"Hopper"}


def test_the_keyboard_comes_to_the_content_first_and_to_boxes_that_scroll(browser: Browser, partial: Path) -> None:
    page = opened(browser, partial, 390)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    unreached = page.evaluate(
        """() => [...document.querySelectorAll("main *")].filter((e) => e.scrollWidth > e.clientWidth + 1
            && getComputedStyle(e).overflowX === "auto" && e.tabIndex < 0).map((e) => e.outerHTML.slice(0, 100))"""
    )
    assert unreached == []
