"""`export_model`: what is written answers as its source, and what does not is not kept."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bundles import LABELS, SMALL, small_bundle
from commands import python
from designs import small_design
from foreign_models import export_with_torch, foreign_network
from goldens import forward_weights
from regnety import Bundle, ExportError, Predictor, UnknownModelError, WeightsError, export_model, model_info
from regnety.architecture.description import Architecture
from regnety.export import model_export, openvino_models
from regnety.files.arrays import relative_difference
from regnety.graph import assembly, builder
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(
    image_size=40,
    crop_pct=0.8,
    interpolation="bilinear",
    mean=(0.1, 0.5, 0.9),
    std=(0.3, 0.2, 0.1),
    exif_orientation=True,
    test_image_size=48,
    test_crop_pct=1.0,
)
BUNDLE = small_bundle(preprocessing=PREPROCESSING, provenance={"license": "mit", "runs": [1, {"seed": 2}]})
PICTURES = [np.random.default_rng(seed).integers(0, 256, (50, 70, 3), np.uint8) for seed in range(3)]
FORMS = ["model.onnx", "model.xml", "model"]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def probabilities(model: Any, **options: Any) -> list[dict[tuple[int, str | None], float]]:
    answers = Predictor(model, **options).predict(PICTURES, 99)
    return [{(entry.index, entry.label): entry.prob for entry in answer.predictions} for answer in answers]


@pytest.mark.parametrize("fp16", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_answers_alike(form: str, fp16: bool, tmp_path: Path) -> None:
    exported = export_model(BUNDLE, tmp_path / form, fp16=fp16)
    assert exported.largest_difference < (5e-2 if fp16 else 1e-4)
    assert (exported.largest_difference > 1e-5) == fp16
    assert exported.path == tmp_path / form
    found = Bundle.load(tmp_path / form)
    assert found.metadata == BUNDLE.metadata
    assert found.notice is None
    bound = 1e-2 if fp16 else 1e-5
    for answer, wanted in zip(probabilities(found), probabilities(BUNDLE), strict=True):
        assert answer == {key: pytest.approx(prob, abs=bound) for key, prob in wanted.items()}


def test_what_is_said_of_it(tmp_path: Path) -> None:
    exported = export_model(BUNDLE, tmp_path / "model.onnx", outputs=["s1", "logits"])
    assert exported.files == (tmp_path / "model.onnx",)
    assert (exported.input_dtype, exported.input_shape) == ("uint8", (None, 40, 40, 3))
    assert exported.output_shapes == {"s1": (16, 20, 20), "logits": (4,)}
    assert exported.engine.startswith("onnxruntime ")


def test_files_of_each_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for form in FORMS:
        exported = export_model(BUNDLE, tmp_path / form)
        assert all(path.is_file() for path in exported.files)
    folder = [f"model/{name}" for name in ("README.md", "config.json", "model.onnx", "model.safetensors")]
    assert files(tmp_path) == sorted(["model", "model.bin", "model.onnx", "model.xml", *folder])
    monkeypatch.setattr(builder, "LARGEST_FILE", 1000)
    exported = export_model(BUNDLE, tmp_path / "large.onnx")
    assert exported.files == (tmp_path / "large.onnx", tmp_path / "large.onnx.data")
    assert probabilities(tmp_path / "large.onnx") == probabilities(tmp_path / "model.onnx")


@pytest.mark.parametrize("form", ["model.onnx", "model.xml"])
@pytest.mark.parametrize("options", [{"input": "float"}, {"image_size": 32}, {"outputs": ("pre_logits", "logits")}])
def test_options(form: str, options: dict[str, Any], tmp_path: Path) -> None:
    exported = export_model(BUNDLE, tmp_path / form, **options)
    found = Bundle.load(tmp_path / form)
    assert found.graph is not None
    assert found.graph.outputs == options.get("outputs", ("logits",))
    assert exported.input_dtype == ("float32" if "input" in options else "uint8")
    size = options.get("image_size")
    assert found.preprocessing == (replace(PREPROCESSING, image_size=size) if size else PREPROCESSING)
    for answer, wanted in zip(probabilities(found), probabilities(BUNDLE, image_size=size), strict=True):
        assert answer == {key: pytest.approx(prob, abs=1e-5) for key, prob in wanted.items()}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("in_chans", [3, 1])
def test_designs_of_every_kind(seed: int, in_chans: int, tmp_path: Path) -> None:
    architecture = small_design(seed).architecture(10, in_chans)
    bundle = made_up(architecture)
    exported = export_model(bundle, tmp_path / "model.onnx", outputs=architecture.output_names)
    assert exported.largest_difference < 1e-4
    assert Bundle.load(tmp_path / "model.onnx").metadata == bundle.metadata


@pytest.mark.parametrize("name", ["regnety_002", "regnetx_002", "regnety_008_tv"])
def test_published_designs(name: str, tmp_path: Path) -> None:
    bundle = made_up(model_info(name).design.architecture())
    for form in ("model.onnx", "model.xml"):
        assert export_model(bundle, tmp_path / form).largest_difference < 1e-4


def made_up(architecture: Architecture) -> Bundle:
    """With weights under which activations keep their size: where they grow, rounding alone is no small difference."""
    metadata = ModelMetadata(
        design=architecture.design,
        num_classes=architecture.num_classes,
        in_chans=architecture.in_chans,
        preprocessing=replace(SMALL, image_size=64).for_channels(architecture.in_chans),
    )
    return Bundle(metadata, forward_weights(architecture.state_dict_shapes()))


def test_from_form_to_form(tmp_path: Path) -> None:
    """ONNX to OpenVINO to a folder to ONNX: the last is the first, but for what folding rounds."""
    export_model(BUNDLE, tmp_path / "a.onnx")
    export_model(tmp_path / "a.onnx", tmp_path / "b.xml")
    export_model(tmp_path / "b.xml", tmp_path / "c")
    export_model(tmp_path / "c", tmp_path / "d.onnx")
    assert (tmp_path / "d.onnx").read_bytes() == (tmp_path / "a.onnx").read_bytes()


def test_a_model_is_not_exported_onto_itself(tmp_path: Path) -> None:
    file = export_model(BUNDLE, tmp_path / "model.onnx").path
    before = file.read_bytes()
    with pytest.raises(ExportError, match=r"model.onnx: is the model itself or a part of it; name another place$"):
        export_model(file, file, fp16=True)
    assert (files(tmp_path), file.read_bytes()) == (["model.onnx"], before)


def test_a_small_model_over_a_large_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(builder, "LARGEST_FILE", 1000)
        export_model(BUNDLE, tmp_path / "model.onnx")
    export_model(BUNDLE, tmp_path / "model.onnx")
    assert files(tmp_path) == ["model.onnx"]


def test_a_folder_whose_only_weights_are_a_graph(tmp_path: Path) -> None:
    export_model(BUNDLE, tmp_path / "model")
    wanted = probabilities(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    bundle = Bundle.load(tmp_path / "model")
    assert (bundle.metadata, bundle.graph is not None) == (BUNDLE.metadata, True)
    assert probabilities(bundle) == wanted


def test_a_stranger_s_file_is_compared_before_it_is_exported(tmp_path: Path) -> None:
    foreign = export_with_torch(foreign_network(num_classes=3), tmp_path / "foreign.onnx")
    assert export_model(foreign, tmp_path / "model.onnx", image_size=64).largest_difference < 1e-4
    assert Bundle.load(tmp_path / "model.onnx").notice is None
    model = onnx.load(foreign)
    for node in model.graph.node:
        node.op_type = {"Sigmoid": "Tanh"}.get(node.op_type, node.op_type)
    onnx.save(model, foreign)
    with pytest.raises(WeightsError, match="looks like a RegNet"):
        export_model(foreign, tmp_path / "other.onnx")
    assert files(tmp_path) == ["foreign.onnx", "model.onnx"]


def wrong_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    normalization = assembly._GraphNodes.normalization

    def shifted(graph: Any, preprocessing: Preprocessing, value: str) -> str:
        return normalization(graph, replace(preprocessing, mean=preprocessing.mean[::-1]), value)

    monkeypatch.setattr(assembly._GraphNodes, "normalization", shifted)


def change_file(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Something goes wrong between the writing and the reading."""
    write = model_export.write_graph

    def written(path: Path, *arguments: Any, **options: Any) -> Path:
        write(path, *arguments, **options)
        change(path)
        return path

    monkeypatch.setattr(model_export, "write_graph", written)


