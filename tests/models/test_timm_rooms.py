"""`regnety.data` and `regnety.models`: the places where code that was written for timm looks for names."""

import operator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regnety
from bundles import LABELS, REGNETY_002, small_bundle
from commands import python
from regnety.errors import RegNetYError, TimmNameError, UnknownModelError, WeightsError
from regnety.network.modules import RegNet

IMPORTS = """
from regnety.data import resolve_data_config, resolve_model_data_config, create_transform
from regnety.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from regnety.data.config import resolve_data_config as again
from regnety.data.constants import IMAGENET_DEFAULT_MEAN as mean, DEFAULT_CROP_PCT
from regnety.data.transforms_factory import create_transform as transform
from regnety.models import create_model, list_models, list_pretrained, is_model, is_model_pretrained, load_checkpoint
from regnety.models import model_entrypoint, list_modules, get_pretrained_cfg, get_pretrained_cfg_value, regnety_002
from regnety.models.regnet import RegNet, regnety_032, regnetx_004_tv
import regnety
assert regnety.data.create_transform is regnety.create_transform is create_transform is transform
assert regnety.models.create_model is regnety.create_model is create_model
assert resolve_data_config is again and mean == IMAGENET_DEFAULT_MEAN == (0.485, 0.456, 0.406)
"""
HEAVY = ("torch", "numpy", "PIL", "onnx", "regnety.bundle.bundle")


def test_what_users_of_timm_import_is_there(timm: Any) -> None:
    result = python(IMPORTS)
    assert (result.returncode, result.stderr) == (0, "")
    exec(
        IMPORTS.split("import regnety\n")[0]
        .replace("regnety.data", "timm.data")
        .replace("regnety.models", "timm.models")
    )


@pytest.mark.parametrize("code", ["import regnety", "import regnety.data, regnety.models", "from regnety import data"])
def test_the_rooms_cost_nothing(code: str) -> None:
    result = python(f"{code}\nimport sys; print(*({set(HEAVY)} & sys.modules.keys()))")
    assert (result.stdout, result.stderr) == ("\n", "")


def test_the_rooms_are_attributes_of_the_package_alone() -> None:
    code = "import regnety; print(regnety.data.resolve_data_config({}, model='regnety_032')['crop_pct'])"
    assert python(code).stdout == "0.95\n"
    assert python("import regnety; print(regnety.models.regnet.regnety_002.__name__)").stdout == "regnety_002\n"


def test_without_torch_the_extra_is_named() -> None:
    code = """
import sys
sys.modules['torch'] = None
from regnety.data import resolve_data_config
for module, name in (('data.transforms_factory', 'create_transform'), ('models', 'create_model')):
    try:
        exec(f'from regnety.{module} import {name}')
    except ImportError as error:
        print(error)
"""
    first, second = python(code).stdout.splitlines()
    assert first.startswith("create_transform needs an extra: pip install ")
    assert second.startswith("create_model needs an extra: pip install ")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("from regnety.data import create_loader", "timm.data.create_loader is not in regnety; torch.utils.data.DataL"),
        ("from regnety.data import create_dataset", "timm.data.create_dataset is not in regnety; torchvision.datasets"),
        (
            "regnety.data.Mixup()",
            "timm.data.Mixup is not in regnety; timm.data.Mixup works with networks of create_mod",
        ),
        (
            "regnety.models.push_to_hf_hub",
            "timm.models.push_to_hf_hub is not in regnety; NETWORK.save_pretrained('bird",
        ),
        ("from regnety.models import register_model", "timm.models.register_model is not in regnety; give create_mod"),
    ],
)
def test_what_is_not_here_is_one_line(code: str, message: str) -> None:
    with pytest.raises(TimmNameError) as error:
        exec(code, {"regnety": regnety})
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["layers", "utils", "optim", "loss", "scheduler"])
def test_timms_other_rooms_are_timms(name: str, timm: Any) -> None:
    with pytest.raises(AttributeError, match=rf"^regnety has no '{name}'; timm\.{name} works with the networks"):
        getattr(regnety, name)


@pytest.mark.parametrize(
    "place", ["data.create_foo", "models.resnet50", "models.regnet.regnetz_040", "models._registry"]
)
def test_any_other_name_is_an_attribute_error(place: str) -> None:
    with pytest.raises(AttributeError, match=place.rpartition(".")[2]):
        operator.attrgetter(place)(regnety)


