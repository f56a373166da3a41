"""`model_table`: every named model with its weights, as rows."""

import pytest

import regnety
from regnety.bundle.model_table import model_table
from regnety.errors import UnknownModelError


def test_the_rows() -> None:
    names = [row.name for row in model_table()]
    assert len(names) == len(set(names)) == 63
    assert names[:3] == ["regnety_tiny", "regnety_cifar10", "regnetx_002.pycls_in1k"]
    assert [row.name for row in model_table("RegNetY-3.2GF")] == ["regnety_032.pycls_in1k"]


def test_a_row() -> None:
    (row,) = regnety.model_table("regnety_032.ra_in1k")
    assert (row.num_params, row.top1, row.test_image_size, row.license) == (19_436_338, 81.948, 288, "apache-2.0")
    assert (row.as_dict()["w0"], row.as_dict()["weights_bytes"]) == (80, 78_010_536)


def test_what_nothing_matches() -> None:
    with pytest.raises(UnknownModelError, match=r"no model matches 'resnet\*'"):
        model_table("resnet*")
