"""Reports in windows of any width: no line is longer than the window, and nothing is cut out of a pipe."""

import sys

import pytest

from commands import on_terminal, regnety

COMMAND = [sys.executable, "-m", "regnety"]


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 200])
def test_models_shows_the_columns_that_fit(columns: int) -> None:
    rows = on_terminal([*COMMAND, "models", "regnety_03*"], columns).splitlines()
    table = [row for row in rows if row.startswith((" name", "*", " regnet"))]
    assert max(len(row) for row in table) <= columns
    assert table[0].split()[0] == "name"
    whole = regnety("models", "regnety_03*").stdout.splitlines()
    assert (table[0] == whole[0]) is (columns >= 80)


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_info_is_wrapped(columns: int) -> None:
    rows = on_terminal([*COMMAND, "info"], columns, REGNETY_CACHE="/c").splitlines()
    assert max(len(row) for row in rows) <= columns
    assert len(rows) > len(regnety("info", REGNETY_CACHE="/c").stdout.splitlines())
