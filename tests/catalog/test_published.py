"""The published weights: 30 models, 61 files, each with its own size, crop, licence and accuracy."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import goldens
from commands import python
from regnety.catalog.models import list_models, model_info
from regnety.catalog.published import PublishedWeights, list_weights, published_models
from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

ALL = [weights for model in published_models().values() for weights in model.weights.values()]
PAGE = ("002", "004", "006", "008", "016", "032", "040", "064", "080", "120", "160", "320")
"""The sizes of the model page, whose names mean the page's weights."""


def sizes(preprocessing: Preprocessing) -> tuple[Any, ...]:
    return (
        preprocessing.image_size,
        preprocessing.crop_pct,
        preprocessing.test_image_size,
        preprocessing.test_crop_pct,
    )


def test_counts() -> None:
    assert (len(published_models()), len(ALL), len(list_weights())) == (30, 61, 61)
    assert sorted(published_models()) == sorted(goldens.state_dict_shapes())
    assert Counter(weights.license for weights in ALL) == {
        "mit": 24,
        "bsd-3-clause": 14,
        "apache-2.0": 10,
        "seer-license": 7,
        "cc-by-nc-4.0": 6,
    }
    assert Counter(weights.num_classes for weights in ALL) == {1000: 56, 11821: 2, 0: 3}
    assert Counter(sizes(weights.preprocessing) for weights in ALL) == {
        (224, 0.95, 288, 1.0): 10,
        (224, 0.965, None, None): 20,
        (224, 0.875, None, None): 24,
        (384, 1.0, None, None): 7,
    }


@pytest.mark.parametrize("weights", ALL, ids=lambda weights: weights.name)
def test_every_one_is_complete(weights: PublishedWeights) -> None:
    assert weights.hub_repo == f"timm/{weights.name}"
    assert weights.url is None or weights.url.startswith("https://")
    preprocessing = weights.preprocessing
    assert (preprocessing.interpolation, preprocessing.mean, preprocessing.std) == (
        "bicubic",
        IMAGENET_MEAN,
        IMAGENET_STD,
    )
    assert preprocessing.exif_orientation is False
    assert bool(weights.imagenet) == (weights.num_classes == 1000)
    for row in weights.imagenet:
        assert 50 < row.top1 < row.top5 < 100
    if weights.imagenet:
        assert weights.accuracy(preprocessing)
    info = model_info(weights.name)
    assert (info.published, info.num_classes) == (weights, weights.num_classes)


def test_the_pages_names_mean_the_pages_weights() -> None:
    tags = {size: model_info(f"regnety_{size}").default_tag for size in PAGE}
    assert tags == {**dict.fromkeys(PAGE, "pycls_in1k"), "032": "ra_in1k"}


def test_figures_of_regnety_032() -> None:
    info = model_info("regnety_032")
    assert list(info.weights) == ["ra_in1k", "tv2_in1k", "pycls_in1k"]
    weights = info.weights["ra_in1k"]
    assert weights.url is not None
    assert weights.url.endswith("/regnety_032_ra-7f2439f9.pth")
    at_training_size = weights.accuracy(weights.preprocessing)
    at_test_size = weights.accuracy(weights.preprocessing.at_test_size())
    assert at_training_size is not None
    assert at_test_size is not None
    assert (at_training_size.top1, at_training_size.top5) == (81.948, 95.972)
    assert (at_test_size.top1, at_test_size.top5) == (82.724, 96.426)
    assert weights.accuracy(Preprocessing()) is None
    assert [row.top1 for row in info.weights["pycls_in1k"].imagenet] == [78.902]


@pytest.mark.parametrize(
    ("pattern", "count", "first"),
    [
        ("*", 61, "regnetx_002.pycls_in1k"),
        ("regnety_032", 3, "regnety_032.pycls_in1k"),
        ("regnety_032.*", 3, "regnety_032.pycls_in1k"),
        ("regnety_032.tv2_in1k", 1, "regnety_032.tv2_in1k"),
        ("*.seer*", 7, "regnety_1280.seer"),
        ("*_tv", 3, "regnetx_004_tv.tv2_in1k"),
        ("regnety_cifar10", 0, None),
        ("", 0, None),
    ],
)
def test_patterns_match_models_and_tags(pattern: str, count: int, first: str | None) -> None:
    names = list_weights(pattern)
    assert (len(names), next(iter(names), None)) == (count, first)
    assert names == sorted(names)


def test_predict_does_not_read_the_published_weights(tmp_path: Path) -> None:
    code = (
        "import sys, regnety; regnety.Bundle.load('regnety_cifar10'); print('regnety.catalog.published' in sys.modules)"
    )
    assert python(code).stdout == "False\n"


def test_facts_are_the_references(shared: Path) -> None:
    reference = json.loads((shared / "reference" / "published_weights.json").read_text("utf-8"))
    assert sorted(reference) == sorted(set(list_models()) - {"regnety_cifar10"})
    for model, facts in reference.items():
        info = model_info(model)
        design = info.design.as_dict()
        assert {field: design[field] for field in facts["architecture"]} == facts["architecture"]
        assert info.default_tag == facts["default_tag"]
        assert list(info.weights) == list(facts["weights"])
        for tag, wanted in facts["weights"].items():
            assert as_the_reference(info.weights[tag]) == wanted


def as_the_reference(weights: PublishedWeights) -> dict[str, Any]:
    preprocessing, test = weights.preprocessing, weights.preprocessing.at_test_size()
    return {
        "hub_repo": weights.hub_repo,
        "url": weights.url,
        "num_classes": weights.num_classes,
        "image_size": preprocessing.image_size,
        "test_image_size": test.image_size,
        "crop_pct": preprocessing.crop_pct,
        "test_crop_pct": test.crop_pct,
        "interpolation": preprocessing.interpolation,
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "license": weights.license,
        "imagenet": [
            {"image_size": row.image_size, "crop_pct": row.crop_pct, "top1": row.top1, "top5": row.top5}
            for row in weights.imagenet
        ]
        or None,
    }
