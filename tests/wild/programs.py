"""What the code bases of RegNets write: by the program itself where it is installed, else as it writes."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from wild.network import ARGUMENTS, CLASSES, DESIGN, State, optimizer, saved, state, theirs

# timm


def timm_network(timm: Any, *, seed: int = 0) -> nn.Module:
    module: nn.Module = timm.create_model("regnety_002", num_classes=len(CLASSES), **ARGUMENTS)
    module.load_state_dict(state(seed=seed))
    return module


def timm_training(folder: Path, timm: Any) -> Path:
    """What train.py keeps, by its own saver."""
    model = timm_network(timm, seed=1)
    average = timm.utils.ModelEmaV3(timm_network(timm))
    arguments = argparse.Namespace(
        model="regnety_002", num_classes=10, img_size=None, crop_pct=0.9, data_dir="/data", opt="sgd"
    )
    saver = timm.utils.CheckpointSaver(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        arguments,
        average,
        SimpleNamespace(state_dict_key="amp_scaler", state_dict=lambda: {"scale": 65536.0, "growth_factor": 2.0}),
        checkpoint_dir=str(folder),
        recovery_dir=str(folder),
    )
    saver.save_checkpoint(9, metric=78.5)
    return folder / "model_best.pth.tar"


def timm_clean(folder: Path) -> Path:
    """As clean_checkpoint.py: the averaged weights alone, in torch's old format, the hash in the name."""
    return saved(state(), folder / "model_best-1a2b3c4d.pth", _use_new_zipfile_serialization=False)


def timm_folder(folder: Path, timm: Any) -> Path:
    timm.models.save_for_hf(
        timm_network(timm), folder, {"label_names": list(CLASSES)}, ARGUMENTS, safe_serialization="both"
    )
    return folder


# pycls


def pycls_2020(folder: Path) -> Path:
    """Without counters of batch norm, and with one optimizer's state and the configuration as text."""
    weights = {key: value for key, value in theirs("pycls").items() if not key.endswith("num_batches_tracked")}
    content = {
        "epoch": 99,
        "model_state": weights,
        "optimizer_state": optimizer(),
        "cfg": "MODEL:\n  TYPE: regnet\n",
    }
    return saved(content, folder / "model_epoch_0100.pyth", _use_new_zipfile_serialization=False)


def pycls_with_average(folder: Path, *, test_err: float, ema_err: float) -> Path:
    averaged = ema_err < test_err
    content = {
        "epoch": 99,
        "test_err": test_err,
        "ema_err": ema_err,
        "model_state": theirs("pycls", seed=int(averaged)),
        "ema_state": theirs("pycls", seed=int(not averaged)),
        "optimizer_state": optimizer(),
        "cfg": "MODEL:\n  TYPE: regnet\n",
    }
    return saved(content, folder / "model_epoch_0100.pyth")


# torchvision


def torchvision_network(torchvision: Any, *, seed: int = 0) -> nn.Module:
    regnet, stages = torchvision.models.regnet, DESIGN.fitted_stages()
    blocks = regnet.BlockParams(
        depths=[stage.depth for stage in stages],
        widths=[stage.width for stage in stages],
        group_widths=[stage.group_width for stage in stages],
        bottleneck_multipliers=[stage.bottleneck_multiplier for stage in stages],
        strides=[stage.stride for stage in stages],
        se_ratio=DESIGN.se_ratio,
    )
    module: nn.Module = regnet.RegNet(blocks, num_classes=len(CLASSES))
    module.load_state_dict(theirs("torchvision", seed=seed))
    return module


def torchvision_training(folder: Path, torchvision: Any) -> Path:
    """What references/classification/train.py keeps, with the average that it is asked for by --model-ema."""
    model = torchvision_network(torchvision, seed=1)
    average = torch.optim.swa_utils.AveragedModel(torchvision_network(torchvision), use_buffers=True)
    momentum = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    content = {
        "model": model.state_dict(),
        "optimizer": momentum.state_dict(),
        "lr_scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(momentum, T_max=100).state_dict(),
        "epoch": 99,
        "args": argparse.Namespace(model="regnet_y_400mf", data_path="/data", model_ema=True, interpolation="bilinear"),
        "model_ema": average.state_dict(),
    }
    return saved(content, folder / "checkpoint.pth")


def torchvision_published(folder: Path, torchvision: Any) -> Path:
    return saved(torchvision_network(torchvision).state_dict(), folder / "regnet_y_400mf-c65dace8.pth")


# VISSL and ClassyVision


