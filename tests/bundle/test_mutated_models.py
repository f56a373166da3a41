"""Damaged and hostile checkpoints as a MODEL: resolved, inspected and read to the end, or refused in one line.

`tests/files/mutants.py` has the mutations and what watches over the process that reads them.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bundles import small_bundle
from regnety.export.conversion import convert_model

FILES = {
    "plain.safetensors": "regnety",
    "plain.pth": "regnety",
    "pycls.pyth": "pycls",
    "vissl.torch": "vissl",
    "graph.onnx": "onnx",
}
PROGRAM = """
import importlib, json, pkgutil, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import difflib  # a message about a misspelt field suggests another
import mutants, numpy, regnety.bundle, regnety.graph, regnety.weights
for package in (regnety.bundle, regnety.graph, regnety.weights):  # nothing is imported while a file is read
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
from regnety.bundle.inspection import inspect_model
from regnety.bundle.resolver import resolve

def read_model(path):
    found = inspect_model(path)
    assert "\\n" not in (found.problem or "")
    bundle = resolve(path)
    with numpy.errstate(all="ignore"):
        for key in bundle.weights:
            assert bundle.weights[key].shape == bundle.architecture.state_dict_shapes()[key]
            bundle.weights[key].sum()

mutants.read_all = read_model
print(json.dumps(mutants.main(Path(sys.argv[2]), int(sys.argv[3]), seed=4)))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model in each form."""
    folder = tmp_path_factory.mktemp("models") / "files"
    folder.mkdir()
    for name, target in FILES.items():
        convert_model(small_bundle(), folder / name, to=target)  # type: ignore[arg-type]
    for name, content in nested().items():
        torch.save(content, folder / name)
    return folder


def nested() -> dict[str, Any]:
    """Several networks in a file, a classifier under a name of its own, and other things beside them."""
    weights = {key: torch.from_numpy(np.array(value)) for key, value in small_bundle().weights.items()}
    trunk = {f"net.{key}": value for key, value in weights.items() if not key.startswith("head.")}
    module = trunk | {f"fc.{end}": weights[f"head.fc.{end}"] for end in ("weight", "bias")}
    two = {f"{name}.{key}": value for name in ("student", "teacher") for key, value in weights.items()}
    return {
        "module.ckpt": {"state_dict": module | {"criterion.weight": torch.ones(4)}, "args": {"img_size": 96}},
        "distilled.ckpt": {"training": {"state": two}, "epoch": 3},
    }


def read_mutants(files: Path, count: int) -> dict[str, Any]:
    mutants = Path(__file__).parent.parent / "files"
    command = [sys.executable, "-c", PROGRAM, str(mutants), str(files), str(count)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def assert_harmless(report: dict[str, Any], count: int) -> None:
    assert report["wrong"] == []
    assert sum(report["read"].values()) + sum(report["refused"].values()) == count
    assert len(report["read"]) == len(report["refused"]) == len(FILES) + len(nested())


def test_some_mutated_models(files: Path) -> None:
    assert_harmless(read_mutants(files, 300), 300)


@pytest.mark.slow
def test_ten_thousand_mutated_models(files: Path) -> None:
    assert_harmless(read_mutants(files, 10_000), 10_000)
