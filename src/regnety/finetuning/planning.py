"""The plan of a run over all layers: made once, written into the run, and never changed.

The weights at the end depend on it and not on the clock: a run that is killed and resumed follows the same plan.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from regnety.errors import RecipeError
from regnety.files.opening import read_file_text
from regnety.storage import replacing
from regnety.text import reason_of
from regnety.training.recipes.recipe import Recipe, recipe_from_dict

PLAN_FILE = "plan.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How all layers are trained in a run."""

    recipe: Recipe

    def write(self, run: Path) -> None:
        """Keep it in the run's folder."""
        with replacing(run / PLAN_FILE) as beside:
            beside.write_text(json.dumps({"recipe": self.recipe.as_dict()}, indent=1) + "\n", "utf-8")


def read_plan(run: Path) -> Plan | None:
    """The plan of a run; None where it has none yet.

    Raises:
        RecipeError: its file is damaged.
    """
    path = run / PLAN_FILE
    try:
        values = json.loads(read_file_text(path))
        return Plan(recipe=recipe_from_dict(values["recipe"], source=str(path)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RecipeError(
            f"{path}: cannot be read: {reason_of(error)}; it says how the run is trained; name another output"
        ) from error
