"""Side by side with timm, the same random weights in both: maps, logits, tables, groups, training."""

from typing import Any

import pytest
import torch
from torch import Tensor

from numerics import lively_network, random_images, relative_error
from regnety.network.creation import create_model
from regnety.network.modules import RegNet

MODELS = ("regnety_002", "regnety_004", "regnetx_002", "regnety_008_tv")
IMAGES = torch.from_numpy(random_images(2, 3, 64, 64))
OUTPUT_STRIDES = (32, 16, 8)
SUBSETS = (None, (0,), (4,), (1, 3), (0, 2, 4), (1, 2, 3, 4), (-1,), (-4, -2), (0, -1), 2)
POOLINGS = ("avg", "max", "avgmax", "catavgmax")


@pytest.fixture(scope="module", params=MODELS)
def ours(request: pytest.FixtureRequest) -> RegNet:
    return lively_network(request.param)


def name_of(network: RegNet) -> str:
    return str(network.pretrained_cfg["architecture"])


def filled(module: torch.nn.Module, network: RegNet) -> Any:
    """The weights of a network in another module, which may have less of them."""
    weights = network.state_dict()
    module.load_state_dict({key: weights[key] for key in module.state_dict()})
    return module.eval()


def assert_same_maps(found: list[Tensor], wanted: list[Tensor]) -> None:
    for index, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        assert relative_error(ours.detach(), theirs.detach()) < 1e-6, index


def test_logits_features_and_keys(timm: Any, ours: RegNet) -> None:
    theirs = filled(timm.create_model(name_of(ours)), ours)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    with torch.inference_mode():
        assert relative_error(ours.forward_features(IMAGES), theirs.forward_features(IMAGES)) < 1e-6
        assert relative_error(ours(IMAGES), theirs(IMAGES)) < 1e-6
        assert ours(IMAGES).std() > 0.1


@pytest.mark.parametrize("output_stride", OUTPUT_STRIDES)
def test_maps_of_every_output_stride(timm: Any, ours: RegNet, output_stride: int) -> None:
    options: dict[str, Any] = {"features_only": True, "output_stride": output_stride}
    found = filled(create_model(name_of(ours), **options), ours)
    wanted = filled(timm.create_model(name_of(ours), **options), ours)
    assert found.feature_info.reduction() == wanted.feature_info.reduction()
    assert found.feature_info.reduction(4) == output_stride
    with torch.inference_mode():
        assert_same_maps(found(IMAGES), wanted(IMAGES))


@pytest.mark.parametrize("output_stride", [32, 8])
@pytest.mark.parametrize("out_indices", SUBSETS, ids=str)
def test_maps_of_every_subset(timm: Any, out_indices: Any, output_stride: int) -> None:
    network = lively_network("regnety_002", output_stride=output_stride)
    arguments: dict[str, Any] = {"output_stride": output_stride}
    if out_indices is not None:
        arguments["out_indices"] = out_indices
    found = filled(create_model("regnety_002", features_only=True, **arguments), network)
    wanted = filled(timm.create_model("regnety_002", features_only=True, **arguments), network)
    assert list(found.state_dict()) == list(wanted.state_dict())
    ours, theirs = found.feature_info, wanted.feature_info
    assert ours.get_dicts() == theirs.get_dicts()
    assert ours.get_dicts(["reduction"], [0]) == theirs.get_dicts(["reduction"], [0]) == [{"reduction": 2}]
    assert (ours.channels(), ours.reduction(), ours.module_name(), ours.out_indices) == (
        theirs.channels(),
        theirs.reduction(),
        theirs.module_name(),
        theirs.out_indices,
    )
    assert ours.info == theirs.info
    with torch.inference_mode():
        assert_same_maps(found(IMAGES), wanted(IMAGES))


@pytest.mark.parametrize("stop_early", [False, True])
@pytest.mark.parametrize("indices", [*SUBSETS, [2, 0], (3, 3)], ids=str)
def test_intermediates(timm: Any, indices: Any, stop_early: bool) -> None:
    network = lively_network("regnety_002", output_stride=16)
    theirs = filled(timm.create_model("regnety_002", output_stride=16), network)
    with torch.inference_mode():
        last, maps = network.forward_intermediates(IMAGES, indices, stop_early=stop_early)
        wanted_last, wanted = theirs.forward_intermediates(IMAGES, indices, stop_early=stop_early)
        assert_same_maps([last, *maps], [wanted_last, *wanted])
        alone = network.forward_intermediates(IMAGES, indices, norm=True, stop_early=True, intermediates_only=True)
        assert_same_maps(alone, wanted)


