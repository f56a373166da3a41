"""A report in a real browser without a network: nothing is loaded, nothing fails, and everybody can read it."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pictures import colour, write_colours
from populations import write_data, write_results
from regnety import Population
from regnety.designspace.pages.report import write_population_report
from regnety.reports.comparison import Comparison
from regnety.reports.comparison_page import write_comparison
from regnety.reports.report import write_report
from report_contents import content, everything, scored
from searches import search

pytestmark = pytest.mark.slow

WIDTHS = (1280, 400)
SCHEMES = ("light", "dark")
UNFOLD = "document.querySelectorAll('details').forEach(part => { part.open = true })"
VALUES = "cells => cells.map(cell => 'value' in cell.dataset ? Number(cell.dataset.value) : cell.innerText)"
HOSTILE = ("<script>alert(1)</script>", "' onload=alert(1) x='", "naïve 雪 \u202egnp", "x" * 200)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    answers = scored(classes=4)
    hostile = replace(content(answers, classes=4), classes=HOSTILE)
    write_report(folder / "everything.html", everything())
    write_report(folder / "least.html", content())
    write_report(folder / "hostile.html", hostile)
    write_report(folder / "many classes.html", content(scored(200, classes=20, sure=1.0), classes=20))
    write_comparison(
        folder / "comparison.html", Comparison(("runs/a", "runs/b"), (content(), content(scored(seed=1, sure=1.0))))
    )
    populations = tmp_path_factory.mktemp("populations")
    loaded = [
        Population.load(write_results(populations / name, count=12, seed=seed, repeat=2))
        for seed, name in enumerate(("first", "x" * 100))
    ]
    write_population_report(folder / "populations.html", loaded)
    found = search(write_data(populations / "photographs"), populations / "search")
    shutil.copy(found.folder / "report.html", folder / "search.html")
    return {path.stem: path for path in folder.iterdir()}


PAGES = ("everything", "least", "hostile", "many classes", "comparison", "populations", "search")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_is_whole_and_for_everybody(
    name: str, scheme: str, width: int, pages: dict[str, Path], browser: Any
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: make browser")
    opened = browser.open(pages[name], width=width, scheme=scheme)
    assert (opened.complaints, opened.requests) == ([], [])
    assert opened.page.locator("h1").count() == 1
    # wide tables scroll within themselves, never the page
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    opened.page.evaluate(UNFOLD)
    violations = axe.Axe().run(opened.page).response["violations"]
    grave = {
        found["id"]: found["nodes"][0]["html"][:200]
        for found in violations
        if found["impact"] in ("serious", "critical")
    }
    assert grave == {}
    assert (opened.complaints, opened.requests) == ([], [])  # axe looked at every part of it


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_no_scripts(name: str, pages: dict[str, Path], browser: Any) -> None:
    with_scripts, without = (browser.open(pages[name], scripts=scripts).page for scripts in (True, False))
    assert without.locator("body").inner_text() == with_scripts.locator("body").inner_text()


def test_a_table_is_sorted_by_the_column_that_is_chosen(pages: dict[str, Path], browser: Any) -> None:
    opened = browser.open(pages["many classes"])
    opened.page.evaluate(UNFOLD)
    headings = opened.page.locator("th button")
    assert headings.count() > 5
    for heading in headings.all():
        column = heading.evaluate("heading => heading.closest('th').cellIndex") + 1
        cells = heading.locator("xpath=ancestor::table").locator(f"tbody tr > :nth-child({column})")
        orders = [cells.evaluate_all(VALUES)]
        for _ in range(2):
            heading.click()
            orders.append(cells.evaluate_all(VALUES))
        before, first, second = orders
        assert sorted(map(str, first)) == sorted(map(str, second)) == sorted(map(str, before))  # no row is lost
        if all(isinstance(value, float | int) for value in before):
            assert sorted(before) in (first, second)
            assert sorted(before, reverse=True) in (first, second)
    assert (opened.complaints, opened.requests) == ([], [])


def test_the_report_of_a_run(tmp_path: Path, browser: Any) -> None:
    from regnety import finetune

    write_colours(tmp_path / "photographs", count=12)
    colour("red", seed=99).save(tmp_path / "photographs" / "blue" / "a mistake.png")
    finetune(tmp_path / "photographs", tmp_path / "run", quiet=True)
    moved = shutil.copy(tmp_path / "run" / "report.html", tmp_path / "alone 'é'.html")
    shutil.rmtree(tmp_path / "photographs")
    shutil.rmtree(tmp_path / "run")
    opened = browser.open(Path(moved))
    assert (opened.complaints, opened.requests) == ([], [])
    broken = opened.page.evaluate("[...document.images].filter(image => !image.naturalWidth).length")
    assert broken == 0
    assert opened.page.locator("img").count() > 0
