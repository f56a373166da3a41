"""The benchmark of a cold start runs, and its stages add up to the whole. What it measures is not asserted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PLATFORM_HAS_WAIT4 = sys.platform != "win32"


@pytest.mark.slow
@pytest.mark.skipif(not PLATFORM_HAS_WAIT4, reason="asks the system for a process's memory as Unix does")
def test_it_measures_what_it_says(tmp_path: Path) -> None:
    output = tmp_path / "cold_start.json"
    command = [sys.executable, ROOT / "benchmarks" / "cold_start.py", "--pairs", "2", "--where", "--output", output]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    facts = json.loads(output.read_text("utf-8"))
    assert facts["same_answer"] is True
    assert facts["processor"] in result.stdout
    assert {name: len(runs) for name, runs in facts["runs"].items()} == {"warm": 2, "empty": 2}
    stages = {
        "start of the interpreter",
        "import numpy",
        "resolve the model",
        "start the engine",
        "decode",
        "infer",
        "print",
    }
    assert stages <= facts["where_ms"].keys()
    assert all(milliseconds > 0 for milliseconds in facts["where_ms"].values())


def test_every_script_and_its_claim_are_listed() -> None:
    folder = ROOT / "benchmarks"
    page = (folder / "README.md").read_text("utf-8")
    for script in folder.glob("*.py"):
        assert f"`{script.name}`" in page