@pytest.mark.parametrize("prune_head", [False, True])
@pytest.mark.parametrize("indices", [1, (4,), (2, -1), (3,), (0,), (1, 2)], ids=str)
def test_pruned_networks(timm: Any, indices: Any, prune_head: bool) -> None:
    network = lively_network("regnety_002")
    theirs = filled(timm.create_model("regnety_002"), network)
    assert network.prune_intermediate_layers(indices, prune_head=prune_head) == theirs.prune_intermediate_layers(
        indices, prune_head=prune_head
    )
    assert list(network.state_dict()) == list(theirs.state_dict())
    assert list(network.state_dict()) == list(network.architecture.state_dict_shapes())
    facts = ("num_features", "head_hidden_size", "num_classes")
    assert [getattr(network, fact) for fact in facts] == [getattr(theirs, fact) for fact in facts]
    with torch.inference_mode():
        assert relative_error(network(IMAGES), theirs(IMAGES)) < 1e-6
        assert_same_maps(network.forward_intermediates(IMAGES)[1], theirs.forward_intermediates(IMAGES)[1])
    network.reset_classifier(3, "avg")
    assert network(IMAGES).shape == (2, 3)


@pytest.mark.parametrize("global_pool", POOLINGS)
def test_poolings(timm: Any, global_pool: str) -> None:
    network = lively_network("regnety_002", global_pool=global_pool, num_classes=5)
    theirs = filled(timm.create_model("regnety_002", global_pool=global_pool, num_classes=5), network)
    assert network.head_hidden_size == theirs.head_hidden_size
    assert network.num_features == theirs.num_features == 368
    with torch.inference_mode():
        maps = network.forward_features(IMAGES)
        assert relative_error(network(IMAGES), theirs(IMAGES)) < 1e-6
        pooled = network.forward_head(maps, pre_logits=True)
        assert relative_error(pooled, theirs.forward_head(maps, pre_logits=True)) < 1e-6
        for other in (*POOLINGS, ""):
            network.reset_classifier(0, other)
            theirs.reset_classifier(0, other)
            assert network.head_hidden_size == theirs.head_hidden_size
            assert relative_error(network(IMAGES), theirs(IMAGES)) < 1e-6


def test_unpooled_maps(timm: Any, ours: RegNet) -> None:
    options: dict[str, Any] = {"num_classes": 0, "global_pool": ""}
    found = filled(create_model(name_of(ours), **options), ours)
    wanted = filled(timm.create_model(name_of(ours), **options), ours)
    with torch.inference_mode():
        assert found(IMAGES).shape == (2, ours.num_features, 2, 2)
        assert relative_error(found(IMAGES), wanted(IMAGES)) < 1e-6


def test_tables_and_groups(timm: Any, ours: RegNet) -> None:
    from timm.models import group_parameters

    theirs = timm.create_model(name_of(ours))
    assert ours.feature_info == theirs.feature_info
    assert ours.default_cfg is ours.pretrained_cfg
    for coarse in (False, True):
        found, wanted = (
            group_parameters(network, network.group_matcher(coarse=coarse), reverse=True) for network in (ours, theirs)
        )
        assert found == wanted
        blocks = len(ours.architecture.blocks)
        assert len(set(found.values())) == (6 if coarse else 2 + blocks)


def test_the_same_seed_gives_the_same_weights(timm: Any, ours: RegNet) -> None:
    states = []
    for create in (create_model, timm.create_model):
        torch.manual_seed(7)
        states.append(create(name_of(ours), num_classes=9).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[1])


@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_with_dropout_and_stochastic_depth(timm: Any, checkpointing: bool) -> None:
    """The same draws at the same places: logits, gradients and statistics of a training step agree."""
    options: dict[str, Any] = {"drop_rate": 0.3, "drop_path_rate": 0.5, "output_stride": 16, "num_classes": 5}
    network = lively_network("regnety_002", **options)
    theirs = filled(timm.create_model("regnety_002", **options), network)
    network.set_grad_checkpointing(checkpointing)
    logits = []
    for model in (network, theirs):
        torch.manual_seed(3)
        logits.append(model.train()(IMAGES))
        logits[-1].square().sum().backward()
    assert relative_error(logits[0].detach(), logits[1].detach()) < 1e-5
    wanted = dict(theirs.named_parameters())
    size = max(float(parameter.grad.abs().max()) for parameter in wanted.values())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        assert (parameter.grad - wanted[name].grad).abs().max() < 1e-5 * size, name
    for name, buffer in network.named_buffers():
        assert torch.allclose(buffer, theirs.get_buffer(name), rtol=1e-4, atol=1e-5), name


def test_rates_of_stochastic_depth(timm: Any, ours: RegNet) -> None:
    found, wanted = (
        [module.drop_prob for module in create(name_of(ours), drop_path_rate=0.2).modules() if is_drop_path(module)]
        for create in (create_model, timm.create_model)
    )
    assert len(found) == len(ours.architecture.blocks) - 1
    assert found == pytest.approx(wanted, rel=1e-6)
    assert found[-1] == 0.2


def is_drop_path(module: torch.nn.Module) -> bool:
    return type(module).__name__ == "DropPath"
