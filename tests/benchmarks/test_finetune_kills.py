"""The benchmark of killed runs over all layers, in small."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pictures import write_colours

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "how"), [(3, ("--epochs", "8")), (2, ("--time-limit", "30s"))])
def test_killed_runs_end_as_one_that_nobody_disturbed(kills: int, how: tuple[str, str], tmp_path: Path) -> None:
    data = write_colours(tmp_path / "data", count=20)
    command = [sys.executable, ROOT / "benchmarks" / "finetune_kills.py", data, "--kills", str(kills), *how]
    result = subprocess.run(
        [*command, "--folder", tmp_path / "runs", "--output", tmp_path / "kills.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    measured = json.loads((tmp_path / "kills.json").read_text("utf-8"))["kills"]
    assert [kill["same"] for kill in measured] == [True] * kills
