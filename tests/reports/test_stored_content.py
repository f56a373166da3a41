"""The content of a report comes back from its file as it was."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regnety.errors import DataError
from regnety.reports.content import ReportContent, ScoredPhotographs
from regnety.reports.report import write_report
from regnety.reports.stored_content import load_content, save_content
from report_contents import content, everything, scored


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if is_dataclass(one):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for mine, yours in zip(one, other, strict=True):
            assert_same(mine, yours)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        assert_same(tuple(one.values()), tuple(other.values()))
    else:
        assert one == other


@pytest.mark.parametrize("stored", [content(), everything()], ids=["least", "everything"])
def test_it_comes_back(stored: ReportContent, tmp_path: Path) -> None:
    save_content(tmp_path / "report.npz", stored)
    assert_same(load_content(tmp_path / "report.npz"), stored)


def test_the_report_of_what_came_back_is_the_same(tmp_path: Path) -> None:
    save_content(tmp_path / "report.npz", everything())
    first = write_report(tmp_path / "first.html", everything()).read_bytes()
    assert write_report(tmp_path / "again.html", load_content(tmp_path / "report.npz")).read_bytes() == first


def test_a_name_that_is_no_text_comes_back(tmp_path: Path) -> None:
    """A file's name on Linux may hold bytes that are no UTF-8."""
    answers = ScoredPhotographs(split="test", names=("\udcff.jpg",), targets=np.array([0]), predictions=np.array([1]))
    save_content(tmp_path / "report.npz", content(answers))
    assert load_content(tmp_path / "report.npz").scored.names == ("\udcff.jpg",)
    assert "\\udcff.jpg" in write_report(tmp_path / "report.html", content(answers)).read_text("utf-8")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:200], "is not what a report is made from, or cut short"),
        (lambda data: b"", "is not what a report is made from, or cut short"),
        (lambda data: b"root:x:0:0", "is not what a report is made from, or cut short"),
        (lambda data: data[:500] + b"????" + data[504:], r"is damaged: Bad CRC-32 for file 'array\d.npy'"),
    ],
)
def test_a_damaged_file_is_one_line(damage: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "report.npz"
    save_content(path, content())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=rf"report\.npz: {reason}; run the command that made it again$"):
        load_content(path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"version": 1', b'"version": 2', "is of another release of regnety"),
        (b'"targets"', b'"tarjets"', "scored has no field 'tarjets'"),
        (b'"array0"', b'"array9"', "is damaged: 'array9 is not a file in the archive'|is damaged: 'array9'"),
        (b'"array0"', b'"array3"', "targets must be whole numbers"),
        (b'"model": "runs/it"', b'"model": ["a list"]', "model must be a text"),
    ],
)
def test_values_that_fit_nothing_are_one_line(old: bytes, new: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "report.npz"
    save_content(path, content())
    with np.load(path) as stored:
        arrays = dict(stored)
    assert old in arrays["values"].tobytes()
    arrays["values"] = np.frombuffer(arrays["values"].tobytes().replace(old, new), np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=f"{reason}") as raised:
        load_content(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert str(raised.value).endswith("; run the command that made it again")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz: cannot be read: No such file or directory$"):
        load_content(tmp_path / "none.npz")


def test_contents_that_contradict_themselves_are_refused() -> None:
    answers = scored()
    with pytest.raises(DataError, match=r"test: predictions must have the shape \(60,\), got \(59,\)"):
        ScoredPhotographs(
            split="test", names=answers.names, targets=answers.targets, predictions=answers.predictions[1:]
        )
    with pytest.raises(DataError, match="test: there are no photographs to report on"):
        ScoredPhotographs(split="test", names=(), targets=np.zeros(0, int), predictions=np.zeros(0, int))
    with pytest.raises(DataError, match="a class that is not among the 2 classes"):
        content(answers, classes=2)
    with pytest.raises(DataError, match="has 4 classes, but probabilities of 3"):
        content(answers, classes=4)