def test_every_model_has_its_function() -> None:
    from regnety.models import regnet

    for name in regnety.list_models():
        assert getattr(regnet, name).__name__ == name
        assert getattr(regnety.models, name) is regnety.model_entrypoint(f"{name}.any") is getattr(regnet, name)
    network = regnety.models.regnety_002(num_classes=3)
    assert isinstance(network, regnet.RegNet)
    assert network.num_classes == 3
    assert regnety.model_entrypoint("regnet_y_400mf", "regnet").__name__ == "regnety_004"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet50",), "no model named 'resnet50'"),
        (("regnetz_040",), "RegNetZ is another family"),
        (("regnety_002", "resnet"), "regnety_002 is not in the module resnet; it is in regnet"),
    ],
)
def test_a_function_of_no_model(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UnknownModelError, match=message):
        regnety.model_entrypoint(*arguments)


KEYS = ("url", "hf_hub_id", "architecture", "tag", "input_size", "test_input_size", "interpolation", "crop_pct")
MORE_KEYS = ("test_crop_pct", "mean", "std", "num_classes", "first_conv", "classifier", "license", "nothing")


@pytest.mark.parametrize("name", ["regnety_002", "regnety_032", "regnety_040.ra3_in1k", "regnety_160.swag_ft_in1k"])
def test_the_table_of_a_name_is_timms(name: str, timm: Any) -> None:
    ours, theirs = regnety.get_pretrained_cfg(name), timm.get_pretrained_cfg(name)
    assert ours is not None
    for key in (*KEYS, *MORE_KEYS):
        if key == "url":  # ours has the address of the model page where timm has the Hub alone
            continue
        wanted = getattr(theirs, key, None)
        if key in ("interpolation", "test_crop_pct"):
            wanted = wanted or None
        assert getattr(ours, key) == ours.to_dict().get(key) == wanted, key
        assert regnety.get_pretrained_cfg_value(name, key) == wanted


def test_the_table_of_a_name_that_is_not_known() -> None:
    assert regnety.get_pretrained_cfg("resnet50") is None
    with pytest.raises(UnknownModelError, match="no model named 'resnet50'"):
        regnety.get_pretrained_cfg("resnet50", allow_unregistered=False)
    with pytest.raises(UnknownModelError, match="has no published weights tagged 'x'"):
        regnety.get_pretrained_cfg("regnety_032.x")
    embedded = regnety.get_pretrained_cfg("regnety_cifar10")
    assert embedded is not None
    assert embedded["num_classes"] == 10


def test_a_checkpoint_is_loaded_into_a_network(tmp_path: Path) -> None:
    bundle = small_bundle(design=REGNETY_002)
    folder = bundle.save(tmp_path / "birds")
    network = regnety.create_model("regnety_002", num_classes=4)
    for place in (folder, str(folder / "model.safetensors"), f"local-dir:{folder}"):
        torch.nn.init.zeros_(network.head.fc.bias)
        regnety.models.load_checkpoint(network, place)
        assert np.array_equal(network.head.fc.bias.detach().numpy(), bundle.weights["head.fc.bias"])
        assert network.labels == LABELS
    state = regnety.create_model("regnety_002", num_classes=4).state_dict()
    torch.save({"state_dict": state}, tmp_path / "c.pth.tar")
    regnety.load_checkpoint(network, tmp_path / "c.pth.tar", device="cpu", weights_only=True)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert network.labels is None, "they were of other weights"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"head\.fc\.weight is \(4, 368\), the architecture expects \(5, 368\)"),
        ({"strict": False}, "strict=False: a network is loaded whole"),
        ({"use_ema": False}, "use_ema=False: of averaged and raw weights"),
        ({"remap": True}, "remap=True: load_checkpoint has no such argument"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused_whole(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = small_bundle(design=REGNETY_002).save(tmp_path / "birds")
    network: RegNet = regnety.create_model("regnety_002", num_classes=5)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(WeightsError, match=message):
        regnety.load_checkpoint(network, folder, **options)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_every_error_of_a_name_is_ours() -> None:
    assert issubclass(TimmNameError, RegNetYError)
