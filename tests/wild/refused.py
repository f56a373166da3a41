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
    other = {key: value + 1 for key, value in head.items()}
    model = {"trunk": weights, "heads": {"block4-0": {"colour": head, "shape": other}}}
    return saved({"classy_state_dict": {"base_model": {"model": model}}}, folder / "two.torch")


def detector(folder: Path) -> Path:
    weights = {f"backbone.body.{key}": value for key, value in network(0).state_dict().items()}
    pyramid = {"backbone.fpn.inner_blocks.3.0.weight": torch.ones(256, 64, 1, 1), "rpn.head.bias": torch.ones(3)}
    return saved(weights | pyramid, folder / "detector.pth")


def normalised_inside(folder: Path) -> Path:
    weights = {f"model.{key}": value for key, value in state().items()}
    weights |= {"normalize.mean": torch.zeros(1, 3, 1, 1), "normalize.std": torch.ones(1, 3, 1, 1)}
    return saved({"state_dict": weights}, folder / "last.ckpt")


def two_designs(folder: Path) -> Path:
    """A distillation: the teacher is another network than the student."""
    weights = {f"student.{key}": value for key, value in state().items()}
    weights |= {f"teacher.{key}": value for key, value in network(7).state_dict().items()}
    return saved({"state_dict": weights}, folder / "last.ckpt")


def fastai_head(folder: Path) -> Path:
    """vision_learner: the network's body, then pooling twice over, batch norm, and two linear layers."""
    weights = {f"0.model.{key}": value for key, value in network(0).state_dict().items()}
    head = {"1.2.weight": torch.ones(128), "1.2.bias": torch.ones(128), "1.2.running_mean": torch.ones(128)}
    head |= {"1.2.running_var": torch.ones(128), "1.4.weight": torch.ones(512, 128), "1.8.weight": torch.ones(10, 512)}
    return saved({"model": weights | head, "opt": optimizer()}, folder / "stage-1.pth")


def prepared_for_int8(folder: Path) -> Path:
    """Quantization-aware training, as torch.ao.quantization.prepare_qat leaves a convolution."""
    weights = {f"stem.conv.weight_fake_quant.{name}": torch.ones(1) for name in ("scale", "zero_point")}
    return saved(state() | weights, folder / "qat.pth")


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
        problem="is a zip file, but not one of torch.save: it has no data.pkl; it has network/archive_format",
        container="unknown",
    ),
    RefusedFile(
        name="a pickle that runs something",
        make=trap,
        problem="would run posix.system; it was not run",
        container="unknown",
    ),
    RefusedFile(
        name="an optimizer alone",
        make=lambda folder: saved(optimizer(), folder / "optimizer.pt"),
        problem="holds no state dict, that is tensors under names like stem.conv.weight; it is a table of state, "
        "param_groups",
    ),
    RefusedFile(
        name="a RegNet in a detector",
        make=detector,
        problem="beside its RegNet it holds backbone.fpn.inner_blocks.3.0.weight, which may change its "
        "answers; --state-dict backbone.body takes the RegNet alone",
    ),
    RefusedFile(
        name="a trunk with two classifiers",
        make=two_heads,
        problem="heads.block4-0.colour.fc.weight, heads.block4-0.shape.fc.weight are both head.fc.weight",
    ),
    RefusedFile(
        name="a normalisation inside",
        make=normalised_inside,
        problem="changes its pictures before its RegNet sees them (normalize.mean, normalize.std), which is not read, "
        "and without it the answers would differ; save the RegNet's state dict alone",
    ),
    RefusedFile(
        name="a student and a teacher of two designs",
        make=two_designs,
        problem="holds 2 RegNets, and nothing says which is meant; choose one with --state-dict NAME (in Python "
        "Bundle.load, state_dict=): state_dict.teacher, state_dict.student",
    ),
    RefusedFile(
        name="fastai's vision_learner",
        make=fastai_head,
        problem="beside its RegNet it holds 1.2.weight, 1.2.running_mean, 1.4.weight, which may change its "
        "answers; --state-dict model takes the RegNet alone",
    ),
    RefusedFile(
        name="a network prepared for int8",
        make=prepared_for_int8,
        problem="is of a network with torch's quantization in it (stem.conv.weight_fake_quant.scale, "
        "stem.conv.weight_fake_quant.zero_point), which is not read; save the state dict of the network before it was "
        "prepared",
    ),
    RefusedFile(
        name="another network",
        make=lambda folder: saved({"layer1.0.conv1.weight": torch.ones(3)}, folder / "resnet50.pth"),
        problem="is not a RegNet under the names of timm, pycls, torchvision, transformers or vissl; its keys are "
        "layer1.0.conv1.weight",
    ),
    RefusedFile(
        name="a folder of another network",
        make=folder_of_another,
        problem="config.json: architecture is 'regnetv_040', which is not a RegNet that regnety knows",
        container="timm folder",
    ),
    RefusedFile(
        name="Keras",
        make=bytes_of(b"\x89HDF\r\n\x1a\n" + bytes(100), "regnety002.weights.h5"),
        problem="is not a file of weights; it looks like an HDF5 file, like Keras's .h5; its weights must be converted "
        "first",
        container="unknown",
    ),
    RefusedFile(
        name="a Git LFS pointer",
        make=bytes_of(b"version https://git-lfs.github.com/spec/v1\nsize 12782926\n", "model.safetensors"),
        problem="is not a file of weights; it looks like a Git LFS pointer; the file itself was not downloaded "
        "(git lfs pull)",
        container="unknown",
    ),
]
