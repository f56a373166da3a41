"""What the name of a target asks for, and what may be overwritten."""

import re
from pathlib import Path

import pytest

from bundles import small_bundle
from regnety import Bundle, Design, ExportError, convert_model, export_model
from regnety.export.targets import check_export_target

BUNDLE = small_bundle()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("model.onnx", "onnx"),
        ("model.v2.ONNX", "onnx"),
        ("model.xml", "openvino"),
        ("model", "folder"),
        ("model/", "folder"),
        ("model.onnx/", "folder"),
        ("new/deep/model", "folder"),
        ("existing.v2", "folder"),
    ],
)
def test_forms(name: str, form: str, tmp_path: Path) -> None:
    (tmp_path / "existing.v2").mkdir()
    assert check_export_target(f"{tmp_path}/{name}") == form


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.pb", "model.pb: name an .onnx or an .xml file, or a folder with a slash at its end"),
        ("new/model.onnx", "new/model.onnx: there is no folder "),
        ("existing.onnx", "existing.onnx: is a folder; name another file, or "),
    ],
)
def test_names_that_say_nothing(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "existing.onnx").mkdir()
    with pytest.raises(ExportError, match=re.escape(f"{tmp_path}/{message}")):
        check_export_target(f"{tmp_path}/{name}")


@pytest.mark.parametrize(("name", "existing"), [("m.onnx", "m.onnx"), ("m.xml", "m.xml"), ("m.xml", "m.bin")])
@pytest.mark.parametrize("content", [b"precious", b""])
def test_other_people_s_files_stay(name: str, existing: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / existing).write_bytes(content)
    with pytest.raises(ExportError, match=rf"/{existing}: exists .*; name another file$"):
        export_model(BUNDLE, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_bytes() == content


def test_other_people_s_folders_stay(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "letter.txt").write_text("precious")
    with pytest.raises(ExportError, match=r"exists and was not written by regnety; name another folder$"):
        export_model(BUNDLE, tmp_path / "folder")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("name", ["model.onnx", "model.xml", "model"])
def test_our_own_are_replaced(name: str, tmp_path: Path) -> None:
    export_model(BUNDLE, tmp_path / name)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    export_model(small_bundle(("a", "b", "c", "d")), tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert Bundle.load(tmp_path / name).labels == ("a", "b", "c", "d")


def test_a_folder_for_another_program_is_ours_too(tmp_path: Path) -> None:
    theirs = small_bundle(design=Design(depth=5, w0=8, wa=8.6, wm=1.5, group_width=4))
    folder = convert_model(theirs, tmp_path / "model", to="transformers").path
    export_model(BUNDLE, folder)
    assert Bundle.load(folder).labels == BUNDLE.labels
    assert not (folder / "preprocessor_config.json").exists()


@pytest.mark.parametrize("name", ["model.onnx", "model.xml", "model"])
def test_a_model_is_not_exported_over_itself(name: str, tmp_path: Path) -> None:
    place = tmp_path / "there" / name
    place.parent.mkdir()
    export_model(BUNDLE, place)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "again").symlink_to(place.parent)
    with pytest.raises(ExportError, match=rf"/{name}: is the model itself or a part of it; name another place$"):
        export_model(tmp_path / "again" / name, place)
    assert {path: path.read_bytes() for path in before} == before


def test_a_bundle_is_given_an_onnx_file_more_than_once(tmp_path: Path) -> None:
    """Its model.safetensors is what is read; model.onnx beside it may be written again."""
    folder = BUNDLE.save(tmp_path / "model")
    for precision in ("f32", "f16"):
        export_model(folder, folder / "model.onnx", precision=precision)  # type: ignore[arg-type]
    (folder / "model.safetensors").unlink()
    with pytest.raises(ExportError, match="is the model itself or a part of it"):
        export_model(folder, folder / "model.onnx")
