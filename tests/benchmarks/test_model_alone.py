"""The benchmark of the model alone, in small: what it compares computes the same, and its tables say what it found."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_ours_and_timms_export_are_timed_in_pairs_and_agree(tmp_path: Path) -> None:
    for package in ("timm", "onnxscript", "openvino"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}: make test-all installs it")
    output, page = tmp_path / "model_alone.json", tmp_path / "table.md"
    command = [sys.executable, ROOT / "benchmarks" / "model_alone.py", "--models", "regnety_002"]
    command += ["--batch-sizes", "1", "4", "--precisions", "f32", "--pairs", "3", "--no-torch"]
    result = subprocess.run(
        [*command, "--output", output, "--markdown", page], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    facts = json.loads(output.read_text("utf-8"))
    assert facts["processor"] in result.stdout
    assert facts["pairs"] == 3
    assert [(row["model"], row["batch_size"], row["precision"]) for row in facts["rows"]] == [
        ("regnety_002.pycls_in1k", 1, "f32"),
        ("regnety_002.pycls_in1k", 4, "f32"),
    ]
    for row in facts["rows"]:
        assert row["largest_difference"] < 1e-4  # the same weights on the same images
        assert row["lowest_ratio"] <= row["ratio"] <= row["highest_ratio"]
        assert row["workers"] * row["images_per_run"] <= row["batch_size"]
        assert (row["eager_ms"], row["compiled_ms"]) == (None, None)
    lines = page.read_text("utf-8").splitlines()
    assert lines[0].startswith(f"Measured on {facts['date']}: {facts['processor']}; timm ")
    assert [line.split("|")[1:4] for line in lines[-2:]] == [
        [" regnety_002 ", " 1 ", " f32 "],
        [" regnety_002 ", " 4 ", " f32 "],
    ]
