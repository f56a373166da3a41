"""A model in float and the same in int8: NNCF takes some seconds for one."""

import warnings
from pathlib import Path

import pytest

from pictures import write_colours
from quantized_models import colour_bundle
from regnety import quantize_model
from regnety.export.quantization import Quantized


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled pictures in data/, and a model that knows them in float/."""
    place = tmp_path_factory.mktemp("quantized")
    write_colours(place / "data", count=20)
    colour_bundle(place / "float")
    return place


@pytest.fixture(scope="session")
def quantized(folder: Path) -> Quantized:
    """What was said of the same model in int8, which lies in int8/ from then on."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return quantize_model(
            folder / "float", folder / "int8", calibrate=folder / "data", data=folder / "data", samples=32, quiet=True
        )
