"""The map of the house names rooms and files that are there."""

import re

from code_blocks import ROOT

HOUSE = ROOT / "src" / "regnety"
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    table = TEXT.partition(f"## {heading}")[2].partition("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [row for row in cells[2:] if len(row) == 3]


def test_every_room_has_a_row_and_every_row_a_room() -> None:
    named = {name for room, _, _ in rows("The house") for name in re.findall(r"`([\w/]+)`", room)}
    rooms = {f"{path.parent.relative_to(HOUSE).as_posix()}/" for path in HOUSE.rglob("__init__.py")} - {"./"}
    assert [name for name in named if not (HOUSE / name).is_dir() and not (HOUSE / f"{name}.py").is_file()] == []
    assert {room for room in rooms if room.count("/") == 1} <= named


def test_one_starts_reading_at_files_that_are_there() -> None:
    for room, _, start in rows("The house"):
        folders = [HOUSE / name for name in re.findall(r"`([\w/]+)`", room)]
        for file in re.findall(r"`([\w/]+\.py)`", start):
            assert any((folder / file).is_file() for folder in (*folders, HOUSE)), f"{room}: {file}"


def test_what_is_changed_somewhere_is_there() -> None:
    changes = rows("Where do I go for")
    assert len(changes) >= 10
    named = [path for row in changes for path in re.findall(r"`([\w/]+(?:/|\.py|\.json))`", " ".join(row))]
    assert [path for path in named if not (HOUSE / path).exists()] == []
