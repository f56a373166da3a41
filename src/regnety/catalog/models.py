"""The names of models, and the design that each stands for."""

import fnmatch
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from regnety.architecture.design import AnyDesign
from regnety.architecture.notation import design_from_dict
from regnety.errors import UnknownModelError

EMBEDDED_MODEL = "regnety_cifar10"
"""The model whose weights come with the package: what answers when nobody names one."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of a named model."""

    name: str
    design: AnyDesign
    num_classes: int = 1000


def list_models(pattern: str = "*") -> list[str]:
    """Names of all models that match a shell pattern, e.g. `regnety_*`, sorted."""
    return [name for name in sorted(_models()) if fnmatch.fnmatchcase(name, pattern)]


def model_info(name: str) -> ModelInfo:
    """What is known of a model.

    Raises:
        UnknownModelError: there is none of that name.
    """
    try:
        return _models()[name]
    except KeyError:
        raise UnknownModelError(f"no model named {name!r}; known: {', '.join(list_models())}") from None


def embedded_bundle() -> Path:
    """The folder of the model that comes with the package."""
    return _FOLDER / "embedded" / EMBEDDED_MODEL


@cache
def _models() -> dict[str, ModelInfo]:
    designs = json.loads((_FOLDER / "designs.json").read_text("utf-8"))
    models = {name: ModelInfo(name=name, design=design_from_dict(values)) for name, values in designs.items()}
    card = json.loads((embedded_bundle() / "config.json").read_text("utf-8"))
    models[EMBEDDED_MODEL] = ModelInfo(
        name=EMBEDDED_MODEL, design=design_from_dict(card["regnety"]["design"]), num_classes=card["num_classes"]
    )
    return models
