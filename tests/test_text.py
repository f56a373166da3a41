"""One is never many; what others said is one line, and has no power over a terminal."""

import errno

import pytest

from regnety.text import counted, error_line, excerpt, kept, listed, one_line, printable, reason_of, there_is


@pytest.mark.parametrize(
    ("number", "noun", "plural", "text"),
    [
        (0, "image", None, "0 images"),
        (1, "image", None, "1 image"),
        (2, "image", None, "2 images"),
        (1, "class", "classes", "1 class"),
        (10, "class", "classes", "10 classes"),
    ],
)
def test_a_number_has_its_noun(number: int, noun: str, plural: str | None, text: str) -> None:
    assert counted(number, noun, plural) == text


def test_the_verb_agrees() -> None:
    assert [kept(1), kept(3)] == ["1 image is kept", "3 images are kept"]
    assert [there_is(1, "label"), there_is(3, "label")] == ["is 1 label", "are 3 labels"]


def test_an_error_is_one_line() -> None:
    denied = PermissionError(errno.EACCES, "Permission denied", "a.jpg")
    assert [one_line(ValueError(" a\n b ")), one_line(ValueError()), one_line("")] == ["a b", "ValueError", ""]
    assert [reason_of(denied), reason_of(OSError("no\nroom"))] == ["Permission denied", "no room"]
    assert error_line(denied) == "a.jpg: Permission denied"
    assert error_line(OSError(errno.ENOSPC, "No space left on device")) == "standard output: No space left on device"
    assert error_line(ValueError("a\nb")) == "a b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ferien am Meer.jpg", "Ferien am Meer.jpg"),
        ("10.12.33\u202fPM.png", "10.12.33\u202fPM.png"),
        ("a\x1b[2J\n.jpg", "a\\x1b[2J\\n.jpg"),
        ("evil\u202egpj.exe", "evil\\u202egpj.exe"),
        ("\udcff.jpg", "\\udcff.jpg"),
    ],
)
def test_a_name_has_no_power_over_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_what_a_file_says_is_short_and_printable() -> None:
    assert excerpt("conv1.weight") == "conv1.weight"
    assert excerpt("a\nb") == r"'a\nb'"
    assert excerpt("x" * 201) == "x" * 197 + "..."
    assert listed(["a", "b", 3, "d", "e"]) == "a, b, <int> and 2 more"
    assert listed({"a": 1}) == "a"