def with_model(change: Any) -> Any:
    def changed(path: Path) -> None:
        model = onnx.load(path)
        change(model)
        onnx.save(model, path)

    return changed


def swap_arrays(model: onnx.ModelProto) -> None:
    """The same shape, another place."""
    by_name = {tensor.name: tensor for tensor in model.graph.initializer}
    first, second = by_name["s2.b1.conv1.bias"], by_name["s2.b1.conv2.bias"]
    first.raw_data, second.raw_data = second.raw_data, first.raw_data


def swap_classes(model: onnx.ModelProto) -> None:
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name == "head.fc.weight")
    values = onnx.numpy_helper.to_array(bias)[::-1]
    bias.raw_data = values.tobytes()


def not_a_number(model: onnx.ModelProto) -> None:
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name == "stem.bias")
    bias.raw_data = np.full(bias.dims, np.nan, np.float32).tobytes()


def other_labels(model: onnx.ModelProto) -> None:
    model.metadata_props[0].value = model.metadata_props[0].value.replace("blue", "azure")


def without_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[-1].output[0] = "something"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_model(swap_arrays), r"differs from the model by \S+ of the deviation .* 0\.0001 is allowed"),
        (with_model(swap_classes), "differs from the model by"),
        (with_model(not_a_number), "differs from the model by nan"),
        (with_model(other_labels), "its labels or preprocessing are not the model's"),
        (with_model(without_output), "has no output logits"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5000]), "is not an ONNX file, or is damaged or cut short"),
        (lambda path: path.write_bytes(b""), "is empty"),
    ],
)
@pytest.mark.parametrize("form", ["model.onnx", "model"])
def test_a_file_that_is_not_the_model_is_not_kept(
    form: str, change: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_file(monkeypatch, change)
    with pytest.raises((ExportError, WeightsError), match=message):
        export_model(BUNDLE, tmp_path / form)
    assert files(tmp_path) == []


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_normalization_is_found(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_mean(monkeypatch)
    with pytest.raises(ExportError, match="differs from the model by"):
        export_model(BUNDLE, tmp_path / form)
    assert files(tmp_path) == []
    export_model(BUNDLE, tmp_path / form, input="float")


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
def test_a_cut_off_openvino_model_is_not_kept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = openvino_models.write_openvino

    def cut_off(path: Path, *arguments: Any, **options: Any) -> None:
        write(path, *arguments, **options)
        written = path.with_name(name)
        written.write_bytes(written.read_bytes()[:-1000])

    monkeypatch.setattr(openvino_models, "write_openvino", cut_off)
    with pytest.raises(WeightsError, match=r"is not (a )?whole"):
        export_model(BUNDLE, tmp_path / "model.xml")
    assert files(tmp_path) == []


@pytest.mark.parametrize("form", FORMS)
def test_a_failure_keeps_what_was_there(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_model(BUNDLE, tmp_path / form)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path) if (tmp_path / name).is_file()}
    wrong_mean(monkeypatch)
    with pytest.raises(ExportError):
        export_model(small_bundle(seed=1), tmp_path / form)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path) if (tmp_path / name).is_file()} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": ("s9",)}, "no output named 's9'; there are stem, s1, s2, pre_logits, logits"),
        ({"outputs": ()}, "outputs must be a list of different names"),
        ({"outputs": "logits"}, "outputs must be a list of different names"),
        ({"input": "int8"}, "input must be one of uint8, float, got 'int8'"),
        ({"image_size": 0}, "image_size must be a whole number from 1 to 8192 pixels, got 0"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=message):
        export_model(BUNDLE, tmp_path / "model.onnx", **options)
    assert files(tmp_path) == []


