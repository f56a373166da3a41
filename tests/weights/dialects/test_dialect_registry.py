"""From any dialect to ours and back: what is recognised, taken off, passed over and refused."""

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import designs
from both_ways import assert_same, read, stored, tensors_of, translate
from bundles import SMALL_DESIGN, random_weights
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import Design
from regnety.catalog.models import list_models, model_info
from regnety.errors import WeightsError
from regnety.files.arrays import FileWeights, StoredTensor
from regnety.network.creation import create_model
from regnety.weights.dialects.dialect import Dialect
from regnety.weights.dialects.registry import DIALECTS, in_dialect

DESIGN = Design(depth=7, w0=16, wa=12, wm=1.8, group_width=4)
ARCHITECTURE = DESIGN.architecture(3)
WEIGHTS = random_weights(ARCHITECTURE)
THEIRS = {name: in_dialect(dialect, ARCHITECTURE, WEIGHTS) for name, dialect in DIALECTS.items()}


def refusal(tensors: dict[str, Any]) -> str:
    with pytest.raises(WeightsError) as raised:
        translate(tensors, source="birds.pth")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def marked_by(keys: Collection[str]) -> list[str]:
    """The dialects that recognise one of the keys as theirs."""
    return [name for name, dialect in DIALECTS.items() if any(re.match(dialect.names.mark, key) for key in keys)]


def test_names() -> None:
    assert {name: dialect.name for name, dialect in DIALECTS.items()} == {name: name for name in DIALECTS}


@pytest.mark.parametrize("name", DIALECTS)
@given(design=designs.designs() | designs.anynet_designs())
@designs.examples(40)
def test_keys_of_any_design_in_both_directions(name: str, design: AnyDesign) -> None:
    architecture = design.architecture(3)
    keys = DIALECTS[name].their_keys(architecture)
    assert sorted(keys.values()) == sorted(architecture.state_dict_shapes())
    assert {key: DIALECTS[name].our_key(key) for key in keys} == keys
    assert marked_by(keys) == [name]


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))
@pytest.mark.parametrize("model", list_models())
def test_every_model_is_recognised_by_its_own_dialect_alone(dialect: Dialect, model: str) -> None:
    keys = dialect.their_keys(model_info(model).design.architecture())
    assert marked_by(keys) == [dialect.name]


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model.", "backbone.", "encoder.net."]
)
def test_wrappers_are_taken_off(name: str, prefix: str) -> None:
    translation = translate({prefix + key: tensor for key, tensor in THEIRS[name].items()}, source="x")
    assert (translation.dialect, translation.prefix) == (DIALECTS[name], prefix)
    assert_same(read(translation.tensors), WEIGHTS)


def compiled(model: torch.nn.Module) -> Any:
    return torch.compile(model, backend="eager")  # the wrapper alone


@pytest.mark.parametrize(
    ("wrap", "prefix", "passed_over"),
    [
        (torch.nn.DataParallel, "module.", ()),
        (compiled, "_orig_mod.", ()),
        (lambda model: torch.nn.DataParallel(compiled(model)), "module._orig_mod.", ()),
        (torch.optim.swa_utils.AveragedModel, "module.", ("n_averaged",)),
    ],
    ids=["DataParallel", "compile", "both", "AveragedModel"],
)
def test_torchs_own_wrappers(wrap: Any, prefix: str, passed_over: tuple[str, ...]) -> None:
    model = create_model(SMALL_DESIGN, num_classes=3)
    translation = translate(tensors_of(wrap(model)), source="x")
    assert (translation.dialect.name, translation.prefix, translation.passed_over) == ("timm", prefix, passed_over)
    assert_same(read(translation.tensors), {key: value.numpy() for key, value in model.state_dict().items()})
    assert list(translation.tensors) == list(model.state_dict())


@pytest.mark.parametrize("name", DIALECTS)
def test_counters_of_other_programs_are_passed_over_and_listed(name: str) -> None:
    first = next(iter(THEIRS[name])).removesuffix(".weight")
    counters = ("total_ops", f"{first}.total_params", "n_averaged")
    tensors = {**stored(dict.fromkeys(counters, np.zeros(1))), **THEIRS[name]}
    translation = translate(tensors, source="x")
    assert translation.passed_over == counters
    assert_same(read(translation.tensors), WEIGHTS)


