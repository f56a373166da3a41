"""OpenVINO models by their text and bytes: what `export` wrote comes back, and hostile files are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import small_bundle
from regnety import Bundle, export_model
from regnety.errors import WeightsError
from regnety.graph.extraction import ExtractedWeights
from regnety.graph.onnx_files import read_onnx
from regnety.graph.openvino_files import read_openvino

BUNDLE = small_bundle(("Käse", "<b>", 'say "x"', "a & b"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openvino")
    export_model(BUNDLE, folder / "model.xml", outputs=["stem", "logits"])
    export_model(BUNDLE, folder / "half.xml", fp16=True)
    export_model(BUNDLE, folder / "model.onnx")
    return folder


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    for suffix in (".xml", ".bin"):
        (tmp_path / f"model{suffix}").write_bytes((whole / f"model{suffix}").read_bytes())
    return tmp_path / "model.xml"


def test_what_it_says_of_itself(whole: Path) -> None:
    graph = read_openvino(whole / "model.xml")
    assert (graph.inputs, graph.input_kind, graph.input_shape) == (("images",), "uint8", (None, 32, 32, 3))
    assert graph.outputs == ("stem", "logits")
    assert [file.name for file in graph.files] == ["model.xml", "model.bin"]
    assert Bundle.load(whole / "model.xml").labels == BUNDLE.labels


@pytest.mark.parametrize(("name", "dtype"), [("model.xml", np.float32), ("half.xml", np.float16)])
def test_its_arrays_are_those_of_the_onnx_file(name: str, dtype: Any, whole: Path) -> None:
    found, wanted = (
        ExtractedWeights(BUNDLE.architecture, graph)
        for graph in (read_openvino(whole / name), read_onnx(whole / "model.onnx"))
    )
    assert found["head.fc.weight"].dtype == dtype
    for key in wanted:
        np.testing.assert_allclose(found[key], wanted[key].astype(found[key].dtype), rtol=1e-3, err_msg=key)


@pytest.mark.parametrize("part", range(20))
@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_truncated_files_are_one_line(suffix: str, part: int, path: Path) -> None:
    content = path.with_suffix(suffix).read_bytes()
    path.with_suffix(suffix).write_bytes(content[: (len(content) - 100) * part // 20])
    with pytest.raises(WeightsError) as error:
        Bundle.load(path)
    assert str(error.value).startswith(str(path.with_suffix("")))
    assert "\n" not in str(error.value)


BOMB = """<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><net>&b;</net>"""
FILE = '<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]><net>&a;</net>'
LAYER = '<net><layers><layer id="0" name="{name}" type="{kind}"><data {data}/></layer></layers></net>'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "<html></html>",
        BOMB,
        FILE,
        LAYER.format(name="a", kind="Const", data='element_type="f32" shape="3" offset="x" size="12"'),
        LAYER.format(name="a", kind="Const", data='element_type="f32" shape="3"'),
        LAYER.format(name="a", kind="Parameter", data=""),
    ],
)
def test_other_texts_are_refused(text: str, path: Path) -> None:
    path.write_text(text)
    with pytest.raises(WeightsError, match="is not a whole OpenVINO model: "):
        Bundle.load(path)


@pytest.mark.parametrize(("old", "new"), [('offset="0"', 'offset="-8"'), ('offset="0"', f'offset="{10**30}"')])
def test_places_that_do_not_exist(old: str, new: str, path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(WeightsError, match=r"model\.bin: ends before .* it is not whole$"):
        Bundle.load(path)


def test_other_people_s_models_are_one_line(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace("<regnety ", "<other "), "utf-8")
    with pytest.raises(WeightsError, match=r"was not written by regnety; export other programs' models to ONNX$"):
        Bundle.load(path)


def test_its_second_file_is_missing(path: Path) -> None:
    path.with_suffix(".bin").unlink()
    with pytest.raises(WeightsError, match=r"model\.bin: no such file$"):
        Bundle.load(path)
