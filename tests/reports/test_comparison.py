"""Two reports beside each other."""

import re
from fractions import Fraction
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regnety.reports.comparison import Comparison, mcnemar, verdict
from regnety.reports.comparison_page import write_comparison
from regnety.reports.content import Picture, ReportContent, ScoredPhotographs
from report_contents import JPEG, content, probabilities, scored


def answers(targets: list[int], predictions: list[int], names: str) -> ReportContent:
    return content(
        ScoredPhotographs(
            split="test", names=tuple(names), targets=np.array(targets), predictions=np.array(predictions)
        )
    )


@pytest.mark.parametrize(("one", "other"), [(0, 0), (0, 5), (3, 12), (7, 7), (400, 450)])
def test_chance_is_counted_exactly(one: int, other: int) -> None:
    scipy = pytest.importorskip("scipy.stats")
    expected = scipy.binomtest(min(one, other), one + other, 0.5).pvalue if one + other else 1.0
    assert mcnemar(one, other) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(one, other) == mcnemar(other, one)


def test_chance_of_many_photographs_does_not_underflow() -> None:
    expected = float(Fraction(2 * sum(comb(3000, chosen) for chosen in range(1401)), 2**3000))
    assert mcnemar(1400, 1600) == pytest.approx(expected, rel=1e-9)


def test_only_the_same_photographs_of_the_same_class_are_compared() -> None:
    one, other = answers([0, 1, 2, 0], [0, 1, 0, 1], "abcd"), answers([1, 0, 2, 2], [1, 0, 2, 2], "bxcd")
    comparison = Comparison(("one", "other"), (one, other))
    assert [numbers.tolist() for numbers in comparison.common] == [[1, 2], [0, 2]]  # d has another class
    assert comparison.only == (0, 1)
    assert verdict(comparison) == (
        "Of the same 2 test photographs other is right about 100.0\u202f% and one about 50.0\u202f%; "
        "the difference of 50.0 points may be chance (McNemar's test, p\u202f=\u202f1.000)."
    )


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (["photos/cat/1.jpg", "photos/dog/1.jpg"], ["/mnt/photos/cat/1.jpg", "/mnt/photos/dog/1.jpg"]),
        (["cat/1.jpg", "dog/a/1.jpg"], ["D:\\cat\\1.jpg", "D:\\dog\\a\\1.jpg"]),
        (["1.jpg", "2.jpg"], ["./x/1.jpg", "./x/2.jpg"]),
    ],
)
def test_photographs_that_were_moved_are_the_same(here: list[str], there: list[str]) -> None:
    def of(names: list[str]) -> ReportContent:
        both = np.array([0, 1])
        return content(ScoredPhotographs(split="test", names=tuple(names), targets=both, predictions=both))

    comparison = Comparison(("one", "other"), (of(here), of([*there[::-1]])))
    # the other way round they are of another class
    assert [len(numbers) for numbers in comparison.common] == [0, 0]
    comparison = Comparison(("one", "other"), (of(here), of(there)))
    assert [numbers.tolist() for numbers in comparison.common] == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("split", "there"), [("val", ["b/cat/1.jpg", "b/dog/1.jpg"]), ("test", ["b/cat/1.jpg", "b/dog/2"])]
)
def test_photographs_of_the_same_numbers_are_others(split: str, there: list[str]) -> None:
    def of(split: str, names: list[str]) -> ReportContent:
        both = np.array([0, 1])
        return content(ScoredPhotographs(split=split, names=tuple(names), targets=both, predictions=both))

    one, other = of("test", ["a/cat/1.jpg", "a/dog/1.jpg"]), of(split, there)
    assert [len(numbers) for numbers in Comparison(("one", "other"), (one, other)).common] == [0, 0]


def test_runs_on_different_photographs_are_told_apart() -> None:
    comparison = Comparison(("one", "other"), (answers([0, 1], [0, 1], "ab"), answers([0, 1], [0, 0], "cd")))
    assert verdict(comparison).startswith(
        "other is right about 50.0\u202f% and one about 100.0\u202f%, but of different"
    )


def test_equally_many_are_no_difference() -> None:
    comparison = Comparison(("one", "other"), (answers([0, 1], [0, 2], "ab"), answers([0, 1], [1, 1], "ab")))
    assert verdict(comparison) == "one and other are each right about 50.0\u202f% of the same 2 test photographs."


def test_a_large_difference_is_more_than_chance() -> None:
    targets, names = [0, 1] * 20, "".join(map(chr, range(64, 104)))
    comparison = Comparison(("one", "other"), (answers(targets, [0] * 40, names), answers(targets, targets, names)))
    assert "more than chance explains (McNemar's test, p\u202f<\u202f0.001)" in verdict(comparison)


def rows(text: str, section: str) -> list[list[str]]:
    part = text.partition(f'<section id="{section}">')[2].partition("</section>")[0]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in part.split("<tr>")[2:]]
    return [[re.sub(r"<[^>]*>", "", cell).strip() for cell in row] for row in cells]


def test_the_page_has_the_figures_of_both(tmp_path: Path) -> None:
    targets = np.arange(60) % 3
    better: Any = probabilities(targets, 3, seed=1, sure=5)
    one = content(scored(), seconds={"fitting": 2.0}, pictures={"class0/0.jpg": Picture(photograph=JPEG)})
    other = content(
        ScoredPhotographs(
            split="test",
            names=one.scored.names,
            targets=targets,
            predictions=better.argmax(1),
            probabilities=better,
        ),
        command="regnety finetune more/",
    )
    comparison = Comparison(("<one>", "other"), (one, other))
    text = write_comparison(tmp_path / "comparison.html", comparison).read_text("utf-8")
    figures = {row[0]: row[1:] for row in rows(text, "figures")}
    accuracy = [100 * int(each.scored.right.sum()) / 60 for each in (one, other)]
    assert figures["accuracy"] == [*(f"{value:.1f}\u202f%" for value in accuracy), f"+{accuracy[1] - accuracy[0]:.1f}"]
    assert figures["photographs"] == ["60", "60", "0"]
    assert figures["seconds"] == ["2.0", "\u2013", ""]
    assert [row[0] for row in rows(text, "classes")] == ["class0", "class1", "class2"]
    right = [each.scored.right for each in (one, other)]
    agreement = [int((right[0] & right[1]).sum()), *comparison.only, int((~right[0] & ~right[1]).sum())]
    assert [row[1] for row in rows(text, "agreement")] == [str(number) for number in agreement]
    assert sum(agreement) == 60
    assert "<one>" not in text
    assert text.count('<figure class="photo">') == sum(comparison.only)
    assert "regnety finetune more/" in text
