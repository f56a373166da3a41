"""The names of models, and the design of each."""

import fnmatch
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from regnety.architecture.description import AnyDesign
from regnety.architecture.notation import design_from_dict
from regnety.catalog.aliases import our_name
from regnety.errors import UnknownModelError

if TYPE_CHECKING:
    from regnety.catalog.published import PublishedWeights

DEFAULT_MODEL = "regnety_tiny"
"""The model that answers, and that `finetune` starts from, where none is named."""
EMBEDDED_MODELS = (DEFAULT_MODEL, "regnety_cifar10")
"""The models whose weights come with the package."""
MODULE = "regnet"
"""timm's file that has these models."""
OTHER_FAMILIES = {"regnetv_": "RegNetV", "regnetz_": "RegNetZ"}
"""Other families in the same file of timm; their networks differ."""

ELSEWHERE = ("resne", "wide_res", "vit", "deit", "swin", "convnext", "efficientnet", "mobilenet", "densenet", "vgg")
"""How names of families begin that a user of timm or torchvision may try."""
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known about a named model."""

    name: str
    """Without a tag: `regnety_032`."""
    design: AnyDesign
    num_classes: int = 1000
    """Outputs of the classifier of `published`, or of a model that comes with the package."""
    tag: str | None = None
    """The tag in the name; None is `default_tag`."""

    @property
    def default_tag(self) -> str | None:
        """The tag of the weights that the plain name means; None if none are published."""
        from regnety.catalog.published import published_models  # late: most commands need no published weights

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


def list_models(
    filter: str | Iterable[str] = "",
    module: str | Iterable[str] = "",
    pretrained: bool = False,
    exclude_filters: str | Iterable[str] = "",
    name_matches_cfg: bool = False,
    include_tags: bool | None = None,
) -> list[str]:
    """Names of the models, with the arguments and order of timm's function.

    Args:
        filter: one shell pattern for the whole name, `regnety_*`, or several of which one must match; without a dot it
            matches any tag. An empty text is all models.
        module: timm's file of models; only `regnet` has any here.
        pretrained: those with published weights, with their tags (`list_weights`).
        exclude_filters: patterns of names to omit.
        name_matches_cfg: only those with published weights.
        include_tags: one name for each tag; None is the value of `pretrained`.

    Returns:
        Names in natural order: `regnety_320` before `regnety_1280`.
    """
    from regnety.catalog.published import natural_key

    # timm takes a text or several for each of these
    modules, wanted, unwanted = _texts(module), _texts(filter), _texts(exclude_filters)
    if modules and MODULE not in modules:
        return []
    include_tags = pretrained if include_tags is None else include_tags
    # tags before patterns: a pattern may name one
    names = [tagged for name, info in _models().items() for tagged in (_with_tags(info) if include_tags else [name])]
    if include_tags:
        wanted, unwanted = ([each for one in given for each in _for_any_tag(one)] for given in (wanted, unwanted))
    kept = [
        name
        for name in names
        if (not wanted or _matches(name, wanted))
        and not _matches(name, unwanted)
        and (is_model_pretrained(name) or not (pretrained or name_matches_cfg))
    ]
    return sorted(kept, key=natural_key)


def list_pretrained(filter: str | Iterable[str] = "", exclude_filters: str | Iterable[str] = "") -> list[str]:
    """`list_models` of those with published weights, with their tags."""
    return list_models(filter, pretrained=True, exclude_filters=exclude_filters)


def list_modules() -> list[str]:
    """timm's files of models that regnety has: `regnet`."""
    return [MODULE]


def is_model(model_name: str) -> bool:
    """Whether there is a model of that name. Any tag may follow it, as in timm (`is_model_pretrained` checks it)."""
    return our_name(model_name).partition(".")[0] in _models()


def is_model_pretrained(model_name: str) -> bool:
    """Whether a name, with or without tag, has published weights; they need not be on this disk."""
    return is_name(model_name) and model_info(model_name).published is not None


def _with_tags(info: ModelInfo) -> list[str]:
    # as in timm: a model without weights is listed by its plain name
    return [f"{info.name}.{tag}" for tag in info.weights] or [info.name]


