"""VISSL's names, through timm, which reads its files."""

from typing import Any

import pytest
from hypothesis import given

import designs
from both_ways import assert_same, assert_same_logits, read, state_of, stored, their_shapes, translate
from bundles import SMALL_DESIGN, random_weights
from regnety.architecture.description import AnyDesign, Architecture
from regnety.architecture.design import Design
from regnety.catalog.models import list_models, model_info
from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor
from regnety.weights.dialects.registry import in_dialect
from regnety.weights.dialects.vissl import VISSL
from regnety.weights.selection import take_network

MODELS = ("regnety_002", "regnety_004", "regnety_006", "regnety_008_tv", "regnetx_002", "regnetx_004_tv")
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def modules(*names: str) -> list[str]:
    """The keys of modules in order: those with `bn` or a final 1 are batch norms."""
    keys = []
    for name in names:
        parameters = NORM if name.endswith(("bn", ".1")) else ("weight",)
        keys += [f"{name}.{parameter}" for parameter in parameters]
    return keys


def test_keys_and_order() -> None:
    """As ClassyVision's ResBottleneckBlock and VISSL's feature blocks register them."""
    design = Design(depth=3, w0=16, wa=8, wm=2, group_width=8, stage_strides=(1, 2))
    architecture = design.architecture(3)
    trunk = "trunk._feature_blocks"
    wanted = modules(f"{trunk}.conv1.stem.0", f"{trunk}.conv1.stem.1")
    for block, shortcut in (("res2.block1-0", True), ("res3.block2-0", True), ("res3.block2-1", False)):
        prefix = f"{trunk}.{block}"
        wanted += modules(f"{prefix}.proj", f"{prefix}.bn") if shortcut else []
        wanted += modules(f"{prefix}.f.a.0", f"{prefix}.f.a.1", f"{prefix}.f.b.0", f"{prefix}.f.b.1")
        wanted += [
            f"{prefix}.f.se.excitation.{layer}.{parameter}" for layer in (0, 2) for parameter in ("weight", "bias")
        ]
        wanted += modules(f"{prefix}.f.c", f"{prefix}.f.final_bn")
    wanted += ["heads.0.clf.0.weight", "heads.0.clf.0.bias"]
    assert [stage.depth for stage in architecture.stages] == [1, 2]
    assert list(their_shapes(VISSL, architecture)) == wanted


def nested(architecture: Architecture, weights: Any) -> dict[str, Any]:
    return VISSL.nest(in_dialect(VISSL, architecture, weights))


def as_torch(content: Any) -> Any:
    if isinstance(content, StoredTensor):
        return state_of({"": content})[""]
    return {key: as_torch(value) for key, value in content.items()}


@pytest.mark.parametrize("name", MODELS)
def test_timm_reads_our_files(name: str, timm: Any) -> None:
    architecture = model_info(name).design.architecture(11)
    weights = random_weights(architecture)
    content = nested(architecture, weights)
    filtered = timm.models.regnet._filter_fn(as_torch(content))
    assert_same({key: value.numpy() for key, value in filtered.items()}, weights)

    taken = take_network(content, source="x")
    assert taken.part == "classy_state_dict.base_model.model"
    translation = taken.network
    assert (translation.dialect, translation.prefix, translation.passed_over) == (VISSL, "", ())
    assert list(translation.tensors) == list(VISSL.their_keys(architecture).values())
    assert_same(read(translation.tensors), weights)
    model = content["classy_state_dict"]["base_model"]["model"]
    keys = [f"{part}.{key}" for part in ("trunk", "heads") for key in model[part]]
    assert list(in_dialect(VISSL, architecture, read(translation.tensors))) == keys

    peer = timm.create_model(name, num_classes=11)
    peer.load_state_dict(filtered)
    assert_same_logits(architecture, weights, peer)


@pytest.mark.parametrize("name", list_models())
def test_every_model_has_all_its_keys(name: str) -> None:
    architecture = model_info(name).design.architecture()
    assert VISSL.obstacle(architecture) is None
    keys = VISSL.their_keys(architecture)
    assert sorted(keys.values()) == sorted(architecture.state_dict_shapes())
    assert {key: VISSL.our_key(key) for key in keys} == keys


