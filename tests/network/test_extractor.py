"""Feature maps of any design, and what is refused of them."""

from typing import Any

import numpy as np
import pytest
import torch

from bundles import small_bundle
from numerics import lively_network, random_images
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.bundle.data_config import resolve_data_config
from regnety.errors import InvalidDesignError, WeightsError
from regnety.network.creation import create_model
from regnety.network.extractor import FeatureExtractor

DESIGN = Design(depth=4, w0=16, wa=12, wm=2, group_width=8)
"""Three stages."""
SEVEN_STAGES = AnyNetDesign(
    stages=tuple(StageDesign(width=8 + 4 * (n // 2), depth=1, group_width=4, stride=2 - n % 2) for n in range(7))
)
"""Every second stage has stride 1 and the width of the one before: its shortcut is the identity."""
IMAGES = torch.from_numpy(random_images(2, 3, 64, 48))


@pytest.mark.parametrize(("design", "stages"), [(DESIGN, 3), (SEVEN_STAGES, 7)])
def test_maps_are_what_their_table_says(design: Any, stages: int) -> None:
    extractor = create_model(design, features_only=True)
    assert isinstance(extractor, FeatureExtractor)
    info = extractor.feature_info
    assert info.out_indices == tuple(range(stages + 1))
    assert len(info) == stages + 1
    assert info.module_name() == ["stem", *(f"s{number}" for number in range(1, stages + 1))]
    maps = extractor(IMAGES)
    assert [list(found.shape) for found in maps] == [
        [2, channels, -(-64 // reduction), -(-48 // reduction)]
        for channels, reduction in zip(info.channels(), info.reduction(), strict=True)
    ]
    assert info.channels(1) == info[1]["num_chs"] == maps[1].shape[1]
    assert info.reduction([0, -1]) == [2, info[-1]["reduction"]]


def test_the_maps_are_those_of_the_whole_network() -> None:
    network = lively_network(SEVEN_STAGES)
    named = network.forward_named(IMAGES)
    extractor = FeatureExtractor(network, (1, -3))
    assert all(torch.equal(found, named[name]) for found, name in zip(extractor(IMAGES), ("s1", "s5"), strict=True))
    assert [name for name, _ in extractor.named_children()] == ["stem", "s1", "s2", "s3", "s4", "s5"]
    assert extractor.feature_info.out_indices == (1, -3)
    assert extractor.feature_info.module_name() == ["s1", "s5"]


def test_weights_of_a_bundle_are_loaded_without_what_is_not_used() -> None:
    bundle = small_bundle()
    extractor = create_model(bundle, features_only=True, out_indices=(1,))
    state = extractor.state_dict()
    assert list(state) == [key for key in bundle.weights if key.startswith(("stem.", "s1."))]
    assert all((state[key].numpy() == bundle.weights[key]).all() for key in state)


def test_what_it_wants_to_be_shown() -> None:
    extractor = create_model(small_bundle(), features_only=True, in_chans=1)
    assert extractor.in_chans == 1
    assert resolve_data_config(model=extractor)["input_size"] == (1, 32, 32)
    assert not {"num_classes", "classifier"} & extractor.pretrained_cfg.keys()
    assert extractor.default_cfg is extractor.pretrained_cfg


@pytest.mark.parametrize("out_indices", [range(1, 3), [np.int64(1), -2], np.array([1, 2])], ids=str)
def test_indices_of_other_types(out_indices: Any) -> None:
    extractor = create_model(DESIGN, features_only=True, out_indices=out_indices)
    assert extractor.feature_info.module_name() == ["s1", "s2"]
    assert create_model(DESIGN, features_only=True, out_indices=np.int64(2)).feature_info.out_indices == (-2, -1)


@pytest.mark.parametrize(
    ("out_indices", "message"),
    [
        ((), r"^out_indices must name at least one of the 4 maps, got \(\)$"),
        ((4,), "^each of out_indices must be a whole number from -4 to 3, got 4$"),
        ((0, -5), "^each of out_indices must be a whole number from -4 to 3, got -5$"),
        ((1.5,), "^each of out_indices must be a whole number from -4 to 3, got 1.5$"),
        (0, "^out_indices must be a whole number from 1 to 4, got 0$"),
        (2.0, r"^out_indices must be a whole number from 1 to 4, got 2.0$"),
        ("12", r"^each of out_indices must be a whole number from -4 to 3, got '1'$"),
        ((2, 1), r"^out_indices must rise, as the maps come in that order, got \(2, 1\)$"),
        ((3, -1), r"^out_indices must rise, as the maps come in that order, got \(3, -1\)$"),
    ],
)
def test_indices_that_it_refuses(out_indices: Any, message: str) -> None:
    with pytest.raises(InvalidDesignError, match=message):
        create_model(DESIGN, features_only=True, out_indices=out_indices)


def test_indices_want_features() -> None:
    with pytest.raises(InvalidDesignError, match=r"^out_indices=\(1, 2\) needs features_only=True$"):
        create_model(DESIGN, out_indices=(1, 2))  # type: ignore[call-overload]


def test_intermediates_that_are_refused() -> None:
    network = create_model(DESIGN)
    with pytest.raises(InvalidDesignError, match=r"^each of indices must be a whole number from -4 to 3, got 7$"):
        network.forward_intermediates(IMAGES, [7])
    with pytest.raises(InvalidDesignError, match=r"^output_fmt must be 'NCHW', got 'NHWC'$"):
        network.forward_intermediates(IMAGES, output_fmt="NHWC")


def test_a_bundle_is_a_whole_network() -> None:
    with pytest.raises(WeightsError, match=r"^birds: a features_only model has no head"):
        create_model(DESIGN, features_only=True).save_pretrained("birds")
