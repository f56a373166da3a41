"""`regnety design sample`."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from commands import one_line, regnety, regnety_here
from regnety.architecture.notation import design_from_dict
from regnety.cli.commands import design_sample
from regnety.designspace.design_lists import read_designs
from regnety.designspace.spaces import SPACES, DesignSpace
from regnety.errors import InvalidDesignError


def test_formats_have_the_same_designs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: make test installs it")
    line = ("design", "sample", "--space", "regnetx", "--macs", "0.1G:900M", "--count", 7, "--seed", 3)
    expected = list(DesignSpace.regnetx(macs=(100e6, 900e6)).sample(7, seed=3))
    lines = regnety_here(capfd, *line, "--format", "jsonl")
    assert "7 designs of" in lines.stderr
    rows = [json.loads(text) for text in lines.stdout.splitlines()]
    assert [design_from_dict(row["design"]) for row in rows] == expected
    table = list(csv.DictReader(io.StringIO(regnety_here(capfd, *line, "--format", "csv").stdout)))
    assert [design_from_dict(json.loads(row["design"])) for row in table] == expected
    assert table[0]["stage_widths"] == ":".join(map(str, rows[0]["stage_widths"]))
    file = tmp_path / "designs é.parquet"
    assert regnety_here(capfd, *line, "-o", file, "--quiet").stderr == ""
    stored = parquet.read_table(file).to_pylist()
    assert [design_from_dict(json.loads(row["design"])) for row in stored] == expected
    assert [row["macs"] for row in stored] == [row["macs"] for row in rows]
    for suffix in ("parquet", "csv", "jsonl"):  # what `design run` makes of it
        file = tmp_path / f"designs é.{suffix}"
        assert regnety_here(capfd, *line, "-o", file, "--quiet").returncode == 0
        assert read_designs(str(file)) == expected
    shown = regnety_here(capfd, *line).stdout
    assert f"{rows[0]['macs']:,}" in shown


def test_fields_by_set_and_an_any_net(capfd: pytest.CaptureFixture[str]) -> None:
    line = ("design", "sample", "--space", "anynetx_e", "--image-size", "32x48", "--num-classes", 10, "--count", 3)
    fields = ("--set", "num_stages=3", "--set", "group_width=16,32", "--set", "stem_stride=1")
    result = regnety_here(capfd, *line, *fields, "--format", "json")
    rows = json.loads(result.stdout)
    space = DesignSpace.anynetx_e(
        image_size=(32, 48), num_classes=10, num_stages=3, group_width=(16, 32), stem_stride=1
    )
    assert [design_from_dict(row["design"]) for row in rows] == list(space.sample(3))
    assert rows[0]["image_size"] == [32, 48]


def test_a_colon_is_limits_and_a_comma_a_list(capfd: pytest.CaptureFixture[str]) -> None:
    def sampled(*settings: str) -> list[dict[str, Any]]:
        line = [part for setting in settings for part in ("--set", setting)]
        result = regnety_here(capfd, "design", "sample", "--count", 60, *line, "--format", "json")
        rows: list[dict[str, Any]] = json.loads(result.stdout)
        return rows

    rows = sampled("group_width=4:16", "depth=12,28", "wm=2,3")
    assert {row["group_width"] for row in rows} == {4, 8, 16}
    assert {row["depth"] for row in rows} == {12, 28}
    assert {row["wm"] for row in rows} == {2, 3}
    assert {row["depth"] for row in sampled("depth=12:14")} == {12, 13, 14}
    for setting, message in (
        ("group_width=5:7", "group_width: none of 1, 2, 4, 8, 16, 32 is from 5, 7"),
        ("group_width=1:2:3", "group_width must be LOW:HIGH, got 1:2:3"),
        ("num_stages=3,5", "num_stages takes limits, num_stages=LOW:HIGH, and no list"),
    ):
        result = regnety_here(capfd, "design", "sample", "--set", setting)
        assert message in one_line(result)


def test_a_row_that_says_two_things_is_refused(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: make test installs it")
    file = tmp_path / "designs.parquet"
    assert regnety_here(capfd, "design", "sample", "--count", 2, "-o", file, "--quiet").returncode == 0
    table = parquet.read_table(file)
    edited = [99, 99]
    at = table.schema.get_field_index("group_width")
    parquet.write_table(table.set_column(at, "group_width", [edited]), file)
    with pytest.raises(InvalidDesignError, match="design 1: the column group_width has 99 and the column design "):
        read_designs(str(file))
    parquet.write_table(parquet.read_table(file).drop_columns(["group_width"]), file)
    assert len(read_designs(str(file))) == 2


def test_the_names_are_those_of_the_library() -> None:
    assert tuple(SPACES) == design_sample.SPACES


def test_fewer_than_asked_for_is_status_1(capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "design", "sample", "--params", "1:2", "--max-draws", 100)
    assert result.returncode == 1
    assert "0 designs of 100 draws, 100 rejected" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--macs", "400M"), "is not LOW:HIGH"),
        (("--macs", "a:b"), "is not LOW:HIGH"),
        (("--macs", "2:1"), "macs: the lowest 2 is above the highest 1"),
        (("--macs", "1:2", "--set", "macs=1:2"), "--macs and --set macs are the same"),
        (("--set", "wn=2:3"), "regnety has no 'wn'"),
        (("--set", "wm"), "write FIELD=VALUE"),
        (("--set", "wm=2:3", "--set", "wm=2:4"), "--set wm is given twice"),
        (("--set", "wm=two"), "'two' is not a number"),
        (("--space", "anynetx_a", "--ranges", "pycls"), "has ranges of its own"),
        (("-o", "designs.txt"), "name it .json, .jsonl, .csv or .parquet"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "design", "sample", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_group_shows_its_commands_and_corrects_a_name() -> None:
    shown = regnety("design")
    assert shown.returncode == 0
    assert "sample" in shown.stdout
    wrong = regnety("design", "sampel")
    assert wrong.returncode == 2
    assert "sample" in wrong.stderr