@pytest.mark.parametrize("name", DIALECTS)
def test_the_files_order_is_kept(name: str) -> None:
    backwards = dict(reversed(THEIRS[name].items()))
    ours = DIALECTS[name].their_keys(ARCHITECTURE)
    assert list(translate(backwards, source="x").tensors) == [ours[key] for key in backwards]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_network_without_classifier(name: str) -> None:
    architecture = DESIGN.architecture(0)
    weights = {key: value for key, value in WEIGHTS.items() if not key.startswith("head.")}
    theirs = in_dialect(DIALECTS[name], architecture, weights)
    assert theirs.keys() < THEIRS[name].keys()
    assert_same(read(translate(theirs, source="x").tensors), weights)


def unreadable() -> Any:
    raise AssertionError("read before it was asked for")


@pytest.mark.parametrize("name", DIALECTS)
def test_nothing_is_read_until_it_is_asked_for(name: str) -> None:
    shapes = ARCHITECTURE.state_dict_shapes()
    tensors = {key: StoredTensor(shape, "bfloat16", unreadable) for key, shape in shapes.items()}
    theirs = in_dialect(DIALECTS[name], ARCHITECTURE, FileWeights(tensors, source="x"))
    back = translate(theirs, source="x").tensors
    assert {key: (tensor.shape, tensor.dtype) for key, tensor in back.items()} == {
        key: (shape, "bfloat16") for key, shape in shapes.items()
    }
    with pytest.raises(AssertionError, match="read before"):
        back["stem.conv.weight"].read()


def test_arrays_are_read_when_asked_for_and_not_kept() -> None:
    class Reads(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            return super().__getitem__(key).copy()

    theirs = in_dialect(DIALECTS["timm"], ARCHITECTURE, Reads(WEIGHTS))
    assert theirs["head.fc.bias"].read() is not theirs["head.fc.bias"].read()
    assert_same(read(theirs), WEIGHTS)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_types_are_kept(dtype: type) -> None:
    weights = {key: value.astype(dtype) if value.ndim else value for key, value in WEIGHTS.items()}
    theirs = in_dialect(DIALECTS["pycls"], ARCHITECTURE, weights)
    assert theirs["stem.conv.weight"].dtype == theirs["stem.conv.weight"].read().dtype.name == np.dtype(dtype).name
    assert_same(read(translate(theirs, source="x").tensors), weights)


def test_keys_that_no_regnet_has_are_named() -> None:
    extra = ["s1.b1.norm1.weight", "s1.b1.conv4.conv.weight", "stem.conv.bias", "aux.fc.weight"]
    tensors = {**THEIRS["timm"], **stored(dict.fromkeys(extra, np.zeros(1)))}
    assert refusal(tensors) == (f"birds.pth: its keys are timm's, but no RegNet has {extra[0]}, {extra[1]}, {extra[2]}")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("timm", "s0.b1.conv1.conv.weight"),
        ("timm", "s1.b01.conv1.conv.weight"),
        ("timm", "s1.b99999.conv1.conv.weight"),
        ("timm", "s1.b\u0661.conv1.conv.weight"),
        ("pycls", "s1.b1.conv1.conv.weight"),
        ("pycls", "s1.b1.f.a.bias"),
        ("torchvision", "trunk_output.block1.block2-0.f.a.0.weight"),
        ("torchvision", "trunk_output.block1.block1-0.f.final_bn.weight"),
        ("torchvision", "fc.running_mean"),
        ("transformers", "regnet.encoder.stages.0.layers.0.layer.2.weight"),
        ("transformers", "classifier.0.weight"),
        ("vissl", "trunk._feature_blocks.res3.block1-0.f.c.weight"),
        ("vissl", "heads.0.clf.2.weight"),
        ("vissl", "heads.0.channel_bn.weight"),
        ("vissl", ""),
    ],
)
def test_a_key_that_is_nearly_right_is_no_key(name: str, key: str) -> None:
    with pytest.raises(KeyError):
        DIALECTS[name].our_key(key)


