"""Another model in the place of the first, with the same size and time: the one that stands there answers."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundles import SMALL, small_bundle
from commands import regnety_here
from regnety import Bundle, Predictor
from regnety.files.safetensors_files import write_safetensors
from regnety.graph.builder import write_graph
from replaced_models import (
    ENGINES,
    FORMS,
    PICTURE,
    WAYS,
    Way,
    answer,
    constant,
    copied_anew,
    linked,
    predictor,
    put_times_back,
    replaced_in_a_row,
    write_both,
    written_in_place,
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_both(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_model_that_stands_there_answers(way: Way, models: Path, tmp_path: Path) -> None:
    for form in ("folder", "safetensors", "onnx"):
        replaced_in_a_row(form, "onnxruntime", (way,), models, tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_with_openvino_too(form: str, models: Path, tmp_path: Path) -> None:
    replaced_in_a_row(form, "openvino", (copied_anew, written_in_place, linked), models, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_in_every_way_with_every_engine(form: str, engine: str, models: Path, tmp_path: Path) -> None:
    if (form, engine) != ("xml", "onnxruntime"):
        replaced_in_a_row(form, engine, WAYS, models, tmp_path)


@pytest.mark.parametrize("engine", ENGINES)
def test_predict_and_eval_on_the_command_line(
    engine: str, models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "model"
    (tmp_path / "photos" / "green").mkdir(parents=True)
    PICTURE.save(tmp_path / "photos" / "green" / "a.png")
    for stands in (1, 2, 1):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(models / "folder" / str(stands), place)
        how = ("--model", place, "--engine", engine, "--format", "json")
        predicted = regnety_here(capfd, "predict", tmp_path / "photos" / "green" / "a.png", *how)
        assert json.loads(predicted.stdout)[0]["predictions"][0]["index"] == stands, predicted.stderr
        scored = regnety_here(capfd, "eval", "--data", tmp_path / "photos", *how)
        assert json.loads(scored.stdout)["top1"] == (100 if stands == 1 else 0), scored.stderr


def test_the_same_name_in_another_folder(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2):
        shutil.copytree(models / "folder" / str(number), tmp_path / str(number) / "model")
    for number in (1, 2, 1):
        monkeypatch.chdir(tmp_path / str(number))
        assert [answer(name) for name in (Path("model"), "./model", "model/model.safetensors")] == [number] * 3


def test_a_chain_of_links_that_is_turned_elsewhere(models: Path, tmp_path: Path) -> None:
    """As Kubernetes swaps a volume, and as the cache of the Hub is made."""
    (tmp_path / "model").symlink_to("current/model")
    (tmp_path / "current").symlink_to("a")
    for name, number in (("a", 1), ("b", 2)):
        shutil.copytree(models / "folder" / str(number), tmp_path / name / "model")
    assert answer(tmp_path / "model") == 1
    (tmp_path / "next").symlink_to("b")
    (tmp_path / "next").replace(tmp_path / "current")
    assert answer(tmp_path / "model") == 2


def test_the_configuration_alone(models: Path, tmp_path: Path) -> None:
    """Names of classes, and how pixels are normalised, edited in their place with the time put back."""
    place = tmp_path / "model"
    small_bundle().save(place)
    put_times_back(place)
    first = predictor(place).predict(PICTURE, 1)[0].predictions[0]
    config = json.loads((place / "config.json").read_text("utf-8"))
    config["regnety"]["labels"] = config["regnety"]["labels"][::-1]
    config["regnety"]["preprocessing"]["mean"] = [0.2, 0.9, 0.1]
    (place / "config.json").write_text(json.dumps(config), "utf-8")
    put_times_back(place)
    bundle = Bundle.load(place)
    wanted = Predictor(Bundle(bundle.metadata, bundle.weights)).predict(PICTURE, 1)[0].predictions[0]
    found = predictor(place).predict(PICTURE, 1)[0].predictions[0]
    assert (found.index, found.label, found.prob) == (wanted.index, wanted.label, pytest.approx(wanted.prob, abs=1e-6))
    assert found.prob != first.prob


def test_one_of_several_files_that_a_model_is_in(tmp_path: Path) -> None:
    keys = list(constant(1).weights)
    names = {key: "head.safetensors" if "head" in key else "body.safetensors" for key in keys}
    for number in (1, 2, 1):
        for name in ("body", "head"):
            kept = {key: constant(number).weights[key] for key in keys if names[key].startswith(name)}
            write_safetensors(tmp_path / f"{name}.safetensors", kept)
        (tmp_path / "w.json").write_text(json.dumps({"weight_map": names}))
        put_times_back(tmp_path)
        assert answer(tmp_path / "w.json") == number


@pytest.mark.parametrize("engine", ENGINES)
def test_the_arrays_beside_a_graph(engine: str, tmp_path: Path) -> None:
    """Both graphs are the same to a byte: the arrays are in the other file."""
    graphs = set()
    for number in (1, 2, 1):
        bundle = constant(number)
        path = write_graph(
            tmp_path / "w.onnx",
            bundle.architecture,
            bundle.weights,
            image_size=32,
            preprocessing=SMALL,
            largest_file=0,
        )
        graphs.add(path.read_bytes())
        put_times_back(tmp_path)
        assert answer(path, engine) == number
    assert len(graphs) == 1


def test_a_copy_finds_the_graph_of_the_first(models: Path, tmp_path: Path, cache: Path) -> None:
    for name in ("a", "b", "c/d"):
        shutil.copytree(models / "folder" / "1", tmp_path / name)
        (tmp_path / name / "model.safetensors").touch()
        assert answer(tmp_path / name) == 1
    assert len(list((cache / "graphs").iterdir())) == 1


# Mounts


@contextmanager
def mounted(*arguments: object) -> Iterator[None]:
    """A mount, where this process may make one."""
    made = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"may not mount: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(arguments[-1])], check=True)  # what is mapped of it lives on


@pytest.mark.skipif(shutil.which("mount") is None or os.name != "posix", reason="needs mount")
@pytest.mark.parametrize("options", ["bind", "bind,ro"])
def test_another_folder_that_is_mounted_at_the_same_place(options: str, models: Path, tmp_path: Path) -> None:
    place = tmp_path / "model"
    shutil.copytree(models / "folder" / "1", place)
    assert answer(place) == 1
    with mounted("-o", options, models / "folder" / "2", place):
        assert answer(place) == 2
    assert answer(place) == 1


@pytest.mark.skipif(shutil.which("mount") is None or os.name != "posix", reason="needs mount")
def test_another_layer_of_an_image(models: Path, tmp_path: Path) -> None:
    place, upper = tmp_path / "model", tmp_path / "tmpfs"
    for folder in (place, upper):
        folder.mkdir()
    with mounted("-t", "tmpfs", "tmpfs", upper):
        for folder in ("upper", "work"):
            (upper / folder).mkdir()
        lower = models / "folder"
        for number in (1, 2, 1):
            options = f"lowerdir={lower / str(number)},upperdir={upper / 'upper'},workdir={upper / 'work'}"
            with mounted("-t", "overlay", "-o", options, "overlay", place):
                assert answer(place) == number
