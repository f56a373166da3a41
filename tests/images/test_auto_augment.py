"""`auto_augment`: the operations, the policies and the settings of timm, each operation with timm's pixels."""

import math
import random
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from pictures import photograph
from regnety import WeightsError
from regnety.images.auto_augment import CHOICES, AugMix, AutoAugment, RandAugment, auto_augment
from regnety.images.strong_operations import OPERATIONS, Surroundings

PICTURE = photograph(40, 28, seed=3)
MEAN = (0.485, 0.456, 0.406)
FILL = (124, 116, 104)
DRAWS = 24
"""Of an operation with two signs and two filters one of the four is missed in one case of 250."""


def posterize(image: Image.Image, bits: int) -> Image.Image:
    return image.point([value & ~(2 ** (8 - bits) - 1) for value in range(256)] * 3)


def augment(text: str, interpolation: str = "bicubic") -> Any:
    return auto_augment(text, interpolation=interpolation, mean=MEAN)


@pytest.fixture(autouse=True)
def _without_any_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm keeps no bits in some policies, which new releases of Pillow refuse."""
    monkeypatch.setattr(ImageOps, "posterize", posterize)


@pytest.mark.parametrize("magnitude", [0, 2.4, 5, 9, 10, 14])
@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"GaussianBlurRand"}))
def test_operations_have_timms_pixels(name: str, magnitude: float, timm: Any) -> None:
    random.seed(1)
    generator = np.random.default_rng(1)
    hparams = {"img_mean": FILL, "interpolation": Image.Resampling.BICUBIC, "magnitude_max": 20}
    theirs = timm.data.auto_augment.AugmentOp(name, prob=1.0, magnitude=magnitude, hparams=hparams)
    surroundings = Surroundings(FILL, (Image.Resampling.BICUBIC,))
    ours = {OPERATIONS[name](PICTURE, magnitude / 10, generator, surroundings).tobytes() for _ in range(DRAWS)}
    assert ours == {theirs(PICTURE).tobytes() for _ in range(DRAWS)}
    assert len(ours) <= 2


def test_a_random_blur_reaches_from_a_little_to_the_strength() -> None:
    class Ends:
        def __init__(self, share: float) -> None:
            self.share = share

        def uniform(self, low: float, high: float) -> float:
            return low + self.share * (high - low)

    surroundings = Surroundings(FILL, (Image.Resampling.BICUBIC,))
    least, most = (
        np.asarray(OPERATIONS["GaussianBlurRand"](PICTURE, 0.9, Ends(share), surroundings), float)  # type: ignore[arg-type]
        for share in (0.0, 1.0)
    )
    assert np.abs(least - np.asarray(PICTURE)).mean() < 1
    assert np.abs(most - np.asarray(PICTURE)).mean() > 4


@pytest.mark.parametrize("name", ["original", "originalr", "v0", "v0r", "3a"])
def test_policies_are_timms(name: str, timm: Any) -> None:
    ours = augment(f"{name}-mstd0.5")
    theirs = timm.data.auto_augment.auto_augment_transform(f"{name}-mstd0.5", {"img_mean": FILL})
    assert isinstance(ours, AutoAugment)
    assert [
        [(op, share, each.magnitude, each.deviation) for op, share, each in policy] for policy in ours.policies
    ] == [[(each.name, each.prob, each.magnitude, each.magnitude_std) for each in policy] for policy in theirs.policy]


@pytest.mark.parametrize(
    "text",
    [
        "rand",
        "rand-m9-mstd0.5-inc1",
        "rand-m7-n3-p0.8-mstd101",
        "rand-m12-mmax15-inc0",
        "rand-m6-tweights",
        "rand-t3a-n1",
        "rand-t3aw-inc1",
    ],
)
def test_settings_of_randaugment_are_timms(text: str, timm: Any) -> None:
    ours = augment(text)
    theirs = timm.data.auto_augment.rand_augment_transform(text, {"img_mean": FILL})
    assert isinstance(ours, RandAugment)
    assert ours.count == theirs.num_layers
    first = theirs.ops[0]
    assert ours.probability == first.prob
    assert ours.strength.magnitude == first.magnitude
    assert ours.strength.deviation == first.magnitude_std
    assert ours.strength.largest == (first.magnitude_max or 10)
    weights = theirs.choice_weights
    assert (weights is None) == (ours.shares is None)
    shares = ours.shares or [1 / len(ours.choices)] * len(ours.choices)
    expected = [1 / len(theirs.ops)] * len(theirs.ops) if weights is None else weights
    assert dict(zip(ours.choices, shares, strict=True)) == pytest.approx(
        dict(zip((each.name for each in theirs.ops), expected, strict=True))
    )


@pytest.mark.parametrize("text", ["augmix", "augmix-m5-w4-d2", "augmix-m3-a0.5-b1-mstd1.5"])
def test_settings_of_augmix_are_timms(text: str, timm: Any) -> None:
    ours = augment(text)
    theirs = timm.data.auto_augment.augment_and_mix_transform(text, {"img_mean": FILL})
    assert isinstance(ours, AugMix)
    assert (ours.width, ours.depth or -1, ours.concentration) == (theirs.width, theirs.depth, theirs.alpha)
    assert ours.blended == theirs.blended
    assert ours.strength.magnitude == theirs.ops[0].magnitude
    assert ours.strength.deviation == theirs.ops[0].magnitude_std


def test_chains_that_change_nothing_give_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of all chains and of the picture are 1 together."""
    for name in OPERATIONS:
        monkeypatch.setitem(OPERATIONS, name, lambda image, strength, generator, surroundings: image)
    for text in ("augmix-w4", "augmix-w4-b1"):
        found = np.asarray(augment(text)(PICTURE, np.random.default_rng(0)), int)
        assert np.abs(found - np.asarray(PICTURE)).max() <= 1


