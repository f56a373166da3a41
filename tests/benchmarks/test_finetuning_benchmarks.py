"""The photograph sets of the fine-tuning benchmarks, and the long ones' memory of what they have measured."""

import json
import runpy
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a file of `benchmarks/` up to its functions, which are the answer."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return lambda name: runpy.run_path(str(BENCHMARKS / name))


def test_a_new_person_begins_where_the_digit_does_not_rise(script):
    people = script("photograph_sets.py")["people"]
    assert list(people([0, 1, 2, 0, 1, 5, 5, 9, 3])) == [0, 0, 0, 1, 1, 1, 2, 2, 3]


def test_no_person_is_in_both_splits(script, tmp_path):
    with zipfile.ZipFile(tmp_path / "sign-digits.zip", "w") as archive:
        archive.writestr("sign-digits/LICENSE", "no photograph")
        for number in range(80):  # eight people with ten digits each
            archive.writestr(f"sign-digits/{number % 10}/IMG_{1118 + number}.jpg", str(number // 10))
    folder = script("photograph_sets.py")["write_set"]("sign-digits", tmp_path, tmp_path / "sets")
    people = {split: {path.read_text() for path in folder.glob(f"{split}/*/*.jpg")} for split in ("train", "test")}
    assert people == {"train": {"1", "2", "3", "5", "6", "7"}, "test": {"0", "4"}}
    assert len(list(folder.glob("*/*/*"))) == 80


def test_a_class_of_trash_is_in_both_splits(script, tmp_path):
    with zipfile.ZipFile(tmp_path / "trash.zip", "w") as archive:
        for number in range(16):
            archive.writestr(f"trash/{'glass' if number % 2 else 'metal'}/{number}.jpg", "")
    folder = script("photograph_sets.py")["write_set"]("trash", tmp_path, tmp_path / "sets")
    counts = {place.name: len(list(place.iterdir())) for place in (folder / "test").iterdir()}
    assert counts == {"glass": 2, "metal": 2}
    assert len(list((folder / "train").glob("*/*"))) == 12


def test_a_part_is_measured_once(script, tmp_path):
    stored_parts = script("stored_parts.py")["StoredParts"]
    path = tmp_path / "parts.json"
    first = stored_parts(path, {"seconds": 120})
    assert first.part("head", lambda: {"test_top1": 50.0})["test_top1"] == 50.0
    assert json.loads(path.read_text())["parts"]["head"]["test_top1"] == 50.0
    again = stored_parts(path, {"seconds": 120})
    assert again.part("head", lambda: pytest.fail("measured again"))["test_top1"] == 50.0
    with pytest.raises(SystemExit, match="other settings"):
        stored_parts(path, {"seconds": 60})


def test_the_table_has_fastais_best_size_and_the_spread_of_seeds(script):
    table = script("finetune_table.py")
    measured = {
        "trash/head": {"test_top1": 55.0},
        **{f"trash/all layers 2m/seed {seed}": {"test_top1": 70.0 + seed} for seed in range(3)},
        **{
            f"trash/fastai 2m/{size} pixels/seed 0": {"test_top1": top1, "image_size": size}
            for size, top1 in zip(table["FASTAI_SIZES"], (60.0, 64.0, 62.0), strict=True)
        },
        "trash/fastai 2m/64 pixels/seed 1": {"test_top1": 66.0, "image_size": 64},
        "trash/fastai 2m, 3 groups/64 pixels/seed 0": {"test_top1": 67.0, "image_size": 64},
    }
    row = next(line for line in table["markdown"](measured).splitlines() if line.startswith("| trash"))
    assert row == "| trash | 55.0 | 71.0 ± 1.0 (3) |  |  | 65.0 ± 1.4 (2) | 67.0 |"
