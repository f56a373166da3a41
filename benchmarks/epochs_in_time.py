"""How many epochs of a recipe fit into a time: by the seconds of a step at each size of picture that the recipe has."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from processes import regnety_command, run

from regnety.architecture.counting import complexity
from regnety.training.recipes.named_recipes import load_recipe
from regnety.training.recipes.recipe import Recipe, with_settings

RESERVE = 0.03
"""Share of the time that is not planned with: a machine is not always equally fast."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a run takes on this machine."""

    step_s: dict[int, float]
    """Seconds of a step, by the size of its pictures in pixels."""
    fixed_s: float
    """Seconds of the process before the first step and after the last one: imports, pictures, the test."""


def train_command(recipe: str, settings: list[str], data: Path, output: Path) -> list[str]:
    """`regnety train`, begun or resumed."""
    words = [*regnety_command(), "train", "--data", str(data), "-o", str(output), "--resume", "--quiet"]
    return [*words, f"--recipe={recipe}", *(f"--set={setting}" for setting in settings)]


def recipe_with(name: str, settings: list[str]) -> Recipe:
    """What `train_command` trains."""
    return with_settings(load_recipe(name), settings)


def lasting(recipe: Recipe, epochs: int) -> list[str]:
    """Settings that give a recipe so many epochs; warm-up and smaller pictures keep their shares of the run."""
    share = epochs / recipe.epochs
    warmup, small = round(share * recipe.warmup_epochs, 2), round(share * recipe.small_epochs)
    return [f"epochs={epochs}", f"warmup_epochs={warmup}", f"small_epochs={small}"]


def sizes(recipe: Recipe) -> list[int]:
    """The size of the pictures in each epoch."""
    assert recipe.image_size is not None
    return [recipe.small_size(epoch) or recipe.image_size for epoch in range(recipe.epochs)]


def measured_pace(name: str, settings: list[str], data: Path, output: Path, *, steps: int) -> Pace:
    """Train so many steps at each size twice, and take the seconds of the second time."""
    recipe = recipe_with(name, settings)
    count = recipe.small_sizes if recipe.small_epochs else 0
    short = [f"steps_per_epoch={steps}", f"epochs={2 * count + 2}", f"small_epochs={2 * count}", "warmup_epochs=1"]
    shutil.rmtree(output, ignore_errors=True)
    taken = run(train_command(name, [*settings, *short], data, output))
    seconds = [json.loads(line)["seconds"] for line in (output / "metrics.jsonl").read_text("utf-8").splitlines()]
    of_epochs = zip(sizes(recipe_with(name, [*settings, *short])), seconds, strict=True)
    return Pace(
        step_s={size: second / steps for size, second in list(of_epochs)[1::2]},
        fixed_s=taken.seconds - sum(seconds),
    )


def epochs_within(recipe: Recipe, pace: Pace, *, seconds: float, steps_per_epoch: int) -> int:
    """The most epochs that fit, at least one."""

    def fit(epochs: int) -> bool:
        epochs_s = sum(pace.step_s[size] for size in sizes(with_settings(recipe, lasting(recipe, epochs))))
        return pace.fixed_s + steps_per_epoch * epochs_s <= (1 - RESERVE) * seconds

    epochs = 1
    while fit(epochs + 1):
        epochs += 1
    return epochs


def training_macs(recipe: Recipe, *, num_classes: int, steps_per_epoch: int) -> int:
    """Multiply-adds of a run: three times those of the forward pass, for each picture that it sees."""
    assert recipe.design is not None
    architecture = recipe.design.architecture(num_classes=num_classes)
    of_epochs = sum(complexity(architecture, size).macs for size in sizes(recipe))
    return 3 * of_epochs * steps_per_epoch * recipe.batch_size
