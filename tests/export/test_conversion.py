"""`convert_model`: there and back without a bit lost, what is refused, and that nothing half-written is left."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from bundles import LABELS, SMALL, SMALL_DESIGN, small_bundle
from commands import python
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.bundle.bundle import Bundle
from regnety.catalog.models import model_info
from regnety.errors import ExportError, RegNetYError, WeightsError
from regnety.export import TARGETS, conversion
from regnety.export.conversion import convert_model
from regnety.files.torch_files.writing import write_torch
from regnety.graph import builder
from regnety.weights.checkpoint import open_checkpoint
from regnety.weights.dialects.registry import DIALECTS

OWN = Design(depth=5, w0=8, wa=8.6, wm=1.5, group_width=4)
"""Four stages with stride 2: every program can build it."""
ANYNET = AnyNetDesign(
    stages=(
        StageDesign(width=24, depth=2, group_width=8, bottleneck_multiplier=1 / 2),
        StageDesign(width=40, depth=1, group_width=20),
    )
)
NAMED = ("regnety_002", "regnety_004", "regnety_006", "regnety_008", "regnety_008_tv", "regnetx_002", "regnetx_004")
FLAT: tuple[str, ...] = ("regnety", "timm", "torchvision", "transformers")
DIALECT_FILES: list[tuple[str, str]] = [
    *((f"there.{suffix}", target) for target in TARGETS[:-1] for suffix in ("safetensors", "pth")),
    *(("there", target) for target in ("regnety", "timm", "transformers")),
]


def bundle_of(design: str | AnyDesign, **options: Any) -> Bundle:
    return small_bundle(design=model_info(design).design if isinstance(design, str) else design, **options)


BUNDLE = bundle_of(OWN)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A model's file, in torch's form, that every other program can express."""
    return convert_model(BUNDLE, tmp_path / "source.pth", to="regnety").path


@pytest.mark.parametrize("design", [*NAMED, "regnetx_004_tv", OWN], ids=lambda design: str(design)[:16])
@pytest.mark.parametrize("target", TARGETS[:-1])
def test_there_and_back_without_a_bit_lost(target: str, design: str | AnyDesign, tmp_path: Path) -> None:
    """Equal files of torch: the same keys in the same order, the same types, shapes and bytes."""
    bundle = bundle_of(design)
    first = convert_model(bundle, tmp_path / "first.pth", to="regnety")
    there = convert_model(first.path, tmp_path / "there.pth", to=target)
    assert there.num_tensors == first.num_tensors == len(bundle.weights)
    assert open_checkpoint(there.path).network.dialect.name == ("timm" if target == "regnety" else target)
    back = convert_model(there.path, tmp_path / "back.pth", to="regnety")
    assert back.path.read_bytes() == first.path.read_bytes()
    assert list(torch.load(back.path)) == list(bundle.architecture.state_dict_shapes())


@pytest.mark.parametrize(("name", "target"), DIALECT_FILES)
def test_every_form_comes_back(name: str, target: str, source: Path, tmp_path: Path) -> None:
    there = convert_model(source, tmp_path / name, to=target)
    assert [str(path.relative_to(tmp_path)) for path in there.files] == [
        file for file in files(tmp_path) if file != "source.pth"
    ]
    back = convert_model(there.path, tmp_path / "back.pth", to="regnety")
    assert back.path.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("design", [SMALL_DESIGN, ANYNET], ids=["stem stride 1", "AnyNet"])
@pytest.mark.parametrize("target", ["regnety", "pycls", "vissl"])
def test_designs_that_not_everybody_can_build(target: str, design: AnyDesign, tmp_path: Path) -> None:
    first = convert_model(bundle_of(design), tmp_path / "first.pth", to="regnety")
    there = convert_model(first.path, tmp_path / "there.pyth", to=target)
    assert convert_model(there.path, tmp_path / "back.pth", to="regnety").path.read_bytes() == first.path.read_bytes()


