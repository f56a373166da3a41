"""The model that comes with the package is what its card says."""

import zipfile
from pathlib import Path

import pytest

from regnety import Bundle, Predictor
from regnety.catalog.models import EMBEDDED_MODEL, embedded_bundle
from regnety.datasets.data_sets import read_data_set
from regnety.inference.evaluation import evaluate

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def test_it_sees_the_cat() -> None:
    (prediction,) = Predictor().predict([EXAMPLES / "cat.png"])
    assert prediction.predictions[0].label == "cat"


def test_it_sees_the_dog(shared: Path) -> None:
    (prediction,) = Predictor().predict([shared / "data" / "dog.jpg"])
    assert prediction.predictions[0].label == "dog"


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in embedded_bundle().iterdir()) < 6_000_000


@pytest.mark.slow
def test_its_accuracy_is_the_one_on_its_card(shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data" / "cifar10.zip") as archive:
        archive.extractall(tmp_path, [name for name in archive.namelist() if name.startswith("test/")])
    bundle = Bundle.load(EMBEDDED_MODEL)
    result = evaluate(bundle, read_data_set(tmp_path).evaluation(), quiet=True)
    assert result.count == bundle.provenance["test_pictures"] == 10_000
    assert result.top1 == pytest.approx(bundle.provenance["test_top1"], abs=0.1)  # another processor rounds otherwise
