"""transformers' two files: written and read back, of this year and of others, and what is refused by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import designs
from regnety.architecture.design import AnyNetDesign
from regnety.architecture.stages import StageDesign
from regnety.bundle.folders.transformers import processor_config, read_transformers, transformers_config
from regnety.catalog.models import list_models, model_info
from regnety.errors import InvalidDesignError, WeightsError
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing
from regnety.weights.dialects.transformers import TRANSFORMERS

MODELS = [name for name in list_models() if TRANSFORMERS.obstacle(model_info(name).design.architecture()) is None]
REGNET: dict[str, Any] = {
    "model_type": "regnet",
    "depths": [1, 1, 4, 7],
    "hidden_sizes": [24, 56, 152, 368],
    "groups_width": 8,
    "layer_type": "y",
    "embedding_size": 32,
    "id2label": {"0": "a", "1": "b"},
}
CONVNEXT: dict[str, Any] = {
    "image_processor_type": "ConvNextImageProcessor",
    "crop_pct": 0.9,
    "resample": 2,
    "size": {"shortest_edge": 200},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
}


def read_back(design: object, preprocessing: Preprocessing, labels: tuple[str, ...] | None = None) -> ModelMetadata:
    architecture = design.architecture(2)  # type: ignore[attr-defined]
    assert TRANSFORMERS.obstacle(architecture) is None
    config = transformers_config(architecture, labels)
    metadata, notice = read_transformers(config, processor_config(preprocessing))
    assert notice is None
    return metadata


@pytest.mark.parametrize("name", MODELS)
def test_every_model_comes_back(name: str) -> None:
    design, published = model_info(name).design, model_info(name).published
    assert published is not None
    found = read_back(design, published.preprocessing)
    assert found.design.architecture(2).state_dict_shapes() == design.architecture(2).state_dict_shapes()
    assert found.preprocessing.resize_size == published.preprocessing.resize_size
    assert (found.preprocessing.mean, found.preprocessing.std) == (
        published.preprocessing.mean,
        published.preprocessing.std,
    )


def test_labels_come_back_and_made_up_ones_do_not() -> None:
    design = model_info("regnety_002").design
    assert read_back(design, Preprocessing(), ("a", "a")).labels == ("a", "a")
    assert read_back(design, Preprocessing()).labels is None


@pytest.mark.parametrize("image_size", [32, 224, 288, 384])
def test_sizes_come_back_to_the_pixel(image_size: int) -> None:
    """32 / (32 / 93) is below 93 in floats."""
    for resize_size in range(image_size, 3 * image_size):
        processor = processor_config(Preprocessing(image_size=image_size))
        processor["size"] = {"shortest_edge": resize_size}
        config = transformers_config(model_info("regnety_002").design.architecture(), None)
        shown = read_transformers(config, processor)[0].preprocessing
        assert (shown.image_size, shown.resize_size) == (image_size, resize_size)


def test_one_groups_width_for_stages_that_differ() -> None:
    """20 // 10 and 44 // 10 are the groups of both stages, 20 // 11 would be one."""
    design = AnyNetDesign(
        stages=(StageDesign(width=20, depth=1, group_width=10), StageDesign(width=44, depth=1, group_width=11))
    )
    assert transformers_config(design.architecture(2), None)["groups_width"] == 10


def assert_refused(config: dict[str, Any], processor: dict[str, Any] | None, problem: str) -> None:
    with pytest.raises((InvalidDesignError, WeightsError)) as error:
        read_transformers(config, processor)
    assert str(error.value).startswith(problem)
    assert "\n" not in str(error.value)


def test_transformers_is_understood() -> None:
    metadata, notice = read_transformers(REGNET, CONVNEXT)
    assert notice is None
    assert metadata.design.fitted_stages() == model_info("regnety_002").design.fitted_stages()
    assert (metadata.num_classes, metadata.in_chans, metadata.labels) == (2, 3, ("a", "b"))
    assert metadata.preprocessing == Preprocessing(
        image_size=200, crop_pct=0.9, interpolation="bilinear", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)
    )


def test_a_regnet_without_squeezing_and_a_first_stage_without_stride() -> None:
    found, _ = read_transformers({**REGNET, "layer_type": "x", "downsample_in_first_stage": False}, CONVNEXT)
    assert found.design.se_ratio == 0
    assert [stage.stride for stage in found.design.fitted_stages()] == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("fields", "num_classes"),
    [
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}}, 3),
        ({"id2label": None}, 2),
        ({"id2label": {}, "num_labels": 7}, 7),
        ({"architectures": ["RegNetModel"]}, 0),
    ],
)
def test_default_names_are_no_class_names(fields: dict[str, Any], num_classes: int) -> None:
    metadata = read_transformers({**REGNET, **fields}, CONVNEXT)[0]
    assert (metadata.num_classes, metadata.labels) == (num_classes, None)


