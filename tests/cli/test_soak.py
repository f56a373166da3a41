"""Many runs of the command in a row: every exit status is 0, and none hangs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ONE_RUN_S = 60
"""A run that takes longer hangs: it takes well under a second."""


@pytest.fixture
def photographs(tmp_path: Path) -> list[str]:
    generator = np.random.default_rng(0)
    names = []
    for number in range(6):
        height, width = generator.integers(40, 400, 2)
        path = tmp_path / f"photo {number}.{('jpg', 'png', 'webp')[number % 3]}"
        Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8)).save(path)
        names.append(str(path))
    return names


@pytest.mark.parametrize("runs", [pytest.param(20, marks=pytest.mark.slow), pytest.param(200, marks=pytest.mark.soak)])
def test_every_run_ends_well(runs: int, photographs: list[str]) -> None:
    command = [sys.executable, "-m", "regnety", "predict", *photographs, "--format", "jsonl"]
    answers = set()
    for _ in range(runs):
        result = subprocess.run(command, capture_output=True, text=True, timeout=ONE_RUN_S, check=False)
        assert result.returncode == 0, result.stderr
        answers.add(result.stdout)
    (answer,) = answers
    assert answer.count("\n") == len(photographs)
