"""config.json as timm and transformers write it, of this year and of others; and what is refused by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import designs
from regnety.architecture.design import Design
from regnety.bundle.hub_config import HubConfig, read_hub_config
from regnety.catalog.models import model_info
from regnety.errors import WeightsError
from regnety.preprocessing import Preprocessing

TIMM: dict[str, Any] = {
    "architecture": "regnety_004",
    "num_classes": 3,
    "pretrained_cfg": {
        "tag": "mine",
        "license": "cc0-1.0",
        "input_size": [3, 192, 192],
        "test_input_size": [3, 256, 256],
        "test_crop_pct": 1.0,
        "interpolation": "bilinear",
        "crop_pct": 0.9,
        "crop_mode": "center",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "num_classes": 1000,
        "label_names": ["a", "b", "c"],
    },
}
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


def read(config: dict[str, Any], processor: dict[str, Any] | None = None) -> HubConfig:
    found = read_hub_config(config, processor, source="birds/config.json")
    assert found is not None
    return found


def timm(**fields: Any) -> dict[str, Any]:
    """timm's, with some of the fields of pretrained_cfg otherwise."""
    return {**TIMM, "pretrained_cfg": {**TIMM["pretrained_cfg"], **fields}}


def test_timms_is_understood() -> None:
    found = read(TIMM)
    metadata = found.metadata
    assert (found.owner, found.notice) == ("timm", None)
    assert metadata.design == model_info("regnety_004").design
    assert (metadata.num_classes, metadata.in_chans, metadata.labels) == (3, 3, ("a", "b", "c"))
    assert metadata.provenance == {"license": "cc0-1.0", "tag": "mine"}
    assert metadata.preprocessing == Preprocessing(
        image_size=192,
        crop_pct=0.9,
        interpolation="bilinear",
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        test_image_size=256,
        test_crop_pct=1.0,
    )


def test_timms_older_files_have_the_fields_at_the_top() -> None:
    """As timm 0.4 to 0.8 wrote them, `labels` for the names."""
    fields = {**TIMM["pretrained_cfg"], "architecture": "regnety_004", "num_classes": 3, "labels": ["a", "b", "c"]}
    del fields["label_names"]
    assert read(fields).metadata == read(TIMM).metadata


def test_timms_arguments_make_another_design() -> None:
    arguments = {"depth": 5, "w0": 8, "wa": 12, "wm": 2, "group_size": 8, "bottle_ratio": 0.5, "se_ratio": 0.125}
    found = read({**TIMM, "model_args": {**arguments, "stem_width": 16, "in_chans": 1, "drop_rate": 0.2}})
    assert found.metadata.design == Design(
        depth=5, w0=8, wa=12, wm=2, group_width=8, bottleneck_multiplier=0.5, se_ratio=0.125, stem_width=16
    )
    assert (found.metadata.in_chans, found.metadata.preprocessing.mean) == (1, (0.5,))


def test_the_number_of_channels_may_stand_in_the_input_size() -> None:
    assert read(timm(input_size=[1, 192, 192])).metadata.in_chans == 1


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", 3], "abc", {"0": "a", "1": "b"}, None])
def test_names_that_are_not_one_for_each_class_are_none(names: Any) -> None:
    assert read(timm(label_names=names)).metadata.labels is None


