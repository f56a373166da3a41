"""Where the state dict stands in files as programs write them; and in those that nobody should have written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from regnety.errors import WeightsError
from regnety.files.arrays import StoredTensor
from regnety.files.file_contents import Opaque
from regnety.weights.nesting import NAMES, facts_of, find_state_dicts, known_rank, role_rank


def tensor() -> StoredTensor:
    def read() -> Any:
        raise AssertionError("nothing is read to find it")

    return StoredTensor((1,), "float32", read)


RAW = {"stem.conv.weight": tensor(), "head.fc.bias": tensor()}
AVERAGED = {"stem.conv.weight": tensor(), "head.fc.bias": tensor()}
OPTIMIZER = {
    "state": {0: {"step": tensor(), "exp_avg": tensor()}, "stem.conv.weight": tensor()},
    "param_groups": [{"lr": 0.1, "params": [0]}],
}


@dataclass
class Found:
    """The state dict that comes first, and the others."""

    name: str
    tensors: Mapping[str, StoredTensor]
    others: tuple[str, ...]
    facts: dict[str, Any]


def find_state_dict(content: Any, *, source: str) -> Found:
    found = [table for table in find_state_dicts(content, source=source) if any("." in key for key in table.tensors)]
    first, *others = sorted(found, key=lambda table: (role_rank(table.path, content), known_rank(table.path)))
    return Found(first.name, first.tensors, tuple(other.name for other in others), facts_of(content))


def same(found: Any, wanted: dict[str, StoredTensor]) -> bool:
    return list(found) == list(wanted) and all(found[key] is wanted[key] for key in wanted)


def test_flat() -> None:
    part = find_state_dict({**RAW, "epoch": 3, "nothing": None, 7: tensor()}, source="x")
    assert same(part.tensors, RAW)
    assert (part.name, part.others, part.facts) == ("", (), {"epoch": 3})


@pytest.mark.parametrize("name", NAMES)
def test_under_each_name(name: str) -> None:
    part = find_state_dict({"epoch": 3, name: RAW, "optimizer": OPTIMIZER}, source="x")
    assert same(part.tensors, RAW)
    assert (part.name, part.others) == (name, ())


def test_one_in_the_other() -> None:
    part = find_state_dict({"model": {"module": {"state_dict": RAW}}}, source="x")
    assert same(part.tensors, RAW)
    assert part.name == "model.module.state_dict"


def test_timms_training_checkpoint() -> None:
    content = {
        "epoch": 9,
        "arch": "regnety_002",
        "state_dict": RAW,
        "optimizer": OPTIMIZER,
        "version": 2,
        "args": {
            "model": "regnety_002",
            "num_classes": 10,
            "mean": [0.5, 0.5, 0.5],
            "data_dir": "/data",
            "img_size": None,
        },
        "amp_scaler": {"scale": 65536.0, "growth_factor": 2.0},
        "state_dict_ema": AVERAGED,
        "metric": 78.9,
    }
    part = find_state_dict(content, source="x")
    assert same(part.tensors, AVERAGED)
    assert (part.name, part.others) == ("state_dict_ema", ("state_dict",))
    assert part.facts == {
        "arch": "regnety_002",
        "epoch": 9,
        "metric": 78.9,
        "args.model": "regnety_002",
        "args.num_classes": 10,
        "args.mean": [0.5, 0.5, 0.5],
    }


def test_timm_takes_the_same_of_two(timm: Any, tmp_path: Any) -> None:
    import torch

    names = ("state_dict_ema", "model_ema", "state_dict", "model")
    values = {name: {"stem.conv.weight": torch.full((1,), float(index))} for index, name in enumerate(names)}
    for absent in range(len(names)):
        there = {name: values[name] for name in names[absent:]}
        torch.save(there, tmp_path / "checkpoint.pth")
        taken = timm.models.load_state_dict(tmp_path / "checkpoint.pth")["stem.conv.weight"].item()
        part = find_state_dict({name: {"stem.conv.weight": tensor()} for name in reversed(there)}, source="x")
        assert part.name == names[int(taken)]
        assert set(part.others) == there.keys() - {part.name}


@pytest.mark.parametrize(
    ("errors", "name"),
    [
        ({}, "ema_state"),
        ({"test_err": 30.0, "ema_err": 29.0}, "ema_state"),
        ({"test_err": 30.0, "ema_err": 30.0}, "model_state"),
        ({"test_err": 30.0, "ema_err": 100.0}, "model_state"),
    ],
)
def test_pyclss_average_that_is_no_better_is_not_taken(errors: dict[str, float], name: str) -> None:
    content = {
        "epoch": 99,
        "model_state": RAW,
        "ema_state": AVERAGED,
        "optimizer_state": OPTIMIZER,
        "cfg": "BN:\n" * 99,
    }
    part = find_state_dict({**content, **errors}, source="x")
    assert part.name == name
    assert set(part.others) == {"model_state", "ema_state"} - {name}
    assert part.facts == {"epoch": 99, **errors}


def vissl(trunk: Any, heads: Any) -> dict[str, Any]:
    return {"model": {"trunk": trunk, "heads": heads}, "meta": {"trunk": {}, "heads": []}}


def test_vissls_trunk_and_heads_stand_together() -> None:
    trunk, heads = {"_feature_blocks.conv1.stem.0.weight": tensor()}, {"0.clf.0.weight": tensor()}
    content = {
        "phase_idx": 28,
        "classy_state_dict": {"train": True, "base_model": vissl(trunk, heads), "optimizer": {"optim": OPTIMIZER}},
    }
    part = find_state_dict(content, source="x")
    assert list(part.tensors) == ["trunk._feature_blocks.conv1.stem.0.weight", "heads.0.clf.0.weight"]
    assert list(part.tensors.values()) == [*trunk.values(), *heads.values()]
    assert (part.name, part.others, part.facts) == ("classy_state_dict.base_model.model", (), {"phase_idx": 28})


def test_vissls_average_is_called_ema_model() -> None:
    trunk, averaged = (
        {"_feature_blocks.conv1.stem.0.weight": tensor()},
        {"_feature_blocks.conv1.stem.0.weight": tensor()},
    )
    content = {"classy_state_dict": {"base_model": vissl(trunk, {}), "ema_model": vissl(averaged, {})}}
    part = find_state_dict(content, source="x")
    assert list(part.tensors.values()) == list(averaged.values())
    assert (part.name, part.others) == ("classy_state_dict.ema_model.model", ("classy_state_dict.base_model.model",))


def test_classyvisions_heads_stand_under_their_blocks() -> None:
    trunk, head = {"stem.stem.0.weight": tensor()}, {"fc.weight": tensor(), "fc.bias": tensor()}
    part = find_state_dict({"model": {"trunk": trunk, "heads": {"block4-0": {"default_head": head}}}}, source="x")
    assert list(part.tensors) == [
        "trunk.stem.stem.0.weight",
        "heads.block4-0.default_head.fc.weight",
        "heads.block4-0.default_head.fc.bias",
    ]
    assert list(part.tensors.values()) == [*trunk.values(), *head.values()]


def test_heads_without_end_are_not_followed() -> None:
    """One head in a thousand places under a thousand names would be a million tensors."""
    heads = {"b" * 1000 + str(number): {"fc.weight": tensor()} for number in range(1000)}
    blocks = {str(number): heads for number in range(1000)}
    part = find_state_dict({"trunk": {"stem.stem.0.weight": tensor()}, "heads": blocks}, source="x")
    assert len(part.tensors) < 20
    assert max(map(len, part.tensors)) < 300


def test_our_own_checkpoint_is_its_best_epoch() -> None:
    content = {
        "progression": {
            "epochs_done": 7,
            "history": [{"epoch": 1}],
            "best_epoch": 5,
            "best_top1": 81.5,
            "seconds": 9.0,
        },
        "model": RAW,
        "optimizer": OPTIMIZER,
        "average": {"updates": 70, "state": {"stem.conv.weight": tensor()}},
        "best": AVERAGED,
    }
    part = find_state_dict(content, source="x")
    assert same(part.tensors, AVERAGED)
    assert (part.name, part.others) == ("best", ("average.state", "model"))
    assert part.facts == {
        "progression.epochs_done": 7,
        "progression.best_epoch": 5,
        "progression.best_top1": 81.5,
    }


@pytest.mark.parametrize(
    "settings",
    [
        Opaque("argparse.Namespace", state={"model": "regnety_002", "data": "/data"}),
        Opaque("yacs.config.CfgNode", state={"__immutable__": False}, items={"model": "regnety_002"}),
    ],
)
def test_settings_may_be_an_object(settings: Opaque) -> None:
    assert find_state_dict({"state_dict": RAW, "args": settings}, source="x").facts == {"args.model": "regnety_002"}


@pytest.mark.parametrize("content", [Opaque("birds.Net"), {"epoch": 3, "model": Opaque("birds.Net")}])
def test_a_whole_network_is_said_to_be_code(content: object) -> None:
    with pytest.raises(WeightsError) as raised:
        find_state_dict(content, source="birds.pth")
    assert str(raised.value) == (
        "birds.pth: holds an object of the class birds.Net, which is code; save its state_dict() instead"
    )


def test_lightnings_checkpoint() -> None:
    wrapped = {f"model.{key}": value for key, value in RAW.items()}
    content = {
        "epoch": 4,
        "global_step": 1000,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": wrapped,
        "optimizer_states": [OPTIMIZER],
        "lr_schedulers": [{"last_epoch": 4}],
        "hyper_parameters": {"num_classes": 10, "lr": 0.1},
    }
    part = find_state_dict(content, source="x")
    assert same(part.tensors, wrapped)
    assert part.facts == {"epoch": 4, "global_step": 1000, "hyper_parameters.num_classes": 10}


def test_a_number_beside_the_weights_may_be_a_tensor() -> None:
    """As in torch's ImageNet example, whose best_acc1 is one."""
    part = find_state_dict({"epoch": 90, "state_dict": RAW, "best_acc1": tensor()}, source="x")
    assert (part.name, part.facts) == ("state_dict", {"epoch": 90})


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (tensor(), "one tensor"),
        ([tensor(), tensor()], "a list of 2"),
        ((), "a list of 0"),
        ({}, "an empty table"),
        (OPTIMIZER, "a table of state, param_groups"),
        ({"optimizer": OPTIMIZER, "epoch": 3}, "a table of optimizer, epoch"),
        ({"weight": tensor(), "bias": tensor()}, "a table of weight, bias"),
        ({"model": None, "state_dict": {}}, "a table of model, state_dict"),
        ({"line\nbreak": 1, 3: 2, None: 3, "e": 4}, "a table of 'line\\nbreak', <int>, <NoneType> and 1 more"),
        ({("a",) * 1000: 1, 10**5000: 2}, "a table of <tuple>, <int>"),
        ("regnety_002", "a value of type str"),
        (None, "a value of type NoneType"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_holds_no_state_dict_is_said_in_one_line(content: object, kind: str) -> None:
    with pytest.raises(WeightsError) as raised:
        find_state_dict(content, source="birds.pth")
    assert str(raised.value) == (
        f"birds.pth: holds no state dict, that is tensors under names like stem.conv.weight; it is {kind}"
    )


def test_tables_that_contain_each_other() -> None:
    table: dict[str, Any] = {"epoch": 1}
    table |= dict.fromkeys(NAMES, table)
    with pytest.raises(WeightsError, match="holds no state dict"):
        find_state_dict(table, source="x")
    table["net"] = {"model": table, "params": RAW}
    assert find_state_dict(table, source="x").name == "net.params"


def test_depth_is_bounded() -> None:
    content: dict[str, Any] = RAW
    for _ in range(8):
        content = {"model": content}
    assert find_state_dict(content, source="x").name.count("model") == 8
    for _ in range(100_000):
        content = {"model": content}
    with pytest.raises(WeightsError, match="holds no state dict"):
        find_state_dict(content, source="x")
    while "model" in content:  # taken apart by hand: Python's own way down is as deep as the table
        content = content["model"]


def test_a_table_that_stands_in_many_places_is_looked_at_once() -> None:
    content: dict[str, Any] = {"epoch": 1}
    for _ in range(7):  # 18 names in 7 tables: 612 million ways down
        content = dict.fromkeys(NAMES, content)
    with pytest.raises(WeightsError, match="holds no state dict"):
        find_state_dict(content, source="x")


def test_facts_that_are_not_plain_are_left_out() -> None:
    content = {
        **RAW,
        "arch": ["x"] * 9,
        "metric": {"top1": 1},
        "num_classes": tensor(),
        "epoch": "x" * 201,
        "args": [1],
    }
    assert find_state_dict(content, source="x").facts == {}
