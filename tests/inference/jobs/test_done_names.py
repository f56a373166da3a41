"""What of a listing is done: in order, after changes, with names that come twice and with hashes that do."""

import random
import tracemalloc
from collections import Counter

import pytest

from regnety.inference.jobs import done_names
from regnety.inference.jobs.done_names import DoneNames


def done(*parts: list[str]) -> DoneNames:
    return DoneNames(lambda number: parts[number], [*map(len, parts)])


def test_a_listing_that_has_not_changed_is_done_up_to_where_it_went() -> None:
    names = done(["a", "b"], ["c"])
    assert len(names) == 3
    assert [names.take(name) for name in "abcd"] == [True, True, True, False]


def test_added_removed_and_renamed_files() -> None:
    names = done(["a", "c", "d"], ["e", "g"])
    assert [name for name in "abcdefgh" if not names.take(name)] == ["b", "f", "h"]
    names = done(["a", "c", "d"], ["e", "g"])
    assert [name for name in "adg" if not names.take(name)] == []
    names = done(["a", "c", "d"], ["e", "g"])
    assert [name for name in "gedca" if not names.take(name)] == []


def test_a_name_that_is_given_twice_is_done_as_often_as_it_was_answered() -> None:
    names = done(["a", "a", "b"], ["a"])
    assert [names.take(name) for name in "aaaaab"] == [True, True, True, False, False, True]


@pytest.mark.parametrize("width", [1, 2, 64])
def test_any_listing_after_any_changes(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where most hashes are those of other names too; against a multiset."""
    whole = done_names.name_hash
    monkeypatch.setattr(done_names, "name_hash", lambda name: whole(name) % 2**width)
    generator = random.Random(width)
    for _ in range(40):
        answered = [str(generator.randrange(60)) for _ in range(generator.randrange(50))]
        cuts = sorted(generator.randrange(len(answered) + 1) for _ in range(3))
        parts = [answered[start:end] for start, end in zip([0, *cuts], [*cuts, len(answered)], strict=True)]
        listing = [*answered, *(str(generator.randrange(60)) for _ in range(10))]
        if generator.random() < 0.5:
            listing.sort()
        names, left = done(*parts), Counter(answered)
        for name in listing:
            wanted = left[name] > 0
            left[name] -= wanted
            assert names.take(name) == wanted


def test_names_are_not_held() -> None:
    def read(number: int) -> list[str]:
        return [f"photos/folder {number}/{index:07d}.jpg" for index in range(1000)]

    tracemalloc.start()
    names = DoneNames(read, [1000] * 20)
    assert all(names.take(name) for number in range(20) for name in read(number)[:999])
    assert len(names) == 20_000
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 20_000 * 18 + 1000 * 120
