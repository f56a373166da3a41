"""Where the cache is."""

from pathlib import Path

import pytest

from regnety.storage.cache import cache_directory


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"REGNETY_CACHE": "/somewhere/else"}, "/somewhere/else"),
        ({"REGNETY_CACHE": "", "XDG_CACHE_HOME": "/caches"}, "/caches/regnety"),
        ({"REGNETY_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/home/ann"}, "/home/ann/.cache/regnety"),
    ],
)
def test_where_the_cache_is(variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_directory() == Path(expected)
