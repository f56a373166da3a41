"""The class names that come with the package."""

import pytest

from regnety import DataError, labels, list_weights, model_info


def test_imagenet() -> None:
    names = labels("imagenet-1k")
    assert names is labels("imagenet-1k")
    assert len(names) == 1000
    assert (names[0], names[258], names[281], names[999]) == ("tench", "Samoyed", "tabby", "toilet tissue")
    assert len(set(names)) == 998


def test_what_is_not_known() -> None:
    with pytest.raises(DataError, match=r"^no class names called 'cifar'; there are imagenet-1k$"):
        labels("cifar")


def test_tags_say_whose_names_they_have() -> None:
    sets = [published.label_set for name in list_weights() if (published := model_info(name).published)]
    assert (sets.count("imagenet-1k"), sets.count(None)) == (56, 5)
