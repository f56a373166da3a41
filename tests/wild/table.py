"""The table: each row makes a file, and says what is to be found in it.

docs/reference/checkpoints.md shows it to users, in the same order and under the same names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from foreign_models import foreign_network
from regnety.network.modules import RegNet
from wild import forms, programs, training_loops
from wild.network import CLASSES, network, saved, state


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
        make=training_loops.imagenet_example,
        part="state_dict",
        prefix="module.",
        facts={"arch": "regnet_y_400mf", "epoch": 90},
    ),
    WildFile(name="PyTorch's tutorial", make=training_loops.tutorial, part="model_state_dict", facts={"epoch": 4}),
    WildFile(name="torch.compile", make=training_loops.compiled, prefix="_orig_mod."),
    WildFile(
        name="Lightning",
        make=training_loops.lightning,
        part="state_dict",
        prefix="model.",
        facts={"epoch": 4, "global_step": 1000, "hyper_parameters.num_classes": 10},
    ),
    WildFile(
        name="Lightning, with a loss and metrics",
        make=training_loops.lightning_with_more,
        part="state_dict",
        prefix="net.",
        passed_over=("criterion.weight", "train_acc.confmat", "temperature"),
        facts={"epoch": 4},
    ),
    WildFile(
        name="an average next to its network",
        make=training_loops.averaged_beside,
        part="state_dict",
        other_parts=("state_dict.model",),
        prefix="ema_model.module.",
        passed_over=("ema_model.n_averaged",),
    ),
    WildFile(
        name="a trunk and a separate classifier",
        make=training_loops.own_classifier,
        part="state_dict",
        prefix="backbone.",
    ),
    WildFile(
        name="a trunk and a classifier, in parts", make=training_loops.in_parts, part="encoder", facts={"epoch": 4}
    ),
    WildFile(name="dropout before the classifier", make=training_loops.dropout_before),
    WildFile(
        name="a classifier under two names",
        make=training_loops.classifier_twice,
        part="state_dict",
        prefix="model.",
        passed_over=("classifier.weight", "classifier.bias"),
    ),
    WildFile(
        name="DINO",
        make=training_loops.dino,
        network=partial(network, 0),
        part="teacher",
        other_parts=("student",),
        prefix="backbone.",
        passed_over=("head.mlp.0.weight", "head.mlp.0.bias", "head.last_layer.weight_v"),
        facts={"epoch": 100},
        missing=("a classifier", "preprocessing"),
    ),
    WildFile(
        name="a state dict under any name",
        make=training_loops.any_name,
        part="training.network_weights",
        facts={"epoch": 4},
    ),
    WildFile(name="fastai's learn.save", make=training_loops.fastai, part="model"),
    WildFile(name="DeepSpeed", make=training_loops.deepspeed, part="module"),
    WildFile(
        name="regnety train",
        make=training_loops.own_run,
        part="best",
        other_parts=("average.state", "model"),
        facts={"progression.epochs_done": 7, "progression.best_epoch": 5, "progression.best_top1": 81.5},
        labels=CLASSES,
        missing=(),
    ),
    WildFile(name="safetensors", make=forms.safetensors, container="safetensors"),
    WildFile(
        name="safetensors in shards",
        make=partial(forms.sharded, pattern="model{suffix}.safetensors"),
        container="safetensors in 3 shards",
    ),
    WildFile(
        name="pytorch_model.bin in shards",
        make=partial(forms.sharded, pattern="pytorch_model{suffix}.bin"),
        container="torch zip in 3 shards",
    ),
    WildFile(name="parameters", make=forms.parameters),
    WildFile(name="channels last", make=forms.channels_last),
    WildFile(name="through NumPy", make=training_loops.through_numpy),
    WildFile(name="float16", make=partial(forms.cast, dtype=torch.float16), dtype=torch.float16),
    WildFile(name="bfloat16", make=partial(forms.cast, dtype=torch.bfloat16), dtype=torch.bfloat16),
    WildFile(name="float64", make=partial(forms.cast, dtype=torch.float64), dtype=torch.float64),
    WildFile(name="saved from a GPU", make=forms.on_cuda),
    WildFile(name="a name without a suffix", make=partial(forms.safetensors, name="weights"), container="safetensors"),
    WildFile(name="another suffix", make=partial(forms.safetensors, name="weights.pth"), container="safetensors"),
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
        make=forms.torchs_onnx,
        network=foreign_network,
        container="ONNX",
        dialect=None,
        part=None,
        facts={"source": "regnety_002.onnx"},
        model="regnety_002",
    ),
    WildFile(
        name="regnety export, ONNX",
        make=partial(forms.own_graph, name="insects.onnx"),
        container="ONNX",
        dialect=None,
        part=None,
        labels=CLASSES,
        missing=(),
    ),
    WildFile(
        name="regnety export, OpenVINO",
        make=partial(forms.own_graph, name="insects.xml"),
        program="openvino",
        container="OpenVINO",
        dialect=None,
        part=None,
        labels=CLASSES,
        missing=(),
    ),
    WildFile(
        name="regnety export, a folder",
        make=partial(forms.own_graph, name="insects"),
        container="regnety folder, safetensors",
        labels=CLASSES,
        missing=(),
    ),
    WildFile(
        name="a folder with only model.onnx",
        make=forms.folder_of_a_graph,
        container="regnety folder, ONNX",
        dialect=None,
        part=None,
        labels=CLASSES,
        missing=(),
    ),
]
