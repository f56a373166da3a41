"""What training programs write that know nothing of RegNets."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

from wild.network import network, optimizer, saved, state


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
