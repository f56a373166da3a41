"""Every code block of the documentation is run, page by page, in the order in which it is read."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from code_blocks import ROOT, check_shown, code_blocks, run_page

DOCS = ROOT / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts and code_blocks(page)]
FRUIT = {"apple": (190, 40, 50), "banana": (230, 200, 60), "pear": (110, 170, 60)}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the pages speak of: two photographs, one that is damaged, and labelled ones in fruit/."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    photograph = Image.open(ROOT / "examples" / "cat.png").convert("RGB")
    photograph.save(tmp_path / "photo.jpg")
    (tmp_path / "damaged.jpg").write_bytes((tmp_path / "photo.jpg").read_bytes()[:2000])
    for split, count in (("train", 24), ("val", 8), ("test", 8)):
        for seed, (label, colour) in enumerate(FRUIT.items()):
            folder = tmp_path / "fruit" / split / label
            folder.mkdir(parents=True)
            generator = np.random.default_rng([len(split), seed])
            for number in range(count):
                pixels = np.array(colour) + generator.integers(-40, 41, (48, 56, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:02d}.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_a_page_does_what_it_shows(page: Path, workplace: Path) -> None:
    run_page(page, workplace)


def test_each_reader_has_a_tutorial_with_code() -> None:
    assert len([page for page in PAGES if page.parent.name == "tutorials"]) >= 4


def test_what_is_shown_may_differ_in_the_last_digit_and_no_more() -> None:
    check_shown("cat  89.7 %\n...\n5 rows", "cat 89.8 %\nfrog 1 %\n5 rows\n", "here")
    for printed in ("cat 89.9 %\n5 rows", "cat 89.74 %\n5 rows", "dog 89.7 %\n5 rows", "cat 89.7 %\n6 rows"):
        with pytest.raises(AssertionError, match="here shows"):
            check_shown("cat  89.7 %\n...\n5 rows", printed, "here")