@pytest.mark.parametrize("target", TARGETS[:-1])
def test_keys_stand_in_the_order_of_the_other_program(target: str, source: Path, tmp_path: Path) -> None:
    content = torch.load(convert_model(source, tmp_path / "there.pth", to=target).path)
    if target == "pycls":
        assert content["epoch"] == 0
        content = content["model_state"]
    if target == "vissl":
        model = content["classy_state_dict"]["base_model"]["model"]
        content = [f"{part}.{key}" for part in ("trunk", "heads") for key in model[part]]
    dialect = DIALECTS["timm" if target == "regnety" else target]
    assert list(content) == list(dialect.their_keys(BUNDLE.architecture))


@pytest.mark.parametrize("target", TARGETS[:-1])
@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_other_number_types_are_kept(suffix: str, dtype: str, target: str, tmp_path: Path) -> None:
    weights = {key: value if value.dtype == np.int64 else value.astype(dtype) for key, value in BUNDLE.weights.items()}
    weights["head.fc.bias"][0] = np.nan  # a damaged model is converted as it is
    there = convert_model(Bundle(BUNDLE.metadata, weights), tmp_path / f"there.{suffix}", to=target)
    found = open_checkpoint(there.path).weights
    assert found.keys() == weights.keys()
    for key, value in weights.items():
        assert (found[key].dtype, found[key].tobytes()) == (value.dtype, value.tobytes()), key


@pytest.mark.parametrize("target", ["regnety", "timm"])
def test_folders_of_ours_are_in_float32(target: str, tmp_path: Path) -> None:
    weights = {
        key: value if value.dtype == np.int64 else value.astype(np.float64) / 3 for key, value in BUNDLE.weights.items()
    }
    convert_model(Bundle(BUNDLE.metadata, weights), tmp_path / "there", to=target)
    for key, value in Bundle.load(tmp_path / "there").weights.items():
        wanted = weights[key] if value.dtype == np.int64 else weights[key].astype(np.float32)
        assert (value.dtype, value.tobytes()) == (wanted.dtype, wanted.tobytes())


@pytest.mark.parametrize("target", ["regnety", "timm", "transformers"])
def test_folders_keep_labels_and_preprocessing(target: str, tmp_path: Path) -> None:
    preprocessing = replace(SMALL, interpolation="bilinear", mean=(0.5, 0.4, 0.3))
    bundle = bundle_of(OWN, preprocessing=preprocessing)
    convert_model(bundle, tmp_path / "there", to=target)
    found = Bundle.load(tmp_path / "there")
    if target == "transformers":  # it knows the sizes in pixels, 36 here, and no share of them
        assert found.preprocessing.resize_size == preprocessing.resize_size
        preprocessing = replace(preprocessing, crop_pct=32 / 36)
    assert (found.labels, found.preprocessing, found.notice) == (LABELS, preprocessing, None)
    shapes = found.architecture.state_dict_shapes()
    assert shapes == bundle.architecture.state_dict_shapes()


@pytest.mark.parametrize("target", TARGETS[:-1])
def test_without_a_classifier(target: str, tmp_path: Path) -> None:
    bundle = bundle_of(OWN, labels=None, num_classes=0)
    first = convert_model(bundle, tmp_path / "first.pth", to="regnety")
    there = convert_model(first.path, tmp_path / "there.pth", to=target)
    assert not any("fc" in key.split(".")[:2] for key in open_checkpoint(there.path).weights)
    assert convert_model(there.path, tmp_path / "back.pth", to="regnety").path.read_bytes() == first.path.read_bytes()


def test_a_graph_comes_back_as_the_same_graph(tmp_path: Path) -> None:
    """Batch norm is folded on the way in, once and for all."""
    first = convert_model(BUNDLE, tmp_path / "first.onnx", to="onnx")
    assert first.num_tensors == len(BUNDLE.weights)
    for target in TARGETS[:-1]:
        there = convert_model(first.path, tmp_path / f"{target}.safetensors", to=target)
        bundle = Bundle.load(there.path).with_labels(LABELS).with_preprocessing(SMALL)
        back = convert_model(bundle, tmp_path / f"{target}.onnx", to="onnx")
        models = [onnx.load(path) for path in (first.path, back.path)]
        assert models[0].graph == models[1].graph


