"""What a hostile or careless user gives: each has one line and the right status, and nothing of theirs is lost."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

from bundles import small_bundle
from commands import TIMEOUT_S, one_line, regnety
from pictures import encoded, noise
from regnety import Bundle, ImageError, Predictor, WeightsError, build_graph


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    noise(40, 30).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_the_answers_do_not_replace_the_picture(picture: Path) -> None:
    picture = picture.rename(picture.with_name("picture.json"))
    before = picture.read_bytes()
    line = one_line(regnety("predict", picture, "--output", picture, "--quiet"))
    assert line == f"{picture}: is one of the images; name another file for the answers"
    assert picture.read_bytes() == before


def test_answers_go_through_a_link_and_into_a_pipe(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "answers.json")
    assert regnety("predict", picture, "-q", "--output", tmp_path / "link.json").returncode == 0
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "answers.json").read_text().startswith("[")
    os.mkfifo(tmp_path / "pipe.csv")
    line = [sys.executable, "-m", "regnety", "predict", str(picture), "-q", "--output", str(tmp_path / "pipe.csv")]
    with subprocess.Popen(line) as process:
        assert (tmp_path / "pipe.csv").read_text().startswith("filename,rank,")
        assert process.wait(TIMEOUT_S) == 0
    assert (tmp_path / "pipe.csv").is_fifo()


def test_a_dash_as_output_is_stdout(picture: Path) -> None:
    result = regnety("predict", picture, "-q", "--output", "-", "--format", "csv")
    assert result.stdout.startswith("filename,rank,")


def test_a_bundle_with_other_files_in_it_is_not_replaced(tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "bundle")
    (folder / "notes.txt").write_text("precious")
    with pytest.raises(WeightsError, match=r"bundle: has notes\.txt beside the model, which would be lost; name"):
        small_bundle().save(folder)
    assert (folder / "notes.txt").read_text() == "precious"


def test_a_bundle_behind_a_link_is_replaced_there(tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "bundle")
    (tmp_path / "link").symlink_to(folder)
    small_bundle(None).save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert Bundle.load(folder).labels is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "link"]


def test_metadata_that_is_nested_too_deep(picture: Path, tmp_path: Path) -> None:
    bundle = small_bundle()
    model = build_graph(bundle.architecture, bundle.weights)
    helper.set_model_props(model, {"regnety": "[" * 100_000})
    onnx.save(model, tmp_path / "deep.onnx")
    assert "is not JSON" in one_line(regnety("predict", picture, "--model", tmp_path / "deep.onnx"))


def test_control_characters_of_a_file_do_not_reach_the_terminal(picture: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a\n\x1b[31mb": np.zeros(3, np.float32)}, tmp_path / "wrong.safetensors")
    line = one_line(regnety("predict", picture, "--model", tmp_path / "wrong.safetensors"))
    assert "\x1b" not in line


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_no_answer(value: float, picture: Path, tmp_path: Path) -> None:
    bundle = small_bundle()
    weights = {key: np.array(array) for key, array in bundle.weights.items()}
    weights["head.fc.bias"][0] = value
    with pytest.raises(WeightsError, match=r"head\.fc\.bias: has values that are not finite numbers"):
        Predictor(Bundle(bundle.metadata, weights)).predict(picture)


def test_closed_standard_input() -> None:
    line = f"{sys.executable} -m regnety predict - -q <&-"
    result = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (result.returncode, result.stderr) == (2, "regnety: standard input (-) is closed\n")


def test_nan_is_no_probability(picture: Path) -> None:
    assert "nan is not a probability" in one_line(regnety("predict", picture, "--min-probability", "nan", "-q"))


def test_a_link_that_leads_to_itself_costs_nobody_an_answer(picture: Path) -> None:
    (picture.parent / "self.png").symlink_to("self.png")
    result = regnety("predict", picture.parent, "-q", "--format", "csv", "--top-k", "1")
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    "images", [None, 5, "", np.array(3), Image.new("RGB", (0, 4)), [None], "ftp://example.org/a.png"], ids=repr
)
def test_what_is_no_image_is_an_image_error(images: object) -> None:
    with pytest.raises(ImageError) as error:
        Predictor(small_bundle()).predict(images)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_files_and_buffers_are_images() -> None:
    data = encoded(noise(40, 30))
    predictor = Predictor(small_bundle())
    wanted = predictor.predict(data)
    import io

    for source in (bytearray(data), memoryview(data), io.BytesIO(data)):
        assert predictor.predict(source) == wanted  # type: ignore[arg-type]
        assert list(predictor.stream([data])) == wanted
