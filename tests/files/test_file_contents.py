"""Walking what a file holds, whatever shape it has."""

import numpy as np
import pytest

from regnety.errors import WeightsError
from regnety.files.arrays import stored
from regnety.files.file_contents import DEEPEST, Opaque, walk_tensors

FIRST, SECOND = stored(np.zeros(1)), stored(np.zeros(2))


def test_tensors_come_in_order_with_their_paths() -> None:
    content = {
        "epoch": 3,
        "model": {"b": FIRST, "a": SECOND},
        "list": [None, (FIRST,)],
        "args": Opaque("a.B", {"x": FIRST}, [SECOND]),
        7: SECOND,
    }
    assert list(walk_tensors(content)) == [
        (("model", "b"), FIRST),
        (("model", "a"), SECOND),
        (("list", 1, 0), FIRST),
        (("args", "x"), FIRST),
        (("args", 0), SECOND),
        ((7,), SECOND),
    ]
    assert list(walk_tensors(FIRST)) == [((), FIRST)]


def test_container_is_visited_once_even_inside_of_itself() -> None:
    shared = {"a": FIRST}
    content = {"one": shared, "two": shared}
    content["whole"] = content
    assert [path for path, _ in walk_tensors(content)] == [("one", "a")]


def test_doubling_content_takes_no_longer() -> None:
    content: list[object] = [FIRST]
    for _ in range(DEEPEST - 1):
        content = [content, content]
    assert len(list(walk_tensors(content))) == 1


def test_deep_content_is_refused() -> None:
    content: object = FIRST
    for _ in range(DEEPEST):
        content = {"a": content}
    assert [len(path) for path, _ in walk_tensors(content)] == [DEEPEST]
    with pytest.raises(WeightsError, match=f"is nested deeper than {DEEPEST} levels"):
        list(walk_tensors([content]))
