"""`create_transform`: timm's tensor to the bit, on recorded digests and on timm itself."""

import hashlib
import io
import math
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import goldens
from commands import python
from pictures import encoded, noise, photograph, smooth
from regnety import WeightsError, create_transform, resolve_data_config
from regnety.catalog.published import published_models
from regnety.preprocessing import IMAGENET_MEAN, IMAGENET_STD, INTERPOLATIONS

PUBLISHED = sorted(
    {
        (preprocessing.image_size, preprocessing.crop_pct, preprocessing.interpolation)
        for model in published_models().values()
        for weights in model.weights.values()
        for preprocessing in (weights.preprocessing, weights.preprocessing.at_test_size())
    }
)
"""Every size, crop and interpolation of the published weights, test sizes included."""
OTHERS = [(160, 0.875, interpolation) for interpolation in INTERPOLATIONS] + [
    (33, 0.7, "bicubic"),
    (1, 0.01, "nearest"),
]
KINDS = {"noise": noise, "smooth": lambda width, height, seed: smooth(width, height), "photograph": photograph}
GOLDENS = goldens.models("transform_digests.json")

TINY = [(1, 1), (1, 2), (2, 1), (2, 3), (1, 20), (20, 1), (7, 7), (3, 60), (60, 3), (31, 33)]
LONG = [(2000, 100), (100, 2000), (1000, 51), (51, 1000), (4000, 200), (200, 4000)]
EXACT = [(224, 224), (256, 256), (255, 257), (232, 232), (384, 384), (288, 300), (300, 288), (235, 236)]
HUGE = [(5000, 5000), (6124, 4082), (4082, 6124), (22360, 1118), (1118, 22360)]
"""Of 25 megapixels; the last two are 20:1."""


def random_sizes(count: int) -> Iterator[tuple[int, int]]:
    """Sides of up to 2000 pixels, the longer one up to 20 times the shorter, in both orientations."""
    random = np.random.default_rng(0)
    for number in range(count):
        shorter = math.exp(random.uniform(math.log(4), math.log(600)))
        longer = min(shorter * math.exp(random.uniform(0, math.log(20 if number % 4 == 0 else 2))), 2000)
        size = (round(shorter), round(longer))
        yield size if number % 2 else size[::-1]


def files() -> Iterator[bytes]:
    """More than 300 files, JPEG and PNG in turn."""
    for number, (width, height) in enumerate([*TINY, *LONG, *EXACT, *HUGE, *random_sizes(280)]):
        picture = list(KINDS.values())[number % 3](width, height, seed=number)
        if number % 2 and width * height < 20_000_000:
            yield encoded(picture, "PNG", compress_level=1)
        else:
            exif = Image.Exif()
            exif[0x0112] = number % 8 + 1  # never applied
            yield encoded(picture, "JPEG", quality=30 + number % 70, subsampling=number % 3, exif=exif)


def transforms(size: int, crop_pct: float, interpolation: str) -> dict[str, Any]:
    return {
        "input_size": (3, size, size),
        "crop_pct": crop_pct,
        "interpolation": interpolation,
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "crop_mode": "center",
    }


def digest(tensor: torch.Tensor) -> str:
    assert (tensor.dtype, tensor.is_contiguous()) == (torch.float32, True)
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


@pytest.mark.parametrize("case", GOLDENS)
def test_recorded_tensors_of_timm(case: str) -> None:
    kind, width, height, size, crop_pct, interpolation = case.split()
    picture = KINDS[kind](int(width), int(height), seed=3)
    transform = create_transform(**transforms(int(size), float(crop_pct), interpolation))
    assert digest(transform(picture)) == GOLDENS[case]


def test_the_records_cover_what_is_published() -> None:
    recorded = {tuple(case.split()[3:]) for case in GOLDENS}
    assert {(str(size), str(crop_pct), interpolation) for size, crop_pct, interpolation in PUBLISHED} < recorded
    assert len(PUBLISHED) == 5


@pytest.mark.slow
def test_it_is_timms_on_more_than_300_files(timm: Any) -> None:
    settings = [*PUBLISHED, *OTHERS]
    pairs = [
        (create_transform(**transforms(*setting)), timm.data.create_transform(**transforms(*setting)))
        for setting in settings
    ]
    count = compared = 0
    for number, data in enumerate(files()):
        count += 1
        with Image.open(io.BytesIO(data)) as opened:
            picture = opened.convert("RGB")
        for own, timms in pairs if number % 5 == 0 and picture.size not in HUGE else pairs[: len(PUBLISHED)]:
            assert torch.equal(own(picture), timms(picture)), (number, picture.size, own)
            compared += 1
    print(f"{count} files, {compared} tensors, difference 0")
    assert count > 300


