"""The plan of a run over all layers, which is written into the run.

The weights at the end depend on it and not on the clock: a run that is killed and resumed follows it as it stands.
Where the machine turns out to be slower or faster than measured, the number of epochs is changed. That is written down
before it is acted on, with the epoch from which it holds.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from regnety.errors import RecipeError
from regnety.files.opening import read_file_text
from regnety.plain_values import from_plain
from regnety.storage.replacing import replacing
from regnety.text import reason_of
from regnety.training.recipes.recipe import Recipe, recipe_from_dict

PLAN_FILE = "plan.json"
USED = 0.96
"""Share of the time left that is filled; the rest is for a processor that becomes slower in the last epoch."""
PASSES_WANTED, STEPS_WANTED = 3, 200
"""Passes over the photographs, and steps, for which a larger input size is given up. In the same time 64 pixels with a
pass and a hundred steps were no better than the classifier alone, 48 with one and a half and 173 the best, and 32 with
three passes in between."""
MOST_EPOCHS = 20
"""Validations in a run with a time limit, at most, when it is planned."""
FEWEST_SHARE = 0.75
"""Of the number of epochs that could be, how many there are at least: the run can only end after an epoch."""
MOST_LONGER = 2
"""A run has at most so many times the epochs that were planned."""
SPARE_EPOCHS = 0.25
"""What the epochs to come may take longer than the last ones, in epochs."""
CHECKED_SHARE = 0.1
"""Share of the time that validations and checkpoints may take, if there are more than two."""
FEWEST_STEPS = 8
"""Of a run; with fewer all layers are not worth beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds of what a run does again and again, as measured on this machine."""

    step_s: float
    validation_s: float
    checkpoint_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Another number of epochs than was planned."""

    after: int
    """Epochs that were done by then."""
    epochs: int
    """Of the run, from then on; `after` where it ends there."""


class TooShortError(RecipeError):
    """A time limit leaves too little for all layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How all layers are trained in a run."""

    recipe: Recipe
    passes: float
    """Over the training photographs, in all epochs together."""
    time_limit_s: float | None = None
    """Seconds that the training might take in all when it was planned."""
    prepared_s: float | None = None
    """Of these, what had passed by then."""
    costs: Costs | None = None
    """What the plan with a time limit counts with."""
    threads: int | None = None
    """That torch computes with, as the sums of its results depend on them; None leaves that to torch."""
    revisions: tuple[Revision, ...] = ()
    """In the order in which they were made."""

    def epochs_after(self, done: int) -> int:
        """Epochs of the run, as decided by the time that so many were done."""
        decided = [revision.epochs for revision in self.revisions if revision.after <= done]
        return decided[-1] if decided else self.recipe.epochs

    def write(self, run: Path) -> None:
        """Keep it in the run's folder."""
        values = asdict(self) | {"recipe": self.recipe.as_dict()}
        with replacing(run / PLAN_FILE) as beside:
            beside.write_text(json.dumps(values, indent=1) + "\n", "utf-8")


def read_plan(run: Path) -> Plan | None:
    """The plan of a run; None where it has none yet.

    Raises:
        RecipeError: its file is damaged.
    """
    path = run / PLAN_FILE
    try:
        values = json.loads(read_file_text(path))
        recipe = recipe_from_dict(values.pop("recipe"), source=str(path))
        return from_plain(_Figures, values, name=str(path), error=RecipeError).plan(recipe)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RecipeError(
            f"{path}: cannot be read: {reason_of(error)}; it says how the run is trained; name another output"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figures:
    """A plan but for its recipe, which has a reader of its own."""

    passes: float
    time_limit_s: float | None = None
    prepared_s: float | None = None
    costs: Costs | None = None
    threads: int | None = None
    revisions: tuple[Revision, ...] = ()

    def plan(self, recipe: Recipe) -> Plan:
        return Plan(
            recipe=recipe,
            passes=self.passes,
            time_limit_s=self.time_limit_s,
            prepared_s=self.prepared_s,
            costs=self.costs,
            threads=self.threads,
            revisions=self.revisions,
        )


def image_sizes(image_size: int) -> list[int]:
    """Input sizes to choose from, smallest first, for a model that is shown `image_size` pixels."""
    shares = {16 * round(share * image_size / 16) for share in (1 / 2, 3 / 4)}
    return sorted({size for size in shares if 32 <= size < image_size} | {image_size})


def affordable_size(sizes: Sequence[int], *, smallest_step_s: float, steps_per_pass: int, available_s: float) -> int:
    """The largest size with which the photographs are passed over often enough; the smallest where there is none.

    Args:
        sizes: to choose from, smallest first.
        smallest_step_s: seconds of a step at the smallest.
        steps_per_pass: steps of a pass over the photographs.
        available_s: seconds for all steps.
    """
    wanted_s = smallest_step_s * max(PASSES_WANTED * steps_per_pass, STEPS_WANTED)
    # The time of a convolution goes with the number of pixels.
    affordable = [size for size in sizes if wanted_s * (size / sizes[0]) ** 2 <= available_s]
    return max(affordable, default=sizes[0])


def planned_epochs(costs: Costs, *, available_s: float) -> tuple[int, int]:
    """(epochs, steps of each) that fill the time.

    An epoch ends with a validation and a checkpoint. There are as many as take a tenth of the time, up to 20; or down
    to three quarters of that where less of the time is left over.

    Args:
        costs: as measured.
        available_s: seconds from now to the end of the training.

    Raises:
        TooShortError: there is not enough time for a few steps.
    """
    # At the end the average of the best epochs is validated too.
    left_s = USED * available_s - costs.validation_s
    check_s = costs.validation_s + costs.checkpoint_s
    most = min(MOST_EPOCHS, max(2, math.floor(CHECKED_SHARE * left_s / max(check_s, 1e-3))))
    fitting = {
        epochs: steps
        for epochs in range(1, most + 1)
        if epochs * (steps := math.floor((left_s / epochs - check_s) / costs.step_s)) >= FEWEST_STEPS
    }
    if fitting:
        enough = [epochs for epochs in fitting if epochs >= FEWEST_SHARE * max(fitting)]
        epochs = max(enough, key=lambda epochs: (epochs * (fitting[epochs] * costs.step_s + check_s), epochs))
        return epochs, fitting[epochs]
    needed_s = (FEWEST_STEPS * costs.step_s + check_s + costs.validation_s) / USED
    raise TooShortError(
        f"the time limit leaves {max(0.0, available_s):.0f} s for training all layers, which need at least "
        f"{math.ceil(needed_s)} s here"
    )


def epochs_that_fit(plan: Plan, *, done: int, epoch_s: float, left_s: float) -> int:
    """Epochs of the run, if it is to end in time: those that are done and as many more as fit.

    Args:
        plan: with a time limit.
        done: epochs.
        epoch_s: seconds of an epoch, as the last ones took.
        left_s: seconds to the end of the training.
    """
    assert plan.costs is not None
    more = math.floor((left_s - plan.costs.validation_s) / epoch_s - SPARE_EPOCHS)
    return min(done + max(0, more), MOST_LONGER * plan.recipe.epochs)