@pytest.mark.parametrize("num_classes", [0, 4])
def test_large_graphs_are_two_files(num_classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of(OWN, labels=None, num_classes=num_classes)
    monkeypatch.setattr(builder, "LARGEST_FILE", 1000)
    converted = convert_model(bundle, tmp_path / "model.onnx", to="onnx")
    assert converted.files == (tmp_path / "model.onnx", tmp_path / "model.onnx.data")
    found = Bundle.load(tmp_path / "model.onnx")
    assert found.metadata == bundle.metadata
    assert found.graph is not None
    assert found.graph.outputs == (("logits",) if num_classes else ("pre_logits",))
    monkeypatch.undo()
    convert_model(bundle, tmp_path / "model.onnx", to="onnx")
    assert files(tmp_path) == ["model.onnx"]


@pytest.mark.parametrize(
    ("name", "target", "message"),
    [
        ("model.zip", "timm", "{path}: name it .safetensors or one of .pth, .pt, .pyth, .torch, .bin, .ckpt, .tar"),
        ("model.pth", "onnx", "{path}: an ONNX file ends in .onnx"),
        ("model.onnx", "pycls", "{path}: --to onnx writes .onnx files"),
        ("model", "pycls", "{path}: pycls keeps a model in one file; name it NAME.pth or NAME.safetensors"),
        ("model", "torchvision", "{path}: torchvision keeps a model in one file; name it NAME.pth or NAME.safetensors"),
        ("model", "vissl", "{path}: vissl keeps a model in one file; name it NAME.pth or NAME.safetensors"),
        ("model", "onnx", "{path}: onnx keeps a model in one file; name it NAME.onnx"),
        ("no/model.pth", "timm", "{path}: there is no folder {folder}/no"),
        ("there.pth", "timm", "{path}: exists and holds no model's weights; name another file"),
        ("photos", "timm", "{path}: exists and was not written by regnety; name another folder"),
        ("photos/", "transformers", "{path}: exists and was not written by regnety; name another folder"),
        ("model.pth", "keras", f"a model can be converted to {', '.join(TARGETS)}, got 'keras'"),
    ],
)  # fmt: skip
def test_places_that_are_refused(name: str, target: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "there.pth").write_bytes(b"mine")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"mine")
    with pytest.raises(ExportError) as error:
        convert_model(BUNDLE, f"{tmp_path}/{name}", to=target)
    assert str(error.value) == message.format(path=tmp_path / name, folder=tmp_path)
    assert files(tmp_path) == ["photos/cat.jpg", "there.pth"]


