"""Parameters and work of whatever a model may be, at its own size or another."""

from pathlib import Path
from typing import Any

import pytest

from bundles import SMALL_DESIGN, small_bundle
from regnety import (
    Complexity,
    InvalidDesignError,
    UnknownModelError,
    complexity,
    create_model,
    describe,
    model_index_flops,
    model_info,
)

REGNETY_002 = Complexity(num_params=3_162_996, macs=199_519_076, activations=2_168_052)


@pytest.mark.parametrize(
    "model",
    [
        "regnety_002",
        "regnety_002.pycls_in1k",
        "RegNetY-200MF",
        "hf-hub:timm/regnety_002.pycls_in1k",
        model_info("regnety_002").design,
        model_info("regnety_002").design.architecture(),
    ],
    ids=str,
)
def test_a_name_needs_no_weights(model: Any) -> None:
    assert complexity(model) == REGNETY_002
    assert model_index_flops(model) == 255_754_236


def test_a_network_a_bundle_and_its_folder(tmp_path: Path) -> None:
    bundle = small_bundle()
    folder = bundle.save(tmp_path / "birds")
    wanted = complexity(SMALL_DESIGN, 32, num_classes=4)
    for model in (bundle, folder, str(folder), folder / "model.safetensors", create_model(bundle)):
        assert complexity(model) == wanted
    assert complexity(bundle, 64).macs > wanted.macs
    assert complexity(create_model("regnety_002")) == REGNETY_002


def test_weights_count_at_the_size_that_they_were_trained_for() -> None:
    assert complexity("regnety_160.swag_ft_in1k") == complexity("regnety_160", 384)
    assert complexity("regnety_160").macs == complexity(model_info("regnety_160").design).macs
    assert complexity("regnety_160.swag_ft_in1k", 224) == complexity("regnety_160")


def test_classes_channels_and_rectangles() -> None:
    ten = complexity("regnety_002", num_classes=10)
    assert REGNETY_002.num_params - ten.num_params == REGNETY_002.macs - ten.macs == 990 * 369
    assert REGNETY_002.activations - ten.activations == 990
    none = complexity("regnety_002", num_classes=0)
    assert ten.num_params - none.num_params == 10 * 369
    grey = complexity("regnety_002", in_chans=1)
    assert REGNETY_002.num_params - grey.num_params == 2 * 9 * 32
    wide, tall = complexity("regnety_002", (224, 286)), complexity("regnety_002", (286, 224))
    assert wide == tall
    assert wide.macs == 255_734_374 + 990 * 369
    assert complexity("regnety_002", (224, 224)) == REGNETY_002


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("regnety_2",), UnknownModelError, "no model named 'regnety_2'"),
        ((5,), UnknownModelError, "a model is a name, .*, a design or a network of create_model; got int"),
        ((None,), UnknownModelError, "a model is a name, .* got NoneType"),
        (("regnety_002", (1, 2, 3)), InvalidDesignError, r"image_size must be a number of pixels or \(height, width\)"),
        (("regnety_002", 0), InvalidDesignError, "image_size must be a whole number from 1 to 65536, got 0"),
    ],
)
def test_what_cannot_be_counted(arguments: tuple[Any, ...], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        complexity(*arguments)


def test_a_description() -> None:
    found = describe("regnety_002", num_classes=10)
    assert (found.name, found.image_size) == ("regnety_002", 224)
    assert found.complexity == complexity("regnety_002", num_classes=10)
    plain = found.as_dict()
    assert plain["stages"][-1]["width"] == 368
    assert (plain["num_classes"], plain["num_params"], plain["paper_violations"]) == (
        10,
        found.complexity.num_params,
        [],
    )
    of_design = describe(model_info("regnety_002").design, (64, 96))
    assert (of_design.name, of_design.as_dict()["image_size"]) == (None, [64, 96])
