"""The table of what files of RegNets look like: each row makes one, and says what is to be found in it.

docs/reference/checkpoints.md shows it to users, in the same order and under the same names.
"""

import json
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from safetensors.torch import save_file

import wild_programs as programs
from foreign_models import export_with_torch, foreign_network
from numerics import lively_network
from regnety.bundle.bundle import Bundle
from regnety.export.conversion import convert_model
from regnety.export.exporting import export_model
from regnety.graph.metadata import ModelMetadata
from regnety.network.arrays import numpy_weights
from regnety.network.modules import RegNet
from regnety.preprocessing import Preprocessing
from torch_files import save_tar
from wild_programs import CLASSES, DESIGN, network, optimizer, saved, state


@dataclass(frozen=True, kw_only=True)
class WildFile:
    """One kind of file, and what is to be found in it."""

    name: str
    """As in docs/reference/checkpoints.md."""
    make: Callable[..., Path]
    """Writes it into a folder; gets the program too where one is named."""
    program: str | None = None
    """The fixture without which it cannot be made."""
    network: Callable[[], RegNet] = network
    """Whose weights are to be found."""
    dtype: torch.dtype = torch.float32
    """To which they were rounded."""
    container: str = "torch zip"
    dialect: str | None = "timm"
    part: str | None = ""
    other_parts: tuple[str, ...] = ()
    prefix: str = ""
    passed_over: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    missing: tuple[str, ...] = ("class names", "preprocessing")
    """Beside counters of batch norm."""
    model: str | None = None


# The same weights in every form that files have


def parameters(folder: Path) -> Path:
    """With gradients wanted and hooks on them: parameters instead of plain tensors."""
    weights = {**state(), **dict(network().requires_grad_().named_parameters())}
    return saved(weights, folder / "weights.pt")


def cast(folder: Path, dtype: torch.dtype) -> Path:
    weights = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state().items()}
    return saved(weights, folder / "weights.pth")


def on_cuda(folder: Path) -> Path:
    with patch("torch.serialization.location_tag", lambda storage: "cuda:1"):
        return saved(state(), folder / "weights.pth")


