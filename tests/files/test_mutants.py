"""Damaged and hostile files of every format: each is read or refused in one line, and nothing else happens."""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from torch_files import save

TENSORS = {
    "conv.weight": torch.arange(24, dtype=torch.float32).reshape(4, 6),
    "conv.turned": torch.arange(24, dtype=torch.float32).reshape(4, 6).T,
    "half": torch.ones(3).half(),
    "narrow": torch.ones(3).bfloat16(),
    "count": torch.tensor(7),
}
WHOLE = {name: tensor.contiguous() for name, tensor in TENSORS.items()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small whole file of each format."""
    folder = tmp_path_factory.mktemp("mutants") / "files"
    folder.mkdir()
    nested = {"state_dict": TENSORS, "epoch": 3, "best": np.float64(0.5), "array": np.arange(6), "args": {"lr": 0.1}}
    safetensors.torch.save_file(WHOLE, folder / "safetensors", metadata={"format": "pt"})
    save(nested, folder / "zip.pth", "torch zip")
    save(nested, folder / "old.pth", "torch (before 1.6)")
    torch.save(nested, folder / "zip4.pth", pickle_protocol=4)
    (folder / "pickle2").write_bytes(pickle.dumps(nested | {"state_dict": None}, 2))
    (folder / "pickle5").write_bytes(pickle.dumps(nested | {"state_dict": None}, 5))
    (folder / "pickle0").write_bytes(pickle.dumps(nested | {"state_dict": None}, 0))
    safetensors.torch.save_file({"a": WHOLE["half"]}, folder / "shard1")
    save({"b": WHOLE["count"]}, folder / "shard2")
    (folder / "index.json").write_text(json.dumps({"metadata": {}, "weight_map": {"a": "shard1", "b": "shard2"}}))
    return folder


def read_mutants(files: Path, count: int, seed: int) -> dict[str, Any]:
    program = Path(__file__).with_name("mutants.py")
    command = [sys.executable, str(program), str(files), str(count), str(seed)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def assert_harmless(report: dict[str, Any], count: int) -> None:
    assert report["wrong"] == []
    assert sum(report["read"].values()) + sum(report["refused"].values()) == count
    assert len(report["refused"]) == 8  # each format is refused now and then
    assert len(report["read"]) >= 8  # and read now and then


def test_some_mutants(files: Path) -> None:
    assert_harmless(read_mutants(files, 500, seed=1), 500)


@pytest.mark.slow
def test_ten_thousand_mutants(files: Path) -> None:
    assert_harmless(read_mutants(files, 10_000, seed=2), 10_000)


READERS = {
    "runs code": ("lambda path: pickle.loads(pickle.dumps(os.system))", "Ran: pickle.find_class"),
    "imports": ("lambda path: __import__('wave')", "Ran: import"),
    "runs a command": ("lambda path: os.system('true')", "Ran: os.system"),
    "writes": ("lambda path: open(os.devnull, 'w')", "Ran: open"),
    "takes memory": ("lambda path: bytearray(60 << 20)", "MemoryError: "),
    "hangs": ("lambda path: time.sleep(60)", "TooLong: "),
    "breaks": ("lambda path: {}[str(path)]", "KeyError: "),
}


@pytest.mark.parametrize("name", READERS)
def test_bad_reader_is_noticed(name: str, files: Path) -> None:
    reader, message = READERS[name]
    program = f"""if True:
        import json, os, pickle, sys, time
        from pathlib import Path
        import mutants
        mutants.LONGEST_S = 0.1
        whole = mutants.read_all
        mutants.read_all = lambda path: ({reader} if path.name == "mutant-pickle2" else whole)(path)
        print(json.dumps(mutants.main(Path({str(files)!r}), 9, seed=3)))
    """
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )
    (wrong,) = json.loads(run.stdout)["wrong"]
    assert f"pickle2: {message}" in wrong
