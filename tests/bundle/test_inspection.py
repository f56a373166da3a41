"""What is said of a file, field by field; tests/bundle/test_files_in_the_wild.py has what programs write."""

import json
import math
import os
from collections import OrderedDict
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundles import LABELS, REGNETY_002, SMALL_DESIGN, random_weights, small_bundle
from commands import python
from regnety import UnknownModelError, inspect_model
from regnety.architecture.design import Design
from regnety.bundle.inspection import Inspection
from regnety.export.conversion import convert_model
from regnety.export.model_export import export_model
from regnety.files.safetensors_files import write_safetensors

FOUR_STAGES = Design(depth=5, w0=8, wa=12, wm=2, group_width=8)


def tensors(design: Design = FOUR_STAGES, num_classes: int = 4) -> dict[str, torch.Tensor]:
    weights = random_weights(design.architecture(num_classes))
    return {key: torch.from_numpy(np.array(value)) for key, value in weights.items()}


def save(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


def test_a_bare_file(tmp_path: Path) -> None:
    content = {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in tensors().items()}}
    content["state_dict"]["n_averaged"] = torch.tensor(5)
    path = save(content, tmp_path / "weights.pth")
    architecture = FOUR_STAGES.architecture(4)
    keys = architecture.state_dict_shapes()
    counters = sum(key.endswith("num_batches_tracked") for key in keys)
    found = inspect_model(path)
    assert found == Inspection(
        path=str(path),
        files=(str(path),),
        num_bytes=path.stat().st_size,
        container="torch zip",
        part="state_dict",
        facts={"epoch": 3},
        dialect="timm",
        prefix="module.",
        input_order="RGB",
        passed_over=("n_averaged",),
        design=found.design,
        num_classes=4,
        in_chans=3,
        num_params=sum(math.prod(shape) for key, shape in keys.items() if key.endswith(("weight", "bias"))),
        num_tensors=len(keys),
        dtypes={"float32": len(keys) - counters, "int64": counters},
        missing=("class names", "preprocessing"),
    )
    assert found.design is not None
    assert Design(**found.design).fitted_stages() == FOUR_STAGES.fitted_stages()


def test_a_published_model_has_its_name(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "w.safetensors", random_weights(REGNETY_002.architecture()))
    found = inspect_model(tmp_path / "w.safetensors")
    assert (found.model, found.design, found.num_params) == ("regnety_002", REGNETY_002.as_dict(), 3_162_996)


def test_a_design_with_other_strides_is_not_the_published_one(tmp_path: Path) -> None:
    """Their shapes are the same; the folder says more."""
    for design, name in ((REGNETY_002, "regnety_002"), (replace(REGNETY_002, stem_stride=1), None)):
        found = inspect_model(small_bundle(design=design).save(tmp_path / "bundle"))
        assert (found.model, found.problem) == (name, None)


def test_our_own_folder(tmp_path: Path) -> None:
    folder = small_bundle(provenance={"license": "cc0-1.0"}).save(tmp_path / "birds")
    (folder / "notes.txt").write_text("x" * 1_000_000)
    found = inspect_model(folder)
    assert found.files == (str(folder / "config.json"), str(folder / "model.safetensors"))
    assert found.num_bytes == sum(Path(file).stat().st_size for file in found.files)
    assert (found.container, found.dialect, found.part) == ("regnety folder, safetensors", "timm", "")
    assert (found.facts, found.missing, found.design) == ({"license": "cc0-1.0"}, (), SMALL_DESIGN.as_dict())


def test_a_folder_says_whose_its_weights_are(tmp_path: Path) -> None:
    bundle = small_bundle(design=FOUR_STAGES)
    folder = convert_model(bundle, tmp_path / "theirs", to="transformers").path
    found = inspect_model(folder)
    assert (found.container, found.dialect) == ("transformers folder, safetensors", "transformers")
    assert [Path(file).name for file in found.files] == ["config.json", "preprocessor_config.json", "model.safetensors"]
    assert (found.num_classes, found.missing) == (len(LABELS), ())
    (folder / "preprocessor_config.json").unlink()
    assert inspect_model(folder).missing == ("preprocessing",)


def test_weights_in_a_folder_have_what_the_folder_brings(tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "birds")
    whole = inspect_model(folder)
    assert inspect_model(folder / "model.safetensors") == replace(whole, path=str(folder / "model.safetensors"))
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    assert inspect_model(folder / "weights.safetensors").missing == ("class names", "preprocessing")


@pytest.mark.parametrize(
    ("labels", "num_classes", "missing"), [(LABELS, 4, ()), (None, 3, ("class names",)), (None, 0, ("a classifier",))]
)
def test_what_a_folder_lacks(labels: Any, num_classes: int, missing: tuple[str, ...], tmp_path: Path) -> None:
    folder = small_bundle(labels, num_classes=num_classes).save(tmp_path / "birds")
    assert inspect_model(folder).missing == missing


def test_a_graph_has_no_names(tmp_path: Path) -> None:
    found = inspect_model(export_model(small_bundle(), tmp_path / "birds.onnx").path)
    assert (found.container, found.dialect, found.part, found.input_order) == ("ONNX", None, None, "RGB")
    assert (found.num_classes, found.dtypes, found.missing) == (4, {}, ())
    assert found.num_tensors == len(SMALL_DESIGN.architecture(4).state_dict_shapes())