@pytest.mark.slow
def test_of_every_published_model_the_config_gives_timms_tensor(timm: Any) -> None:
    picture = photograph(500, 375)
    for model in ("regnety_002", "regnety_032.ra_in1k", "regnety_004.tv2_in1k", "regnety_320.seer_ft_in1k"):
        for use_test_size in (False, True):
            config = resolve_data_config({}, model=model, use_test_size=use_test_size)
            assert torch.equal(create_transform(**config)(picture), timm.data.create_transform(**config)(picture))


def test_the_model_pages_call() -> None:
    config = resolve_data_config({}, model="regnety_032")
    tensor = create_transform(**config, is_training=False)(photograph(300, 200))
    assert (tensor.shape, tensor.dtype) == ((3, 224, 224), torch.float32)
    assert create_transform()(photograph(300, 200)).shape == (3, 224, 224)


def test_grey_palette_and_alpha_become_rgb() -> None:
    grey = photograph(50, 40).convert("L")
    transform = create_transform(32)
    wanted = transform(grey.convert("RGB"))
    for picture in (grey, grey.convert("P"), grey.convert("LA"), grey.convert("RGBA")):
        assert torch.equal(transform(picture), wanted), picture.mode


def test_the_orientation_is_never_applied() -> None:
    picture, exif = photograph(60, 40), Image.Exif()
    exif[0x0112] = 6
    turned = Image.open(io.BytesIO(encoded(picture, "PNG", exif=exif)))
    assert torch.equal(create_transform(32)(turned), create_transform(32)(picture))


@pytest.mark.parametrize("input_size", [64, (64, 64), [3, 64, 64]])
def test_sizes_that_mean_the_same(input_size: Any) -> None:
    assert create_transform(input_size) == create_transform(64, hflip=0.3, color_jitter=None, patch_size=8)


def test_one_mean_serves_all_channels() -> None:
    picture = photograph(40, 40)
    one = create_transform(32, mean=(0.5,), std=(0.25,))(picture)
    assert torch.equal(one, create_transform(32, mean=(0.5,) * 3, std=(0.25,) * 3)(picture))


def test_it_says_what_it_does_and_goes_to_other_processes() -> None:
    transform = create_transform(64, crop_pct=0.9)
    assert "image_size=64, crop_pct=0.9, interpolation='bilinear', mean=(0.485, 0.456, 0.406)" in repr(transform)
    assert pickle.loads(pickle.dumps(transform)) == transform


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"is_training": True, "train_crop_mode": "rkrc"}, "train_crop_mode must be rrc in training, got 'rkrc'; use"),
        ({"is_training": True, "no_aug": True}, "no_aug must be False in training, got True; use timm.data."),
        ({"is_training": True, "hflip": 1.5}, "hflip must be from 0 to 1, got 1.5"),
        (
            {"is_training": True, "scale": (0.9, 0.1)},
            "scale must be two rising numbers above 0 up to 1, got (0.9, 0.1)",
        ),
        ({"is_training": True, "color_jitter": (1, 2)}, "color_jitter must be one number, 3, or 4 with the last up to"),
        ({"is_training": True, "re_mode": "black"}, "re_mode must be one of const, rand, pixel, got 'black'"),
        ({"is_training": True, "interpolation": "cubic"}, "interpolation must be one of bicubic, bilinear, lanczos, "),
        ({"input_size": (224, 256)}, "input_size must be a square, got (224, 256); use timm.data.create_transform"),
        ({"input_size": (1, 224, 224)}, "input_size must have 3 channels, got (1, 224, 224); pictures are RGB"),
        ({"input_size": (224,)}, "input_size must be a square, got (224,); "),
        ({"input_size": 0}, "image_size must be a whole number from 1 to 8192 pixels, got 0"),
        ({"crop_mode": "squash"}, "crop_mode must be 'center', got 'squash'; use timm.data.create_transform for that"),
        ({"crop_pct": 1.5}, "crop_pct must be a number from 0.01 to 1, got 1.5"),
        ({"interpolation": "random"}, "interpolation must be one of bicubic, bilinear, lanczos, nearest, got 'random'"),
        ({"mean": (0.5, 0.5), "std": (1, 1)}, "mean must have a value for each of 3 channels, got (0.5, 0.5); "),
        ({"normalize": False}, "normalize must be True, got False; use timm.data.create_transform for that"),
        ({"use_prefetcher": True}, "use_prefetcher must be False, got True; "),
        ({"colour": 1}, "create_transform has no argument 'colour'; it has those of timm 1.0's"),
    ],
)
def test_what_it_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError) as raised:
        create_transform(**arguments)
    assert str(raised.value).startswith(message)


def test_without_torch_the_extra_is_named() -> None:
    code = "import sys; sys.modules['torch'] = None\nimport regnety\n"
    code += "try: regnety.create_transform\nexcept regnety.MissingExtraError as error: print(error)"
    assert python(code).stdout == "create_transform needs an extra: pip install '.[torch]' in a clone of regnety\n"
