"""Which RegNet of a file is taken, what is said to be passed over, and what nobody may decide but the user."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from both_ways import assert_same, read, stored
from bundles import random_weights
from regnety.architecture.design import Design
from regnety.errors import WeightsError
from regnety.files.arrays import Array, StoredTensor
from regnety.weights.dialects.registry import DIALECTS, in_dialect
from regnety.weights.matching import match_shapes
from regnety.weights.selection import Taken, take_network

DESIGN = Design(depth=5, w0=8, wa=12, wm=2, group_width=8)
FEATURES = 64
WHOLE = random_weights(DESIGN.architecture(10))
OTHER = {key: value + value.dtype.type(1) for key, value in WHOLE.items()}
TRUNK = {key: value for key, value in WHOLE.items() if not key.startswith("head.")}
LARGER = random_weights(Design(depth=6, w0=16, wa=12, wm=2, group_width=8).architecture(10))
HEAD = {end: WHOLE[f"head.fc.{end}"] for end in ("weight", "bias")}


def under(prefix: str, weights: Mapping[str, Array]) -> dict[str, Any]:
    return stored({f"{prefix}{key}": value for key, value in weights.items()})


def zeros(**shapes: tuple[int, ...]) -> dict[str, Any]:
    return stored({key.replace("__", "."): np.zeros(shape, np.float32) for key, shape in shapes.items()})


def take(content: Any, state_dict: str | None = None) -> Taken:
    return take_network(content, source="birds.pth", state_dict=state_dict)


def refusal(content: Any, state_dict: str | None = None) -> str:
    with pytest.raises(WeightsError) as raised:
        take(content, state_dict)
    message = str(raised.value)
    assert message.startswith("birds.pth: ")
    assert message.isprintable()
    assert len(message) < 1000
    return message.removeprefix("birds.pth: ")


# Which of several


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (("student", "teacher"), "teacher"),
        (("model", "model_avg"), "model_avg"),
        (("net", "swa_model"), "swa_model"),
        (("network", "EMANetwork"), "EMANetwork"),
        (("state_dict", "ema", "best_model"), "best_model"),
        (("my_weights", "model"), "model"),
        (("netG", "state_dict"), "state_dict"),
    ],
)
def test_one_of_a_design_comes_first(names: tuple[str, ...], taken: str) -> None:
    content = {name: under("", WHOLE if name == taken else OTHER) for name in names}
    found = take(content)
    assert (found.part, found.name, set(found.others)) == (taken, taken, {*names} - {taken})
    assert_same(read(found.network.tensors), WHOLE)
    for name in names:
        named = take(content, name)
        assert (named.name, set(named.others)) == (name, {*names} - {name})
        assert_same(read(named.network.tensors), WHOLE if name == taken else OTHER)


def test_two_in_one_state_dict_are_called_by_what_their_keys_begin_with() -> None:
    content = {"state_dict": under("module.student.", OTHER) | under("module.teacher.", WHOLE)}
    found = take(content)
    assert (found.part, found.network.prefix) == ("state_dict", "module.teacher.")
    assert (found.name, found.others) == ("state_dict.module.teacher", ("state_dict.module.student",))
    for name in ("state_dict.module.student", "module.student"):
        assert_same(read(take(content, name).network.tensors), OTHER)


@pytest.mark.parametrize(
    "content",
    [
        {"first": under("", WHOLE), "second": under("", OTHER)},
        {"student": under("", WHOLE), "teacher": under("", LARGER)},
        {"state_dict": under("encoder_q.", WHOLE) | under("encoder_k.", OTHER)},
        [under("", WHOLE), under("", OTHER)],
        {"state_dict_ema": under("", TRUNK), "state_dict": under("", WHOLE)},
    ],
    ids=["any names", "two designs", "MoCo", "folds", "one without classifier"],
)
def test_of_two_that_nothing_tells_apart_none_is_taken(content: Any) -> None:
    message = refusal(content)
    assert message.startswith("holds 2 RegNets, and nothing says which is meant; choose one with --state-dict")
    names = message.rpartition(": ")[2].split(", ")
    assert len(names) == 2
    for name in names:
        assert take(content, name).name == name


def test_the_same_weights_twice_are_one_network() -> None:
    content = {"first": under("", WHOLE), "second": under("", {key: value.copy() for key, value in WHOLE.items()})}
    assert take(content).name == "first"


def test_an_average_that_is_not_whole_is_not_taken() -> None:
    parameters = {key: value for key, value in OTHER.items() if "running" not in key}
    found = take({"model": under("", WHOLE), "ema": {"shadow": under("", parameters)}})
    assert (found.name, found.others) == ("model", ())


def test_a_teacher_of_another_code_base_is_passed_over() -> None:
    content = {"state_dict": under("student.", WHOLE) | zeros(teacher__conv1__weight=(64, 3, 7, 7))}
    assert take(content).network.passed_over == ("teacher.conv1.weight",)


def test_a_name_that_is_not_there_lists_those_that_are() -> None:
    content = {"model": under("", WHOLE), "ema": under("", OTHER)}
    assert refusal(content, "state") == "holds no RegNet named state; it has ema, model"
    assert refusal(under("", WHOLE), "model") == "is one state dict, which has no name; omit --state-dict"


@pytest.mark.parametrize("name", DIALECTS)
def test_in_every_dialect(name: str) -> None:
    theirs = in_dialect(DIALECTS[name], DESIGN.architecture(10), WHOLE)
    wrapped = {f"net.{key}": tensor for key, tensor in theirs.items()} | zeros(criterion__weight=(10,))
    found = take({"anything": {"at all": wrapped}})
    assert (found.part, found.network.prefix, found.network.passed_over) == (
        "anything.at all",
        "net.",
        ("criterion.weight",),
    )
    assert_same(read(found.network.tensors), WHOLE)


# What stands beside


@pytest.mark.parametrize(
    "shapes",
    [
        {"criterion__weight": (10,)},
        {"val_acc__confmat": (10, 10), "val_acc__tp": (10,)},
        {"temperature": (1,), "logit_scale": ()},
        {"loss__total__mean_value": (), "loss__total__weight": ()},
        {"queue": (64, 128), "queue_ptr": (1,)},
        {"perceptual__0__weight": (64, 3, 3, 3), "perceptual__0__bias": (64,)},
        {"projector__0__weight": (128, FEATURES), "projector__2__weight": (32, 128)},
    ],
    ids=lambda shapes: next(iter(shapes)),
)
def test_what_has_no_part_in_the_answer_is_passed_over_by_name(shapes: dict[str, tuple[int, ...]]) -> None:
    beside = zeros(**shapes)
    network = take({"state_dict": under("model.", WHOLE) | beside}).network
    assert network.passed_over == tuple(beside)
    assert_same(read(network.tensors), WHOLE)


@pytest.mark.parametrize(
    "shapes",
    [
        {"normalize__mean": (3,), "normalize__std": (3,)},
        {"mean": (1, 3, 1, 1), "std": (1, 3, 1, 1)},
        {"preprocess__pixel_mean": (3, 1, 1)},
        {"scale__std": ()},
        {"input_norm__running_mean": (3,)},
        {"adapter__weight": (3, 1, 1, 1)},
    ],
    ids=lambda shapes: next(iter(shapes)),
)
def test_what_changes_the_pictures_is_refused_even_where_the_network_is_named(
    shapes: dict[str, tuple[int, ...]],
) -> None:
    content = {"state_dict": under("model.", WHOLE) | zeros(**shapes)}
    for name in (None, "model"):
        assert refusal(content, name).startswith("changes its pictures before its RegNet sees them (")


@pytest.mark.parametrize(
    ("weights", "shapes"),
    [
        (WHOLE, {"fc__weight": (5, 10), "fc__bias": (5,)}),  # on the answers
        (WHOLE, {"fc__weight": (5, FEATURES), "fc__bias": (5,)}),  # the network's own is left from its pretraining
        (WHOLE, {"attention__weight": (FEATURES, FEATURES)}),
        (TRUNK, {"fc__weight": (10, FEATURES)}),  # no bias: a cosine, perhaps
        (TRUNK, {"head__0__weight": (32, FEATURES), "head__0__bias": (32,), "head__2__weight": (10, 32)}),
        (TRUNK, {"fc__weight": (10, FEATURES), "fc__bias": (10,), "bn__running_mean": (FEATURES,)}),
        (TRUNK, {"fc__weight": (10, FEATURES), "fc__bias": (10,), "norm__weight": (FEATURES,)}),
        (TRUNK, {"fc__weight": (10, FEATURES), "fc__bias": (10,), "pool__p": (1,)}),
        (TRUNK, {"colour__weight": (4, FEATURES), "colour__bias": (4,), "shape__weight": (5, FEATURES)}),
        (TRUNK, {"fpn__0__weight": (256, FEATURES, 1, 1)}),
    ],
)
def test_what_may_have_a_part_in_the_answer_is_refused_until_the_network_is_named(
    weights: dict[str, Array], shapes: dict[str, tuple[int, ...]]
) -> None:
    content = {"state_dict": under("backbone.", weights) | zeros(**shapes)}
    assert refusal(content).endswith("; --state-dict state_dict takes the RegNet alone")
    for name in ("state_dict", "backbone", "state_dict.backbone"):
        network = take(content, name).network
        assert_same(read(network.tensors), weights)
        assert set(network.passed_over) == set(zeros(**shapes))


def test_tables_beside_the_state_dict_are_looked_at_too() -> None:
    parts = {"backbone": under("", WHOLE), "fc": zeros(weight=(5, FEATURES), bias=(5,))}
    assert "beside its RegNet it holds fc.weight, which may change its answers" in refusal(parts)
    stats = {"model": under("", WHOLE), "stats": zeros(mean=(3,), std=(3,))}
    assert refusal(stats).startswith("changes its pictures before its RegNet sees them (stats.mean, stats.std)")
    loss = {"model": under("", WHOLE), "criterion": zeros(weight=(10,)), "rng": zeros(state=(5000,))}
    assert take(loss).network.passed_over == ()


# The classifier


@pytest.mark.parametrize(
    "name", ["fc", "classifier", "head", "head.2", "linear_head.linear", "model.fc.1", "model.backbone.head.fc.1"]
)
def test_a_classifier_under_any_name(name: str) -> None:
    content = {"state_dict": under("model.backbone.", TRUNK) | under(f"{name}.", HEAD) | zeros(criterion__weight=(10,))}
    network = take(content).network
    assert network.passed_over == ("criterion.weight",)
    assert_same(read(network.tensors), WHOLE)


def test_a_classifier_belongs_to_the_trunk_that_is_nearest() -> None:
    weights = under("student.backbone.", TRUNK) | under("student.fc.", HEAD)
    weights |= under("teacher.backbone.", TRUNK) | under("teacher.fc.", {end: value + 1 for end, value in HEAD.items()})
    network = take({"state_dict": weights}).network
    np.testing.assert_array_equal(network.tensors["head.fc.bias"].read(), HEAD["bias"] + 1)


def test_a_classifier_under_two_names() -> None:
    copied = {end: value.copy() for end, value in HEAD.items()}
    twice = under("", WHOLE) | under("classifier.", copied)
    assert take(twice).network.passed_over == ("classifier.weight", "classifier.bias")
    neither_is_its_own = under("backbone.", TRUNK) | under("fc.", HEAD) | under("net.fc.", copied)
    assert_same(read(take(neither_is_its_own).network.tensors), WHOLE)
    other = {end: value + 1 for end, value in HEAD.items()}
    assert refusal(under("", WHOLE) | under("classifier.", other)) == (
        "its classifier and classifier.weight differ; it is unclear which is meant; save the RegNet's state dict alone"
    )
    assert refusal(under("backbone.", TRUNK) | under("fc.", HEAD) | under("net.fc.", other)) == (
        "fc.weight, net.fc.weight could each be the classifier, and are not the same; --state-dict backbone takes the "
        "RegNet alone"
    )


def test_a_counter_with_an_axis_has_none() -> None:
    tracked = {key: value.reshape(1) if key.endswith("_tracked") else value for key, value in WHOLE.items()}
    assert_same(read(take(under("", tracked)).network.tensors), WHOLE)


# Layers that were changed


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("stem.conv.weight_fake_quant.scale", "is of a network with torch's quantization in it"),
        ("s1.b1.activation_post_process.min_val", "is of a network with torch's quantization in it"),
        ("s1.b1.conv1.conv.weight_orig", "is of a pruned network"),
        ("s1.b1.conv1.conv.parametrizations.weight.original0", "is of a network with parametrized weights"),
        ("head.fc.lora_A.default.weight", "is of a network with LoRA layers"),
        ("s1.b1.attention.weight", "its keys are timm's, but no RegNet has"),
        ("head.norm.weight", "its keys are timm's, but no RegNet has"),
    ],
)
def test_layers_inside_of_the_network_are_refused_by_name(key: str, words: str) -> None:
    message = refusal({"model": under("module.", WHOLE) | stored({f"module.{key}": np.zeros(3, np.float32)})})
    assert message.startswith(words)
    assert key in message


def test_wrappers_inside_of_the_network_are_taken_off() -> None:
    wrapped = {
        key.replace("s1.", "s1._orig_mod.").replace("b1.conv2", "b1._fsdp_wrapped_module.conv2"): key for key in WHOLE
    }
    assert_same(read(take(under("", {key: WHOLE[ours] for key, ours in wrapped.items()})).network.tensors), WHOLE)


# Files that nobody should have written


def unreadable() -> Any:
    raise AssertionError("nothing is read to refuse it")


TENSOR = StoredTensor((), "float32", unreadable)
MARK = "s1.b1.conv1.conv.weight"
HOSTILE: dict[str, Any] = {
    "many prefixes": {f"a{number}.{MARK}": TENSOR for number in range(50_000)},
    "many tables": {f"t{number}": {MARK: TENSOR} for number in range(5_000)},
    "much beside": {MARK: TENSOR} | {f"x{number}.weight": TENSOR for number in range(100_000)},
    "much beside many": {f"a{number}.{MARK}": TENSOR for number in range(32)}
    | {f"x{number}.weight": TENSOR for number in range(600)},
    "many heads": {f"net.{key}": StoredTensor(value.shape, "float32", unreadable) for key, value in TRUNK.items()}
    | {f"p{number}.projector.0.weight": TENSOR for number in range(9_000)}
    | {
        f"p{number}.{end}": StoredTensor(shape, "float32", unreadable)
        for number in range(17)
        for end, shape in (("weight", (10 + number, FEATURES)), ("bias", (10 + number,)))
    },
    "escapes": {f"\x1b[2J\n.{MARK}": TENSOR, f"\x1b[2K\n.{MARK}": TENSOR, "x\r.fc.weight": TENSOR},
    "long names": {"a" * 100_000 + f".{MARK}": TENSOR, "b" * 100_000 + f".{MARK}": TENSOR},
    "a table with a long name": {"a" * 100_000: {MARK: TENSOR}},
    "lists in lists": [[[[{MARK: TENSOR}] * 50] * 50] * 50],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_line_at_once(name: str) -> None:
    def read_whole() -> None:
        network = take(HOSTILE[name]).network
        match_shapes({key: tensor.shape for key, tensor in network.tensors.items()}, source="birds.pth")

    begin = time.monotonic()
    with pytest.raises(WeightsError) as raised:
        read_whole()
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1000
    assert time.monotonic() - begin < 20  # seconds on a busy machine; none takes two
