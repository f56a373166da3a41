"""One is never many."""

import pytest

from regnety.text import counted, kept, there_is


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
