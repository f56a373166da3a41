"""`regnety design sample`."""

import csv
import io
import json
from pathlib import Path

import pytest

from commands import regnety, regnety_here
from regnety.architecture.notation import design_from_dict
from regnety.cli.commands import design_sample
from regnety.designspace.design_lists import read_designs
from regnety.designspace.spaces import SPACES, DesignSpace


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
