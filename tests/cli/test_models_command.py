"""`regnety models`, as a process."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import one_line, python, regnety
from regnety.catalog.models import embedded_bundle, model_info
from regnety.files.safetensors_files import write_safetensors

LOADED = """
import sys
from regnety.cli.main import run
run()
print(*({"torch", "onnx", "onnxruntime", "openvino", "PIL"} & sys.modules.keys()), file=sys.stderr)
"""


def rows(*arguments: str, **environment: str) -> list[dict[str, Any]]:
    result = regnety("models", *arguments, "--format", "json", **environment)
    assert (result.returncode, result.stderr) == (0, "")
    parsed: list[dict[str, Any]] = json.loads(result.stdout)
    return parsed


def test_every_weight_and_the_embedded_models_are_listed() -> None:
    names = [row["name"] for row in rows()]
    assert len(names) == len(set(names)) == 63
    assert names[:3] == ["regnety_tiny", "regnety_cifar10", "regnetx_002.pycls_in1k"]


def test_a_row_has_all_figures(tmp_path: Path) -> None:
    (row,) = rows("regnety_032.ra_in1k", REGNETY_CACHE=str(tmp_path))
    assert row == {
        "name": "regnety_032.ra_in1k",
        "model": "regnety_032",
        "tag": "ra_in1k",
        "default": True,
        "depth": 21,
        "w0": 80,
        "wa": 42.63,
        "wm": 2.66,
        "group_width": 24,
        "num_classes": 1000,
        "num_params": 19_436_338,
        "macs": 3_176_496_162,
        "image_size": 224,
        "crop_pct": 0.95,
        "weights_bytes": 78_010_536,
        "path": f"{tmp_path}/weights/regnety_032.ra_in1k.safetensors",
        "cached": False,
        "top1": 81.948,
        "top5": 95.972,
        "test_image_size": 288,
        "test_crop_pct": 1.0,
        "test_top1": 82.724,
        "test_top5": 96.426,
        "license": "apache-2.0",
        "source": "https://huggingface.co/timm/regnety_032.ra_in1k",
        "url": "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-weights/"
        "regnety_032_ra-7f2439f9.pth",
    }


def test_what_has_no_accuracy_says_so() -> None:
    (row,) = rows("regnety_1280.seer")
    assert (row["top1"], row["test_top5"], row["num_classes"], row["default"]) == (None, None, 0, False)


def test_a_file_in_the_cache_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "weights" / "regnety_002.pycls_in1k.safetensors"
    path.parent.mkdir()
    shapes = model_info("regnety_002").design.architecture().state_dict_shapes()
    write_safetensors(path, {key: np.zeros(shape, np.float16) for key, shape in shapes.items()})
    (row,) = rows("regnety_002", REGNETY_CACHE=str(tmp_path))
    assert (row["cached"], row["path"], row["weights_bytes"]) == (True, str(path), path.stat().st_size)


@pytest.mark.parametrize("file", ["regnety_002.pycls_in1k.pth", "regnety_002-e68ca334.pth"])
def test_a_file_of_torch_is_seen_under_its_own_name(file: str, tmp_path: Path) -> None:
    """That of the weights, put there by hand, and that of the address they come from."""
    path = tmp_path / "weights" / file
    path.parent.mkdir()
    path.write_bytes(bytes(12_345))
    (row,) = rows("regnety_002", REGNETY_CACHE=str(tmp_path))
    assert (row["cached"], row["path"], row["weights_bytes"]) == (True, str(path), 12_345)


@pytest.mark.parametrize(("name", "image_size"), [("regnety_tiny", 64), ("regnety_cifar10", 32)])
def test_an_embedded_model_is_here(name: str, image_size: int) -> None:
    (row,) = rows(name)
    size = (embedded_bundle(name) / "model.safetensors").stat().st_size
    assert (row["cached"], row["weights_bytes"], row["top1"], row["image_size"]) == (True, size, None, image_size)


def test_formats_have_the_same_fields() -> None:
    as_json = rows("regnety_16*")
    lines = regnety("models", "regnety_16*", "--format", "jsonl").stdout.splitlines()
    table = list(csv.DictReader(io.StringIO(regnety("models", "regnety_16*", "--format", "csv").stdout)))
    assert [json.loads(line) for line in lines] == as_json
    assert len(table) == len(as_json) == 8
    for in_table, row in zip(table, as_json, strict=True):
        assert in_table == {field: "" if value is None else str(value) for field, value in row.items()}


def test_the_table_fits_80_columns_and_is_aligned() -> None:
    lines = regnety("models").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "regnety_032: depth=21, w0=80, wa=42.63, wm=2.66, group_width=24" in lines
    (row,) = (line for line in lines if "regnety_032.ra_in1k" in line)
    assert " ".join(row.split()) == ("*regnety_032.ra_in1k 19.44 3.18 81.95@224 82.72@288 apache-2.0 no")
    assert {line.index("no") for line in lines if line.startswith((" ", "*")) and line.endswith(" no")} == {
        lines[0].index("here")
    }


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "no model matches ''; `regnety models` lists all"),
        ("resnet*", "no model matches 'resnet*'; regnety has only RegNets: `regnety models` lists them"),
        ("regnety_2", "no model matches 'regnety_2'; did you mean regnety_"),
    ],
)
def test_nothing_found_is_one_line_and_status_2(pattern: str, message: str) -> None:
    assert one_line(regnety("models", pattern)).startswith(message)


def test_nothing_heavy_is_loaded() -> None:
    assert python(LOADED, "models").stderr == "\n"
