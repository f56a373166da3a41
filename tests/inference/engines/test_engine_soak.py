"""Many processes in a row that each run OpenVINO from several threads: every one ends, and well."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bundles import REGNETY_002, random_weights
from regnety import write_graph

ONE_RUN_S = 60
"""A process that takes longer hangs: it takes well under a second."""
CODE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from regnety.inference.engines.openvino import OpenVinoEngine
pictures = np.random.default_rng(0).integers(0, 256, (24, 1, 64, 64, 3), np.uint8)
threads = int(sys.argv[3])
kept = {"cache": Path(sys.argv[2]), "identity": "graph"}
engine = OpenVinoEngine(Path(sys.argv[1]), threads=1, workers=threads, batch=1, **kept)
with ThreadPoolExecutor(threads) as pool:
    for answer in pool.map(engine.run, pictures):
        print(answer["logits"].tobytes().hex())
"""


@pytest.mark.parametrize("runs", [pytest.param(10, marks=pytest.mark.slow), pytest.param(300, marks=pytest.mark.soak)])
def test_every_process_ends_well(runs: int, tmp_path: Path) -> None:
    weights = random_weights(REGNETY_002.architecture())
    graph = write_graph(tmp_path / "regnety_002.onnx", REGNETY_002, weights, image_size=64)
    ends: Counter[int | str] = Counter()
    answers = set()
    for number in range(runs):
        threads = 2 + number % 4
        command = [sys.executable, "-c", CODE, str(graph), str(tmp_path / "cache"), str(threads)]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=ONE_RUN_S, check=False)
        except subprocess.TimeoutExpired:
            ends["hung"] += 1
            continue
        ends[result.returncode] += 1
        answers.add(result.stdout)
        assert result.stderr == ""
    print(f"{runs} processes ended with {dict(ends)}")
    assert ends == {0: runs}
    assert len(answers) == 1