def test_values_beyond_float16_are_refused(tmp_path: Path) -> None:
    weights = {**BUNDLE.weights, "head.fc.bias": np.full(len(LABELS), 1e5, np.float32)}
    for form in FORMS[::2]:
        with pytest.raises(WeightsError, match=r"head\.fc\.bias has values that are not finite in float16"):
            export_model(Bundle(BUNDLE.metadata, weights), tmp_path / form, fp16=True)
    assert files(tmp_path) == []


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError):
        export_model("regnety_999", tmp_path / "model.onnx")
    assert files(tmp_path) == []


def test_a_moved_openvino_model_is_whole(tmp_path: Path) -> None:
    """The .xml names no path."""
    export_model(BUNDLE, tmp_path / "model.xml")
    (tmp_path / "elsewhere").mkdir()
    wanted = probabilities(tmp_path / "model.xml")
    for suffix in (".xml", ".bin"):
        shutil.move(tmp_path / f"model{suffix}", tmp_path / "elsewhere" / f"renamed{suffix}")
    assert probabilities(tmp_path / "elsewhere" / "renamed.xml") == wanted


def test_differences_are_in_deviations() -> None:
    wanted = np.array([1.0, 3.0])
    assert relative_difference(np.array([1.0, 3.5]), wanted) == 0.5
    assert relative_difference(np.array([5.0]), np.array([4.0])) == 1
    assert np.isnan(relative_difference(np.array([np.nan, 3.0]), wanted))


CODE = """
import resource, sys, os, signal
from pathlib import Path
from regnety import Bundle, export_model
from regnety.export import model_export
limit, source, target = sys.argv[1:]
bundle = Bundle.load(source)
bundle = Bundle(bundle.metadata, {key: bundle.weights[key].copy() for key in bundle.weights}, name=source)
if limit == "kill":
    model_export._Export._check_answers = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    export_model(bundle, target)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.name == "nt", reason="limits and signals of Unix")
@pytest.mark.parametrize("limit", ["100", "20000", "36000", "60000", "kill"])
@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_and_a_kill_leave_nothing_half_written(form: str, limit: str, tmp_path: Path) -> None:
    """A file may not grow beyond the limit, as if the disk ended there: in every place of every file."""
    source, folder = BUNDLE.save(tmp_path / "source"), tmp_path / "target"
    folder.mkdir()
    result = python(CODE, limit, source, folder / form, TMPDIR=str(tmp_path))
    if limit == "60000" and form != "model.xml":
        return  # all of it fits
    assert [name for name in files(folder) if not name.startswith(".")] == []
    if limit == "kill":
        assert result.returncode == -signal.SIGKILL
    else:
        assert files(folder) == []
        assert result.stdout.partition(" ")[0] in ("OSError", "ExportError", "WeightsError"), result.stderr
        assert ".part" not in result.stdout
