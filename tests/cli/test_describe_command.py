"""`regnety describe`, as a process."""

import csv
import json
from pathlib import Path

import pytest

from bundles import SMALL_DESIGN, small_bundle
from commands import one_line, regnety
from regnety import complexity

REGNETY_002 = "depth=13,w0=24,wa=36.44,wm=2.49,group_width=8"
OUTSIDE = "depth=40,w0=24,wa=36.44,wm=1.5,group_width=8,bottleneck_multiplier=0.5"


@pytest.mark.parametrize("arguments", [["regnety_002"], ["--design", REGNETY_002]], ids=["name", "design"])
def test_json(arguments: list[str]) -> None:
    result = regnety("describe", *arguments, "--format", "json")
    assert (result.returncode, result.stderr) == (0, "")
    facts = json.loads(result.stdout)
    stages = facts.pop("stages")
    design = facts.pop("design")
    assert facts == {
        "name": "regnety_002" if arguments == ["regnety_002"] else None,
        "num_classes": 1000,
        "in_chans": 3,
        "image_size": 224,
        "num_params": 3_162_996,
        "macs": 199_519_076,
        "activations": 2_168_052,
        "model_index_flops": 255_754_236,
        "paper_violations": [],
    }
    assert (design["depth"], design["w0"], design["wa"], design["wm"], design["group_width"]) == (
        13,
        24,
        36.44,
        2.49,
        8,
    )
    columns = ("name", "width", "depth", "inner_width", "group_width", "groups", "stride", "output_size")
    assert [tuple(stage[column] for column in columns) for stage in stages] == [
        ("s1", 24, 1, 24, 8, 3, 2, 56),
        ("s2", 56, 1, 56, 8, 7, 2, 28),
        ("s3", 152, 4, 152, 8, 19, 2, 14),
        ("s4", 368, 7, 368, 8, 46, 2, 7),
    ]


def test_the_table_is_for_people() -> None:
    result = regnety("describe", "regnety_002")
    lines = result.stdout.splitlines()
    assert lines[0] == "regnety_002"
    assert "depth=13, w0=24, wa=36.44, wm=2.49, group_width=8" in lines[1]
    assert ["s3", "152", "4", "152", "8", "19", "2", "14"] in [line.split() for line in lines]
    for words in ("num_params          3,162,996", "macs              199,519,076   at 224x224"):
        assert any(line.startswith(words) for line in lines), result.stdout
    assert "outside the paper" not in result.stdout


def test_another_image_size_is_counted() -> None:
    facts = json.loads(regnety("describe", "regnety_002", "--image-size", "448", "--format", "json").stdout)
    assert facts["num_params"] == 3_162_996
    assert facts["activations"] == 8_657_220
    assert facts["macs"] == pytest.approx(4 * 199_519_076, rel=0.01)
    assert [stage["output_size"] for stage in facts["stages"]] == [112, 56, 28, 14]


def test_a_design_outside_of_the_papers_space_says_so() -> None:
    violations = [
        "bottleneck_multiplier is 0.5, the paper has b = 1",
        "depth is 40, the paper has 12 <= d <= 28",
        "wm is 1.5, the paper has wm >= 2",
    ]
    as_json = regnety("describe", "--design", OUTSIDE, "--format", "json")
    assert json.loads(as_json.stdout)["paper_violations"] == violations
    as_table = regnety("describe", "--design", OUTSIDE)
    assert as_table.stdout.endswith(f"\noutside the paper's RegNetX and RegNetY: {'; '.join(violations)}\n")
    assert as_table.returncode == as_json.returncode == 0


def test_the_embedded_model_has_ten_classes() -> None:
    assert json.loads(regnety("describe", "regnety_cifar10", "--format", "json").stdout)["num_classes"] == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--design", "depth=13,w0=25,wa=36,wm=2.49,group_width=8"], "w0 must be a positive multiple of 8"),
        (["--design", "depth=0,w0=24,wa=36,wm=2.49,group_width=8"], "depth must be "),
        (["--design", "depth=13,w0=24,wa=36,wm=1,group_width=8"], "wm must be "),
        (["--design", "depth=13,w0=24,wa=36,wm=2.49"], "Design lacks group_width"),
        (["--design", "depth=13,w0=24,wa=36,wm=2.49,group_width=8,colour=3"], "Design has no field 'colour'"),
        (["--design", "regnety_002"], "a design is written name=value,name=value,...; got 'regnety_002'"),
        (["--design", ""], "Design lacks depth"),
        (["regnetz"], "no model named 'regnetz', and no such file or folder; did you mean regnety_"),
        (["regnetz_005"], "no model named 'regnetz_005', and no such file or folder; RegNetZ is another family"),
        ([], "describe needs a model or a --design"),
        (["regnety_002", "regnety_2"], "no model named 'regnety_2'"),
        (["regnety_002", "regnety_004", "--plot", "widths.png"], "--plot draws only one model"),
        (["regnety_002", "--image-size", "12x"], "Invalid value for '--image-size': '12x' is neither PIXELS nor HEIG"),
        (["regnety_002", "--image-size", "0x5"], "image_size must be a whole number from 1 to 65536, got 0"),
        (["--design", "gone.yaml"], "gone.yaml: no such file"),
        (["regnety_002", "--image-size", "0"], "image_size must be "),
    ],
)
def test_what_is_not_allowed_is_one_line(arguments: list[str], message: str) -> None:
    assert one_line(regnety("describe", *arguments)).startswith(message)


