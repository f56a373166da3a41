"""The published weights: 30 models, 61 files, each with its own size, crop, licence and accuracy."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import goldens
from commands import python
from regnety.catalog.models import list_models, model_info
from regnety.catalog.published import LICENCES, PublishedWeights, list_weights, natural_key, published_models
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


def test_addresses_and_the_hashes_in_their_names() -> None:
    addresses = {weights.name: weights for weights in ALL if weights.url is not None}
    assert len(addresses) == 43
    assert [weights.url_sha256_prefix for name, weights in addresses.items() if name.endswith(".pycls_in1k")] == [
        *("e68ca334", "0db870e6", "c67e57ec", "dc900dbe", "54367f74", "f0d569f9"),
        *("0a48325c", "e7f3eb93", "721ba79a", "d64013cd", "ba464b29"),
    ]
    assert [name for name, weights in addresses.items() if weights.url_sha256_prefix is None] == [
        name for name in addresses if ".seer" in name
    ]
    files = [weights.url_path.name for weights in addresses.values() if weights.url_path]
    assert len(set(files)) == len(addresses), "each has a place of its own in the cache"
    assert model_info("regnetx_002").weights["pycls_in1k"].url_path is None


@pytest.mark.parametrize(
    ("url", "digits"),
    [
        ("https://example.org/regnety_002-e68ca334.pth", "e68ca334"),
        (f"https://example.org/a-{'0123456789abcdef' * 4}.safetensors", "0123456789abcdef" * 4),
        ("https://example.org/a-e68ca33.pth", None),
        ("https://example.org/a-E68CA334.pth", None),
        ("https://example.org/-e68ca334.d/model.torch", None),
        (None, None),
    ],
)
def test_a_hash_is_what_stands_before_the_suffix(url: str | None, digits: str | None) -> None:
    assert replace(ALL[0], url=url).url_sha256_prefix == digits


def test_every_licence_is_in_the_table() -> None:
    assert {weights.license for weights in ALL} == set(LICENCES)


def test_licences_that_forbid_commercial_use_have_a_notice() -> None:
    forbid = [weights.name for weights in ALL if weights.noncommercial]
    assert forbid == [weights.name for weights in ALL if weights.tag.startswith(("swag", "seer"))]
    assert [weights.name for weights in ALL if weights.licence_notice is not None] == forbid
    assert model_info("regnety_160.swag_ft_in1k").published is not None
    assert model_info("regnety_160").weights["swag_ft_in1k"].licence_notice == (
        "the weights regnety_160.swag_ft_in1k are not for commercial use: their licence is cc-by-nc-4.0, "
        "see https://huggingface.co/timm/regnety_160.swag_ft_in1k"
    )


def test_the_file_that_is_here_is_the_first_of_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    weights = model_info("regnety_002").weights["pycls_in1k"]
    assert weights.cached_file is None
    for name in ("regnety_002-e68ca334.pth", "regnety_002.pycls_in1k.pth", "regnety_002.pycls_in1k.safetensors"):
        (tmp_path / "weights" / name).touch()
        assert weights.cached_file == tmp_path / "weights" / name
    (tmp_path / "weights" / "regnetx_002.pycls_in1k.safetensors").mkdir()
    assert model_info("regnetx_002").weights["pycls_in1k"].cached_file is None, "a folder is no file"


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
        ("*.seer*", 7, "regnety_320.seer"),
        ("*_tv", 3, "regnetx_004_tv.tv2_in1k"),
        ("regnety_cifar10", 0, None),
        ("", 0, None),
    ],
)
def test_patterns_match_models_and_tags(pattern: str, count: int, first: str | None) -> None:
    names = list_weights(pattern)
    assert (len(names), next(iter(names), None)) == (count, first)
    assert names == sorted(names, key=natural_key)


def test_predict_does_not_read_the_published_weights(tmp_path: Path) -> None:
    code = "import sys, regnety; regnety.Bundle.load('regnety_tiny'); print('regnety.catalog.published' in sys.modules)"
    assert python(code).stdout == "False\n"


def test_facts_are_the_references(shared: Path) -> None:
    page = dict(addresses_of_the_page(shared))
    assert len(page) == 12
    reference = json.loads((shared / "reference" / "published_weights.json").read_text("utf-8"))
    assert sorted(reference) == sorted(set(list_models()) - {"regnety_tiny", "regnety_cifar10"})
    for model, facts in reference.items():
        info = model_info(model)
        design = info.design.as_dict()
        assert {field: design[field] for field in facts["architecture"]} == facts["architecture"]
        assert info.default_tag == facts["default_tag"]
        assert published_models()[model].timm_default_tag == facts["timm_default_tag"]
        assert list(info.weights) == list(facts["weights"])
        for tag, wanted in facts["weights"].items():
            url = wanted["url"] or page.get(info.weights[tag].name)
            assert as_the_reference(info.weights[tag]) == {**wanted, "url": url}


def addresses_of_the_page(shared: Path) -> Iterator[tuple[str, str]]:
    """The weights that a name of the model page means, and the page's address for them."""
    for url in re.findall(r"^  Weights: (\S+)$", (shared / "spec" / "regnety.md").read_text("utf-8"), re.MULTILINE):
        published = model_info(url.rpartition("/")[2].partition("-")[0].removesuffix("_ra")).published
        assert published is not None
        yield published.name, url


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
