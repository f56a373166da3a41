"""What tells one model from another, and what does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from bundles import LABELS, SMALL, small_bundle
from regnety import Bundle, export_model
from regnety.bundle.model import FINGERPRINT_ENDS


def test_a_model_is_the_same_wherever_it_stands_and_however_it_is_shown_pictures(tmp_path: Path) -> None:
    bundle = small_bundle()
    found = bundle.fingerprint()
    assert len(found) == 64
    assert Bundle.load(bundle.save(tmp_path / "a")).fingerprint() == found
    assert Bundle.load(bundle.save(tmp_path / "b")).fingerprint() == found
    assert small_bundle(preprocessing=replace(SMALL, image_size=64)).fingerprint() == found
    assert small_bundle(LABELS[::-1]).fingerprint() == found


def test_any_tensor_tells_models_apart() -> None:
    found = {small_bundle().fingerprint(), small_bundle(seed=1).fingerprint(), small_bundle(LABELS[:3]).fingerprint()}
    bundle = small_bundle()
    for key, value in bundle.weights.items():
        for position in (0, -1):
            changed = value.copy()
            changed.reshape(-1)[position] += 1
            found.add(Bundle(bundle.metadata, {**bundle.weights, key: changed}).fingerprint())
    ends = sum(1 if value.size == 1 else 2 for value in bundle.weights.values())
    assert len(found) == 3 + ends
    assert max(value.nbytes for value in bundle.weights.values()) > FINGERPRINT_ENDS


def test_a_graph_is_in_it_as_a_file(tmp_path: Path) -> None:
    export_model(small_bundle(), tmp_path / "a.onnx")
    first = Bundle.load(tmp_path / "a.onnx").fingerprint()
    data = (tmp_path / "a.onnx").read_bytes()
    (tmp_path / "b.onnx").write_bytes(data)
    assert Bundle.load(tmp_path / "b.onnx").fingerprint() == first
    values = np.asarray(small_bundle().weights["head.fc.bias"])
    assert values.tobytes() in data
    (tmp_path / "b.onnx").write_bytes(data.replace(values.tobytes(), (values + 1).tobytes()))
    assert Bundle.load(tmp_path / "b.onnx").fingerprint() != first
