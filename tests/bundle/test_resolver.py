"""MODEL: a name, or the folder of a bundle."""

from pathlib import Path

import pytest

from bundles import small_bundle
from regnety import Bundle, Predictor, UnknownModelError, WeightsError


def test_a_bundle_is_itself() -> None:
    bundle = small_bundle()
    assert Bundle.load(bundle) is bundle


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_is_named_as_it_was_given(kind: type, tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "birds")
    assert Bundle.load(kind(folder)).name == str(folder)


def test_the_embedded_model_is_there() -> None:
    bundle = Bundle.load("regnety_cifar10")
    assert bundle.name == "regnety_cifar10"
    assert bundle.labels is not None
    assert {"cat", "dog"} <= set(bundle.labels)
    assert len(bundle.labels) == bundle.metadata.num_classes == 10
    assert Predictor().bundle.metadata == bundle.metadata


def test_a_name_wins_over_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_bundle().save("regnety_cifar10")
    assert Bundle.load("regnety_cifar10").metadata.num_classes == 10
    assert Bundle.load("./regnety_cifar10").metadata.num_classes == 4


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "regnety_040",
            "regnety_040: the weights of this model are not on this disk; name a bundle folder, or regnety_",
        ),
        ("regnetz_040", "no model named 'regnetz_040', and no such folder; known names: "),
        ("no/such/folder", "no model named 'no/such/folder', and no such folder; known names: "),
    ],
)
def test_what_is_not_known(model: str, message: str) -> None:
    with pytest.raises(UnknownModelError) as error:
        Bundle.load(model)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_file_is_no_model_yet(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    with pytest.raises(WeightsError, match=r"model.onnx: is a file; a model is a name or a bundle folder$"):
        Bundle.load(tmp_path / "model.onnx")


def test_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as error:
        Bundle.load(tmp_path)
    assert str(error.value) == f"{tmp_path}: is not a bundle, it has no config.json"
