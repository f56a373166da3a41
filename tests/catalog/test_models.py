"""Names of models, and the design that each stands for."""

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


@pytest.mark.parametrize("name", ["regnety_003", "RegNetY_002", "", "regnety_16", "regnety_*"])
def test_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownModelError) as raised:
        model_info(name)
    assert str(raised.value).startswith(f"no model named {name!r}; known: regnetx_002, ")
    assert all(known in str(raised.value) for known in list_models())