CSV = """\
name,depth,w0,wa,wm,group_width,bottleneck_multiplier,se_ratio,stem_width,stem_stride,group_min_ratio,stage_widths,\
stage_depths,stage_inner_widths,stage_group_widths,stage_strides,num_classes,in_chans,image_size,num_params,macs,\
activations,model_index_flops,paper_violations
regnety_002,13,24,36.44,2.49,8,1.0,0.25,32,2,0.0,24:56:152:368,1:1:4:7,24:56:152:368,8:8:8:8,2:2:2:2,1000,3,224,\
3162996,199519076,2168052,255754236,
regnety_004,16,48,27.89,2.09,8,1.0,0.25,32,2,0.0,48:104:208:440,1:3:6:6,48:104:208:440,8:8:8:8,2:2:2:2,1000,3,224,\
4344144,401849056,3892496,515664568,
"""


def test_several_models_are_rows_of_the_same_fields() -> None:
    result = regnety("describe", "regnety_002", "regnety_004", "--format", "csv")
    assert (result.returncode, result.stdout, result.stderr) == (0, CSV, "")


def test_several_models_are_a_list_in_json_and_one_is_a_table() -> None:
    both = json.loads(regnety("describe", "regnety_002", "regnety_004", "--format", "json").stdout)
    assert [facts["name"] for facts in both] == ["regnety_002", "regnety_004"]
    lines = regnety("describe", "regnety_002", "regnety_004", "--format", "jsonl").stdout.splitlines()
    assert list(map(json.loads, lines)) == both
    assert json.loads(regnety("describe", "regnety_004", "--format", "json").stdout) == both[1]


def test_several_models_are_one_table_for_people() -> None:
    result = regnety("describe", "regnety_002", "regnety_160.swag_ft_in1k", "--design", REGNETY_002)
    head, *rows = [line.split() for line in result.stdout.splitlines()]
    assert head == ["model", "depths", "widths", "group_widths", "classes", "size", "num_params", "macs", "activations"]
    same = ["1:1:4:7", "24:56:152:368", "8:8:8:8", "1000", "224", "3,162,996", "199,519,076", "2,168,052"]
    assert rows[0] == ["regnety_002", *same]
    assert rows[1][0::5] == ["regnety_160.swag_ft_in1k", "384"]
    assert rows[2] == ["design", *same]


def test_an_anynet_has_no_line_and_says_what_its_stages_are() -> None:
    design = '{"stages": [{"w": 32, "d": 2, "g": 16, "s": 1}, {"w": 64, "d": 3, "g": 16, "b": 2}]}'
    (row,) = csv.DictReader(regnety("describe", "--design", design, "--format", "csv").stdout.splitlines())
    assert [row[name] for name in ("depth", "w0", "wa", "wm", "group_width", "bottleneck_multiplier")] == [""] * 6
    assert (row["stage_widths"], row["stage_depths"], row["stage_inner_widths"]) == ("32:64", "2:3", "32:32")
    assert (row["stage_strides"], row["stage_group_widths"], row["num_params"]) == ("1:2", "16:16", "111456")


def test_a_bundle_is_counted_at_its_own_size(tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "birds")
    own, larger = (
        json.loads(regnety("describe", folder, *more, "--format", "json").stdout)
        for more in ((), ("--image-size", "224"))
    )
    assert (own["image_size"], own["num_classes"], larger["image_size"]) == (32, 4, 224)
    assert own["macs"] == complexity(SMALL_DESIGN, 32, num_classes=4).macs < larger["macs"] / 40
    embedded = json.loads(regnety("describe", "regnety_cifar10", "--format", "json").stdout)
    assert (embedded["image_size"], embedded["macs"]) == (32, 55_551_234)


def test_classes_and_rectangles() -> None:
    facts = json.loads(
        regnety("describe", "regnety_002", "--num-classes", "10", "--image-size", "224x286", "--format", "json").stdout
    )
    assert (facts["image_size"], facts["num_classes"], facts["num_params"]) == ([224, 286], 10, 2_797_686)
    assert facts["macs"] == 255_734_374
    assert [stage["output_size"] for stage in facts["stages"]] == [[56, 72], [28, 36], [14, 18], [7, 9]]
    result = regnety("describe", "regnety_002", "--image-size", "224x286")
    assert "at 224x286, the paper's convention" in result.stdout
    (row,) = csv.DictReader(
        regnety("describe", "regnety_002", "--image-size", "224X286", "--format", "csv").stdout.splitlines()
    )
    assert row["image_size"] == "224x286"
