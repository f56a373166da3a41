"""The models that come with the package are what their cards say."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from regnety import Bundle, Predictor
from regnety.catalog.models import EMBEDDED_MODELS, embedded_bundle
from regnety.datasets.data_sets import read_data_set
from regnety.inference.evaluation import evaluate

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def test_it_sees_the_cat() -> None:
    (prediction,) = Predictor("regnety_cifar10").predict([EXAMPLES / "cat.png"])
    assert prediction.predictions[0].label == "cat"
    (prediction,) = Predictor().predict([EXAMPLES / "cat.png"])
    assert prediction.predictions[0].label in ("tabby", "Egyptian cat")


def test_it_sees_the_dog(shared: Path) -> None:
    (prediction,) = Predictor("regnety_cifar10").predict([shared / "data" / "dog.jpg"])
    assert prediction.predictions[0].label == "dog"


@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_it_is_small(name: str) -> None:
    assert sum(path.stat().st_size for path in embedded_bundle(name).iterdir()) < 6_000_000


@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_its_card_says_what_it_was_trained_on_and_how_good_it_is(name: str) -> None:
    facts = Bundle.load(name).provenance
    for fact in ("license", "data", "command", "recipe", "seed", "minutes", "test_top1", "test_pictures"):
        assert fact in facts
    assert "unfinished" not in facts
    assert ("data_terms" in facts) == (name == "regnety_tiny")


@pytest.mark.slow
@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_its_accuracy_is_the_one_on_its_card(name: str, shared: Path, tmp_path: Path) -> None:
    if name == "regnety_cifar10":
        with zipfile.ZipFile(shared / "data" / "cifar10.zip") as archive:
            archive.extractall(tmp_path, [member for member in archive.namelist() if member.startswith("test/")])
    else:
        with tarfile.open(shared / "data" / "tiny-imagenet.tar.xz") as archive:
            archive.extractall(tmp_path, (member for member in archive if "/val/" in f"/{member.name}"), filter="data")
    (data,) = {path.parent.parent for path in tmp_path.rglob("*.jpg")}
    bundle = Bundle.load(name)
    result = evaluate(bundle, read_data_set(data.parent).evaluation(), quiet=True)
    assert result.count == bundle.provenance["test_pictures"] == 10_000
    assert result.top1 == pytest.approx(bundle.provenance["test_top1"], abs=0.1)  # another processor rounds otherwise
