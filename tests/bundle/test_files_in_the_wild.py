"""Files as programs leave them: described, answering as the network that they were saved from, and loaded into ours."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from numerics import relative_error
from pictures import COLOURS, photograph
from regnety import Bundle, Predictor, create_model, create_transform, inspect_model, resolve_data_config
from regnety.architecture.notation import design_from_dict
from regnety.errors import WeightsError
from wild.network import network
from wild.refused import REFUSED, RefusedFile
from wild.table import FILES, WildFile

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "checkpoints.md"
PICTURE = Image.blend(photograph(160, 120), Image.new("RGB", (160, 120), COLOURS["red"]), 0.6)
BOUNDS = {torch.float32: 1e-4, torch.float64: 1e-4, torch.float16: 1e-3, torch.bfloat16: 1.5e-2}
"""Of probabilities, from those of the network before its weights were rounded."""


@dataclass
class Found:
    """A file of the table, on this disk."""

    file: WildFile
    path: Path


@pytest.fixture(scope="module")
def openvino() -> Any:
    return pytest.importorskip("openvino", reason="needs openvino: pip install '.[openvino]' in a clone of regnety")


@pytest.fixture(scope="module", params=FILES, ids=lambda file: file.name)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    file: WildFile = request.param
    program = [request.getfixturevalue(file.program)] if file.program else []
    return Found(file, file.make(tmp_path_factory.mktemp("wild"), *program))


def test_it_is_described(found: Found) -> None:
    file, inspection = found.file, inspect_model(found.path)
    wanted = file.network().architecture
    assert inspection.problem is None
    for name in ("container", "part", "other_parts", "dialect", "prefix", "passed_over", "model"):
        assert getattr(inspection, name) == getattr(file, name), name
    assert dict(inspection.facts) == dict(file.facts)
    assert inspection.input_order == ("BGR" if file.dialect == "pycls" else "RGB")
    assert tuple(name for name in inspection.missing if not name.endswith("num_batches_tracked")) == file.missing
    assert (inspection.num_classes, inspection.in_chans) == (wanted.num_classes, wanted.in_chans)
    assert inspection.design is not None
    assert design_from_dict(inspection.design).fitted_stages() == wanted.design.fitted_stages()
    if file.dialect is not None:
        assert inspection.dtypes[str(file.dtype).removeprefix("torch.")] == sum(
            value.is_floating_point() for value in file.network().state_dict().values()
        )


def test_it_answers_as_its_network(found: Found) -> None:
    source = found.file.network()
    if source.num_classes == 0 or source.in_chans != 3:
        lacks = "has no classifier" if source.num_classes == 0 else "takes 1 input channels, photographs have 3"
        with pytest.raises(WeightsError, match=lacks):
            Predictor(found.path)
        return
    predictor = Predictor(found.path, pixels="exact")
    assert predictor.bundle.labels == found.file.labels
    (answer,) = predictor.predict(PICTURE, top_k=source.num_classes)
    transform = create_transform(**resolve_data_config({}, model=create_model(found.path)))
    with torch.inference_mode():
        wanted = source(transform(PICTURE).unsqueeze(0))[0].softmax(0).numpy()
    assert answer.predictions[0].index == wanted.argmax()
    probabilities = np.empty_like(wanted)
    for entry in answer.predictions:
        probabilities[entry.index] = entry.prob
    assert np.abs(probabilities - wanted).max() < BOUNDS[found.file.dtype]


def test_its_weights_are_loaded(found: Found) -> None:
    source, loaded = found.file.network(), create_model(found.path)
    if found.file.dialect is None:  # a graph, into whose convolutions batch norm was folded
        images = torch.from_numpy(np.random.RandomState(0).standard_normal((1, 3, 64, 64)).astype(np.float32))
        with torch.inference_mode():
            assert relative_error(loaded.eval()(images), source(images)) < 1e-4
        return
    weights = loaded.state_dict()
    assert weights.keys() == source.state_dict().keys()
    for key, value in source.state_dict().items():
        assert torch.equal(weights[key], value.to(found.file.dtype).to(value.dtype)), key


def test_the_networks_of_the_table_can_be_told_apart() -> None:
    """So that averaged weights are no raw ones, and pictures are not shown in the wrong order of colours."""
    transform = create_transform(**resolve_data_config({}, model=network()))
    images = transform(PICTURE).unsqueeze(0)
    with torch.inference_mode():
        wanted = network()(images).softmax(1)
        assert (network()(images.flip(1)).softmax(1) - wanted).abs().max() > 0.1
        assert (network(seed=1)(images).softmax(1) - wanted).abs().max() > 0.1


def test_a_transformers_processor_is_minded(transformers: Any, tmp_path: Path) -> None:
    (make,) = (file.make for file in FILES if file.name == "transformers' folder")
    bundle = Bundle.load(make(tmp_path, transformers))
    processor = transformers.ConvNextImageProcessorPil.from_pretrained(tmp_path)
    config = resolve_data_config({}, model=create_model(bundle))
    ours = create_transform(**config)(PICTURE).numpy()
    theirs = processor(PICTURE, return_tensors="np")["pixel_values"][0]
    assert bundle.preprocessing.crop_pct == 0.9
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() < 0.02


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.name)
def test_it_is_refused_in_one_line(file: RefusedFile, tmp_path: Path) -> None:
    path = file.make(tmp_path)
    inspection = inspect_model(path)
    assert (inspection.container, _without(inspection.problem, path)) == (file.container, file.problem)
    readers: tuple[Callable[[Path], object], ...] = (Bundle.load, Predictor, create_model)
    for read in readers:
        with pytest.raises(WeightsError) as error:
            read(path)
        assert _without(str(error.value), path) == file.problem
    assert not (tmp_path / "sprung").exists()


def _without(message: str | None, path: Path) -> str:
    return str(message).removeprefix(f"{path}: ").removeprefix(f"{path}/")


def test_the_trap_is_one(tmp_path: Path) -> None:
    (make,) = (file.make for file in REFUSED if file.name == "a pickle that runs something")
    torch.load(make(tmp_path), weights_only=False)
    assert (tmp_path / "sprung").exists()


def test_the_page_shows_the_table() -> None:
    """Each kind is a row of the page's two tables, in the order of ours."""
    named = re.findall(r"^\| \*\*(.+?)\*\*", PAGE.read_text("utf-8"), re.MULTILINE)
    assert named == [file.name for file in (*FILES, *REFUSED)]
