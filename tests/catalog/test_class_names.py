"""The class names that come with the package."""

from collections import Counter
from typing import Any

import pytest

from regnety import DataError, labels, list_weights, model_info


def test_imagenet_1k() -> None:
    names = labels("imagenet-1k")
    assert names is labels("imagenet-1k")
    assert len(names) == 1000
    assert (names[0], names[258], names[281], names[999]) == ("tench", "Samoyed", "tabby", "toilet tissue")
    assert len(set(names)) == 998


def test_imagenet_12k() -> None:
    names = labels("imagenet-12k")
    assert len(names) == 11_821
    assert (names[0], names[2], names[11_819], names[11_820]) == ("benthos", "person", "chipboard", "knothole")
    classes = Counter(names)
    several = [count for count in classes.values() if count > 1]
    assert (len(classes), len(several), sum(several), max(several)) == (10_966, 746, 1_601, 4)
    assert "Samoyed" in classes


@pytest.mark.parametrize("name", ["imagenet-1k", "imagenet-12k"])
def test_the_order_is_that_of_timms_models(name: str, timm: Any) -> None:
    """A name is the first of the words that timm has for the output of that index."""
    info = timm.data.ImageNetInfo(name)
    assert labels(name) == tuple(words.split(", ")[0] for words in info.label_descriptions())


def test_the_outputs_of_the_12k_weights_have_names(timm: Any) -> None:
    tags = [name for name in list_weights() if name.endswith("in12k")]
    assert tags == ["regnety_120.sw_in12k", "regnety_160.sw_in12k"]
    for name in tags:
        assert model_info(name).num_classes == len(labels("imagenet-12k"))
        config = timm.get_pretrained_cfg(name)
        assert timm.data.infer_imagenet_subset(config.to_dict()) == "imagenet-12k"


@pytest.mark.parametrize("name", ["cifar", "../labels/imagenet-1k", "README", ""])
def test_what_is_not_known(name: str) -> None:
    with pytest.raises(DataError) as error:
        labels(name)
    assert str(error.value) == f"no class names called {name!r}; there are imagenet-12k, imagenet-1k"


def test_tags_say_whose_names_they_have() -> None:
    sets = [published.label_set for name in list_weights() if (published := model_info(name).published)]
    assert (sets.count("imagenet-1k"), sets.count("imagenet-12k"), sets.count(None)) == (56, 2, 3)