@pytest.mark.parametrize(
    ("design", "target", "obstacle"),
    [
        (ANYNET, "timm", "its stages are given one by one, timm's follow w0, wa and wm"),
        (ANYNET, "transformers", "stage s1 has a bottleneck_multiplier other than 1"),
        (
            AnyNetDesign(stages=(StageDesign(width=64, depth=1, group_width=8),
                                 StageDesign(width=128, depth=1, group_width=16))),
            "transformers",
            "no single groups_width gives the groups of all its stages",
        ),
        (
            replace(OWN, se_ratio=0.5),
            "transformers",
            "s1.b1.se squeezes to 16 channels, transformers' to a quarter of its input",
        ),
        (SMALL_DESIGN, "torchvision", "its stem has stride 1, torchvision's has 2"),
        (replace(OWN, stem_stride=3), "vissl", "its stem has stride 3, VISSL's stems have 1 or 2"),
        (replace(OWN, stem_stride=3), "pycls", "its stem has stride 3, pycls's stems have 1 or 2"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["model.safetensors", "model"])
def test_designs_that_are_refused(name: str, design: AnyDesign, target: str, obstacle: str, tmp_path: Path) -> None:
    if name == "model" and target not in ("timm", "transformers"):
        name = "model.pth"
    with pytest.raises(ExportError) as error:
        convert_model(bundle_of(design), tmp_path / name, to=target)
    assert str(error.value) == f"{tmp_path / name}: {target} cannot express small: {obstacle}"
    assert files(tmp_path) == []


def test_a_model_is_not_written_over_itself(tmp_path: Path) -> None:
    folder = convert_model(BUNDLE, tmp_path / "model", to="timm").path
    file = convert_model(BUNDLE, tmp_path / "model.pth", to="pycls").path
    (tmp_path / "link.pth").symlink_to(file)
    (tmp_path / "bare").mkdir()
    bare = convert_model(BUNDLE, tmp_path / "bare" / "model.safetensors", to="timm").path
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    places: list[tuple[Path, Path, str]] = [
        (file, file, "torchvision"),
        (file, tmp_path / "link.pth", "torchvision"),
        (folder, folder, "transformers"),
        (folder, folder / "model.safetensors", "pycls"),
        (folder / "model.safetensors", folder / "model.safetensors", "pycls"),
    ]
    with pytest.raises(ExportError, match="bare: exists and was not written by regnety; name another folder"):
        convert_model(bare, bare.parent, to="transformers")
    for source, place, target in places:
        with pytest.raises(ExportError) as error:
            convert_model(source, place, to=target)
        assert str(error.value) == (f"{place}: is the model itself or a part of it; name another place")
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


@pytest.mark.parametrize("target", ["regnety", "timm", "transformers"])
def test_a_folder_with_anything_else_is_not_replaced(target: str, tmp_path: Path) -> None:
    folder = convert_model(BUNDLE, tmp_path / "model", to=target).path
    convert_model(small_bundle(design=OWN, seed=1), folder, to=target)
    assert Bundle.load(folder).weights["stem.bn.bias"][0] != BUNDLE.weights["stem.bn.bias"][0]
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ExportError) as error:
        convert_model(BUNDLE, folder, to=target)
    assert str(error.value) == (f"{folder}: has notes.txt beside the model, which would be lost; name another folder")
    (tmp_path / "a file").write_text("mine")
    with pytest.raises(ExportError, match="a file: is a file; name another folder"):
        convert_model(BUNDLE, tmp_path / "a file", to=target)
    assert (folder / "notes.txt").read_text() == (tmp_path / "a file").read_text() == "mine"


def test_a_folder_that_others_wrote_is_not_replaced(tmp_path: Path) -> None:
    """Whatever files it has: a download from the Hub has the names of ours."""
    folder = convert_model(BUNDLE, tmp_path / "model", to="transformers").path
    config = json.loads((folder / "config.json").read_text())
    del config["regnety_version"]
    (folder / "config.json").write_text(json.dumps(config))
    (tmp_path / "other.onnx").write_bytes(b"mine")
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    for place, target in [(folder, "transformers"), (folder, "regnety"), (folder, "timm"), ("other.onnx", "onnx")]:
        with pytest.raises(ExportError, match="exists and was not written by regnety; name another f"):
            convert_model(BUNDLE, tmp_path / place, to=target)  # type: ignore[arg-type]
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    convert_model(BUNDLE, tmp_path / "there", to="transformers")
    assert files(tmp_path / "there") == ["config.json", "model.safetensors", "preprocessor_config.json"]


FORMS: list[tuple[str, str]] = [
    ("there.safetensors", "timm"),
    ("there.pyth", "pycls"),
    ("there.onnx", "onnx"),
    ("there", "regnety"),
    ("there", "transformers"),
]


def swap_two_values(path: Path) -> None:
    """As if the disk had kept something else: the values of one tensor change places."""
    values = BUNDLE.weights["s2.b1.conv3.conv.weight"]
    data = path.read_bytes()
    kept = values.tobytes()
    if kept not in data:  # in a graph it is folded
        model = onnx.load(path)
        (tensor,) = (each for each in model.graph.initializer if each.name == "s2.b1.conv3.weight")
        kept = tensor.raw_data
    assert data.count(kept) == 1
    path.write_bytes(data.replace(kept, kept[4:8] + kept[:4] + kept[8:]))


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize(("name", "target"), FORMS)
def test_what_is_not_the_model_is_not_kept(
    name: str, target: str, is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_there:
        convert_model(small_bundle(design=OWN, seed=1), tmp_path / name, to=target)
    before = {file: (tmp_path / file).read_bytes() for file in files(tmp_path)}
    for function in ("compare_checkpoint", "compare_graph"):
        compare = getattr(conversion, function)

        def compare_changed(path: Path, *arguments: Any, compare: Any = compare, **options: Any) -> None:
            swap_two_values(path)
            compare(path, *arguments, **options)

        monkeypatch.setattr(conversion, function, compare_changed)
    with pytest.raises(ExportError, match=r"s2\.b1\.conv3\.(conv\.)?weight is not the model's; nothing was kept"):
        convert_model(BUNDLE, tmp_path / name, to=target)
    assert {file: (tmp_path / file).read_bytes() for file in files(tmp_path)} == before


def test_a_graph_with_other_labels_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = conversion.compare_graph

    def compare_changed(path: Path, *arguments: Any, **options: Any) -> None:
        path.write_bytes(path.read_bytes().replace(b'"blue"', b'"pink"'))
        compare(path, *arguments, **options)

    monkeypatch.setattr(conversion, "compare_graph", compare_changed)
    with pytest.raises(ExportError, match=r"model\.onnx: its labels or preprocessing are not the model's"):
        convert_model(BUNDLE, tmp_path / "model.onnx", to="onnx")
    assert files(tmp_path) == []


def test_a_damaged_source_is_named(source: Path, tmp_path: Path) -> None:
    source.write_bytes(source.read_bytes()[:-2000])
    with pytest.raises(WeightsError, match=r"source\.pth: "):
        convert_model(source, tmp_path / "there.pth", to="timm")
    content = {"stem.conv.weight": BUNDLE.weights["stem.conv.weight"]}
    write_torch(tmp_path / "part.pth", content)
    with pytest.raises(RegNetYError, match=r"part\.pth: "):
        convert_model(tmp_path / "part.pth", tmp_path / "there.pth", to="timm")
    assert files(tmp_path) == ["part.pth", "source.pth"]


CODE = """
import os, resource, signal, sys
from regnety import convert_model
from regnety.export import conversion
limit, source, path, target = sys.argv[1:]
if limit == "kill":
    for name in ("compare_checkpoint", "compare_graph"):
        setattr(conversion, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    convert_model(source, path, to=target)
except OSError as error:
    print(error.filename, error.strerror)
"""


@pytest.mark.skipif(os.name == "nt", reason="limits and signals of Unix")
@pytest.mark.parametrize("limit", ["100", "20000", "kill"])
@pytest.mark.parametrize(("name", "target"), FORMS)
def test_a_full_disk_and_a_kill_leave_nothing(name: str, target: str, limit: str, source: Path, tmp_path: Path) -> None:
    """A file may not grow beyond the limit, as if the disk ended there."""
    folder = tmp_path / "target"
    folder.mkdir()
    result = python(CODE, limit, source, folder / name, target, TMPDIR=str(tmp_path))
    assert not [path for path in files(folder) if not path.startswith(".")]
    if limit == "kill":
        assert result.returncode == -signal.SIGKILL
        assert [path.name.endswith(".part") for path in folder.iterdir()] == [True]  # beside its place, and hidden
        shutil.rmtree(folder)
    else:
        assert files(folder) == []
        assert result.stdout == f"{folder / name} File too large\n", result.stderr