def test_names_may_be_a_table_by_index() -> None:
    assert read(timm(label_names={"1": "b", "0": "a", "2": "c"})).metadata.labels == ("a", "b", "c")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"architecture": "resnet50"}, "is of the model 'resnet50', which is none of the RegNets that are known here"),
        ({"architecture": "regnetv_040"}, "is of the model 'regnetv_040', which is none of the RegNets"),
        ({"architecture": None}, "is of the model None, which is none of the RegNets that are known here"),
        ({**TIMM, "model_args": {"act_layer": "silu"}}, "model_args has act_layer='silu', which no RegNet here has"),
        ({**TIMM, "model_args": {"w0": "wide"}}, "w0 must be "),
        ({**TIMM, "model_args": [1]}, "pretrained_cfg and model_args must be tables"),
        ({**TIMM, "pretrained_cfg": "timm"}, "pretrained_cfg and model_args must be tables"),
        ({**TIMM, "num_classes": "3"}, "num_classes must be a whole number from 0 to 1048576, got '3'"),
        ({**TIMM, "num_classes": True}, "num_classes must be a whole number from 0 to 1048576, got True"),
        ({**TIMM, "model_args": {"in_chans": 2.5}}, "in_chans must be a whole number from 1 to 1048576, got 2.5"),
        ({**TIMM, "num_classes": 10**12}, "num_classes must be a whole number from 0 to 1048576, got 1000000000000"),
        (timm(input_size=[10**12, 224, 224]), "in_chans must be a whole number from 1 to 1048576, got 1000000000000"),
        (timm(crop_mode="squash"), "crop_mode is 'squash', center is what is done here"),
        (timm(crop_pct=2), "crop_pct must be "),
        (timm(crop_pct="0.9"), "crop_pct must be "),
        (timm(input_size=[3, 2.5, 2]), "input_size must be a whole number, got 2.5"),
        (timm(interpolation="random"), "interpolation must be one of "),
        (timm(mean=["a", "b", "c"]), "mean must be a number for each channel, got "),
        (timm(std=[0, 0, 0]), "std must be a positive number for each of 3 channels"),
    ],
)
def test_timms_that_cannot_be_had(config: dict[str, Any], problem: str) -> None:
    assert_refused(config, None, problem)


def assert_refused(config: dict[str, Any], processor: dict[str, Any] | None, problem: str) -> None:
    with pytest.raises(WeightsError) as error:
        read(config, processor)
    assert str(error.value).startswith(f"birds/config.json: {problem}")
    assert "\n" not in str(error.value)


def test_transformers_is_understood() -> None:
    found = read(REGNET, CONVNEXT)
    metadata = found.metadata
    assert (found.owner, found.notice) == ("transformers", None)
    assert metadata.design.fitted_stages() == model_info("regnety_002").design.fitted_stages()
    assert (metadata.num_classes, metadata.in_chans, metadata.labels) == (2, 3, ("a", "b"))
    assert metadata.preprocessing == Preprocessing(
        image_size=200, crop_pct=0.9, interpolation="bilinear", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)
    )


def test_a_regnet_without_squeezing_and_a_first_stage_without_stride() -> None:
    found = read({**REGNET, "layer_type": "x", "downsample_in_first_stage": False}, CONVNEXT)
    assert found.metadata.design.se_ratio == 0
    assert [stage.stride for stage in found.metadata.design.fitted_stages()] == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("fields", "num_classes"),
    [
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}}, 3),
        ({"id2label": None}, 2),
        ({"id2label": {}, "num_labels": 7}, 7),
        ({"architectures": ["RegNetModel"]}, 0),
    ],
)
def test_classes_that_nobody_named_have_no_names(fields: dict[str, Any], num_classes: int) -> None:
    metadata = read({**REGNET, **fields}, CONVNEXT).metadata
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
    found = read(REGNET, processor)
    shown = found.metadata.preprocessing
    assert (shown.image_size, shown.resize_size, shown.interpolation) == (image_size, resize_size, "bicubic")
    assert found.notice is None


@pytest.mark.parametrize("size", [384, {"shortest_edge": 384}, {"height": 224, "width": 224}])
def test_whole_pictures_that_are_squashed_are_said_to_be(size: Any) -> None:
    found = read(REGNET, {**CONVNEXT, "size": size})
    assert found.notice == (
        "has its pictures squashed to a square by transformers; here the square in their middle is cut out"
    )


def test_a_processor_that_does_not_normalise() -> None:
    shown = read(REGNET, {**CONVNEXT, "do_normalize": False}).metadata.preprocessing
    assert (shown.mean, shown.std) == ((0, 0, 0), (1, 1, 1))


