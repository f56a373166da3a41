"""Named recipes, as functions: what is trained, on what pictures, with which optimiser, for how long."""

from collections.abc import Callable
from pathlib import Path

from regnety.architecture.design import Design
from regnety.errors import RecipeError
from regnety.training.recipes.recipe import Augmentation, Optimizer, Recipe, read_recipe


def scratch() -> Recipe:
    """Train a network from random weights, with the optimiser's values of the paper for a batch of 128.

    Command:  regnety train --recipe scratch --design depth=13,w0=24,... --data DIR --output OUT
    """
    return Recipe(name="scratch")


def finetune() -> Recipe:
    """Start from a model's weights, at the model's own image size, and fit them to other classes.

    Command:  regnety train --recipe finetune --model regnety_cifar10 --data DIR --output OUT
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


def cifar10() -> Recipe:
    """The model that comes with the package: all 50,000 training pictures of CIFAR-10, the last epoch's average.

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
    """The model that answers where none is named: 200 everyday classes at 64 pixels, from Tiny ImageNet.

    Command:  regnety train --recipe tiny --data DIR --output OUT
    Result:   no run has come to its end: one of 60 epochs at a batch of 1024 and a rate of 1.0 was stopped after 51
    Cost:     4 s an epoch on one NVIDIA H200, beside another run, torch 2.11.0
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


RECIPES: dict[str, Callable[[], Recipe]] = {"scratch": scratch, "finetune": finetune, "cifar10": cifar10, "tiny": tiny}


def load_recipe(name: str) -> Recipe:
    """A named recipe, or the one in a YAML file.

    Raises:
        RecipeError: neither a name nor a file, or the file is not a recipe.
    """
    if name in RECIPES:
        return RECIPES[name]()
    if Path(name).suffix in (".yaml", ".yml") or Path(name).exists():
        return read_recipe(name)
    raise RecipeError(f"no recipe named {name!r}, and no such file; named recipes: {', '.join(RECIPES)}")