def vissl(folder: Path, trunk: State, heads: Mapping[str, Any], name: str) -> Path:
    model = {"model": {"trunk": trunk, "heads": heads}, "meta": {"trunk": {}, "heads": []}}
    content = {
        "phase_idx": 27,
        "iteration": 3500,
        "loss": 0.5,
        "type": "model",
        "classy_state_dict": {"train": True, "base_model": model, "optimizer": optimizer(), "losses": {}},
    }
    return saved(content, folder / name)


def trunk_and_heads(num_classes: int) -> tuple[State, State]:
    weights = theirs("vissl", num_classes=num_classes)
    trunk = {key.removeprefix("trunk."): value for key, value in weights.items() if key.startswith("trunk.")}
    return trunk, {key.removeprefix("heads."): value for key, value in weights.items() if key.startswith("heads.")}


def seer_finetuned(folder: Path) -> Path:
    return vissl(folder, *trunk_and_heads(len(CLASSES)), "model_final_checkpoint_phase27.torch")


def seer_pretrained(folder: Path) -> Path:
    """Too large for one device: each stage's blocks in parts; heads that no classifier is made of."""
    trunk, _ = trunk_and_heads(0)
    trunk = {key.replace(".block", ".block0-part0.block", 1): value for key, value in trunk.items()}
    heads = {"0.projection_head.0.weight": torch.ones(16, 64), "0.prototypes0.weight": torch.ones(30, 16)}
    return vissl(folder, trunk, heads, "seer_regnet.torch")


def seer_trunk(folder: Path) -> Path:
    return saved(trunk_and_heads(0)[0], folder / "trunk.torch")


def classy(*, seed: int = 0) -> State:
    """ClassyVision's names, which VISSL takes apart."""
    renamed = {}
    for key, value in theirs("vissl", seed=seed).items():
        key = key.removeprefix("trunk.").replace("_feature_blocks.conv1.stem", "stem.stem")
        for stage in range(1, 5):
            key = key.replace(f"_feature_blocks.res{stage + 1}.", f"trunk_output.block{stage}.")
        renamed[key.replace("heads.0.clf.0", "head.fc")] = value
    return renamed


def swag(folder: Path) -> Path:
    return saved(classy(), folder / "regnety_in1k_384.torch")


def classy_vision(folder: Path) -> Path:
    """Heads under the block to which they are attached."""
    weights = classy()
    head = {key.removeprefix("head."): weights.pop(key) for key in ("head.fc.weight", "head.fc.bias")}
    heads = {"block4-0": {"default_head": head}}
    content = {
        "phase_idx": 199,
        "input_args": {"config": {"name": "classification_task"}},
        "classy_state_dict": {
            "base_model": {"model": {"trunk": weights, "heads": heads}},
            "optimizer": {"optim": optimizer()},
        },
    }
    return saved(content, folder / "checkpoint.torch")


# transformers


def transformers_network(transformers: Any) -> Any:
    stages = DESIGN.fitted_stages()
    configuration = transformers.RegNetConfig(
        embedding_size=DESIGN.stem_width,
        hidden_sizes=[stage.width for stage in stages],
        depths=[stage.depth for stage in stages],
        groups_width=8,
        id2label=dict(enumerate(CLASSES)),
        label2id={name: index for index, name in enumerate(CLASSES)},
        downsample_in_first_stage=True,
    )
    module = transformers.RegNetForImageClassification(configuration)
    module.load_state_dict(theirs("transformers"))
    return module


def transformers_folder(folder: Path, transformers: Any) -> Path:
    """With the processor that its AutoImageProcessor takes for a RegNet, and what its Trainer puts beside."""
    transformers_network(transformers).save_pretrained(folder, max_shard_size="60KB")
    transformers.ConvNextImageProcessorPil(size={"shortest_edge": 224}, crop_pct=0.9).save_pretrained(folder)
    saved(optimizer(), folder / "optimizer.pt")
    (folder / "trainer_state.json").write_text('{"epoch": 3.0}')
    return folder


def facebook_folder(folder: Path) -> Path:
    """As facebook/regnet-y-040 has stood on the Hub since 2022: a pickle, and a processor of that time."""
    config = {
        "architectures": ["RegNetForImageClassification"],
        "depths": [1, 1, 2, 1],
        "downsample_in_first_stage": True,
        "embedding_size": 32,
        "groups_width": 8,
        "hidden_act": "relu",
        "hidden_sizes": [8, 16, 32, 64],
        "id2label": {str(index): name for index, name in enumerate(CLASSES)},
        "layer_type": "y",
        "model_type": "regnet",
        "num_channels": 3,
        "torch_dtype": "float32",
        "transformers_version": "4.18.0.dev0",
    }
    processor = {
        "crop_pct": 0.875,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "ConvNextFeatureExtractor",
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "size": 224,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    saved(theirs("transformers"), folder / "pytorch_model.bin")
    return folder
