"""What training programs write that know nothing of RegNets."""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

from regnety.metadata.model_metadata import ModelMetadata
from wild.network import CLASSES, State, network, optimizer, saved, state


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


def lightning_with_more(folder: Path) -> Path:
    """A module with a loss that weighs its classes, a metric that is kept, and buffers of its own."""
    weights = OrderedDict((f"net.{key}", value) for key, value in state().items())
    weights["criterion.weight"] = torch.ones(10)
    weights["train_acc.confmat"] = torch.zeros(10, 10, dtype=torch.long)
    weights["temperature"] = torch.ones(1)
    return saved({"epoch": 4, "state_dict": weights, "optimizer_states": [optimizer()]}, folder / "last.ckpt")


def averaged_beside(folder: Path) -> Path:
    """A module that keeps an average of its network beside it."""
    weights = OrderedDict((f"model.{key}", value) for key, value in state(seed=1).items())
    weights |= {f"ema_model.module.{key}": value for key, value in state().items()}
    weights["ema_model.n_averaged"] = torch.tensor(5)
    return saved({"state_dict": weights}, folder / "last.ckpt")


def any_name(folder: Path) -> Path:
    content = {"epoch": 4, "training": {"network_weights": state()}, "optim": {"slow": state(seed=1)}}
    return saved(content, folder / "weights.pt")


def own_classifier(folder: Path) -> Path:
    """A module of a trunk, which is a network of timm without classifier, and a layer of its own."""
    weights = {f"backbone.{key}": value for key, value in state().items() if not key.startswith("head.")}
    weights |= {f"fc.{end}": state()[f"head.fc.{end}"] for end in ("weight", "bias")}
    return saved({"state_dict": weights, "hyper_parameters": {"lr": 0.1}}, folder / "last.ckpt")


def dropout_before(folder: Path) -> Path:
    """model.head.fc = nn.Sequential(nn.Dropout(0.2), nn.Linear(64, 10))"""
    return saved({key.replace("head.fc.", "head.fc.1."): value for key, value in state().items()}, folder / "w.pth")


def classifier_twice(folder: Path) -> Path:
    weights = {f"model.{key}": value for key, value in state().items()}
    weights |= {f"classifier.{end}": state()[f"head.fc.{end}"].clone() for end in ("weight", "bias")}
    return saved({"state_dict": weights}, folder / "last.ckpt")


def in_parts(folder: Path) -> Path:
    trunk = {key: value for key, value in state().items() if not key.startswith("head.")}
    head = {end: state()[f"head.fc.{end}"] for end in ("weight", "bias")}
    return saved({"encoder": trunk, "classifier": head, "epoch": 4}, folder / "parts.pt")


def dino(folder: Path) -> Path:
    """Student and teacher, each with a head that projects; the student in DistributedDataParallel."""

    def wrapped(prefix: str, seed: int) -> State:
        head = {
            "mlp.0.weight": torch.ones(96, 64),
            "mlp.0.bias": torch.ones(96),
            "last_layer.weight_v": torch.ones(9, 8),
        }
        trunk = {f"{prefix}backbone.{key}": value for key, value in network(0, seed=seed).state_dict().items()}
        return trunk | {f"{prefix}head.{key}": value for key, value in head.items()}

    content = {"student": wrapped("module.", 1), "teacher": wrapped("", 0), "optimizer": optimizer(), "epoch": 100}
    return saved(content, folder / "checkpoint0100.pth")


def through_numpy(folder: Path) -> Path:
    """Arrays have at least one axis where a program wrote them with numpy.atleast_1d."""
    return saved({key: torch.atleast_1d(value) for key, value in state().items()}, folder / "weights.pth")


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
    from regnety.training.best_epochs import BestEpochs
    from regnety.training.checkpoints import Progression, save_checkpoint
    from regnety.training.optimisation.weight_average import WeightAverage

    last = network(seed=1)
    return save_checkpoint(
        folder,
        Progression(epochs_done=7, history=[], best_epoch=5, best_top1=81.5, seconds=60.0),
        model=last,
        optimizer=torch.optim.SGD(last.parameters(), lr=0.1),
        average=WeightAverage(network(seed=2), lambda step, updates: 0.001),
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        best=state(),
        best_epochs=BestEpochs(0),
        metadata=ModelMetadata(
            design=last.architecture.design,
            num_classes=last.num_classes,
            in_chans=last.in_chans,
            preprocessing=last.preprocessing,
            labels=CLASSES,
        ),
        keep=1,
    )