def test_two_tensors_for_one() -> None:
    bare = stored({"_feature_blocks.conv1.stem.0.weight": np.zeros((32, 3, 3, 3))})
    assert refusal({**THEIRS["vissl"], **bare}) == (
        "birds.pth: trunk._feature_blocks.conv1.stem.0.weight, _feature_blocks.conv1.stem.0.weight "
        "are both stem.conv.weight"
    )


def test_what_is_no_regnet_is_named_by_its_keys() -> None:
    resnet = stored(dict.fromkeys(("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "fc.weight"), np.zeros(1)))
    *most, last = DIALECTS
    assert refusal(resnet) == (
        f"birds.pth: is not a RegNet under the names of {', '.join(most)} or {last}; "
        "its keys are conv1.weight, bn1.weight, layer1.0.conv1.weight and 1 more"
    )
    assert refusal({}).startswith("birds.pth: holds no state dict")


@pytest.mark.parametrize("shape", [(16, 1, 3, 3), (16, 4, 3, 3), (16,), ()])
def test_colours_that_cannot_be_turned(shape: tuple[int, ...]) -> None:
    tensors = {**THEIRS["pycls"], **stored({"stem.conv.weight": np.zeros(shape)})}
    assert refusal(tensors) == (
        f"birds.pth: stem.conv.weight is {shape}; pycls's stems take 3 channels: blue, green, red"
    )


def test_what_a_dialect_cannot_express_is_refused_with_its_reason() -> None:
    for name in ("timm", "torchvision", "transformers"):
        with pytest.raises(WeightsError, match=f"^{name} cannot express it: its? .*st(em|ages).*"):
            in_dialect(DIALECTS[name], SMALL_DESIGN.architecture(3), random_weights(SMALL_DESIGN.architecture(3)))
    grey = DESIGN.architecture(3, in_chans=1)
    with pytest.raises(WeightsError, match=r"^pycls cannot express it: it takes 1 input channels, pycls's networks"):
        in_dialect(DIALECTS["pycls"], grey, random_weights(grey))


@pytest.mark.parametrize("name", DIALECTS)
def test_weights_of_another_network_are_refused(name: str) -> None:
    lacking = {key: value for key, value in WEIGHTS.items() if key != "s1.b1.se.fc1.bias"}
    with pytest.raises(
        WeightsError, match=r"^the weights: lacks s1\.b1\.se\.fc1\.bias, which the architecture expects"
    ):
        in_dialect(DIALECTS[name], ARCHITECTURE, lacking)
    with pytest.raises(WeightsError, match=r"^the weights: head\.fc\.bias is \(4,\), the architecture expects \(3,\)$"):
        in_dialect(DIALECTS[name], ARCHITECTURE, {**WEIGHTS, "head.fc.bias": np.zeros(4)})


PIECES = st.sampled_from(
    [
        *("stem", "conv", "s1", "b1", "s01", "f", "a", "se", "trunk_output", "block1", "block1-0", "regnet", "encoder"),
        *(
            "stages",
            "0",
            "layers",
            "_feature_blocks",
            "res2",
            "trunk",
            "heads",
            "weight",
            "module",
            "\n",
            "é\u202e",
            "",
        ),
    ]
)


@given(st.lists(st.lists(PIECES, max_size=8).map(".".join), max_size=8, unique=True))
@designs.examples(300)
def test_whatever_keys_give_one_line(keys: list[str]) -> None:
    refusal({f"{key}.no": StoredTensor((), "float32", unreadable) for key in keys})


@pytest.mark.parametrize("key", ["a." * 200_000 + "weight", "s1.b1.conv1." + "9" * 400_000, "x\n" * 100_000])
def test_a_key_as_long_as_it_likes_gives_one_short_line(key: str) -> None:
    assert len(refusal({key: StoredTensor((), "float32", unreadable)})) < 400