def channels_last(folder: Path) -> Path:
    module = lively_network(DESIGN, num_classes=len(CLASSES)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return saved(module.state_dict(), folder / "weights.pth")


def tar(folder: Path) -> Path:
    path = folder / "weights.pth.tar"
    save_tar(state(), path)
    return path


def safetensors(folder: Path, name: str = "weights.safetensors") -> Path:
    save_file(state(), folder / name, metadata={"format": "pt"})
    return folder / name


def sharded(folder: Path, pattern: str) -> Path:
    """By huggingface_hub, as accelerate and transformers do."""
    from huggingface_hub import save_torch_state_dict

    save_torch_state_dict(
        state(),
        folder,
        filename_pattern=pattern,
        max_shard_size="60KB",
        safe_serialization=pattern.endswith("safetensors"),
    )
    return folder / f"{pattern.replace('{suffix}', '')}.index.json"




# Graphs


def torchs_onnx(folder: Path) -> Path:
    return export_with_torch(foreign_network(), folder / "regnety_002.onnx", size=224)


def own_bundle() -> Bundle:
    """The network with names and a size of its own."""
    metadata = ModelMetadata(
        design=DESIGN, num_classes=10, in_chans=3, preprocessing=Preprocessing(image_size=96), labels=CLASSES
    )
    return Bundle(metadata, numpy_weights(network()), name="insects")


def own_graph(folder: Path, name: str) -> Path:
    return export_model(own_bundle(), folder / name).path


def folder_of_a_graph(folder: Path) -> Path:
    """What is left where only the graph is put on a machine."""
    path = export_model(own_bundle(), folder / "insects").path
    (path / "model.safetensors").unlink()
    return path


FILES = [
    WildFile(name="a state dict", make=lambda folder: saved(state(), folder / "weights.pth")),
    WildFile(
        name="timm's train.py",
        make=programs.timm_training,
        program="timm",
        part="state_dict_ema",
        other_parts=("state_dict",),
        facts={
            "arch": "regnety_002",
            "epoch": 9,
            "metric": 78.5,
            "args.model": "regnety_002",
            "args.num_classes": 10,
            "args.crop_pct": 0.9,
        },
    ),
    WildFile(name="timm's clean_checkpoint.py", make=programs.timm_clean, container="torch (before 1.6)"),
    WildFile(
        name="timm's folder",
        make=programs.timm_folder,
        program="timm",
        container="timm folder, safetensors",
        facts={"license": "mit", "tag": "pycls_in1k"},
        labels=CLASSES,
        missing=(),
    ),
    WildFile(
        name="pycls, 2020",
        make=programs.pycls_2020,
        container="torch (before 1.6)",
        dialect="pycls",
        part="model_state",
        facts={"epoch": 99},
    ),
    WildFile(
        name="pycls, with an average",
        make=partial(programs.pycls_with_average, test_err=30.0, ema_err=29.0),
        dialect="pycls",
        part="ema_state",
        other_parts=("model_state",),
        facts={"epoch": 99, "test_err": 30.0, "ema_err": 29.0},
    ),
    WildFile(
        name="pycls, without an average",
        make=partial(programs.pycls_with_average, test_err=30.0, ema_err=100.0),
        dialect="pycls",
        part="model_state",
        other_parts=("ema_state",),
        facts={"epoch": 99, "test_err": 30.0, "ema_err": 100.0},
    ),
    WildFile(
        name="torchvision's references/classification",
        make=programs.torchvision_training,
        program="torchvision",
        dialect="torchvision",
        part="model_ema",
        other_parts=("model",),
        prefix="module.",
        passed_over=("n_averaged",),
        facts={"epoch": 99, "args.model": "regnet_y_400mf", "args.interpolation": "bilinear"},
    ),
    WildFile(
        name="torchvision's published files, SWAG's among them",
        make=programs.torchvision_published,
        program="torchvision",
        dialect="torchvision",
    ),
    WildFile(name="SWAG's own files", make=programs.swag, dialect="vissl"),
    WildFile(
        name="ClassyVision",
        make=programs.classy_vision,
        dialect="vissl",
        part="classy_state_dict.base_model.model",
        facts={"phase_idx": 199},
    ),
    WildFile(
        name="VISSL, SEER fine-tuned",
        make=programs.seer_finetuned,
        dialect="vissl",
        part="classy_state_dict.base_model.model",
        facts={"phase_idx": 27, "iteration": 3500},
    ),
    WildFile(
        name="VISSL, SEER pretrained",
        make=programs.seer_pretrained,
        network=partial(network, 0),
        dialect="vissl",
        part="classy_state_dict.base_model.model",
        passed_over=("heads.0.projection_head.0.weight", "heads.0.prototypes0.weight"),
        facts={"phase_idx": 27, "iteration": 3500},
        missing=("a classifier", "preprocessing"),
    ),
    WildFile(
        name="VISSL, the trunk alone",
        make=programs.seer_trunk,
        network=partial(network, 0),
        dialect="vissl",
        missing=("a classifier", "preprocessing"),
    ),
    WildFile(
        name="transformers' folder",
        make=programs.transformers_folder,
        program="transformers",
        container="transformers folder, safetensors in 3 shards",
        dialect="transformers",
        labels=CLASSES,
        missing=(),
    ),
    WildFile(
        name="facebook's folders",
        make=programs.facebook_folder,
        container="transformers folder, torch zip",
        dialect="transformers",
        labels=CLASSES,
        missing=(),
    ),
    WildFile(
        name="PyTorch's ImageNet example",
        make=programs.imagenet_example,
        part="state_dict",
        prefix="module.",
        facts={"arch": "regnet_y_400mf", "epoch": 90},
    ),
    WildFile(
        name="PyTorch's tutorial", make=programs.tutorial, part="model_state_dict", facts={"epoch": 4}
    ),
    WildFile(name="torch.compile", make=programs.compiled, prefix="_orig_mod."),
    WildFile(
        name="Lightning",
        make=programs.lightning,
        part="state_dict",
        prefix="model.",
        facts={"epoch": 4, "global_step": 1000, "hyper_parameters.num_classes": 10},
    ),
    WildFile(name="fastai's learn.save", make=programs.fastai, part="model"),
    WildFile(name="DeepSpeed", make=programs.deepspeed, part="module"),
    WildFile(
        name="regnety train",
        make=programs.own_run,
        part="best",
        other_parts=("model",),
        facts={"progression.epochs_done": 7, "progression.best_epoch": 5, "progression.best_top1": 81.5},
    ),
    WildFile(name="safetensors", make=safetensors, container="safetensors"),
    WildFile(
        name="safetensors in shards",
        make=partial(sharded, pattern="model{suffix}.safetensors"),
        container="safetensors in 3 shards",
    ),
    WildFile(
        name="pytorch_model.bin in shards",
        make=partial(sharded, pattern="pytorch_model{suffix}.bin"),
        container="torch zip in 3 shards",
    ),
    WildFile(name="parameters", make=parameters),
    WildFile(name="channels last", make=channels_last),
    WildFile(name="float16", make=partial(cast, dtype=torch.float16), dtype=torch.float16),
    WildFile(name="bfloat16", make=partial(cast, dtype=torch.bfloat16), dtype=torch.bfloat16),
    WildFile(name="float64", make=partial(cast, dtype=torch.float64), dtype=torch.float64),
    WildFile(name="saved from a GPU", make=on_cuda),
    WildFile(name="torch 0.1", make=tar, container="torch tar"),
    WildFile(name="a name without a suffix", make=partial(safetensors, name="weights"), container="safetensors"),
    WildFile(name="another suffix", make=partial(safetensors, name="weights.pth"), container="safetensors"),
    WildFile(
        name="one input channel",
        make=lambda folder: saved(network(10, 1).state_dict(), folder / "grey.pth"),
        network=partial(network, 10, 1),
    ),
    WildFile(
        name="without a classifier",
        make=lambda folder: saved(network(0).state_dict(), folder / "features.pth"),
        network=partial(network, 0),
        missing=("a classifier", "preprocessing"),
    ),
    WildFile(
        name="torch's ONNX exporter",
        make=torchs_onnx,
        network=foreign_network,
        container="ONNX",
        dialect=None,
        part=None,
        facts={"source": "regnety_002.onnx"},
        model="regnety_002",
    ),
    WildFile(
        name="regnety export, ONNX",
        make=partial(own_graph, name="insects.onnx"),
        container="ONNX",
        dialect=None,
        part=None,
        labels=CLASSES,
        missing=(),
    ),
    WildFile(
        name="regnety export, OpenVINO",
        make=partial(own_graph, name="insects.xml"),
        program="openvino",
        container="OpenVINO",
        dialect=None,
        part=None,
        labels=CLASSES,
        missing=(),
    ),
    WildFile(
        name="regnety export, a folder",
        make=partial(own_graph, name="insects"),
        container="regnety folder, safetensors",
        labels=CLASSES,
        missing=(),
    ),
    WildFile(
        name="a folder with model.onnx alone",
        make=folder_of_a_graph,
        container="regnety folder, ONNX",
        dialect=None,
        part=None,
        labels=CLASSES,
        missing=(),
    ),
]
