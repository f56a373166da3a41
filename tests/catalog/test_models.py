"""Names of models, and the design that each stands for."""

from typing import Any

import pytest

import goldens
from regnety.architecture.design import Design
from regnety.catalog.models import EMBEDDED_MODEL, embedded_bundle, list_models, model_info
from regnety.errors import UnknownModelError

PUBLISHED = sorted(goldens.state_dict_shapes())


def test_catalog_holds_the_published_models_and_the_embedded_one() -> None:
    assert len(PUBLISHED) == 30
    assert list_models() == sorted([*PUBLISHED, "regnety_cifar10"])


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("regnety_002", ["regnety_002"]),
        ("regnetx_004*", ["regnetx_004", "regnetx_004_tv"]),
        ("*_tv", ["regnetx_004_tv", "regnety_008_tv", "regnety_080_tv"]),
        ("regnety_00?", ["regnety_002", "regnety_004", "regnety_006", "regnety_008"]),
        ("regnetx_[1-3]*", ["regnetx_120", "regnetx_160", "regnetx_320"]),
        ("REGNETY_002", []),
        ("regnety", []),
        ("", []),
    ],
)
def test_patterns_are_the_shells(pattern: str, names: list[str]) -> None:
    assert list_models(pattern) == names


def test_families_are_told_apart() -> None:
    assert (len(list_models("regnetx_*")), len(list_models("regnety_*"))) == (13, 18)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_model_is_a_design_for_imagenet(name: str) -> None:
    info = model_info(name)
    assert (info.name, info.num_classes) == (name, 1000)
    assert isinstance(info.design, Design)
    assert info.design.se_ratio == (0.25 if name.startswith("regnety") else 0)
    assert info.design.group_min_ratio == (0.9 if name.endswith("_tv") else 0)
    assert len(info.design.grouped_widths()) == 4


def test_embedded_model_has_ten_classes_and_its_weights() -> None:
    assert EMBEDDED_MODEL == "regnety_cifar10"
    assert model_info(EMBEDDED_MODEL).num_classes == 10
    assert (embedded_bundle() / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("regnety_003", "did you mean regnety_"),
        ("RegNetY_002", "did you mean regnety_002, "),
        ("regnety_16", "did you mean regnety_160, regnety_016, "),
        ("regnety_*", "did you mean regnety_"),
        ("regnety_003.tv2_in1k", "did you mean regnety_"),
        ("", ""),
        ("resnet50", ""),
        (5, ""),
        (None, ""),
    ],
)
def test_unknown_name_is_refused_with_similar_ones(name: Any, message: str) -> None:
    with pytest.raises(UnknownModelError) as raised:
        model_info(name)
    assert str(raised.value).startswith(f"no model named {name!r}; {message}")
    assert str(raised.value).endswith("`regnety models` lists all")
    assert len(str(raised.value)) < 140


def test_a_tag_names_other_weights_of_the_same_design() -> None:
    plain, tagged = model_info("regnety_120"), model_info("regnety_120.sw_in12k")
    assert (plain.name, plain.tag, plain.num_classes) == ("regnety_120", None, 1000)
    assert (tagged.name, tagged.tag, tagged.num_classes) == ("regnety_120", "sw_in12k", 11821)
    assert tagged.design == plain.design
    assert plain.published is plain.weights["pycls_in1k"]
    assert tagged.published is plain.weights["sw_in12k"]


def test_the_embedded_model_has_no_published_weights() -> None:
    info = model_info(EMBEDDED_MODEL)
    assert (info.default_tag, dict(info.weights), info.published) == (None, {}, None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "regnety_032.a_in1k",
            "regnety_032 has no published weights tagged 'a_in1k'; its tags: ra_in1k, tv2_in1k, pycls_in1k",
        ),
        ("regnety_032.", "regnety_032 has no published weights tagged ''; its tags: ra_in1k, tv2_in1k, pycls_in1k"),
        ("regnety_cifar10.x", "regnety_cifar10 has no published weights tagged 'x'; its tags: none"),
    ],
)
def test_unknown_tag_is_refused_with_the_known_ones(name: str, message: str) -> None:
    with pytest.raises(UnknownModelError) as raised:
        model_info(name)
    assert str(raised.value) == message


def test_models_with_weights_have_their_tags() -> None:
    assert list_models("regnety_016", pretrained=True) == ["regnety_016.pycls_in1k", "regnety_016.tv2_in1k"]
    assert len(list_models(pretrained=True)) == 61