@pytest.mark.parametrize(
    ("processor", "image_size", "resize_size"),
    [
        ({"size": 224, "resample": 3, "crop_pct": 0.875}, 224, 256),  # as in 2022
        ({"size": {"shortest_edge": 224}}, 224, 256),
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}},
            224,
            256,
        ),
        ({"size": {"shortest_edge": 384}, "do_center_crop": True, "crop_size": {"height": 384}}, 384, 384),
    ],
)
def test_sizes(processor: dict[str, Any], image_size: int, resize_size: int) -> None:
    metadata, notice = read_transformers(REGNET, processor)
    shown = metadata.preprocessing
    assert (shown.image_size, shown.resize_size, shown.interpolation) == (image_size, resize_size, "bicubic")
    assert notice is None


@pytest.mark.parametrize("size", [384, {"shortest_edge": 384}, {"height": 224, "width": 224}])
def test_whole_pictures_that_are_squashed_are_reported(size: Any) -> None:
    _, notice = read_transformers(REGNET, {**CONVNEXT, "size": size})
    assert notice == (
        "is for images that transformers squashes to a square; regnety crops a square from their middle instead"
    )


def test_a_processor_that_does_not_normalise() -> None:
    shown = read_transformers(REGNET, {**CONVNEXT, "do_normalize": False})[0].preprocessing
    assert (shown.mean, shown.std) == ((0, 0, 0), (1, 1, 1))


def test_no_processor_is_said() -> None:
    metadata, notice = read_transformers(REGNET, None)
    assert metadata.preprocessing == Preprocessing()
    assert notice == "has no preprocessor_config.json, so ImageNet's preprocessing is assumed"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"model_type": "vit"}, "model_type is 'vit'; expected regnet"),
        ({"model_type": ["regnet"]}, "model_type is ['regnet']; expected regnet"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu'; a RegNet's is relu"),
        ({"layer_type": "z"}, "layer_type is 'z'; a RegNet's is x or y"),
        ({"depths": [1, 1]}, "hidden_sizes and depths must be equally long lists, got [24, 56, 152, 368] and [1, 1]"),
        ({"hidden_sizes": None}, "hidden_sizes and depths must be equally long lists, got None and "),
        ({"hidden_sizes": [24, 56, 152, "wide"]}, "width must be a whole number from 1 to "),
        ({"depths": [1, 1, 4, 0]}, "depth must be a whole number from 1 to "),
        ({"groups_width": 16}, "hidden_sizes [24, 56, 152, 368] are not multiples of groups_width 16"),
        ({"groups_width": 8.5}, "groups_width must be a whole number from 1 to 1048576, got 8.5"),
        ({"num_channels": "RGB"}, "num_channels must be a whole number from 1 to 1048576, got 'RGB'"),
        ({"embedding_size": None}, "stem_width must be "),
        ({"id2label": None, "num_labels": 1.5}, "num_labels must be a whole number from 0 to 1048576, got 1.5"),
    ],
)
def test_configs_that_are_refused(fields: dict[str, Any], problem: str) -> None:
    assert_refused({**REGNET, **fields}, CONVNEXT, problem)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"size": "large"}, "size must be a whole number from 1 to 1048576, got 'large'"),
        ({"size": {"longest_edge": 333}}, "size must be a whole number from 1 to 1048576, got None"),
        (
            {"size": 0, "do_center_crop": True, "crop_size": {"height": 224}},
            "size must be a whole number from 1 to 1048576, got 0",
        ),
        ({"resample": 5}, "resample is 5; supported are 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic"),
        ({"resample": [3]}, "resample must be a whole number from 0 to 5, got [3]"),
        ({"crop_pct": "all"}, "crop_pct must be "),
    ],
)
def test_processors_that_are_refused(fields: dict[str, Any], problem: str) -> None:
    assert_refused(REGNET, {**CONVNEXT, **fields}, problem)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [("config", name) for name in (*REGNET, "num_labels", "num_channels", "hidden_act")]
FIELDS += [("processor", name) for name in (*CONVNEXT, "do_center_crop", "crop_size", "do_normalize")]


@designs.examples(200)
@given(field=st.sampled_from(FIELDS), value=JSON)
def test_any_value_of_a_field_is_understood_or_refused_in_one_line(field: tuple[str, str], value: Any) -> None:
    place, name = field
    processor = {**CONVNEXT, "do_center_crop": True, "crop_size": {"height": 224}}
    config, processor = (
        ({**REGNET, name: value}, CONVNEXT) if place == "config" else (REGNET, {**processor, name: value})
    )
    message = ""
    try:
        read_transformers(config, processor)
    except (InvalidDesignError, WeightsError) as error:
        message = str(error)
    assert "\n" not in message


def test_what_transformers_writes_of_a_network_without_its_head(transformers: Any) -> None:
    network = transformers.RegNetModel(transformers.RegNetConfig(id2label={0: "a", 1: "b"}))
    config = {**network.config.to_dict(), "architectures": [type(network).__name__]}
    assert read_transformers(config, CONVNEXT)[0].num_classes == 0
