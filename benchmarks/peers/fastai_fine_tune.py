"""fastai's `Learner.fine_tune` on the very network that `regnety finetune --all-layers` begins with.

    python fastai_fine_tune.py DATA --image-size 64 --seconds 120 --seed 0 [--model regnety_cifar10]

runs in an environment with fastai, torch and regnety. DATA has train/ and test/ with class folders. As fastai's
documentation says: photographs are made somewhat larger in the loader's workers and augmented in batches
(`Resize`, `aug_transforms(size=...)`), batches of 64, one epoch of the head, then all layers with discriminative
learning rates. It learns as many epochs as fit into the seconds: an epoch of each kind is timed first, on a copy of the
network, and does not count. Nor do imports, or the test at the end. All training photographs are trained on, and no
epoch is chosen, as `fine_tune` chooses none; its validation after each epoch is left out, which leaves more time to
learn. Prints a line of JSON.
"""

import argparse
import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import shim  # noqa: F401
import torch
from fastai.vision.all import (
    Callback,
    CancelValidException,
    CrossEntropyLossFlat,
    ImageDataLoaders,
    Learner,
    Normalize,
    Resize,
    accuracy,
    aug_transforms,
    params,
    set_seed,
)

import regnety

PRESIZED = 460 / 224
"""What the loader's workers make of photographs, over the size that the network sees: the documentation's numbers."""


class NoValidation(Callback):
    """Nothing is validated while it learns."""

    def before_validate(self) -> None:
        raise CancelValidException


def loaders(data: Path, image_size: int, model: Any) -> ImageDataLoaders:
    """Of train/ and test/."""
    config = model.pretrained_cfg
    dls = ImageDataLoaders.from_folder(
        data,
        train="train",
        valid="test",
        bs=64,
        num_workers=torch.get_num_threads(),
        item_tfms=Resize(round(PRESIZED * image_size)),
        batch_tfms=[*aug_transforms(size=image_size), Normalize.from_stats(config["mean"], config["std"])],
    )
    assert len(dls.train) > 0
    return dls


def learner(dls: ImageDataLoaders, model: Any, groups: int) -> Learner:
    """With groups of layers as fastai makes them: the head, and what is before it, in one part or in two."""

    def split(network: Any) -> list[list[Any]]:
        body = [(name, parameter) for name, parameter in network.named_parameters() if not name.startswith("head.")]
        last = [name for name, _ in network.named_children() if name != "head"][-1]
        upper = [parameter for name, parameter in body if groups == 3 and name.startswith(f"{last}.")]
        lower = [parameter for name, parameter in body if not (groups == 3 and name.startswith(f"{last}."))]
        return [part for part in (lower, upper, params(network.head)) if part]

    return Learner(dls, model, loss_func=CrossEntropyLossFlat(), metrics=accuracy, cbs=[NoValidation()], splitter=split)


def seconds_of_epochs(dls: ImageDataLoaders, model: Any, groups: int) -> tuple[float, float]:
    """An epoch of the head, and one of all layers, on a copy."""
    trial = learner(dls, copy.deepcopy(model), groups)
    taken = []
    with trial.no_bar(), trial.no_logging():
        trial.freeze()
        for _ in range(2):
            begin = time.perf_counter()
            trial.fit_one_cycle(1)
            taken.append(time.perf_counter() - begin)
            trial.unfreeze()
    return taken[0], taken[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="regnety_cifar10", help="default: %(default)s")
    parser.add_argument("--image-size", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=120, help="to learn in (default: %(default)s)")
    parser.add_argument(
        "--groups",
        type=int,
        choices=(2, 3),
        default=2,
        help="of layers: 2, as fastai has for timm's networks, or 3, as for its ResNets (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    options = parser.parse_args()
    set_seed(options.seed)
    num_classes = sum(place.is_dir() for place in (options.data / "train").iterdir())
    model = regnety.create_model(options.model, pretrained=True, num_classes=num_classes)
    dls = loaders(options.data, options.image_size, model)
    frozen_s, epoch_s = seconds_of_epochs(dls, model, options.groups)
    epochs = max(1, math.floor((options.seconds - frozen_s) / epoch_s))
    set_seed(options.seed)
    learn = learner(dls, model, options.groups)
    begin = time.perf_counter()
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(epochs)
    seconds = time.perf_counter() - begin
    learn.remove_cb(NoValidation)
    with learn.no_bar(), learn.no_logging():
        _, top1 = learn.validate()
    print(json.dumps({"test_top1": round(100 * float(top1), 3), "epochs": epochs, "learning_s": round(seconds, 1)}))


if __name__ == "__main__":
    main()
