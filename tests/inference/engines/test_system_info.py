"""`system_info`: what `regnety info` prints, as plain values."""

import json
from pathlib import Path

import onnxruntime
import pytest

import regnety


def test_the_facts_are_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path))
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "a.onnx").write_bytes(bytes(70))
    facts = regnety.system_info()
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["regnety"], facts["engines"]["onnxruntime"]) == (regnety.__version__, onnxruntime.__version__)
    assert (facts["cache"], facts["cache_bytes"]) == (str(tmp_path), {"graphs": 70})
