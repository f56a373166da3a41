"""The mean of the weights of several models."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bundles import SMALL, small_bundle
from regnety import Bundle, WeightsError, average_models


def test_the_weights_are_the_mean_and_the_rest_is_the_firsts() -> None:
    bundles = [small_bundle(seed=seed, provenance={"recipe": "mine", "seed": seed}) for seed in range(3)]
    average = average_models(bundles)
    assert average.labels == bundles[0].labels
    assert average.preprocessing == SMALL
    assert dict(average.provenance) == {"recipe": "mine", "averaged_from": ["small", "small", "small"]}
    for key, value in average.weights.items():
        values = [np.asarray(bundle.weights[key]) for bundle in bundles]
        if value.dtype == np.float32:
            np.testing.assert_allclose(value, np.mean(values, axis=0, dtype=np.float64), rtol=1e-6, err_msg=key)
        else:
            assert value == values[0], key


def test_folders_and_files(tmp_path: Path) -> None:
    bundles = [small_bundle(seed=seed) for seed in range(2)]
    folders = [bundle.save(tmp_path / str(number)) for number, bundle in enumerate(bundles)]
    found = average_models([folders[0], str(folders[1])]).save(tmp_path / "average")
    expected = average_models(bundles)
    loaded = Bundle.load(found)
    assert loaded.provenance["averaged_from"] == ["0", "1"]
    for key in expected.stored_keys():
        np.testing.assert_array_equal(loaded.weights[key], expected.weights[key], err_msg=key)


def test_what_cannot_be_averaged() -> None:
    one = small_bundle(name="one")
    with pytest.raises(WeightsError, match=r"^average: takes at least two models, .*; got 1$"):
        average_models([one])
    for other, field in (
        (small_bundle(("white", "red", "green", "blue"), name="two"), "class names"),
        (small_bundle(preprocessing=dataclasses.replace(SMALL, image_size=40), name="two"), "preprocessing"),
        (small_bundle(("blue", "green"), name="two"), "number of classes"),
    ):
        with pytest.raises(WeightsError, match=f"^two: differs from one in its {field}; "):
            average_models([one, other])


def test_models_that_are_no_neighbours_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    bundles = [small_bundle(seed=seed, name=f"run{seed}", provenance={"seed": seed}) for seed in range(2)]
    average_models(bundles)
    assert "run1: began with other random weights than run0 (seeds 1 and 0)" in capsys.readouterr().err
    fitted = [
        small_bundle(seed=seed, name=f"run{seed}", provenance={"seed": seed, "base": "regnety_016"})
        for seed in range(2)
    ]
    average_models(fitted)
    average_models([bundles[0], bundles[0]])
    average_models(bundles, quiet=True)
    assert capsys.readouterr().err == ""
