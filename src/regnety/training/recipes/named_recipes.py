"""Named recipes, as functions: what is trained, on what pictures, with which optimiser, for how long."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from regnety.architecture.design import Design
from regnety.catalog.models import is_name, model_info
from regnety.errors import RecipeError
from regnety.plain_values import did_you_mean
from regnety.training.recipes.optimizer import Optimizer
from regnety.training.recipes.recipe import Augmentation, Recipe, read_recipe


def scratch() -> Recipe:
    """Train a network from random weights, with the optimiser's values of the paper for a batch of 128.

    Command:  regnety train --recipe scratch --design depth=13,w0=24,... --data DIR --output OUT
    Result:   no run was made
    """
    return Recipe(name="scratch")


def finetune() -> Recipe:
    """Start from a model's weights, at the model's own image size, and fit them to other classes.

    Command:  regnety train --recipe finetune --model regnety_cifar10 --data DIR --output OUT
    Result:   no run is recorded; it is what the photographs make of it
    """
    return Recipe(
        name="finetune",
        pretrained=True,
        epochs=20,
        batch_size=64,
        warmup_epochs=1,
        ema_decay=0.998,
        optimizer=Optimizer(lr=0.02),
    )


def paper(model: str | None = None) -> Recipe:
    """Train a network as the authors of the paper did (arXiv 2003.13678), in pycls's arithmetic.

    Command:  regnety train --recipe paper --model regnety_002 --data DIR --output OUT
    Result:   no run was made; schedule, averaged weights, statistics of batch norm and decay are tested against pycls's

    The 24 models of the paper have their own learning rate and batch; any other has a batch of 1024. All have a rate of
    0.1 for each 128 pictures of the batch: with another batch, set optimizer.lr in proportion.

    Args:
        model: that is trained.
    """
    values = _paper_training().get(model_info(model).name if model is not None and is_name(model) else "", {})
    return Recipe(
        name="paper",
        initialization="pycls",
        image_size=224,
        crop_pct=0.875,
        epochs=100,
        batch_size=int(values.get("batch_size", 1024)),
        schedule="cosine",
        schedule_unit="epoch",
        warmup_epochs=5,
        ema_alpha=1e-5,
        ema_every=32,
        # pycls measures both and takes the better, with the statistics of batch norm of each.
        ema_kept="better",
        precise_bn_samples=8192,
        optimizer=Optimizer(lr=values.get("lr", 0.8), momentum=0.9, weight_decay=5e-5, decay_norms_and_biases=True),
        augmentation=Augmentation(crop="pycls", min_area=0.08, flip=True, lighting=0.1),
    )


def population() -> Recipe:
    """Train one of many designs for a comparison of design spaces, as in section 3.1 of the paper: ten epochs.

    Command:  regnety train --recipe population --design depth=13,w0=24,... --data DIR --output OUT
    Result:   top1 10.3, 31.0 and 16.2 with three seeds of regnety_002 at 64 pixels on twenty classes of Tiny ImageNet
              (500 pictures each); a plain loop around timm's network with the same values has 12.5, 19.4 and 28.1. So
              few steps do not always leave the plateau that pycls's random weights begin on
    """
    return replace(
        paper(),
        name="population",
        epochs=10,
        batch_size=128,
        warmup_epochs=1,
        optimizer=replace(paper().optimizer, lr=0.1),
    )


def modern() -> Recipe:
    """Train a network for as long as it gains, with the means that came after the paper.

    Command:  regnety train --recipe modern --model regnety_016 --data DIR --output OUT
    Result:   no run was made

    Learning rate, batch, schedule, smoothing, TrivialAugment, four repeats, mixup, CutMix, erasing, decay and averaged
    weights are those that torchvision trained its second weights with (0.5 for a batch of 1024, 600 epochs), which
    reach 80.67 with regnety_016. The crop of 0.95 at evaluation is that of timm's ra3 weights, which reach most: 83.05
    with regnety_040 at 288 pixels. The 300 epochs and the stochastic depth of 0.05 are those of recipe A2 of "ResNet
    strikes back" (arXiv 2110.00476), by timm's author. The first half runs at 160 and then 192 pixels; torchvision
    trains at 176 all the time.
    """
    return Recipe(
        name="modern",
        image_size=224,
        crop_pct=0.95,
        epochs=300,
        batch_size=1024,
        warmup_epochs=5,
        small_epochs=150,
        small_image_size=160,
        small_sizes=2,
        drop_path=0.05,
        label_smoothing=0.1,
        ema_alpha=2e-5,
        ema_every=32,
        optimizer=Optimizer(lr=0.5, momentum=0.9, weight_decay=2e-5, decay_norms_and_biases=False),
        augmentation=Augmentation(min_area=0.08, operations="trivial", repeats=4, mixup=0.2, cutmix=1.0, erasing=0.1),
    )


@cache
def _paper_training() -> dict[str, dict[str, float]]:
    """Learning rate and batch size of the paper's models, by their names."""
    values: dict[str, dict[str, float]] = json.loads(Path(__file__).with_name("paper_training.json").read_text("utf-8"))
    return values


