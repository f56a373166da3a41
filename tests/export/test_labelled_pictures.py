"""Labelled photographs for a quantizer."""

from pathlib import Path

import pytest

from bundles import small_bundle
from pictures import write_colours
from regnety import DataError, labels
from regnety.datasets.folders import read_class_folders
from regnety.export.labelled_pictures import LabelledPictures


def test_a_folder_is_a_label_a_wnid_or_an_index(tmp_path: Path) -> None:
    write_colours(tmp_path, "red", "green", "blue", count=1)
    for before, name in (("red", "n03126707"), ("green", "258"), ("blue", "tench")):
        (tmp_path / before).rename(tmp_path / name)
    found = LabelledPictures(small_bundle(labels()), read_class_folders(tmp_path), quiet=True)
    assert [index for _, index in found] == [258, 517, 0]
    assert [pixels.shape for pixels, _ in found[:2]] == [(1, 32, 32, 3)] * 2


def test_of_two_classes_of_one_name_none_is_taken(tmp_path: Path) -> None:
    write_colours(tmp_path, "red", count=1)
    with pytest.raises(DataError, match=r"red: small has 2 classes named 'red'; name the folder 0 or 2$"):
        LabelledPictures(small_bundle(("red", "blue", "red")), read_class_folders(tmp_path), quiet=True)
