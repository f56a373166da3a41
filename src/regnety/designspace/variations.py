"""Fields of a recipe that differ from trial to trial, and the law that they are drawn from."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from regnety.errors import RecipeError
from regnety.training.recipes.recipe import Recipe, with_settings

Law: TypeAlias = Literal["log", "uniform", "choice"]
KEPT = ("seed", "design", "model", "name", "pretrained")
"""Fields that the trials have from elsewhere: seeds from their repetition, networks from their design."""
WITHOUT_EFFECT = ("val_fraction", "patience", "average_best", "bundle_dtype")
"""Fields that change nothing in a trial: all share their photographs, train all epochs and leave no bundle."""


@dataclass(frozen=True, slots=True)
class Variation:
    """A field and its law.

    Args:
        field: of the recipe, dotted.
        law: `log` and `uniform` between two numbers, `choice` among values.
        values: the two numbers, or the values.
        whole: whether the field takes whole numbers, to which a drawn one is rounded.
    """

    field: str
    law: Law
    values: tuple[float | int | str, ...]
    whole: bool = False

    def draw(self, generator: np.random.Generator) -> float | int | str:
        """One value."""
        if self.law == "choice":
            return self.values[int(generator.integers(len(self.values)))]
        low, high = (float(value) for value in self.values)
        share = float(generator.random())
        if self.law == "log":
            value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            value = low + share * (high - low)
        return round(value) if self.whole else value


def read_variations(texts: Iterable[str], recipe: Recipe) -> tuple[Variation, ...]:
    """Read `optimizer.lr=log:0.01:1`, `label_smoothing=uniform:0:0.2`, `batch_size=choice:64:128`.

    Args:
        texts: one for each field.
        recipe: whose fields are varied; both ends of a law must be allowed in it.

    Raises:
        RecipeError: no such field or law, or a value that the recipe refuses.
    """
    found: dict[str, Variation] = {}
    for text in texts:
        field, separator, law = (part.strip() for part in text.partition("="))
        kind, *values = law.split(":")
        if not separator or kind not in ("log", "uniform", "choice") or not values:
            raise RecipeError(
                f"--vary takes FIELD=log:LOW:HIGH, FIELD=uniform:LOW:HIGH or FIELD=choice:VALUE:VALUE, got {text!r}"
            )
        if field in found:
            raise RecipeError(f"--vary {field}: is given twice")
        if field.partition(".")[0] in KEPT:
            raise RecipeError(f"--vary {field}: trials have this from their design, and seeds from --repeat")
        if field in WITHOUT_EFFECT:
            raise RecipeError(
                f"--vary {field}: changes no trial: all measure their errors on the same photographs, after all epochs"
            )
        for value in values:  # the recipe itself says whether it takes them
            with_settings(recipe, [f"{field}={value}"], source="--vary")
        found[field] = _read(field, kind, values, recipe)
    return tuple(found.values())


def _read(field: str, kind: Any, values: list[str], recipe: Recipe) -> Variation:
    whole = isinstance(_value_of(recipe, field), int)
    if kind == "choice":
        chosen = [_value_of(with_settings(recipe, [f"{field}={value}"]), field) for value in values]
        return Variation(field, kind, tuple(chosen))
    numbers = [_value_of(with_settings(recipe, [f"{field}={value}"]), field) for value in values]
    if len(numbers) != 2 or not all(isinstance(number, int | float) for number in numbers):
        raise RecipeError(f"--vary {field}: {kind} takes two numbers, LOW:HIGH, got {':'.join(values)}")
    low, high = numbers
    if not low < high or (kind == "log" and low <= 0):
        raise RecipeError(f"--vary {field}: {kind} takes {'0 < ' if kind == 'log' else ''}LOW < HIGH, got {low}:{high}")
    return Variation(field, kind, (low, high), whole)


def _value_of(recipe: Recipe, field: str) -> Any:
    value: Any = recipe.as_dict()
    for name in field.split("."):
        value = value[name]
    return value