def test_what_the_closest_model_wants_is_missing(tmp_path: Path) -> None:
    weights = random_weights(REGNETY_002.architecture())
    del weights["s1.b1.se.fc1.bias"], weights["stem.bn.num_batches_tracked"]
    write_safetensors(tmp_path / "w.safetensors", weights)
    found = inspect_model(tmp_path / "w.safetensors")
    assert found.problem == "lacks s1.b1.se.fc1.bias, which regnety_002 expects as (8,)"
    assert (found.dialect, found.missing, found.design) == ("timm", ("s1.b1.se.fc1.bias",), None)


def test_a_few_counters_may_be_missing(tmp_path: Path) -> None:
    weights = tensors()
    del weights["stem.bn.num_batches_tracked"]
    found = inspect_model(save(weights, tmp_path / "w.pth"))
    assert (found.problem, found.missing) == (None, ("stem.bn.num_batches_tracked", "class names", "preprocessing"))


@pytest.mark.parametrize(
    ("name", "data", "container", "problem"),
    [
        ("empty.pth", b"", "unknown", "is empty"),
        ("text.safetensors", b"hello", "unknown", "is not a file of weights; it looks like text"),
        ("cut.pth", b"PK\x03\x04" + bytes(100), "unknown", "is a damaged zip file: its end is missing, as if "),
        ("text.onnx", b"hello", "ONNX", "is not an ONNX file, or is damaged or cut short ("),
        ("text.xml", b"hello", "OpenVINO", "is not a whole OpenVINO model: "),
    ],
)
def test_what_is_no_model_is_described_as_far_as_it_goes(
    name: str, data: bytes, container: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    found = inspect_model(tmp_path / name)
    assert (found.files, found.num_bytes, found.container) == ((str(tmp_path / name),), len(data), container)
    assert found.problem is not None
    assert found.problem.startswith(problem)
    assert "\n" not in found.problem
    assert (found.dialect, found.design, found.num_tensors) == (None, None, 0)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    found = inspect_model(tmp_path)
    assert (found.container, found.problem) == (
        "folder",
        "is not a bundle, it has no config.json; name a run or its bundle, e.g. runs/fruit",
    )
    assert found.files == (str(tmp_path / "notes.txt"),)
    (tmp_path / "config.json").write_text('{"architecture": "regnety_002"}')
    assert inspect_model(tmp_path).container == "timm folder"


@pytest.mark.parametrize("path", ["", "gone.pth", "gone/", "a\0b", "x" * 5000])
def test_nothing_there(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownModelError, match=r"no such file or folder$"):
        inspect_model(path)


@pytest.mark.parametrize("model", ["regnety_002", "hf-hub:me/birds"])
def test_a_name_whose_weights_cannot_be_had_says_so(model: str) -> None:
    with pytest.raises(UnknownModelError, match="REGNETY_OFFLINE"):
        inspect_model(model)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert inspect_model(tmp_path / "pipe").problem is not None


def test_ten_thousand_keys(tmp_path: Path) -> None:
    weights, path = random_weights(FOUR_STAGES.architecture(4)), tmp_path / "w.safetensors"
    passed_over = {f"layer{number}.total_ops": np.zeros((), np.float32) for number in range(10_000)}
    write_safetensors(path, {**weights, **passed_over})
    found = inspect_model(path)
    assert (found.problem, found.num_tensors) == (None, len(weights))
    assert set(found.passed_over) == passed_over.keys()
    write_safetensors(path, {f"layer{number}.weight": np.zeros((), np.float32) for number in range(10_000)})
    problem = str(inspect_model(path).problem)
    assert problem.startswith("is not a RegNet under the names of timm, pycls, torchvision, transformers or vissl; ")
    assert problem.endswith(" and 9997 more")
    assert len(problem) < 200


def test_the_answer_is_plain_json(tmp_path: Path) -> None:
    content = {"epoch": 3, "metric": float("nan"), "best_metric": math.inf, "args": OrderedDict(mean=[0.5, math.nan])}
    found = inspect_model(save({**content, "state_dict": tensors()}, tmp_path / "w.pth")).as_dict()
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == json.loads(json.dumps(found))
    assert list(found) == [field.name for field in fields(Inspection)]
    assert found["facts"] == {"epoch": 3, "metric": None, "best_metric": None, "args.mean": [0.5, None]}


def test_nothing_is_run_or_read_and_no_torch_is_imported(tmp_path: Path) -> None:
    code = """
import sys
from regnety.files.arrays import FileWeights
from regnety import inspect_model
FileWeights.__getitem__ = lambda self, key: sys.exit(f"{key} was read")
for path in sys.argv[1:]:
    assert inspect_model(path).num_classes == 4
print(*({"torch", "onnx", "onnxruntime", "PIL", "huggingface_hub"} & sys.modules.keys()))
"""
    torch_file = save({"state_dict": tensors()}, tmp_path / "w.pth")
    folder = small_bundle().save(tmp_path / "birds")
    result = python(code, torch_file, folder, folder / "model.safetensors")
    assert (result.stdout, result.stderr) == ("\n", "")
