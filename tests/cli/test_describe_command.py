"""`regnety describe`, as a process."""

import json

import pytest

from commands import one_line, regnety

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
    assert "outside of the paper" not in result.stdout


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
    assert as_table.stdout.endswith(f"\noutside of the paper's RegNetX and RegNetY: {'; '.join(violations)}\n")
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
        ([], "describe wants the name of a model or a --design, one of them"),
        (["regnety_002", "--design", REGNETY_002], "describe wants the name of a model or a --design, one of them"),
        (["regnety_002", "--image-size", "0"], "image_size must be "),
    ],
)
def test_what_is_not_allowed_is_one_line(arguments: list[str], message: str) -> None:
    assert one_line(regnety("describe", *arguments)).startswith(message)
