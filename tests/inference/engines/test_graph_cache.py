"""The cache of graphs: used, made anew when the bundle is, and never in the way."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundles import small_bundle
from commands import python
from foreign_models import export_with_torch, foreign_network
from pictures import noise
from regnety import Bundle, Predictor, WeightsError, export_model
from regnety.bundle import foreign_weights
from regnety.inference.engines import graph_cache
from regnety.inference.engines.graph_cache import graph_of

PICTURE = noise(50, 40)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "graphs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_bundle().save(tmp_path / "bundle")


def test_a_graph_is_built_once(cache: Path, folder: Path) -> None:
    first = Predictor(folder).predict(PICTURE)
    (graph,) = cache.iterdir()
    written = graph.stat()
    assert Predictor(folder).predict(PICTURE) == first
    assert [path.name for path in cache.iterdir()] == [graph.name]
    assert graph.stat().st_mtime_ns == written.st_mtime_ns


def test_a_bundle_in_memory_is_not_kept(cache: Path) -> None:
    Predictor(small_bundle()).predict(PICTURE)
    assert not cache.exists()


def test_a_cached_graph_needs_no_onnx(cache: Path, folder: Path, tmp_path: Path) -> None:
    Predictor(folder).predict(PICTURE)
    PICTURE.save(tmp_path / "a.png")
    code = "import sys; sys.modules['onnx'] = None; from regnety.cli.main import main; main()"
    result = python(code, "predict", tmp_path / "a.png", "--model", folder, "--format", "json")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("place", ["file", "file/cache"])
def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    place: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Predictor(small_bundle()).predict(PICTURE)
    (tmp_path / "file").write_text("precious")
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / place))
    assert Predictor(folder).predict(PICTURE) == expected
    assert (tmp_path / "file").read_text() == "precious"


def test_no_space_left_costs_nothing_but_time(cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    expected = Predictor(small_bundle()).predict(PICTURE)
    monkeypatch.setattr("os.fsync", full)
    assert Predictor(folder).predict(PICTURE) == expected
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_the_weights_of_a_large_graph_stand_beside_it(
    engine: str, cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = Predictor(folder, engine=engine, precision="f32").predict(PICTURE)
    shutil.rmtree(cache.parent)
    monkeypatch.setattr(graph_cache, "LARGEST_CACHED_FILE", 1000)
    for _ in range(2):
        assert Predictor(folder, engine=engine, precision="f32").predict(PICTURE) == expected
    graph, data = sorted(cache.iterdir())
    assert data.name == f"{graph.name}.data"
    assert graph.stat().st_size < 20_000 < data.stat().st_size
    for compiled in cache.parent.glob("compiled/*"):
        compiled.unlink()
    data.write_bytes(data.read_bytes()[:-4096])
    assert Predictor(folder, engine=engine, precision="f32").predict(PICTURE) == expected
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith(f"{graph}: ")
    assert warning.endswith("; it is built again")


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_damaged_graph_is_built_anew(
    share: float, cache: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = Predictor(folder).predict(PICTURE)
    (graph,) = cache.iterdir()
    whole = graph.read_bytes()
    graph.write_bytes(whole[: int(share * len(whole))])
    assert Predictor(folder).predict(PICTURE) == expected
    assert graph.read_bytes() == whole
    assert any(str(graph) in record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)


def test_a_bundle_that_is_written_anew_is_asked_anew(cache: Path, folder: Path) -> None:
    before = Predictor(folder).predict(PICTURE)
    other = small_bundle(seed=1)
    other.save(folder)
    after = Predictor(folder).predict(PICTURE)
    assert after == Predictor(other).predict(PICTURE)
    assert after != before


def test_labels_that_are_written_anew_are_shown(cache: Path, folder: Path) -> None:
    Predictor(folder).predict(PICTURE)
    config = (folder / "config.json").read_text("utf-8")
    (folder / "config.json").write_text(config.replace('"blue"', '"azure"'), "utf-8")
    assert "azure" in {entry.label for entry in Predictor(folder).predict(PICTURE)[0].predictions}


def test_an_older_bundle_in_memory_does_not_answer_for_a_newer_folder(cache: Path, folder: Path) -> None:
    """Opened, overwritten by somebody else, and asked only then."""
    old, new = Bundle.load(folder), small_bundle(seed=1)
    new.save(folder)
    assert Predictor(old).predict(PICTURE) == Predictor(small_bundle()).predict(PICTURE)
    assert Predictor(folder).predict(PICTURE) == Predictor(new).predict(PICTURE)


def test_the_same_folder_by_another_path_is_the_same_graph(
    cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert graph_of(Bundle.load(folder)) == graph_of(Bundle.load(Path("bundle")))


def test_two_bundles_have_two_graphs(cache: Path, folder: Path, tmp_path: Path) -> None:
    other = small_bundle(seed=1).save(tmp_path / "other")
    assert graph_of(Bundle.load(folder)) != graph_of(Bundle.load(other))
    assert len(list(cache.iterdir())) == 2


def test_an_exported_file_is_run_as_it_is(cache: Path, tmp_path: Path) -> None:
    path = export_model(small_bundle(), tmp_path / "model.onnx").path
    assert graph_of(Bundle.load(path)) == path
    assert Predictor(path).predict(PICTURE) == Predictor(small_bundle()).predict(PICTURE)
    assert not cache.exists()


def test_an_openvino_model_is_openvino_s_own_graph(cache: Path, tmp_path: Path) -> None:
    path = export_model(small_bundle(), tmp_path / "model.xml").path
    assert graph_of(Bundle.load(path), suffixes=(".onnx", ".xml")) == path
    built = graph_of(Bundle.load(path))
    assert isinstance(built, Path)
    assert built.parent == cache


@pytest.mark.parametrize(
    "options", [{"input": "float"}, {"image_size": 48}, {"outputs": ("pre_logits", "logits")}], ids=["f", "s", "o"]
)
def test_an_exported_file_that_takes_something_else_is_built_anew(
    options: dict[str, Any], cache: Path, tmp_path: Path
) -> None:
    bundle = small_bundle()
    path = export_model(bundle, tmp_path / "model.onnx", **options).path
    found = Bundle.load(path).with_preprocessing(bundle.preprocessing)
    graph = graph_of(found)
    assert isinstance(graph, Path)
    assert (graph == path) == ("outputs" in options)
    for entry, wanted in zip(answer(found), answer(bundle), strict=True):
        assert entry == pytest.approx(wanted, abs=1e-5)


def test_another_normalization_is_built_anew(cache: Path, tmp_path: Path) -> None:
    bundle = small_bundle()
    path = export_model(bundle, tmp_path / "model.onnx").path
    preprocessing = replace(bundle.preprocessing, mean=(0.1, 0.2, 0.3))
    found = Bundle.load(path).with_preprocessing(preprocessing)
    assert graph_of(found) != path
    assert answer(found) == pytest.approx(answer(bundle.with_preprocessing(preprocessing)), abs=1e-5)


def test_a_file_that_no_engine_loads_is_one_line(cache: Path, tmp_path: Path) -> None:
    path = export_model(small_bundle(), tmp_path / "model.onnx").path
    damaged = path.read_bytes().replace(b"Sigmoid", b"Sigmoit")
    path.write_bytes(damaged)
    with pytest.raises(WeightsError, match=r"model\.onnx: ONNX Runtime cannot load it: ") as error:
        Predictor(path).predict(PICTURE)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == damaged


def test_a_stranger_s_file_is_compared_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = export_with_torch(foreign_network(num_classes=3), tmp_path / "foreign.onnx")
    first = answer(path)

    def compared_again(*_: object) -> float:
        raise AssertionError("a graph in the cache was compared when it was built")

    monkeypatch.setattr(foreign_weights, "_difference", compared_again)
    assert answer(path) == first


def answer(model: Any) -> list[float]:
    """Probabilities by class."""
    (prediction,) = Predictor(model).predict(PICTURE, 99)
    return [entry.prob for entry in sorted(prediction.predictions, key=lambda entry: entry.index)]
