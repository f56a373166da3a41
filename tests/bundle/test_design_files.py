"""What --design means: fields, JSON, or a file that holds either kind of design."""

import json
import os
from pathlib import Path

import pytest

from bundles import SMALL_DESIGN, small_bundle
from commands import regnety
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.bundle.design_files import find_design
from regnety.errors import InvalidDesignError

LINEAR = Design(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8)
ANYNET = AnyNetDesign(
    stages=(
        StageDesign(width=32, depth=2, group_width=16, stride=1),
        StageDesign(width=64, depth=3, group_width=16, bottleneck_multiplier=0.5),
    ),
    stem_width=16,
)
ANYNET_YAML = """
stem_width: 16
stages:
- {width: 32, depth: 2, group_width: 16, stride: 1}
- {w: 64, d: 3, g: 16, b: 2}
"""


@pytest.mark.parametrize("design", [LINEAR, ANYNET], ids=["Design", "AnyNetDesign"])
def test_json_in_the_command_line_and_in_a_file(
    design: Design | AnyNetDesign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(design.as_dict())
    (tmp_path / "mine.json").write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path))
    for spelling in (text, f"  {text}\n", str(tmp_path / "mine.json"), "~/mine.json"):
        assert find_design(spelling) == design


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".YAML"])
def test_a_file_in_yaml(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a=b{suffix}").write_text(ANYNET_YAML)
    assert find_design(str(tmp_path / f"a=b{suffix}")) == ANYNET


def test_the_tables_in_which_a_design_stands(tmp_path: Path) -> None:
    """What `describe` prints, a bundle's config.json, and a recipe."""
    (tmp_path / "report.json").write_text(regnety("describe", "regnety_002", "--format", "json").stdout)
    assert find_design(str(tmp_path / "report.json")) == LINEAR
    assert find_design(str(small_bundle().save(tmp_path / "birds") / "config.json")) == SMALL_DESIGN
    (tmp_path / "recipe.yaml").write_text("epochs: 3\ndesign: {d: 13, w_0: 24, w_a: 36.44, w_m: 2.49, g: 8}\n")
    assert find_design(str(tmp_path / "recipe.yaml")) == LINEAR


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "a design must be a table of fields, got [1, 2]"),
        ("", "the file is not JSON: Expecting value"),
        ('{"stages": []}', "stages must be at least one StageDesign"),
        ('{"depth": 13}', "Design lacks w0"),
        ('{"stages": [{"width": 32}]}', "StageDesign lacks depth"),
        ("\udcff", "cannot be read: "),
    ],
)
def test_a_file_that_holds_none_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidDesignError) as error:
        find_design(str(path))
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gone.json", "gone.json: no such file; a design can also be written name=value"),
        (os.sep, "a design is written name=value,name=value"),
        ("regnety_002", "a design is written name=value,name=value"),
        ('{"depth": 13', "the design is not JSON: "),
    ],
)
def test_what_is_no_design(text: str, message: str) -> None:
    with pytest.raises(InvalidDesignError) as error:
        find_design(text)
    assert str(error.value).startswith(message)


def test_yaml_that_is_none_and_a_pipe_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("stages: [")
    with pytest.raises(InvalidDesignError, match=r"a\.yaml: the file is not YAML: "):
        find_design(str(tmp_path / "a.yaml"))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.yaml")
        with pytest.raises(InvalidDesignError, match=r"pipe\.yaml: cannot be read: is a device or a pipe, not a file$"):
            find_design(str(tmp_path / "pipe.yaml"))
