"""Which models are timed, and what makes two of them the same."""

from pathlib import Path

import onnx
import pytest

from bundles import small_bundle
from regnety.bundle.bundle import Bundle
from regnety.catalog.model_page import page_models
from regnety.errors import UnknownModelError
from regnety.export.model_export import export_model
from regnety.inference.latency.timed_models import models_to_time, published_candidates, timed_model
from timed import tiny_model


def test_a_name_is_timed_without_its_weights() -> None:
    model = timed_model("regnety_032")
    assert (model.name, model.image_size, model.top1, model.num_params) == (
        "regnety_032.ra_in1k",
        224,
        81.948,
        19_436_338,
    )
    assert model.has_random_weights
    at_test_size = timed_model("regnety_032", image_size=288)
    assert (at_test_size.image_size, at_test_size.top1) == (288, 82.724)
    assert timed_model("regnety_032", image_size=64).top1 is None


def test_a_model_without_classes_is_timed_up_to_its_features() -> None:
    model = timed_model("regnety_1280.seer")
    assert (model.output, model.top1) == ("pre_logits", None)


def test_a_folder_is_timed_as_it_is(tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "bundle")
    model = timed_model(str(folder))
    assert (model.name, model.image_size, model.has_random_weights) == (str(folder), 32, False)
    assert timed_model("regnety_cifar10").has_random_weights is False
    with pytest.raises(UnknownModelError, match="no model named 'nothing'"):
        timed_model("nothing")


def test_patterns_and_the_models_of_the_page() -> None:
    assert models_to_time([]) == list(page_models())
    assert len(page_models()) == 12
    assert models_to_time(["regnety_00[24]", "regnety_002", "some/folder"]) == [
        "regnety_002",
        "regnety_004",
        "some/folder",
    ]
    assert models_to_time(["regnety_032.[rt]*"]) == ["regnety_032.ra_in1k", "regnety_032.tv2_in1k"]
    with pytest.raises(UnknownModelError, match=r"no model matches 'resnet\*'"):
        models_to_time(["resnet*"])


def test_candidates_are_all_published_ones_the_most_accurate_first() -> None:
    candidates = published_candidates()
    assert [candidate.name for candidate in candidates[:5]] == [
        "regnety_1280.swag_ft_in1k",
        "regnety_2560.seer_ft_in1k",
        "regnety_640.seer_ft_in1k",
        "regnety_080_tv.tv2_in1k",
        "regnety_032.ra_in1k",
    ]
    assert len(candidates) == 17
    accuracies = [candidate.top1 or 0 for candidate in candidates]
    assert accuracies == sorted(accuracies, reverse=True)
    assert [candidate.name for candidate in published_candidates(image_size=288)] == ["regnety_032.ra_in1k"]


def test_the_digest_is_of_shapes_and_not_of_weights() -> None:
    tiny = tiny_model()
    assert tiny.digest("openvino") == tiny_model("other", seed=5).digest("onnxruntime")
    assert tiny.digest("openvino") != tiny_model(width=24).digest("openvino")
    assert tiny.digest("openvino", "s1") != tiny.digest("openvino")
    assert timed_model("regnety_002").digest("openvino") != timed_model("regnety_002", image_size=192).digest(
        "openvino"
    )
    assert timed_model("regnety_032.ra_in1k").digest("openvino") == timed_model("regnety_032.tv2_in1k").digest(
        "openvino"
    )


def test_a_graph_that_is_run_itself_has_the_digest_of_its_file(tmp_path: Path) -> None:
    bundle = small_bundle()
    first = export_model(bundle, tmp_path / "a.onnx").path
    model = timed_model(str(first))
    with model.written("onnxruntime") as path:
        assert path == first
    assert model.digest("onnxruntime") != tiny_model().digest("onnxruntime")
    changed = onnx.load(first)
    changed.graph.node[-1].name = "renamed"
    onnx.save(changed, tmp_path / "b.onnx")
    assert timed_model(str(tmp_path / "b.onnx")).digest("onnxruntime") != model.digest("onnxruntime")


def test_the_written_graph_is_the_whole_network_or_its_beginning() -> None:
    model = tiny_model()
    with model.written("onnxruntime") as whole, model.written("onnxruntime", "s1") as part:
        assert [output.name for output in onnx.load(whole).graph.output] == ["logits"]
        assert [output.name for output in onnx.load(part).graph.output] == ["s1"]
        assert len(onnx.load(part).graph.node) < len(onnx.load(whole).graph.node)
        assert (whole.stat().st_size, part.exists()) > (part.stat().st_size, False)
    assert not whole.exists()
    assert not part.exists()
    with model.written("torch") as folder:
        assert Bundle.load(folder).preprocessing.image_size == 32
