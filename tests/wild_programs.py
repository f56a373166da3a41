"""Files of RegNets as programs leave them, each made here: by the program itself where it is installed, else by torch
in the form in which the program writes.

All are of one small network, so that whoever reads them must find the same weights and give the same answer.
"""

import argparse
import copy
import json
from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from numerics import lively_network
from regnety.architecture.design import Design
from regnety.network.arrays import numpy_weights
from regnety.network.modules import RegNet
from regnety.weights.dialects.registry import DIALECTS, in_dialect
from torch_files import save_tar

DESIGN = Design(depth=5, w0=8, wa=12, wm=2, group_width=8)
"""Four stages of 8, 16, 32 and 64 channels, which every program can build."""
CLASSES = ("ant", "bee", "cicada", "dragonfly", "earwig", "fly", "gnat", "hornet", "ichneumon", "jewel beetle")
ARGUMENTS: dict[str, Any] = {"depth": 5, "w0": 8, "wa": 12, "wm": 2, "group_size": 8}
"""timm's, of the design."""
State: TypeAlias = dict[str, Tensor]


@cache
def network(num_classes: int = len(CLASSES), in_chans: int = 3, *, seed: int = 0) -> RegNet:
    """In eval mode. Seed 0 is what is to be found; others stand beside it in a file."""
    return lively_network(DESIGN, seed=seed, num_classes=num_classes, in_chans=in_chans)


def state(*, seed: int = 0) -> State:
    """With timm's keys."""
    return network(seed=seed).state_dict()


def theirs(dialect: str, *, seed: int = 0, num_classes: int = len(CLASSES)) -> State:
    """With another program's keys; `tests/weights/dialects` holds them against the programs."""
    source = network(num_classes, seed=seed)
    tensors = in_dialect(DIALECTS[dialect], source.architecture, numpy_weights(source))
    return OrderedDict((key, torch.from_numpy(np.array(tensor.read()))) for key, tensor in tensors.items())


def saved(content: Any, path: Path, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def optimizer() -> dict[str, Any]:
    """The state of an optimizer after a step, as large as the weights."""
    module = copy.deepcopy(network())
    momentum = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    momentum.step()
    return momentum.state_dict()


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


def trunk_and_head() -> tuple[State, State]:
    weights = theirs("vissl")
    return tuple(  # type: ignore[return-value]
        {key.removeprefix(part): value for key, value in weights.items() if key.startswith(part)}
        for part in ("trunk.", "heads.")
    )


def seer_finetuned(folder: Path) -> Path:
    return vissl(folder, *trunk_and_head(), "model_final_checkpoint_phase27.torch")


def seer_pretrained(folder: Path) -> Path:
    """Too large for one device: each stage's blocks in parts; heads that no classifier is made of."""
    trunk = {key.replace(".block", ".block0-part0.block", 1): value for key, value in trunk_and_head()[0].items()}
    heads = {"0.projection_head.0.weight": torch.ones(16, 64), "0.prototypes0.weight": torch.ones(30, 16)}
    return vissl(folder, trunk, heads, "seer_regnet.torch")


def seer_trunk(folder: Path) -> Path:
    return saved(trunk_and_head()[0], folder / "trunk.torch")


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


# Other people's training loops


def imagenet_example(folder: Path) -> Path:
    """pytorch/examples: DataParallel, whose names all begin with `module.`."""
    content = {
        "epoch": 90,
        "arch": "regnet_y_400mf",
        "state_dict": nn.DataParallel(network()).state_dict(),
        "best_acc1": torch.tensor(74.0),
        "optimizer": optimizer(),
    }
    return saved(content, folder / "model_best.pth.tar")


def compiled(folder: Path) -> Path:
    return saved(torch.compile(network(), backend="eager").state_dict(), folder / "compiled.pt")


def tutorial(folder: Path) -> Path:
    content = {
        "epoch": 4,
        "model_state_dict": state(),
        "optimizer_state_dict": optimizer(),
        "loss": torch.tensor(0.4),
    }
    return saved(content, folder / "model.tar")


def lightning(folder: Path) -> Path:
    content = {
        "epoch": 4,
        "global_step": 1000,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": OrderedDict((f"model.{key}", value) for key, value in state().items()),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"current": {"completed": 4}}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'val_acc'}": {"best_model_score": torch.tensor(0.9)}},
        "optimizer_states": [optimizer()],
        "lr_schedulers": [{"last_epoch": 4}],
        "hparams_name": "kwargs",
        "hyper_parameters": {"num_classes": 10, "lr": 0.1},
    }
    return saved(content, folder / "epoch=4-step=1000.ckpt")


def fastai(folder: Path) -> Path:
    return saved({"model": state(), "opt": optimizer()}, folder / "stage-1.pth")


def deepspeed(folder: Path) -> Path:
    content = {
        "module": state(),
        "buffer_names": ["stem.bn.running_mean"],
        "optimizer": None,
        "param_shapes": [OrderedDict((key, value.shape) for key, value in network().named_parameters())],
        "ds_config": {"train_batch_size": 256},
        "ds_version": "0.14.0",
        "global_steps": 1000,
    }
    return saved(content, folder / "mp_rank_00_model_states.pt")


def own_run(folder: Path) -> Path:
    """A checkpoint of `regnety train`, by its own writer."""
    from regnety.training.checkpoints import Progression, save_checkpoint
    from regnety.training.optimization import WeightAverage

    last = network(seed=1)
    return save_checkpoint(
        folder,
        Progression(epochs_done=7, history=[], best_epoch=5, best_top1=81.5, seconds=60.0),
        model=last,
        optimizer=torch.optim.SGD(last.parameters(), lr=0.1),
        average=WeightAverage(network(seed=2), 0.999),
        best=state(),
        keep=1,
    )


# Folders of the Hub


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
