"""The torch module under everything that torch can do to it."""

import copy
import pickle
from typing import Any

import pytest
import torch

from bundles import small_bundle
from numerics import lively_network, random_images, relative_error
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.network.creation import create_model
from regnety.network.extractor import FeatureExtractor
from regnety.network.modules import RegNet

DESIGN = Design(depth=4, w0=16, wa=12, wm=2, group_width=8)
IMAGES = torch.from_numpy(random_images(2, 3, 40, 40))


@pytest.fixture
def network() -> RegNet:
    return lively_network(DESIGN, num_classes=7)


def test_forms_of_forward_agree(network: RegNet) -> None:
    outputs = network.forward_named(IMAGES)
    features = network.forward_features(IMAGES)
    assert (
        list(outputs) == list(network.architecture.output_names) == ["stem", "s1", "s2", "s3", "pre_logits", "logits"]
    )
    assert torch.equal(outputs["s3"], features)
    assert torch.equal(outputs["pre_logits"], network.forward_head(features, pre_logits=True))
    assert torch.equal(outputs["pre_logits"], features.mean((2, 3)))
    assert torch.equal(outputs["logits"], network.forward_head(features))
    assert torch.equal(outputs["logits"], network(IMAGES))


def test_forward_leaves_its_input_alone(network: RegNet) -> None:
    images = IMAGES.clone()
    outputs = network.forward_named(images)
    assert torch.equal(images, IMAGES)
    assert (outputs["stem"] >= 0).all()
    assert torch.equal(outputs["s1"], network.s1(outputs["stem"]))


def test_double_precision_gives_the_same_answer(network: RegNet) -> None:
    wanted = network(IMAGES)
    found = network.double()(IMAGES.double())
    assert found.dtype == torch.float64
    assert 0 < relative_error(found.detach(), wanted.detach()) < 1e-5


def test_copy_is_another_network_with_the_same_answer(network: RegNet) -> None:
    wanted = network(IMAGES)
    other = copy.deepcopy(network)
    assert torch.equal(other(IMAGES), wanted)
    torch.nn.init.zeros_(other.head.fc.weight)
    assert torch.equal(network(IMAGES), wanted)


def test_meta_device_holds_no_weights() -> None:
    with torch.device("meta"):
        network = create_model("regnety_2560")
    assert all(value.is_meta for value in network.state_dict().values())
    assert network(torch.empty(1, 3, 64, 64, device="meta")).shape == (1, 1000)
    with torch.device("meta"):
        assert create_model(small_bundle()).head.fc.weight.is_meta


def test_channels_last_gives_the_same_answer(network: RegNet) -> None:
    wanted = network(IMAGES)
    network = network.to(memory_format=torch.channels_last)
    features = network.forward_features(IMAGES.to(memory_format=torch.channels_last))
    assert features.is_contiguous(memory_format=torch.channels_last)
    assert relative_error(network.forward_head(features).detach(), wanted.detach()) < 1e-5


def test_exported_program_gives_the_same_answer(network: RegNet) -> None:
    program = torch.export.export(network, (IMAGES,))
    assert relative_error(program.module()(IMAGES).detach(), network(IMAGES).detach()) < 1e-6


@pytest.mark.filterwarnings(r"ignore:.torch\.jit\.script:DeprecationWarning")  # torch's own, within inductor
@pytest.mark.parametrize("backend", ["eager", "aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_network_gives_the_same_answer(network: RegNet, backend: str) -> None:
    compiled = torch.compile(network, backend=backend, fullgraph=True)
    with torch.inference_mode():
        assert relative_error(compiled(IMAGES), network(IMAGES)) < 1e-5


@pytest.mark.filterwarnings(r"ignore:.torch\.jit\.script:DeprecationWarning")  # torch's own, of TorchScript as a whole
@pytest.mark.parametrize("global_pool", ["avg", "catavgmax"])
def test_scripted_network_gives_the_same_answer(global_pool: str) -> None:
    options: dict[str, Any] = {"drop_rate": 0.2, "drop_path_rate": 0.5, "output_stride": 8}
    network = lively_network(DESIGN, num_classes=7, global_pool=global_pool, **options)
    network.set_grad_checkpointing()  # which TorchScript leaves out
    network.labels = tuple("abcdefg")
    scripted, stages = torch.jit.script(network), torch.jit.script(FeatureExtractor(network, (0, 2)))
    assert torch.equal(scripted(IMAGES), network(IMAGES))
    for found, wanted in zip(stages(IMAGES), FeatureExtractor(network, (0, 2))(IMAGES), strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("features_only", [False, True])
def test_pickled_network_gives_the_same_answer(features_only: bool) -> None:
    network = create_model(small_bundle(), features_only=features_only).eval()
    again = pickle.loads(pickle.dumps(network))
    found, wanted = again(IMAGES), network(IMAGES)
    assert all(torch.equal(*pair) for pair in zip(found, wanted, strict=True))
    assert again.pretrained_cfg == network.pretrained_cfg


def test_a_training_step_reaches_every_weight(network: RegNet) -> None:
    before = copy.deepcopy(network.state_dict())
    network.train()(IMAGES).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
    moved = {
        key.rpartition(".")[2] for key, value in network.state_dict().items() if not torch.equal(value, before[key])
    }
    assert moved == {"running_mean", "running_var", "num_batches_tracked"}


def test_batch_norm_has_the_papers_constants(network: RegNet) -> None:
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-5, 0.1)}


def test_a_block_is_what_the_paper_says() -> None:
    """One block written out with torch's functions: conv, norm, gate, shortcut."""
    stage = StageDesign(width=12, depth=1, bottleneck_multiplier=2, group_width=8, stride=3)
    network = lively_network(AnyNetDesign(stages=(stage,), stem_width=10)).double()
    block, functional = network.s1.b1, torch.nn.functional
    x = torch.from_numpy(random_images(2, 10, 8, 7)).double()

    def normed(value: torch.Tensor, name: str) -> torch.Tensor:
        norm = getattr(block, name).bn
        value = (value - norm.running_mean[:, None, None]) / torch.sqrt(norm.running_var[:, None, None] + 1e-5)
        return value * norm.weight[:, None, None] + norm.bias[:, None, None]

    y = torch.relu(normed(functional.conv2d(x, block.conv1.conv.weight), "conv1"))
    y = torch.relu(normed(functional.conv2d(y, block.conv2.conv.weight, None, 3, 1, 1, 3), "conv2"))
    hidden = torch.relu(functional.linear(y.mean((2, 3)), block.se.fc1.weight[:, :, 0, 0], block.se.fc1.bias))
    gate = torch.sigmoid(functional.linear(hidden, block.se.fc2.weight[:, :, 0, 0], block.se.fc2.bias))
    y = normed(functional.conv2d(y * gate[:, :, None, None], block.conv3.conv.weight), "conv3")
    shortcut = normed(functional.conv2d(x, block.downsample.conv.weight, None, 3), "downsample")
    assert block.conv2.conv.groups == 3
    assert relative_error(block(x).detach(), torch.relu(y + shortcut).detach()) < 1e-12