def cifar10() -> Recipe:
    """A smaller model that comes with the package: 50,000 training pictures of CIFAR-10, the last epoch's average.

    Command:  regnety train --recipe cifar10 --data DIR --output OUT
    Result:   top1 88.00 on the 10,000 test pictures, one run, seed 0; train top1 in the last epoch 93.7
    Cost:     81.5 minutes on 2 cores with AVX-512 bf16, shared with other work for part of the run, torch 2.13.0
    """
    design = Design(depth=8, w0=64, wa=32.0, wm=2.0, group_width=64, stem_stride=1, stage_strides=(2, 2, 2))
    return Recipe(
        name="cifar10",
        # Strides of 1 in the stem and the first stage: at 32 pixels an ImageNet stem would leave a 1x1 map.
        design=design,
        image_size=32,
        crop_pct=1.0,
        epochs=36,
        batch_size=128,
        warmup_epochs=3,
        # The first third of the run, at 24 pixels: about half the work of an epoch at 32.
        small_epochs=12,
        small_image_size=24,
        label_smoothing=0.1,
        ema_decay=0.998,
        # All pictures are trained on and the last epoch is kept, so no figure is chosen on the test set.
        val_fraction=0.0,
        # The file travels in every wheel: half the size.
        bundle_dtype="f16",
        optimizer=Optimizer(lr=0.2, weight_decay=5e-4, decay_norms_and_biases=False),
        augmentation=Augmentation(crop="shift", shift=4),
    )


def tiny() -> Recipe:
    """A model of 200 everyday classes at 64 pixels, from Tiny ImageNet.

    Command:  regnety train --recipe tiny --data DIR --output OUT
    Result:   top1 62.30, top5 84.35 on the 10,000 test pictures, in two stages: 51 of 60 epochs at a batch of 1024 and
              a rate of 1.0, all at 64 pixels; then 4 epochs from 0.025 along a line, with a mixed_share of 0.25
    Cost:     5.2 minutes on one NVIDIA H200, torch 2.11.0, then 66.8 minutes on 2 cores with AVX-512 bf16, torch 2.13.0
    """
    design = Design(depth=12, w0=56, wa=28.0, wm=2.0, group_width=32, stem_stride=1, stage_strides=(2, 2, 2, 2))
    return Recipe(
        name="tiny",
        design=design,
        image_size=64,
        crop_pct=1.0,
        epochs=100,
        batch_size=512,
        warmup_epochs=4,
        small_epochs=40,
        small_image_size=48,
        label_smoothing=0.1,
        ema_decay=0.999,
        # All pictures are trained on and the last epoch is kept: the settings were chosen on a tenth that was held out.
        val_fraction=0.0,
        bundle_dtype="f16",
        optimizer=Optimizer(lr=0.5, weight_decay=3e-4, decay_norms_and_biases=False),
        augmentation=Augmentation(min_area=0.25, kept_side=64, mixup=0.2, cutmix=1.0, mixed_share=0.5),
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "scratch": scratch,
    "finetune": finetune,
    "paper": paper,
    "modern": modern,
    "population": population,
    "cifar10": cifar10,
    "tiny": tiny,
}


def load_recipe(name: str, model: str | None = None) -> Recipe:
    """A named recipe, or the one in a YAML file.

    Args:
        name: of the recipe, or a file.
        model: that is trained; `paper` has its own learning rate and batch for each model of the paper.

    Raises:
        RecipeError: neither a name nor a file, or the file is not a recipe.
    """
    if name in RECIPES:
        return paper(model) if name == "paper" else RECIPES[name]()
    if Path(name).suffix in (".yaml", ".yml") or Path(name).exists():
        return read_recipe(name)
    similar = did_you_mean(name, list(RECIPES))
    raise RecipeError(f"no recipe named {name!r}, and no such file; {similar}named recipes: {', '.join(RECIPES)}")