def _texts(values: str | Iterable[str]) -> list[str]:
    return ([values] if values else []) if isinstance(values, str) else list(values)


def _for_any_tag(pattern: str) -> list[str]:
    # as in timm: a pattern without a dot leaves the tag open
    return [pattern] if "." in pattern else [pattern, f"{pattern}.*"]


def _matches(name: str, patterns: list[str]) -> bool:
    # not fnmatch.fnmatch, which ignores capitals on Windows
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def model_info(name: str) -> ModelInfo:
    """What is known about a model.

    Args:
        name: `regnety_032`, with a tag `regnety_032.tv2_in1k`, or the name in torchvision or pycls (`regnet_y_3_2gf`,
            `RegNetY-3.2GF`), which means the weights that it means there.

    Raises:
        UnknownModelError: there is none of that name, or it has no weights of that tag.
    """
    # what is no text gets the error of an unknown name, too
    model, dot, tag = our_name(name).partition(".") if isinstance(name, str) else (name, "", "")
    if not isinstance(model, str) or model not in _models():
        raise UnknownModelError(f"no model named {name!r}; {how_to_find(name)}")
    info = _models()[model]
    if not dot:
        return info
    if tag not in info.weights:
        tags = ", ".join(info.weights) or "none"
        raise UnknownModelError(f"{model} has no published weights tagged {tag!r}; its tags: {tags}")
    # seer weights have no classifier, those of sw_in12k tell 11,821 classes
    return replace(info, num_classes=info.weights[tag].num_classes, tag=tag)


def is_name(text: str) -> bool:
    """Whether a text is a model's name, ours or another library's, without a tag or with a known one."""
    model, dot, tag = our_name(text).partition(".")
    # unlike `is_model`, which takes any tag: a file may be called regnety_032.pth
    return model in _models() and (not dot or tag in _models()[model].weights)


def how_to_find(name: object) -> str:
    """Help for a name that no model has: names like it, and the command that lists all."""
    import difflib  # start-up should not pay for it

    family = OTHER_FAMILIES.get(str(name).lower()[:8])  # all of its keys have 8 characters
    if family is not None:
        return f"{family} is another family, which timm has; regnety has RegNetX and RegNetY: `regnety models`"
    wanted = str(name).lower().partition(".")[0]
    # names of two or three letters in common, as resnet50 and regnety_2560, are no help; a slip in the family's name is
    similar = difflib.get_close_matches(wanted, _models(), n=9, cutoff=0.6 if wanted.startswith("regn") else 0.8)
    # of those that are equally like it, the one that begins alike: of regnety_04 the user has typed most of regnety_040
    similar = sorted(
        similar, key=lambda known: (-difflib.SequenceMatcher(None, known, wanted).ratio(), -_alike(known, wanted))
    )[:3]
    if not similar and any(wanted.startswith(family) for family in ELSEWHERE):
        return "regnety has only RegNets: `regnety models` lists them"
    suggestion = f"did you mean {', '.join(similar)}? " if similar else ""
    return f"{suggestion}`regnety models` lists all"


def _alike(first: str, second: str) -> int:
    """How many letters two names begin with in common."""
    return next((count for count, (one, other) in enumerate(zip(first, second)) if one != other), len(first))  # noqa: B905


def embedded_bundle(name: str) -> Path:
    """The folder of a model that comes with the package."""
    return _FOLDER / "embedded" / name


@cache
def _models() -> dict[str, ModelInfo]:
    designs = json.loads((_FOLDER / "designs.json").read_text("utf-8"))
    models = {name: ModelInfo(name=name, design=design_from_dict(values)) for name, values in designs.items()}
    # an embedded model has its own design, which is in its config and nowhere else
    for name in EMBEDDED_MODELS:
        card = json.loads((embedded_bundle(name) / "config.json").read_text("utf-8"))
        models[name] = ModelInfo(
            name=name, design=design_from_dict(card["regnety"]["design"]), num_classes=card["num_classes"]
        )
    return models
