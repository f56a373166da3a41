"""Every code block of the documentation is run, page by page, in the order in which it is read."""

from pathlib import Path

import pytest

from code_blocks import DRAWING, ROOT, check_shown, code_blocks, make_workplace, run_page

DOCS = ROOT / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts and code_blocks(page)]
LONG = (
    *("reference/latency.md", "reference/populations.md", "reference/recipes.md"),
    *("tutorials/clusters.md", "tutorials/deployment.md", "tutorials/design-search.md"),
)
"""Pages that take ten seconds and more, and are left to `make test-all`."""
TUTORIALS = [page for page in PAGES if page.parent.name == "tutorials"]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_workplace(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def path_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] * (path_of(page) in LONG), id=path_of(page)) for page in PAGES]
)
def test_a_page_does_what_it_shows(page: Path, workplace: Path) -> None:
    run_page(page, workplace)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_draws_its_photographs_before_it_uses_them(page: Path) -> None:
    commands = "".join(block.text for block in code_blocks(page))
    used = [commands.find(name) for name in ("fruit", "photo.jpg", "damaged.jpg") if name in commands]
    assert not used or 0 <= commands.find(DRAWING) < min(used)


def test_each_reader_has_a_tutorial_with_code() -> None:
    assert len(TUTORIALS) >= 4


def test_what_is_shown_may_differ_in_the_last_digit_and_no_more() -> None:
    check_shown("cat  89.7 %\n...\n5 rows", "cat 89.8 %\nfrog 1 %\n5 rows\n", "here")
    for printed in ("cat 89.9 %\n5 rows", "cat 89.74 %\n5 rows", "dog 89.7 %\n5 rows", "cat 89.7 %\n6 rows"):
        with pytest.raises(AssertionError, match="here shows"):
            check_shown("cat  89.7 %\n...\n5 rows", printed, "here")