def test_no_processor_is_said() -> None:
    found = read(REGNET)
    assert found.metadata.preprocessing == Preprocessing()
    assert found.notice == "has no preprocessor_config.json, and ImageNet's preprocessing is assumed"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"model_type": "vit"}, "is of a model of the kind 'vit', not of a RegNet"),
        ({"model_type": ["regnet"]}, "is of a model of the kind ['regnet'], not of a RegNet"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu', a RegNet's is relu"),
        ({"layer_type": "z"}, "layer_type is 'z', a RegNet's is x or y"),
        ({"depths": [1, 1]}, "hidden_sizes and depths must be equally long lists, got [24, 56, 152, 368] and [1, 1]"),
        ({"hidden_sizes": None}, "hidden_sizes and depths must be equally long lists, got None and "),
        ({"hidden_sizes": [24, 56, 152, "wide"]}, ""),
        ({"depths": [1, 1, 4, 0]}, ""),
        ({"groups_width": 16}, "hidden_sizes [24, 56, 152, 368] are no multiples of groups_width 16"),
        ({"groups_width": 8.5}, "groups_width must be a whole number, got 8.5"),
        ({"num_channels": "RGB"}, "num_channels must be a whole number from 1 to 1048576, got 'RGB'"),
        ({"embedding_size": None}, "stem_width must be "),
        ({"id2label": None, "num_labels": 1.5}, "num_labels must be a whole number from 0 to 1048576, got 1.5"),
    ],
)
def test_transformers_that_cannot_be_had(fields: dict[str, Any], problem: str) -> None:
    assert_refused({**REGNET, **fields}, CONVNEXT, problem)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"size": "large"}, "size must be a whole number, got 'large'"),
        ({"size": {"longest_edge": 333}}, "size must be a whole number, got None"),
        ({"size": 0, "do_center_crop": True, "crop_size": {"height": 224}}, "size must be at least 1 pixel, got 0"),
        ({"resample": 5}, "resample is 5, what can be done here is 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic"),
        ({"resample": [3]}, "resample must be a whole number, got [3]"),
        ({"crop_pct": "all"}, "crop_pct must be "),
    ],
)
def test_processors_that_cannot_be_had(fields: dict[str, Any], problem: str) -> None:
    assert_refused(REGNET, {**CONVNEXT, **fields}, problem)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [("timm", name) for name in (*TIMM, "model_args")]
FIELDS += [("pretrained_cfg", name) for name in TIMM["pretrained_cfg"]]
FIELDS += [("model_args", name) for name in ("depth", "w0", "wa", "wm", "group_size", "se_ratio", "in_chans")]
FIELDS += [("transformers", name) for name in (*REGNET, "num_labels", "num_channels", "hidden_act")]
FIELDS += [("processor", name) for name in (*CONVNEXT, "do_center_crop", "crop_size", "do_normalize")]


@designs.examples(400)
@given(field=st.sampled_from(FIELDS), value=JSON)
def test_whatever_stands_in_a_field_is_understood_or_refused_in_one_line(field: tuple[str, str], value: Any) -> None:
    place, name = field
    config = {
        "timm": {**TIMM, name: value},
        "pretrained_cfg": timm(**{name: value}),
        "model_args": {**TIMM, "model_args": {name: value}},
    }.get(place, {**REGNET, name: value} if place == "transformers" else REGNET)
    processor = {**CONVNEXT, "do_center_crop": True, "crop_size": {"height": 224}}
    try:
        read(config, {**processor, name: value} if place == "processor" else CONVNEXT)
    except WeightsError as error:
        message = str(error)
    else:
        return
    assert message.startswith("birds/config.json: ")
    assert "\n" not in message


@pytest.mark.parametrize("config", [{}, {"regnety": {}}, {"num_classes": 3}])
def test_nobody_elses(config: dict[str, Any]) -> None:
    assert read_hub_config(config, None, source="x") is None


def test_what_transformers_writes_of_a_network_without_its_head(transformers: Any) -> None:
    network = transformers.RegNetModel(transformers.RegNetConfig(id2label={0: "a", 1: "b"}))
    config = {**network.config.to_dict(), "architectures": [type(network).__name__]}
    assert read(config, CONVNEXT).metadata.num_classes == 0