@given(designs.designs() | designs.anynet_designs())
@designs.examples(60)
def test_whatever_number_of_stages_and_blocks(design: AnyDesign) -> None:
    architecture = design.architecture(0)
    keys = VISSL.their_keys(architecture)
    assert sorted(keys.values()) == sorted(architecture.state_dict_shapes())
    assert {key: VISSL.our_key(key) for key in keys} == keys
    assert (VISSL.obstacle(architecture) is None) == (design.stem_stride <= 2)


WEIGHTS = random_weights(SMALL_DESIGN.architecture(3))
THEIRS = in_dialect(VISSL, SMALL_DESIGN.architecture(3), WEIGHTS)


def seer(key: str) -> str:
    """Too large for one device: the blocks of a stage stand in parts."""
    stage = key.partition(".block")[2][:1]
    return key.replace(".block", f".block{stage}-part0.block")


def swag(key: str) -> str:
    """ClassyVision's network as it is, as in SWAG's repository."""
    key = key.removeprefix("trunk.").replace("_feature_blocks.conv1.stem", "stem.stem")
    key = key.replace("_feature_blocks.res2", "trunk_output.block1").replace(
        "_feature_blocks.res3", "trunk_output.block2"
    )
    return key.replace("heads.0.clf.0", "head.fc")


def bare(key: str) -> str:
    """Trunk and heads in one table without a word about it, as conversions merge them."""
    return key.removeprefix("trunk.").removeprefix("heads.")


def classy(key: str) -> str:
    """ClassyVision's own checkpoints: its names, trunk and heads apart, a head under the block it is attached to."""
    if key.startswith("heads."):
        return key.replace("heads.0.clf.0", "heads.block2-0.default_head.fc")
    return f"trunk.{swag(key)}"


@pytest.mark.parametrize("spelling", [seer, swag, bare, classy])
def test_other_spellings(spelling: Any) -> None:
    tensors = {spelling(key): tensor for key, tensor in THEIRS.items()}
    assert not tensors.keys() & THEIRS.keys() or spelling is seer
    translation = translate(tensors, source="x")
    assert translation.dialect is VISSL
    assert_same(read(translation.tensors), WEIGHTS)


def test_two_heads_are_one_too_many() -> None:
    tensors = {classy(key): tensor for key, tensor in THEIRS.items()}
    tensors |= stored({"heads.block2-0.other.fc.weight": WEIGHTS["head.fc.weight"] + 1})
    with pytest.raises(WeightsError, match=r"default_head.fc.weight, heads.block2-0.other.fc.weight are both head.fc."):
        translate(tensors, source="x")


def test_spellings_are_those_of_the_published_files() -> None:
    assert seer("trunk._feature_blocks.res2.block1-0.proj.weight") == (
        "trunk._feature_blocks.res2.block1-part0.block1-0.proj.weight"
    )
    assert swag("trunk._feature_blocks.res3.block2-0.f.c.weight") == "trunk_output.block2.block2-0.f.c.weight"
    assert swag("trunk._feature_blocks.conv1.stem.1.bias") == "stem.stem.1.bias"


def test_heads_that_classify_nothing_are_passed_over() -> None:
    pretext = ("heads.0.projection_head.0.weight", "heads.0.prototypes0.weight")
    trunk = {key: tensor for key, tensor in THEIRS.items() if key.startswith("trunk.")}
    translation = translate({**trunk, **stored(dict.fromkeys(pretext, WEIGHTS["head.fc.bias"]))}, source="x")
    assert translation.passed_over == pretext
    assert translation.tensors.keys() == WEIGHTS.keys() - {"head.fc.weight", "head.fc.bias"}


@pytest.mark.parametrize(
    ("architecture", "obstacle"),
    [
        (SMALL_DESIGN.architecture(3, in_chans=1), "it takes 1 input channels, VISSL's networks take 3"),
        (
            Design(depth=2, w0=16, wa=16, wm=2, group_width=8, stem_stride=3).architecture(),
            "its stem has stride 3, VISSL's stems have 1 or 2",
        ),
    ],
)
def test_obstacles(architecture: Architecture, obstacle: str) -> None:
    assert VISSL.obstacle(architecture) == obstacle
