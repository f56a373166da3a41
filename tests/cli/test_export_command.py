"""`regnety export`, as a process."""

import json
import os
from pathlib import Path

import pytest

from bundles import small_bundle
from commands import one_line, python, regnety
from pictures import noise
from regnety import Bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    small_bundle().save(folder / "bundle")
    noise(40, 30).save(folder / "1.png")
    return folder


def answer(folder: Path, model: Path) -> list[tuple[str, float]]:
    result = regnety("predict", folder / "1.png", "--model", model, "--format", "json")
    assert result.returncode == 0, result.stderr
    (prediction,) = json.loads(result.stdout)
    return [(entry["label"], pytest.approx(entry["prob"], abs=1e-4)) for entry in prediction["predictions"]]


@pytest.mark.parametrize("target", ["model.onnx", "model.xml", "model/"])
def test_an_exported_model_answers_the_same(target: str, folder: Path, tmp_path: Path) -> None:
    result = regnety("export", folder / "bundle", "-o", f"{tmp_path}/{target}")
    assert result.returncode == 0, result.stderr
    assert answer(folder, tmp_path / target) == answer(folder, folder / "bundle")


def test_the_report(folder: Path, tmp_path: Path) -> None:
    result = regnety("export", folder / "bundle", "-o", tmp_path / "model.onnx", "--outputs", "stem, logits")
    assert (result.returncode, result.stderr) == (0, "")
    file, image, stem, logits, difference = result.stdout.splitlines()
    assert file.split() == [f"{os.path.getsize(tmp_path / 'model.onnx') / 1000:.1f}", "kB", f"{tmp_path}/model.onnx"]
    assert image.split(maxsplit=1) == ["input", "images uint8 [batch, 32, 32, 3]"]
    assert stem.split(maxsplit=1) == ["output", "stem float32 [batch, 32, 32, 32]"]
    assert logits.split(maxsplit=1) == ["output", "logits float32 [batch, 4]"]
    name, value, *_ = difference.split()
    assert name == "difference"
    assert 0 <= float(value) < 1e-4
    assert "onnxruntime" in difference


def test_quiet_and_options(folder: Path, tmp_path: Path) -> None:
    options = ("--input", "float", "--image-size", 48, "--fp16", "--quiet")
    result = regnety("export", folder / "bundle", "-o", tmp_path / "model.onnx", *options)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    report = regnety("export", tmp_path / "model.onnx", "-o", tmp_path / "other.onnx").stdout
    assert "images uint8 [batch, 48, 48, 3]" in report


def test_what_the_file_is_to_be_shown(folder: Path, tmp_path: Path) -> None:
    options = ("--mean", "0.5", "--std", "0.25,0.5,0.75", "--interpolation", "lanczos", "--crop-pct", 1)
    assert regnety("export", folder / "bundle", "-o", tmp_path / "model.onnx", *options).returncode == 0
    shown = Bundle.load(tmp_path / "model.onnx").preprocessing
    assert (shown.mean, shown.std) == ((0.5, 0.5, 0.5), (0.25, 0.5, 0.75))
    assert (shown.interpolation, shown.crop_pct) == ("lanczos", 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "model.pb"], "model.pb: name an .onnx or an .xml file, or a folder with a slash at its end"),
        (["-o", "no/model.onnx"], "no/model.onnx: there is no folder no"),
        (["-o", "bundle.onnx", "--outputs", "s9"], "no output named 's9'; there are stem, s1, s2, pre_logits, logits"),
        (["-o", "1.png/model.onnx"], "1.png/model.onnx: there is no folder 1.png"),
        (["-o", "bundle"], "bundle: is the model itself or a part of it; name another place"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert one_line(regnety("export", "bundle", *arguments)) == message
    assert sorted(path.name for path in folder.iterdir()) == ["1.png", "bundle"]


def test_a_model_without_logits_is_one_line(folder: Path, tmp_path: Path) -> None:
    regnety("export", folder / "bundle", "-o", tmp_path / "model.onnx", "--outputs", "pre_logits")
    assert one_line(regnety("predict", folder / "1.png", "--model", tmp_path / "model.onnx")) == (
        f"{tmp_path}/model.onnx: has the outputs pre_logits and not the layers after them; "
        "export it again with the output logits"
    )


def test_without_openvino_the_extra_is_named(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'openvino' else find(name, *rest)\n"
        "from regnety.cli.main import main; main()"
    )
    result = python(code, "export", folder / "bundle", "-o", tmp_path / "model.xml")
    assert "pip install '.[openvino]' in a clone of regnety" in one_line(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["model.onnx", "model.xml", "model"])
def test_neither_torch_nor_telemetry_is_imported(target: str, folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from regnety.cli.main import run\n"
        "print(run(), *({'torch', 'openvino_telemetry'} & {name for name in sys.modules if sys.modules[name]}))"
    )
    result = python(code, "export", folder / "bundle", "-o", tmp_path / target, "--quiet")
    assert result.stdout.split() == ["0"], result.stderr


def test_an_onnx_file_answers_without_the_package_onnx(folder: Path, tmp_path: Path) -> None:
    regnety("export", folder / "bundle", "-o", tmp_path / "model.onnx")
    code = "import sys; sys.modules['onnx'] = None; from regnety.cli.main import main; main()"
    cache = {"REGNETY_CACHE": str(tmp_path / "cache")}
    result = python(code, "predict", folder / "1.png", "--model", tmp_path / "model.onnx", **cache)
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "cache" / "graphs").exists()


@pytest.mark.parametrize("option", [("--precision", "f16"), ("--precision", "float16"), ("--fp16",)])
def test_half_precision_in_every_spelling(option: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole.onnx", tmp_path / "half.onnx"
    for file, options in ((whole, ()), (half, option)):
        assert regnety("export", folder / "bundle", "-o", file, "-q", *options).returncode == 0
    assert half.stat().st_size < 0.75 * whole.stat().st_size
