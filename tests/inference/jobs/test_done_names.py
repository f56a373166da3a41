"""Which images of a listing are done: in order, after changes, and with names that come twice."""

import random
import tracemalloc
from array import array
from collections import Counter

from regnety.inference.jobs.done_names import DoneNames, name_hash


def done(names: list[str]) -> DoneNames:
    return DoneNames(array("Q", map(name_hash, names)))


def test_added_removed_and_renamed_files() -> None:
    names = done(["a", "b", "c"])
    assert [names.take(name) for name in "abcd"] == [True, True, True, False]
    assert names.left == 0
    names = done(["a", "c", "d", "e", "g"])
    assert [name for name in "hgfedcba" if not names.take(name)] == ["h", "f", "b"]
    assert not done([]).take("a")


def test_a_name_that_is_given_twice_is_done_as_often_as_it_was_answered() -> None:
    names = done(["a", "a", "b", "a"])
    assert [names.take(name) for name in "aaaaab"] == [True, True, True, False, False, True]
    assert "a" in names


def test_any_listing_after_any_changes() -> None:
    """Against a multiset of the names themselves."""
    generator = random.Random(0)
    for _ in range(40):
        answered = [str(generator.randrange(60)) for _ in range(generator.randrange(50))]
        listing = [*answered, *(str(generator.randrange(60)) for _ in range(10))]
        if generator.random() < 0.5:
            listing.sort()
        names, left = done(answered), Counter(answered)
        for name in listing:
            wanted = left[name] > 0
            left[name] -= wanted
            assert names.take(name) == wanted
        assert names.left == left.total()


def test_names_are_not_held() -> None:
    tracemalloc.start()
    names = done([f"photos/folder {number // 1000}/{number:07d}.jpg" for number in range(20_000)])
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert names.left == 20_000
    assert held < 20_000 * 13
