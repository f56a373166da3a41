"""A predictor that was made keeps its own model, whatever comes to the place of it meanwhile."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from bundles import small_bundle
from regnety import Embedder, WeightsError
from replaced_models import (
    FORMS,
    PICTURE,
    Way,
    answer,
    copied_anew,
    files_renamed,
    folder_renamed,
    predictor,
    put_times_back,
    write_both,
    written_in_place,
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_both(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("way", [copied_anew, folder_renamed, files_renamed], ids=lambda way: way.__name__)
@pytest.mark.parametrize("form", FORMS)
def test_a_predictor_keeps_its_own_model(form: str, way: Way, used: bool, models: Path, tmp_path: Path) -> None:
    place = tmp_path / "model"
    shutil.copytree(models / form / "1", place)
    engine = "openvino" if form == "xml" else "onnxruntime"
    old = predictor(place / FORMS[form], engine)
    assert not used or answer(old) == 1
    way(place, models / form / "2")
    new = predictor(place / FORMS[form], engine)
    assert answer(new) == 2
    if form == "xml" and not used:
        with pytest.raises(WeightsError, match=r"w\.xml: was replaced after it was loaded; load the model again$"):
            answer(old)
    else:
        assert answer(old) == 1


@pytest.mark.parametrize("form", ["folder", "safetensors", "pth", "onnx", "graph folder"])
def test_a_file_that_is_written_to_before_the_first_picture_is_an_error(
    form: str, models: Path, tmp_path: Path, cache: Path
) -> None:
    place = tmp_path / "model"
    shutil.copytree(models / form / "1", place)
    old = predictor(place / FORMS[form])
    written_in_place(place, models / form / "2")
    with pytest.raises(WeightsError, match=r"was written to after it was loaded; load the model again$"):
        answer(old)
    assert answer(place / FORMS[form]) == 2
    shutil.rmtree(place)
    shutil.copytree(models / form / "1", place)
    assert answer(place / FORMS[form]) == 1


def test_a_file_that_is_cut_short_before_the_first_picture_is_an_error(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "safetensors" / "1", tmp_path / "model")
    old = predictor(tmp_path / "model" / "w.safetensors")
    os.truncate(tmp_path / "model" / "w.safetensors", 100)
    with pytest.raises(WeightsError, match="was written to after it was loaded"):
        answer(old)


def test_an_embedder_too(tmp_path: Path) -> None:
    for seed in (0, 1):
        small_bundle(seed=seed).save(tmp_path / str(seed))
        put_times_back(tmp_path / str(seed))
    wanted = [Embedder(small_bundle(seed=seed)).embed([PICTURE])[0] for seed in (0, 1)]
    shutil.copytree(tmp_path / "0", tmp_path / "model")
    old = Embedder(tmp_path / "model")
    np.testing.assert_allclose(old.embed([PICTURE])[0], wanted[0], atol=1e-6)
    copied_anew(tmp_path / "model", tmp_path / "1")
    np.testing.assert_allclose(Embedder(tmp_path / "model").embed([PICTURE])[0], wanted[1], atol=1e-6)
    np.testing.assert_allclose(old.embed([PICTURE])[0], wanted[0], atol=1e-6)
