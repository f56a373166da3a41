"""The benchmark of large models in its small form: converting takes no more memory than a few layers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
OTHER_MIB = 36
"""What a conversion may take besides its layers and what the imports took: the package onnx, buffers, the graph."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for a process's memory")
def test_memory_holds_a_layer_and_not_the_model(tmp_path: Path) -> None:
    """A file of 190 MiB whose three largest tensors have 49 MiB each: two of them at once would be too much."""
    output = tmp_path / "large_models.json"
    command = [sys.executable, ROOT / "benchmarks" / "large_models.py", "--model", "small", "--output", output]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    facts = json.loads(output.read_text("utf-8"))
    assert facts["processor"] in result.stdout
    converted = facts["converted"]
    layer_mib = converted["largest_tensor_mib"]
    assert layer_mib == 3600 * 3600 * 4 / (1 << 20)
    assert converted["file_mib"] > 3.5 * layer_mib
    imports, *rows = converted["rows"]
    assert [row["what"] for row in rows] == [
        "to .safetensors, regnety",
        "to .pth, torchvision",
        "to .pyth, pycls",
        "to .onnx, onnx",
    ]
    for row in rows:
        taken_mib = row["peak_anonymous_mib"] - imports["peak_anonymous_mib"]
        assert 0 < taken_mib < 1.3 * layer_mib + OTHER_MIB, row
        assert row["peak_anonymous_mib"] < converted["bound_mib"]
    assert {(row["model"], row["what"]) for row in facts["described"]} == {
        (model, step)
        for model in ("regnety_1280", "regnety_2560")
        for step in ("described", "counted", "built on meta")
    }
