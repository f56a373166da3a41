"""timm's argument `auto_augment`: several random operations on a training picture.

AutoAugment (arXiv 1805.09501), RandAugment (arXiv 1909.13719), AugMix (arXiv 1912.02781) and 3-Augment (arXiv
2204.07118), with the variants and the settings in text of timm's `auto_augment.py`: `rand-m9-mstd0.5-inc1`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from regnety.errors import WeightsError
from regnety.images.decoding import FILTERS
from regnety.images.strong_operations import OPERATIONS, Generator, Surroundings

Shares: TypeAlias = npt.NDArray[np.float64]
LARGEST_MAGNITUDE = 10.0
UNIFORM_FROM = 100
"""A deviation above this many means uniform magnitudes, from 0 on."""
AUGMIX_MOVE = 0.3
"""Largest move in AugMix, as a share of the picture."""

# Each line is a policy, one of which a picture gets: operations, each with its probability and its magnitude.
_ORIGINAL = """
PosterizeOriginal 0.4 8, Rotate 0.6 9
Solarize 0.6 5, AutoContrast 0.6 5
Equalize 0.8 8, Equalize 0.6 3
PosterizeOriginal 0.6 7, PosterizeOriginal 0.6 6
Equalize 0.4 7, Solarize 0.2 4
Equalize 0.4 4, Rotate 0.8 8
Solarize 0.6 3, Equalize 0.6 7
PosterizeOriginal 0.8 5, Equalize 1.0 2
Rotate 0.2 3, Solarize 0.6 8
Equalize 0.6 8, PosterizeOriginal 0.4 6
Rotate 0.8 8, Color 0.4 0
Rotate 0.4 9, Equalize 0.6 2
Equalize 0.0 7, Equalize 0.8 8
Invert 0.6 4, Equalize 1.0 8
Color 0.6 4, Contrast 1.0 8
Rotate 0.8 8, Color 1.0 2
Color 0.8 8, Solarize 0.8 7
Sharpness 0.4 7, Invert 0.6 8
ShearX 0.6 5, Equalize 1.0 9
Color 0.4 0, Equalize 0.6 3
Equalize 0.4 7, Solarize 0.2 4
Solarize 0.6 5, AutoContrast 0.6 5
Invert 0.6 4, Equalize 1.0 8
Color 0.6 4, Contrast 1.0 8
Equalize 0.8 8, Equalize 0.6 3
"""
_V0 = """
Equalize 0.8 1, ShearY 0.8 4
Color 0.4 9, Equalize 0.6 3
Color 0.4 1, Rotate 0.6 8
Solarize 0.8 3, Equalize 0.4 7
Solarize 0.4 2, Solarize 0.6 2
Color 0.2 0, Equalize 0.8 8
Equalize 0.4 8, SolarizeAdd 0.8 3
ShearX 0.2 9, Rotate 0.6 8
Color 0.6 1, Equalize 1.0 2
Invert 0.4 9, Rotate 0.6 0
Equalize 1.0 9, ShearY 0.6 3
Color 0.4 7, Equalize 0.6 0
Posterize 0.4 6, AutoContrast 0.4 7
Solarize 0.6 8, Color 0.6 9
Solarize 0.2 4, Rotate 0.8 9
Rotate 1.0 7, TranslateYRel 0.8 9
ShearX 0.0 0, Solarize 0.8 4
ShearY 0.8 0, Color 0.6 4
Color 1.0 0, Rotate 0.6 2
Equalize 0.8 4, Equalize 0.0 8
Equalize 1.0 4, AutoContrast 0.6 2
ShearY 0.4 7, SolarizeAdd 0.6 7
Posterize 0.8 2, Solarize 0.6 10
Solarize 0.6 8, Equalize 0.6 1
Color 0.8 6, Rotate 0.4 5
"""
_THREE = """
Solarize 1.0 5
Desaturate 1.0 10
GaussianBlurRand 1.0 10
"""
POLICIES = {
    "original": _ORIGINAL,
    "originalr": _ORIGINAL.replace("PosterizeOriginal", "PosterizeIncreasing"),
    "v0": _V0,
    "v0r": _V0.replace("Posterize", "PosterizeIncreasing"),
    "3a": _THREE,
}

_COMMON = ("AutoContrast", "Equalize", "Invert", "Rotate", "SolarizeAdd")
_MOVES = ("ShearX", "ShearY", "TranslateXRel", "TranslateYRel")
_SCALED = ("Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness")
_INCREASING = tuple(f"{name}Increasing" for name in _SCALED)
CHOICES: dict[str, dict[str, float]] = {
    "": dict.fromkeys((*_COMMON, *_SCALED, *_MOVES), 1.0),
    "inc": dict.fromkeys((*_COMMON, *_INCREASING, *_MOVES), 1.0),
    "3a": dict.fromkeys(("SolarizeIncreasing", "Desaturate", "GaussianBlur"), 1.0),
    "3aw": {
        **dict.fromkeys(("SolarizeIncreasing", "Desaturate", "GaussianBlur"), 6.0),
        "Rotate": 3.0,
        **dict.fromkeys(("ShearX", "ShearY"), 2.0),
        **dict.fromkeys(("AutoContrast", "Equalize", "Invert"), 1.0),
        **dict.fromkeys((name for name in _INCREASING if name != "SolarizeIncreasing"), 1.0),
    },
    "weights": {
        "Rotate": 3.0,
        **dict.fromkeys(("ShearX", "ShearY"), 2.0),
        **dict.fromkeys(("TranslateXRel", "TranslateYRel"), 1.0),
        **dict.fromkeys(("ColorIncreasing", "SharpnessIncreasing", "AutoContrast"), 0.25),
        **dict.fromkeys(("PosterizeIncreasing", "SolarizeIncreasing", "ContrastIncreasing"), 0.05),
        **dict.fromkeys(("BrightnessIncreasing", "SolarizeAdd", "Equalize", "Invert"), 0.05),
    },
}
"""What RandAugment chooses from, by the name after `t`, and how often."""
WEIGHTED = ("3aw", "weights")
"""Those of which a picture gets none twice."""
AUGMIX_CHOICES = tuple(name for name in CHOICES["inc"] if name not in ("Invert", "SolarizeAdd"))


@dataclass(frozen=True, slots=True)
class _Strength:
    """How strong operations are."""

    magnitude: float
    deviation: float = 0.0
    """Of the magnitude; infinity draws it uniformly from 0 on."""
    largest: float = LARGEST_MAGNITUDE

    def draw(self, generator: Generator) -> float:
        magnitude = self.magnitude
        if self.deviation == math.inf:
            magnitude = generator.uniform(0, magnitude)
        elif self.deviation > 0:
            magnitude = generator.normal(magnitude, self.deviation)
        return max(0.0, min(magnitude, self.largest)) / LARGEST_MAGNITUDE


class StrongAugmentation(Protocol):
    """Changes a picture in RGB by random numbers; the result has its size."""

    def __call__(self, image: Image.Image, generator: Generator) -> Image.Image:
        """The picture, changed."""


@dataclass(frozen=True, slots=True)
class AutoAugment:
    """One of several policies, whose operations a picture gets one after the other, each with a probability."""

    policies: tuple[tuple[tuple[str, float, _Strength], ...], ...]
    """Name, probability and strength."""
    surroundings: Surroundings

    def __call__(self, image: Image.Image, generator: Generator) -> Image.Image:
        """The picture, changed."""
        for name, probability, strength in self.policies[generator.integers(len(self.policies))]:
            if generator.random() < probability:
                image = OPERATIONS[name](image, strength.draw(generator), generator, self.surroundings)
        return image


@dataclass(frozen=True, slots=True)
class RandAugment:
    """So many operations, each chosen at random and done with a probability."""

    choices: tuple[str, ...]
    shares: tuple[float, ...] | None
    """How often each is chosen, none of them twice; None is equally often, any number of times."""
    count: int
    probability: float
    strength: _Strength
    surroundings: Surroundings

    def __call__(self, image: Image.Image, generator: Generator) -> Image.Image:
        """The picture, changed."""
        again = self.shares is None
        for number in generator.choice(len(self.choices), self.count, replace=again, p=self.shares):
            if generator.random() < self.probability:
                operation = OPERATIONS[self.choices[number]]
                image = operation(image, self.strength.draw(generator), generator, self.surroundings)
        return image


@dataclass(frozen=True, slots=True)
class AugMix:
    """The mean of several chains of operations, each with a random weight, mixed with the picture itself."""

    strength: _Strength
    width: int
    """Chains."""
    depth: int | None
    """Operations of a chain; None is one to three."""
    concentration: float
    """Of the distribution of the weights: Dirichlet's for the chains, beta's for all of them."""
    blended: bool
    """Put one chain after the other over the picture, each rounded to whole colours."""
    surroundings: Surroundings

    def __call__(self, image: Image.Image, generator: Generator) -> Image.Image:
        """The picture, changed."""
        weights = generator.dirichlet([self.concentration] * self.width)
        share = float(generator.beta(self.concentration, self.concentration))
        chains = [self._chain(image, generator) for _ in range(self.width)]
        if self.blended:
            result = image
            for chain, alpha in zip(chains, _alphas(weights * share), strict=True):
                result = Image.blend(result, chain, alpha)
            return result
        mixed = np.zeros((image.height, image.width, 3), np.float32)
        for chain, weight in zip(chains, weights, strict=True):
            mixed += np.float32(weight) * np.asarray(chain, np.float32)
        return Image.blend(image, Image.fromarray(mixed.clip(0, 255).astype(np.uint8)), share)

    def _chain(self, image: Image.Image, generator: Generator) -> Image.Image:
        for number in generator.integers(len(AUGMIX_CHOICES), size=self.depth or generator.integers(1, 4)):
            operation = OPERATIONS[AUGMIX_CHOICES[number]]
            image = operation(image, self.strength.draw(generator), generator, self.surroundings)
        return image


def _alphas(weights: Shares) -> list[float]:
    """What each chain covers of those below it, so that all together have these weights."""
    alphas, rest = [], 1.0
    for weight in weights[::-1]:
        alphas.append(float(weight / rest))
        rest *= 1 - alphas[-1]
    return alphas[::-1]


def auto_augment(text: str, *, interpolation: str, mean: Sequence[float]) -> StrongAugmentation:
    """What timm's `auto_augment` describes.

    Args:
        text: `rand-m9-n2-mstd0.5-inc1`, `augmix-m5-w4`, or a policy: `original`, `originalr`, `v0`, `v0r` or `3a`.
        interpolation: of moves and turns; `random` is bilinear or bicubic.
        mean: colour of what was outside the picture, of each channel, 0 to 1.

    Raises:
        WeightsError: the text is none of them; the message says where.
    """
    if not isinstance(text, str):
        raise WeightsError(f"auto_augment must be text, as rand-m9-mstd0.5-inc1, got {text!r}")
    kind, *sections = text.split("-")
    filters = ("bilinear", "bicubic") if interpolation == "random" else (interpolation,)
    if interpolation == "lanczos":
        filters = ("bicubic",)  # Pillow moves pictures with no wider filter
    colours = tuple(min(255, round(255 * value)) for value in mean)
    surroundings = Surroundings(fill=colours * (3 // len(colours)), filters=tuple(FILTERS[name] for name in filters))
    if kind == "rand":
        return _rand_augment(text, sections, surroundings)
    if kind == "augmix":
        return _augmix(text, sections, replace(surroundings, largest_move=AUGMIX_MOVE))
    if kind not in POLICIES:
        known = ("rand", "augmix", *POLICIES)
        raise WeightsError(f"auto_augment must begin with one of {', '.join(known)}, got {text!r}")
    values = _values(text, sections, {"mstd": float})
    policies = tuple(
        tuple(_operation(words, values.get("mstd", 0.0)) for words in line.split(", "))
        for line in POLICIES[kind].split("\n")
        if line
    )
    return AutoAugment(policies, surroundings)


def _operation(words: str, deviation: float) -> tuple[str, float, _Strength]:
    name, probability, magnitude = words.split()
    return name, float(probability), _Strength(float(magnitude), deviation)


def _rand_augment(text: str, sections: Sequence[str], surroundings: Surroundings) -> RandAugment:
    named = [section[1:] for section in sections if section.startswith("t")]
    numbers = [section for section in sections if not section.startswith("t")]
    values = _values(text, numbers, {"m": int, "n": int, "p": float, "mstd": float, "mmax": int, "inc": int})
    name = named[0] if named else "inc" if values.get("inc") else ""
    if name not in CHOICES:
        known = [f"t{each}" for each in CHOICES if each not in ("", "inc")]
        raise WeightsError(f"auto_augment {text!r}: t{name} must be one of {', '.join(known)}")
    choices, count = CHOICES[name], int(values.get("n", 2))
    weighted = name in WEIGHTED
    if weighted and count > len(choices):
        raise WeightsError(f"auto_augment {text!r}: t{name} has {len(choices)} operations, n must be at most as many")
    deviation = values.get("mstd", 0.0)
    return RandAugment(
        choices=tuple(choices),
        shares=tuple(share / sum(choices.values()) for share in choices.values()) if weighted else None,
        count=count,
        probability=values.get("p", 0.5),
        strength=_Strength(
            values.get("m", LARGEST_MAGNITUDE),
            math.inf if deviation > UNIFORM_FROM else deviation,
            values.get("mmax") or LARGEST_MAGNITUDE,
        ),
        surroundings=surroundings,
    )


def _augmix(text: str, sections: Sequence[str], surroundings: Surroundings) -> AugMix:
    values = _values(text, sections, {"m": int, "w": int, "d": int, "a": float, "b": int, "mstd": float})
    for name in ("w", "a"):
        if values.get(name) == 0:
            raise WeightsError(f"auto_augment {text!r}: {name} must be above 0")
    return AugMix(
        strength=_Strength(values.get("m", 3), values.get("mstd", math.inf)),
        width=int(values.get("w", 3)),
        depth=int(values.get("d", 0)) or None,
        concentration=values.get("a", 1.0),
        blended=bool(values.get("b", 0)),
        surroundings=surroundings,
    )


def _values(text: str, sections: Sequence[str], kinds: Mapping[str, type[int] | type[float]]) -> dict[str, float]:
    """The numbers of sections like `m9`, by their names."""
    found: dict[str, float] = {}
    for section in sections:
        match = re.fullmatch(r"([a-z]+)(\d.*)", section)
        if match is None or match[1] not in kinds:
            raise WeightsError(
                f"auto_augment {text!r}: {section!r} must be one of {', '.join(kinds)} with a number after it"
            )
        try:
            found[match[1]] = kinds[match[1]](match[2])
        except ValueError:
            number = "a whole number" if kinds[match[1]] is int else "a number"
            raise WeightsError(f"auto_augment {text!r}: {match[1]} must be {number}, got {match[2]!r}") from None
    return found
