"""The benchmark of two states, in small: the same state beside itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_both_states_answer_every_question_in_pairs(tmp_path: Path) -> None:
    output = tmp_path / "before_after.json"
    command = [sys.executable, ROOT / "benchmarks" / "before_after.py", "--before", sys.executable, "--pairs", "1"]
    command += ["--rounds", "1", "--photographs", "3", "--job", "20", "--job-rounds", "1", "--folder", tmp_path]
    result = subprocess.run([*command, "--output", output], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    measured = json.loads(output.read_text("utf-8"))["measured"]
    assert list(measured) == ["import regnety", "one photograph", "3 photographs", "a job of 20"]
    for title, row in measured.items():
        assert title in result.stdout
        assert row["ratio"] == pytest.approx(row["before_s"] / row["after_s"]) or row["pairs"] > 1
    for state in ("before", "after"):  # what the last question left: a row for each photograph and rank
        assert len((tmp_path / f"{state}.csv").read_text("utf-8").splitlines()) == 1 + 20 * 5
