"""Names of models, and the design that each stands for."""

from typing import Any

import pytest

import goldens
from regnety.architecture.design import Design
from regnety.catalog.model_page import page_models
from regnety.catalog.models import (
    DEFAULT_MODEL,
    EMBEDDED_MODELS,
    embedded_bundle,
    is_model,
    is_model_pretrained,
    list_models,
    list_pretrained,
    model_info,
)
from regnety.catalog.published import published_models
from regnety.errors import UnknownModelError

PUBLISHED = sorted(goldens.state_dict_shapes())


def test_catalog_holds_the_published_models_and_the_embedded_ones() -> None:
    assert len(PUBLISHED) == 30
    assert sorted(list_models()) == sorted([*PUBLISHED, *EMBEDDED_MODELS])
    assert list_models()[-3:] == ["regnety_2560", "regnety_cifar10", "regnety_tiny"]


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
        ([], list_models()),
        (["regnety_00[24]", "regnetx_002"], ["regnetx_002", "regnety_002", "regnety_004"]),
        (("*_tv", ""), ["regnetx_004_tv", "regnety_008_tv", "regnety_080_tv"]),
    ],
)
def test_patterns_are_the_shells(pattern: Any, names: list[str]) -> None:
    assert list_models(pattern) == names


FILTERS: list[tuple[Any, ...]] = [
    ("*",),
    ("regnety_0*", "", False, "*_tv"),
    (["regnety_00*", "regnetx_1*"], "", False, ["*_006", "regnetx_12*"]),
    ("regnety_032", "", True),
    ("regnety_*", "regnet", True, "*.pycls_in1k"),
    ("regnety_*", "regnet", True, ["regnety_0*", "*.sw*"]),
    ("*.tv2_in1k", "", True),
    ("*.tv2_in1k", "", False),
    ("regnety_016*", "", False, "", False, True),
    ("regnety_1*", "", True, "", False, False),
    ("regnet[xy]*", "", False, "", True),
    ("regnet[xy]*", ["resnet", "regnet"], True, (), True),
    ("regnety*", "resnet"),
    ("regnety_002.pycls*", "", True, "regnety_002"),
]


@pytest.mark.parametrize("arguments", FILTERS, ids=str)
def test_names_are_listed_as_timm_lists_them(arguments: tuple[Any, ...], timm: Any) -> None:
    """But for the models of other families, and those that come with the package."""
    theirs = timm.list_models(*arguments)
    ours = [name for name in list_models(*arguments) if name not in EMBEDDED_MODELS]
    assert ours == [name for name in theirs if name.startswith(("regnety", "regnetx")) and "sgn" not in name]


@pytest.mark.parametrize(("filter", "excluded"), [("regnety_0*", ""), (["*.tv2_in1k", "*.ra3*"], "regnetx*")])
def test_pretrained_ones_are_listed_as_timm_lists_them(filter: Any, excluded: str, timm: Any) -> None:
    theirs = [name for name in timm.list_pretrained(filter, excluded) if name.startswith(("regnety", "regnetx"))]
    assert list_pretrained(filter, excluded) == theirs != []


@pytest.mark.parametrize("name", ["regnety_032", "regnety_032.ra_in1k", "regnety_032.x", "regnety_33", "resnet50", ""])
def test_what_is_a_model_is_told_as_timm_tells_it(name: str, timm: Any) -> None:
    if name != "resnet50":
        assert (is_model(name), is_model_pretrained(name)) == (timm.is_model(name), timm.is_model_pretrained(name))
    else:
        assert (is_model(name), is_model_pretrained(name)) == (False, False)


@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_an_embedded_model_is_one_without_published_weights(name: str) -> None:
    assert (is_model(name), is_model_pretrained(name)) == (True, False)
    assert is_model("regnet_y_400mf")
    assert name in list_models("regnety*", exclude_filters="*_0*")
    assert name in list_models("*", include_tags=True)
    assert name not in list_models(name_matches_cfg=True)


@pytest.mark.parametrize("name", ["regnetz_040", "regnetv_064", "regnetz_040.ra3_in1k", "RegNetZ_005"])
def test_other_families_are_called_so(name: str) -> None:
    with pytest.raises(UnknownModelError) as error:
        model_info(name)
    family = "RegNetV" if "v" in name else "RegNetZ"
    assert str(error.value) == (
        f"no model named {name!r}; {family} is another family, which timm has; regnety has RegNetX and "
        "RegNetY: `regnety models`"
    )


def test_timms_plain_names_mean_what_they_mean_in_timm(timm: Any) -> None:
    moved = {}
    for name, published in published_models().items():
        assert timm.get_pretrained_cfg(name).tag == published.timm_default_tag
        if published.timm_default_tag != published.default_tag:
            moved[name] = published.timm_default_tag
    assert set(moved) < set(page_models())
    assert len(moved) == 8


def test_families_are_told_apart() -> None:
    assert (len(list_models("regnetx_*")), len(list_models("regnety_*"))) == (13, 19)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_model_is_a_design_for_imagenet(name: str) -> None:
    info = model_info(name)
    assert (info.name, info.num_classes) == (name, 1000)
    assert isinstance(info.design, Design)
    assert info.design.se_ratio == (0.25 if name.startswith("regnety") else 0)
    assert info.design.group_min_ratio == (0.9 if name.endswith("_tv") else 0)
    assert len(info.design.grouped_widths()) == 4


@pytest.mark.parametrize(("name", "num_classes"), [("regnety_tiny", 200), ("regnety_cifar10", 10)])
def test_an_embedded_model_has_its_classes_and_its_weights(name: str, num_classes: int) -> None:
    assert DEFAULT_MODEL == EMBEDDED_MODELS[0] == "regnety_tiny"
    assert model_info(name).num_classes == num_classes
    assert (embedded_bundle(name) / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("regnety_003", "did you mean regnety_"),
        ("RegNetY_002", "did you mean regnety_002, "),
        ("regnety_04", "did you mean regnety_040, "),
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
    other = "regnety has only RegNets: `regnety models` lists them"
    assert str(raised.value).endswith(other if name == "resnet50" else "`regnety models` lists all")
    assert len(str(raised.value)) < 140


def test_a_tag_names_other_weights_of_the_same_design() -> None:
    plain, tagged = model_info("regnety_120"), model_info("regnety_120.sw_in12k")
    assert (plain.name, plain.tag, plain.num_classes) == ("regnety_120", None, 1000)
    assert (tagged.name, tagged.tag, tagged.num_classes) == ("regnety_120", "sw_in12k", 11821)
    assert tagged.design == plain.design
    assert plain.published is plain.weights["pycls_in1k"]
    assert tagged.published is plain.weights["sw_in12k"]


@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_an_embedded_model_has_no_published_weights(name: str) -> None:
    info = model_info(name)
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
