"""The published weights of the named models: where they are, their preprocessing and their accuracy.

What `published_weights.json` omits has the default: bicubic, ImageNet's mean and std, and without `timm_default_tag`
timm's plain name means the same weights as ours.
"""

import fnmatch
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from regnety.preprocessing import Preprocessing
from regnety.storage.cache import WEIGHTS_FOLDER, cache_directory


class Licence(NamedTuple):
    """What a card says about a licence."""

    restriction: str | None = None
    """Its full name, if it forbids commercial use."""
    link: str | None = None
    """Where its text is, if the Hub has no name for it."""


LICENCES = {
    "apache-2.0": Licence(),
    "bsd-3-clause": Licence(),
    "mit": Licence(),
    "cc-by-nc-4.0": Licence("CC BY-NC 4.0 (https://creativecommons.org/licenses/by-nc/4.0/)"),
    "seer-license": Licence(
        "Meta's SEER licence, which grants non-commercial research alone",
        "https://github.com/facebookresearch/vissl/blob/main/projects/SEER/MODEL_LICENSE.md",
    ),
}
"""Every licence in the catalogue, by the Hub's name."""

LABEL_SETS = {("in1k", 1000): "imagenet-1k", ("in12k", 11821): "imagenet-12k"}
"""The end of a tag and the number of classes, to a set of class names; weights without a classifier have none."""

_FILE = Path(__file__).parent / "published_weights.json"
# `regnet_y_3_2gf-9180c971.pth`; torch.hub has at least 8 digits
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNetAccuracy:
    """What a model scores on ImageNet's 50,000 validation pictures at one size and crop."""

    image_size: int
    """Height and width of the input, in pixels."""
    crop_pct: float
    """Fraction of the resized shorter side that the crop keeps."""
    top1: float
    """In percent."""
    top5: float
    """In percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWeights:
    """One set of published weights of a named model. The accuracies are timm's; the file need not be on this disk."""

    model: str
    """`regnety_032`."""
    tag: str
    """`tv2_in1k`: who trained it, and on what."""
    hub_repo: str
    """Its repository on the Hugging Face Hub."""
    url: str | None
    """Where its authors publish the file; None if only the Hub has it. A fact: it is fetched from the Hub."""
    num_classes: int
    """Outputs of the classifier; 0 if it has none and gives features."""
    preprocessing: Preprocessing
    """How its input is made; `test_image_size` and `test_crop_pct` only if they differ from training's."""
    license: str
    """`mit`; some forbid commercial use."""
    imagenet: tuple[ImageNetAccuracy, ...]
    """A row for each size and crop that was measured; empty if its classes are not ImageNet's thousand."""

    @property
    def name(self) -> str:
        """`regnety_032.tv2_in1k`: what MODEL may be."""
        return f"{self.model}.{self.tag}"

    @property
    def label_set(self) -> str | None:
        """The set of class names of its outputs, from its tag (`in1k`); None if they are unknown."""
        # the last word: sw_in12k_ft_in1k was trained on one set and fine-tuned on the other
        return LABEL_SETS.get((self.tag.split("_")[-1], self.num_classes))

    @property
    def cache_path(self) -> Path:
        """Where its file is expected on this disk: a `.safetensors` file with timm's keys. It may not exist."""
        return cache_directory() / WEIGHTS_FOLDER / f"{self.name}.safetensors"

    @property
    def url_path(self) -> Path | None:
        """Where the file of `url` may be put by hand, under its own name; None if there is no address."""
        return None if self.url is None else self.cache_path.with_name(self.url.rpartition("/")[2])

    @property
    def cached_file(self) -> Path | None:
        """The first of `cache_path`, NAME.pth next to it and `url_path` that exists; None if none does."""
        candidates = (self.cache_path, self.cache_path.with_suffix(".pth"), self.url_path)
        # os.path: Path.is_file raises an error in a folder that this user may not look into
        return next((path for path in candidates if path is not None and os.path.isfile(path)), None)

    @property
    def url_sha256_prefix(self) -> str | None:
        """The first hex digits of the SHA-256 of the file of `url`, which torch.hub puts into its name."""
        digits = _HASH_IN_NAME.search(self.url or "")
        return None if digits is None else digits[1]

    @property
    def noncommercial(self) -> bool:
        """Whether the licence forbids commercial use."""
        return LICENCES[self.license].restriction is not None

    @property
    def licence_notice(self) -> str | None:
        """One sentence to show before the first use; None if the licence allows commercial use."""
        if not self.noncommercial:
            return None
        return (
            f"the weights {self.name} are not for commercial use: their licence is {self.license}, "
            f"see https://huggingface.co/{self.hub_repo}"
        )

    def accuracy(self, preprocessing: Preprocessing) -> ImageNetAccuracy | None:
        """The row of a preprocessing's size and crop; None if they were not measured."""
        # both: at one size another crop gives another accuracy
        used = (preprocessing.image_size, preprocessing.crop_pct)
        return next((row for row in self.imagenet if (row.image_size, row.crop_pct) == used), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel:
    """The published weights of one model."""

    default_tag: str
    """Of the weights that the plain name means."""
    timm_default_tag: str
    """Of the weights that timm 1.0 loads for the plain name; for eight of the model page's twelve they are others."""
    weights: Mapping[str, PublishedWeights]
    """By tag."""


def list_weights(pattern: str = "*") -> list[str]:
    """Names with tags of all published weights, `regnety_032.tv2_in1k`, in the order of `natural_key`.

    Args:
        pattern: a shell pattern for the whole name (`*.pycls_in1k`) or for the model alone (`regnety_032`).
    """
    return sorted(
        (
            weights.name
            for model in published_models().values()
            for weights in model.weights.values()
            # fnmatchcase: fnmatch would ignore capitals on Windows
            if fnmatch.fnmatchcase(weights.name, pattern) or fnmatch.fnmatchcase(weights.model, pattern)
        ),
        key=natural_key,
    )


def natural_key(name: str) -> list[tuple[int, str]]:
    """A sort key in timm's order: `regnety_320` before `regnety_1280`."""
    # -1: where one name has a number and the other letters, the letters come first
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name.lower())]


@cache
def published_models() -> Mapping[str, PublishedModel]:
    """Model to its published weights; the file is read at the first call, as many commands need none."""
    models = json.loads(_FILE.read_text("utf-8"))
    return {
        model: PublishedModel(
            default_tag=facts["default_tag"],
            timm_default_tag=facts.get("timm_default_tag", facts["default_tag"]),
            # cached and handed to everybody: nobody may change it
            weights=MappingProxyType({tag: _weights(model, tag, values) for tag, values in facts["weights"].items()}),
        )
        for model, facts in models.items()
    }


@cache
def weights_by_repository() -> Mapping[str, PublishedWeights]:
    """Repository on the Hub, `timm/regnety_032.tv2_in1k`, to its published weights."""
    published = published_models().values()
    return {weights.hub_repo: weights for model in published for weights in model.weights.values()}


def _weights(model: str, tag: str, values: dict[str, Any]) -> PublishedWeights:
    preprocessing = Preprocessing(**values.pop("preprocessing"))
    imagenet = tuple(ImageNetAccuracy(**row) for row in values.pop("imagenet"))
    return PublishedWeights(model=model, tag=tag, preprocessing=preprocessing, imagenet=imagenet, **values)
