"""What a population is: its trials and how they are trained, decided before the first one and written down."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from regnety.architecture.counting import Complexity, complexity
from regnety.architecture.description import AnyDesign
from regnety.architecture.notation import design_from_dict
from regnety.designspace.halving import Halving, read_share
from regnety.designspace.trials import Conditions, Trial
from regnety.designspace.variations import Variation
from regnety.errors import JobError, RegNetYError
from regnety.files.opening import read_file_text
from regnety.storage.replacing import replacing
from regnety.text import one_line, reason_of
from regnety.training.recipes.recipe import Recipe, recipe_from_dict

PLAN_FILE = "population.json"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """The photographs of a population, for its record."""

    name: str
    classes: int
    train: int
    val: int
    digest: str
    """Of their names, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A population that is trained, or may be."""

    recipe: Recipe
    """What is the same in all trials; nothing is left open in it but the design."""
    vary: tuple[str, ...]
    """What is varied, as it was asked for."""
    draws: int
    """Draws of what is varied, for each design."""
    repeat: int
    """Seeds for each of those."""
    keep_best: Fraction | None
    conditions: Conditions
    data: DataFacts
    trials: tuple[Trial, ...]
    complexities: tuple[Complexity, ...]
    """Of each trial's network, at its image size and number of classes."""

    @property
    def halving(self) -> Halving:
        """Decides what is trained next."""
        return Halving([trial.recipe.epochs for trial in self.trials], self.keep_best)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "format_version": FORMAT_VERSION,
            "recipe": self.recipe.as_dict(),
            "vary": list(self.vary),
            "draws": self.draws,
            "repeat": self.repeat,
            "keep_best": None if self.keep_best is None else str(self.keep_best),
            **dataclasses.asdict(self.conditions),
            "data": dataclasses.asdict(self.data),
            "trials": [
                {
                    "design_number": trial.design_number,
                    "design": trial.design.as_dict(),
                    "seed": trial.recipe.seed,
                    "varied": trial.varied,
                    **dataclasses.asdict(counts),
                }
                for trial, counts in zip(self.trials, self.complexities, strict=True)
            ],
        }

    def write(self, folder: Path) -> None:
        """Keep it in the folder of the population."""
        with replacing(folder / PLAN_FILE) as beside:
            beside.write_text(json.dumps(self.as_dict(), indent=1) + "\n", "utf-8")

    def check_same(self, stored: "Plan", folder: Path) -> None:
        """Check that this is what the population in a folder was begun with; the name of its data may be another.

        Raises:
            JobError: it is not.
        """
        before, after = stored.as_dict(), self.as_dict()
        after["data"]["name"] = before["data"]["name"]
        for key, was in before.items():
            if was == after[key]:
                continue
            if key == "trials":
                raise JobError(
                    f"{folder}: the population has other designs than were given ({len(was)} trials, "
                    f"{len(after[key])} given); resume it with those that it began with"
                )
            if key == "data":
                raise JobError(
                    f"{folder}: the population was begun with other photographs ({was['train']} to train on and "
                    f"{was['val']} to measure errors on, now {after[key]['train']} and {after[key]['val']})"
                )
            path, was, now = _first_difference(key, was, after[key])
            raise JobError(f"{folder}: the population has {path}={was}, resuming cannot change it to {now}")


def make_trials(
    designs: Sequence[AnyDesign], recipe: Recipe, variations: Sequence[Variation], *, draws: int, repeat: int
) -> tuple[Trial, ...]:
    """The trials of a population, design by design.

    The values of a draw depend on the recipe's seed and on the numbers of the design and of the draw alone. Repetitions
    have the same values, and the recipe's seed and those that follow it.
    """
    trials: list[Trial] = []
    for design_number, design in enumerate(designs):
        for draw in range(draws):
            generator = np.random.default_rng((recipe.seed, design_number, draw))
            varied = {variation.field: variation.draw(generator) for variation in variations}
            for repetition in range(repeat):
                trials.append(
                    Trial(
                        number=len(trials),
                        design_number=design_number,
                        design=design,
                        recipe=_own_recipe(recipe, design, varied, recipe.seed + repetition),
                        varied=varied,
                    )
                )
    return tuple(trials)


def complexities_of(trials: Sequence[Trial], num_classes: int) -> tuple[Complexity, ...]:
    """What each trial's network costs, at its image size."""
    found: dict[tuple[int, int], Complexity] = {}
    for trial in trials:
        assert trial.recipe.image_size is not None  # resolved
        key = (trial.design_number, trial.recipe.image_size)
        if key not in found:
            found[key] = complexity(trial.design.architecture(num_classes), trial.recipe.image_size)
    return tuple(found[trial.design_number, trial.recipe.image_size or 0] for trial in trials)


def read_plan(folder: Path) -> Plan:
    """The plan in the folder of a population.

    Raises:
        JobError: there is none, or it is damaged.
    """
    path = folder / PLAN_FILE
    if not path.exists():
        raise JobError(f"{folder}: holds no population, which `regnety design run` writes ({PLAN_FILE} is missing)")
    try:
        return _plan(json.loads(read_file_text(path)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RegNetYError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else one_line(error)
        raise JobError(f"{path}: cannot be read: {reason}") from error


def _plan(values: dict[str, Any]) -> Plan:
    if values["format_version"] > FORMAT_VERSION:
        raise ValueError(f"its format_version is {values['format_version']}, this release knows {FORMAT_VERSION}")
    recipe = recipe_from_dict(values["recipe"], source="recipe")
    trials = []
    for number, row in enumerate(values["trials"]):
        design = design_from_dict(row["design"])
        trials.append(
            Trial(
                number=number,
                design_number=row["design_number"],
                design=design,
                recipe=_own_recipe(recipe, design, row["varied"], row["seed"]),
                varied=row["varied"],
            )
        )
    names = [field.name for field in dataclasses.fields(Complexity)]
    return Plan(
        recipe=recipe,
        vary=tuple(values["vary"]),
        draws=values["draws"],
        repeat=values["repeat"],
        keep_best=None if values["keep_best"] is None else read_share(values["keep_best"]),
        conditions=Conditions(threads=values["threads"], device=values["device"]),
        data=DataFacts(**values["data"]),
        trials=tuple(trials),
        complexities=tuple(Complexity(**{name: row[name] for name in names}) for row in values["trials"]),
    )


def _own_recipe(recipe: Recipe, design: AnyDesign, varied: dict[str, Any], seed: int) -> Recipe:
    values = recipe.as_dict()
    for key, value in varied.items():
        *groups, name = key.split(".")
        table = values
        for group in groups:
            table = table[group]
        table[name] = value
    own = recipe_from_dict(values, source="--vary")
    return dataclasses.replace(own, design=design, seed=seed)


def _first_difference(name: str, before: Any, after: Any) -> tuple[str, Any, Any]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *after]:
            if before.get(key) != after.get(key):
                return _first_difference(f"{name}.{key}", before.get(key), after.get(key))
    return name, before, after
