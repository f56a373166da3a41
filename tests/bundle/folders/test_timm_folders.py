"""config.json as timm writes it, of this year and of others; what is refused by name; and what is written for it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import designs
from regnety.architecture.design import Design
from regnety.bundle.folders.timm import read_timm, timm_config
from regnety.catalog.models import EMBEDDED_MODELS, list_models, model_info
from regnety.errors import InvalidDesignError, WeightsError
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


def timm(**fields: Any) -> dict[str, Any]:
    """timm's, with some of the fields of pretrained_cfg otherwise."""
    return {**TIMM, "pretrained_cfg": {**TIMM["pretrained_cfg"], **fields}}


def test_timms_is_understood() -> None:
    metadata = read_timm(TIMM)
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
    assert read_timm(fields) == read_timm(TIMM)


def test_timms_arguments_make_another_design() -> None:
    arguments = {"depth": 5, "w0": 8, "wa": 12, "wm": 2, "group_size": 8, "bottle_ratio": 0.5, "se_ratio": 0.125}
    found = read_timm({**TIMM, "model_args": {**arguments, "stem_width": 16, "in_chans": 1, "drop_rate": 0.2}})
    assert found.design == Design(
        depth=5, w0=8, wa=12, wm=2, group_width=8, bottleneck_multiplier=0.5, se_ratio=0.125, stem_width=16
    )
    assert (found.in_chans, found.preprocessing.mean) == (1, (0.5,))


def test_the_number_of_channels_may_stand_in_the_input_size() -> None:
    assert read_timm(timm(input_size=[1, 192, 192])).in_chans == 1


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", 3], "abc", {"0": "a", "1": "b"}, None])
def test_names_that_are_not_one_for_each_class_are_none(names: Any) -> None:
    assert read_timm(timm(label_names=names)).labels is None


def test_names_may_be_a_table_by_index() -> None:
    assert read_timm(timm(label_names={"1": "b", "0": "a", "2": "c"})).labels == ("a", "b", "c")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"architecture": "resnet50"}, "architecture is 'resnet50', which is not a RegNet that regnety knows"),
        ({"architecture": "regnetv_040"}, "architecture is 'regnetv_040', which is not a RegNet"),
        ({"architecture": None}, "architecture is None, which is not a RegNet that regnety knows"),
        ({**TIMM, "model_args": {"act_layer": "silu"}}, "model_args has act_layer='silu', which no RegNet has"),
        ({**TIMM, "model_args": {"w0": "wide"}}, "w0 must be "),
        ({**TIMM, "model_args": [1]}, "pretrained_cfg and model_args must be tables"),
        ({**TIMM, "pretrained_cfg": "timm"}, "pretrained_cfg and model_args must be tables"),
        ({**TIMM, "num_classes": "3"}, "num_classes must be a whole number from 0 to 1048576, got '3'"),
        ({**TIMM, "num_classes": True}, "num_classes must be a whole number from 0 to 1048576, got True"),
        ({**TIMM, "model_args": {"in_chans": 2.5}}, "in_chans must be a whole number from 1 to 1048576, got 2.5"),
        ({**TIMM, "num_classes": 10**12}, "num_classes must be a whole number from 0 to 1048576, got 1000000000000"),
        (timm(input_size=[10**12, 224, 224]), "in_chans must be a whole number from 1 to 1048576, got 1000000000000"),
        (timm(crop_mode="squash"), "crop_mode is 'squash'; only center is supported"),
        (timm(crop_pct=2), "crop_pct must be "),
        (timm(crop_pct="0.9"), "crop_pct must be "),
        (timm(input_size=[3, 2.5, 2]), "input_size is (3, 2.5, 2); only squares are supported"),
        (timm(interpolation="random"), "interpolation must be one of "),
        (timm(mean=["a", "b", "c"]), "mean must be a number for each channel, got "),
        (timm(std=[0, 0, 0]), "std must be a positive number for each of 3 channels"),
    ],
)
def test_what_is_no_model_of_ours_is_refused(config: dict[str, Any], problem: str) -> None:
    assert_refused(config, problem)


def assert_refused(config: dict[str, Any], problem: str) -> None:
    with pytest.raises((InvalidDesignError, WeightsError)) as error:
        read_timm(config)
    assert str(error.value).startswith(problem)
    assert "\n" not in str(error.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [("config", name) for name in (*TIMM, "model_args")]
FIELDS += [("pretrained_cfg", name) for name in TIMM["pretrained_cfg"]]
FIELDS += [("model_args", name) for name in ("depth", "w0", "wa", "wm", "group_size", "se_ratio", "in_chans")]


@designs.examples(250)
@given(field=st.sampled_from(FIELDS), value=JSON)
def test_any_value_of_a_field_of_timms_is_understood_or_refused_in_one_line(field: tuple[str, str], value: Any) -> None:
    place, name = field
    message = ""
    try:
        read_timm(
            {
                "config": {**TIMM, name: value},
                "pretrained_cfg": timm(**{name: value}),
                "model_args": {**TIMM, "model_args": {name: value}},
            }[place]
        )
    except (InvalidDesignError, WeightsError) as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize("name", [name for name in list_models() if name not in EMBEDDED_MODELS])
def test_the_name_in_a_config_for_timm_is_the_models_own(name: str) -> None:
    config = timm_config(model_info(name).design.architecture(3), Preprocessing())
    assert config["architecture"] == name
    assert read_timm(config).design == model_info(name).design


@pytest.mark.parametrize(("changes", "name"), [({"depth": 17}, "regnety_002"), ({"se_ratio": 0.0}, "regnetx_002")])
def test_a_design_without_a_name_is_written_under_a_neutral_one(changes: dict[str, Any], name: str) -> None:
    design = replace(model_info("regnety_004").design, **changes)
    config = timm_config(design.architecture(3), Preprocessing())
    assert config["architecture"] == name
    assert read_timm(config).design == design
