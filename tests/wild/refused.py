"""What is refused: each row makes a file, and says what is said of it.

docs/reference/checkpoints.md shows it to users, in the same order and under the same names.
"""

import os
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wild.forms import safetensors
from wild.network import network, optimizer, saved, state
from wild.programs import classy


@dataclass(frozen=True, kw_only=True)
class RefusedFile:
    """One kind of file that is no usable model, and why."""

    name: str
    """As in docs/reference/checkpoints.md."""
    make: Callable[[Path], Path]
    problem: str
    """All that is said of it, without the path."""
    container: str = "torch zip"


class Trap:
    """Runs a command where it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def trap(folder: Path) -> Path:
    return saved({"state_dict": state(), "args": Trap(f"touch {folder}/sprung")}, folder / "trap.pth")


def torchscript(folder: Path) -> Path:
    with warnings.catch_warnings(action="ignore"):
        torch.jit.trace(network(), torch.zeros(1, 3, 32, 32)).save(str(folder / "network.pt"))
    return folder / "network.pt"


def exported_program(folder: Path) -> Path:
    """As torch.export.save lays it out."""
    with zipfile.ZipFile(folder / "network.pt2", "w") as archive:
        archive.writestr("network/archive_format", "pt2")
        archive.writestr("network/models/model.json", "{}")
    return folder / "network.pt2"


def two_heads(folder: Path) -> Path:
    weights = classy()
    head = {key.removeprefix("head."): weights.pop(key) for key in ("head.fc.weight", "head.fc.bias")}
    model = {"trunk": weights, "heads": {"block4-0": {"colour": head, "shape": head}}}
    return saved({"classy_state_dict": {"base_model": {"model": model}}}, folder / "two.torch")


def detector(folder: Path) -> Path:
    weights = {f"backbone.{key}": value for key, value in state().items()}
    return saved(weights | {"rpn.conv.weight": torch.ones(3)}, folder / "detector.pth")


def bytes_of(data: bytes, name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def folder_of_another(folder: Path) -> Path:
    (folder / "config.json").write_text('{"architecture": "regnetv_040", "num_classes": 1000}')
    return safetensors(folder, "model.safetensors").parent


REFUSED = [
    RefusedFile(
        name="torch.save of a whole network",
        make=lambda folder: saved(network(), folder / "network.pth"),
        problem="holds an object of the class regnety.network.modules.RegNet, which is code; save its state_dict() "
        "instead",
    ),
    RefusedFile(
        name="a network in a training checkpoint",
        make=lambda folder: saved({"epoch": 3, "model": nn.DataParallel(network())}, folder / "checkpoint.pt"),
        problem="holds an object of the class torch.nn.parallel.data_parallel.DataParallel, which is code; save its "
        "state_dict() instead",
    ),
    RefusedFile(
        name="TorchScript",
        make=torchscript,
        problem="is a TorchScript program (torch.jit.save), which is code; save its state_dict instead",
        container="unknown",
    ),
    RefusedFile(
        name="torch.export",
        make=exported_program,
        problem="is a zip file, but none of torch.save: it has no data.pkl; it has network/archive_format",
        container="unknown",
    ),
    RefusedFile(
        name="a pickle that runs something",
        make=trap,
        problem="would run posix.system; nothing of it was run",
        container="unknown",
    ),
    RefusedFile(
        name="an optimizer alone",
        make=lambda folder: saved(optimizer(), folder / "optimizer.pt"),
        problem="holds no state dict, that is tensors under names as stem.conv.weight; it is a table of state, "
        "param_groups",
    ),
    RefusedFile(
        name="a RegNet in a detector",
        make=detector,
        problem="holds a RegNet, whose keys begin with backbone., and beside it rpn.conv.weight; save the RegNet's "
        "state dict alone",
    ),
    RefusedFile(
        name="a trunk with two classifiers",
        make=two_heads,
        problem="heads.block4-0.colour.fc.weight, heads.block4-0.shape.fc.weight are both head.fc.weight",
    ),
    RefusedFile(
        name="another network",
        make=lambda folder: saved({"layer1.0.conv1.weight": torch.ones(3)}, folder / "resnet50.pth"),
        problem="is no RegNet in the names of timm, pycls, torchvision, transformers or vissl; its keys are "
        "layer1.0.conv1.weight",
    ),
    RefusedFile(
        name="a folder of another network",
        make=folder_of_another,
        problem="config.json: is of the model 'regnetv_040', which is none of the RegNets that are known here",
        container="timm folder",
    ),
    RefusedFile(
        name="Keras",
        make=bytes_of(b"\x89HDF\r\n\x1a\n" + bytes(100), "regnety002.weights.h5"),
        problem="is no file of weights; it looks like an HDF5 file, as Keras's .h5; its weights must be converted "
        "first",
        container="unknown",
    ),
    RefusedFile(
        name="a Git LFS pointer",
        make=bytes_of(b"version https://git-lfs.github.com/spec/v1\nsize 12782926\n", "model.safetensors"),
        problem="is no file of weights; it looks like a Git LFS pointer; the file itself was not downloaded "
        "(git lfs pull)",
        container="unknown",
    ),
]
