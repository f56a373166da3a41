"""The names of models, and the design that each stands for."""

import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from regnety.architecture.design import AnyDesign
from regnety.architecture.notation import design_from_dict
from regnety.catalog.aliases import our_name
from regnety.errors import UnknownModelError

if TYPE_CHECKING:
    from regnety.catalog.published import PublishedWeights

EMBEDDED_MODEL = "regnety_cifar10"
"""The model whose weights come with the package: what answers when nobody names one."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of a named model."""

    name: str
    """Without a tag: `regnety_032`."""
    design: AnyDesign
    num_classes: int = 1000
    """Outputs of the classifier of `published`, or of the model that comes with the package."""
    tag: str | None = None
    """The tag that was asked for with the name; None is `default_tag`."""

    @property
    def default_tag(self) -> str | None:
        """The tag of the weights that the plain name means; None where none are published."""
        from regnety.catalog.published import published_models

        published = published_models().get(self.name)
        return None if published is None else published.default_tag

    @property
    def weights(self) -> "Mapping[str, PublishedWeights]":
        """The published weights of the model, by tag."""
        from regnety.catalog.published import published_models

        published = published_models().get(self.name)
        return {} if published is None else published.weights

    @property
    def published(self) -> "PublishedWeights | None":
        """The published weights that the name stands for: those of its tag, or of `default_tag`."""
        tag = self.tag or self.default_tag
        return None if tag is None else self.weights[tag]


def list_models(pattern: str = "*", *, pretrained: bool = False) -> list[str]:
    """Names of all models that match a shell pattern, e.g. `regnety_*`, sorted.

    Args:
        pattern: for the whole name.
        pretrained: those with published weights, with their tags, as timm lists them (`list_weights`).
    """
    if pretrained:
        from regnety.catalog.published import list_weights

        return list_weights(pattern)
    return [name for name in sorted(_models()) if fnmatch.fnmatchcase(name, pattern)]


def model_info(name: str) -> ModelInfo:
    """What is known of a model.

    Args:
        name: `regnety_032`, or with the tag of some weights, `regnety_032.tv2_in1k`; or what torchvision or pycls call
            a model (`regnet_y_3_2gf`, `RegNetY-3.2GF`), which means the weights that it means there.

    Raises:
        UnknownModelError: there is none of that name, or it has no weights of that tag.
    """
    model, dot, tag = our_name(name).partition(".") if isinstance(name, str) else (name, "", "")
    if not isinstance(model, str) or model not in _models():
        raise UnknownModelError(f"no model named {name!r}; {how_to_find(name)}")
    info = _models()[model]
    if not dot:
        return info
    if tag not in info.weights:
        tags = ", ".join(info.weights) or "none"
        raise UnknownModelError(f"{model} has no published weights tagged {tag!r}; its tags: {tags}")
    return replace(info, num_classes=info.weights[tag].num_classes, tag=tag)


def is_name(text: str) -> bool:
    """Whether a text is the name of a model, with or without the tag of some weights, in any of the tongues."""
    model, dot, tag = our_name(text).partition(".")
    return model in _models() and (not dot or tag in _models()[model].weights)


def how_to_find(name: object) -> str:
    """What to tell whoever asked for a model that does not exist: names that look like it, and where all stand."""
    import difflib  # of use here alone

    similar = difflib.get_close_matches(str(name).lower().partition(".")[0], _models(), n=3)
    suggestion = f"did you mean {', '.join(similar)}? " if similar else ""
    return f"{suggestion}`regnety models` lists all"


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
