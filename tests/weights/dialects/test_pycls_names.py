"""pycls's names, against its published keys and a module that is built as pycls builds its own."""

import pytest
import torch
from hypothesis import given

import designs
import goldens
from both_ways import check_both_ways, read, shapes_of_module, stored, their_shapes, translate
from bundles import SMALL_DESIGN, random_weights
from pycls_network import PyclsNet
from regnety.architecture.description import AnyDesign, Architecture
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.catalog.models import list_models, model_info
from regnety.weights.dialects.pycls import PYCLS
from regnety.weights.dialects.registry import in_dialect

MODELS = ("regnety_002", "regnety_004", "regnety_006", "regnety_008", "regnetx_002", "regnetx_004")
LARGE = ("regnety_032", "regnety_040", "regnetx_016")


def test_published_keys_and_order() -> None:
    wanted = goldens.models("pycls_state_dict.json")["regnety_002"]
    found = their_shapes(PYCLS, model_info("regnety_002").design.architecture())
    assert list(found.items()) == [(key, tuple(shape)) for key, shape in wanted.items()]
    with torch.device("meta"):
        assert list(shapes_of_module(PyclsNet(model_info("regnety_002").design, 1000)).items()) == list(found.items())


@pytest.mark.parametrize("name", list_models())
def test_keys_and_order_of_every_model(name: str) -> None:
    design = model_info(name).design
    with torch.device("meta"):
        wanted = shapes_of_module(PyclsNet(design, 7))
    assert PYCLS.obstacle(design.architecture(7)) is None
    assert list(their_shapes(PYCLS, design.architecture(7)).items()) == list(wanted.items())


@given(designs.designs(max_depth=6) | designs.anynet_designs(max_stages=3, max_stage_depth=3))
@designs.examples(60)
def test_whatever_has_no_obstacle_can_be_built(design: AnyDesign) -> None:
    architecture = design.architecture(5)
    assert (PYCLS.obstacle(architecture) is None) == (design.stem_stride <= 2)
    with torch.device("meta"):
        assert list(shapes_of_module(PyclsNet(design, 5)).items()) == list(their_shapes(PYCLS, architecture).items())


@pytest.mark.parametrize("name", [*MODELS, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_numbers(name: str) -> None:
    design = model_info(name).design
    check_both_ways(PYCLS, design.architecture(11), PyclsNet(design, 11))


@pytest.mark.parametrize("multiplier", [1.0, 2.0, 1 / 2])
@pytest.mark.parametrize("se_ratio", [0.0, 0.5])
def test_numbers_of_an_anynet(multiplier: float, se_ratio: float) -> None:
    design = AnyNetDesign(
        stages=(
            StageDesign(width=24, depth=2, group_width=4, stride=1, bottleneck_multiplier=multiplier),
            StageDesign(width=20, depth=1, group_width=10, stride=3),
            StageDesign(width=48, depth=2, group_width=16),
        ),
        se_ratio=se_ratio,
        stem_width=12,
        stem_stride=1,
    )
    check_both_ways(PYCLS, design.architecture(5), PyclsNet(design, 5))


def test_colours_are_turned_and_nothing_else() -> None:
    architecture = SMALL_DESIGN.architecture(3)
    weights = random_weights(architecture)
    theirs = read(in_dialect(PYCLS, architecture, weights))
    stem = weights["stem.conv.weight"]
    assert (theirs["stem.conv.weight"] == stem[:, [2, 1, 0]]).all()
    assert not (theirs["stem.conv.weight"] == stem).all()
    turned = {ours for their_key, ours in PYCLS.their_keys(architecture).items() if theirs[their_key] is weights[ours]}
    assert turned == weights.keys() - {"stem.conv.weight"}


def test_older_files_lack_the_counters() -> None:
    architecture = SMALL_DESIGN.architecture(3)
    theirs = in_dialect(PYCLS, architecture, random_weights(architecture))
    older = {key: tensor for key, tensor in theirs.items() if not key.endswith("num_batches_tracked")}
    assert len(older) < len(theirs)
    translated = translate(older, source="x").tensors
    assert translated.keys() == {key for key in random_weights(architecture) if not key.endswith("tracked")}
    again = in_dialect(PYCLS, architecture, read(translated))
    assert list(again) == list(theirs)
    counter = again["s1.b1.f.a_bn.num_batches_tracked"]
    assert (counter.shape, counter.dtype, counter.read().dtype, counter.read()) == ((), "int64", "int64", 0)


def test_nested_as_its_loader_wants_it() -> None:
    tensors = stored(random_weights(SMALL_DESIGN.architecture(3)))
    assert PYCLS.nest(tensors) == {"epoch": 0, "model_state": tensors}


@pytest.mark.parametrize(
    ("architecture", "obstacle"),
    [
        (
            SMALL_DESIGN.architecture(3, in_chans=1),
            "it takes 1 input channels, pycls's networks take 3: blue, green and red",
        ),
        (
            Design(depth=2, w0=16, wa=16, wm=2, group_width=8, stem_stride=4).architecture(),
            "its stem has stride 4, pycls's stems have 1 or 2",
        ),
    ],
)
def test_obstacles(architecture: Architecture, obstacle: str) -> None:
    assert PYCLS.obstacle(architecture) == obstacle