def test_an_operation_takes_its_filter_from_the_interpolation() -> None:
    assert len(augment("rand", "random").surroundings.filters) == 2
    assert augment("rand", "bilinear").surroundings.filters == (Image.Resampling.BILINEAR,)
    assert augment("rand", "lanczos").surroundings.filters == (Image.Resampling.BICUBIC,)  # Pillow moves with no other
    for interpolation in ("random", "nearest", "lanczos"):
        assert augment("rand-n9-p1.0", interpolation)(PICTURE, np.random.default_rng(0)).size == PICTURE.size


def test_no_operation_comes_twice_where_they_are_weighted(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(name: str) -> Any:
        return lambda image, *_: seen.append(name) or image

    for name in OPERATIONS:
        monkeypatch.setitem(OPERATIONS, name, watched(name))
    augment("rand-n15-p1.0-tweights")(PICTURE, np.random.default_rng(0))
    assert sorted(seen) == sorted(CHOICES["weights"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "trivial",
            "auto_augment must begin with one of rand, augmix, original, originalr, v0, v0r, 3a, got 'trivial'",
        ),
        ("rand-9", "auto_augment 'rand-9': '9' must be one of m, n, p, mstd, mmax, inc with a number after it"),
        ("rand-inc", "auto_augment 'rand-inc': 'inc' must be one of m, n, p, mstd, mmax, inc with a number after it"),
        ("rand-m9.5", "auto_augment 'rand-m9.5': m must be a whole number, got '9.5'"),
        ("rand-p1.x", "auto_augment 'rand-p1.x': p must be a number, got '1.x'"),
        ("rand-tfew", "auto_augment 'rand-tfew': tfew must be one of t3a, t3aw, tweights"),
        (
            "rand-tweights-n16",
            "auto_augment 'rand-tweights-n16': tweights has 15 operations, n must be at most as many",
        ),
        ("original-m9", "auto_augment 'original-m9': 'm9' must be one of mstd with a number after it"),
        ("augmix-z1", "auto_augment 'augmix-z1': 'z1' must be one of m, w, d, a, b, mstd with a number after it"),
        ("augmix-w0", "auto_augment 'augmix-w0': w must be above 0"),
        ("augmix-a0.0", "auto_augment 'augmix-a0.0': a must be above 0"),
        (9, "auto_augment must be text, as rand-m9-mstd0.5-inc1, got 9"),
    ],
)
def test_what_it_refuses(text: Any, message: str) -> None:
    with pytest.raises(WeightsError) as raised:
        augment(text)
    assert str(raised.value) == message


def test_uniform_magnitudes_begin_at_0() -> None:
    strength = augment("rand-m8-mstd101").strength
    assert strength.deviation == math.inf
    generator = np.random.default_rng(0)
    drawn = [strength.draw(generator) for _ in range(500)]
    assert 0 <= min(drawn) < 0.01
    assert 0.79 < max(drawn) <= 0.8
