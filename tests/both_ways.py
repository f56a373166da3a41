"""A dialect against the program it belongs to: the same random weights in and out, by keys, order, bytes and logits."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from bundles import random_weights
from regnety.architecture.description import Architecture
from regnety.files.arrays import Array, StoredTensor
from regnety.network.modules import RegNet
from regnety.weights.dialects.dialect import Dialect
from regnety.weights.dialects.registry import in_dialect
from regnety.weights.networks import Network
from regnety.weights.selection import take_network

TOLERANCE = 1e-10
"""Of logits in float64, relative to the largest of them: the sums are the same, their order need not be."""


def stored(weights: Mapping[str, Array]) -> dict[str, StoredTensor]:
    """Arrays as the tensors of a file."""
    return {
        key: StoredTensor(value.shape, value.dtype.name, lambda value=value: value) for key, value in weights.items()
    }


def read(tensors: Mapping[str, StoredTensor]) -> dict[str, Array]:
    return {key: tensor.read() for key, tensor in tensors.items()}


def translate(tensors: Mapping[str, StoredTensor], *, source: str) -> Network:
    """The RegNet of a state dict, under our keys."""
    return take_network(tensors, source=source).network


def state_of(tensors: Mapping[str, StoredTensor]) -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(np.array(tensor.read())) for key, tensor in tensors.items()}


def tensors_of(module: nn.Module) -> dict[str, StoredTensor]:
    return stored({key: value.numpy() for key, value in module.state_dict().items()})


def shapes_of_module(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


def their_shapes(dialect: Dialect, architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """The keys of a dialect to the shapes of the description."""
    ours = architecture.state_dict_shapes()
    return {their_key: ours[our_key] for their_key, our_key in dialect.their_keys(architecture).items()}


def assert_same(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> None:
    """The same keys in whatever order, the same types, shapes and bytes."""
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert (found[key].dtype, found[key].shape) == (value.dtype, value.shape), key
        assert found[key].tobytes() == value.tobytes(), key


def assert_same_logits(
    architecture: Architecture,
    weights: Mapping[str, Array],
    peer: nn.Module,
    *,
    bgr_input: bool = False,
    logits: Callable[[Any], torch.Tensor] = lambda outputs: outputs,
) -> None:
    """Our network with those weights and the peer with its own answer alike; the peer is changed to float64."""
    network = RegNet(architecture)
    network.load_state_dict(state_of(stored(weights)))
    images = torch.randn(
        1, architecture.in_chans, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    with torch.inference_mode():
        ours = network.double().eval()(images)
        theirs = logits(peer.double().eval()(images.flip(1) if bgr_input else images))
    assert ours.shape == (1, architecture.num_classes)
    assert (theirs - ours).abs().max() <= TOLERANCE * ours.abs().max()


def check_both_ways(
    dialect: Dialect,
    architecture: Architecture,
    peer: nn.Module,
    *,
    logits: Callable[[Any], torch.Tensor] = lambda outputs: outputs,
) -> None:
    """Our weights run in the peer, and what the peer saves is our weights again."""
    weights = random_weights(architecture)
    theirs = in_dialect(dialect, architecture, weights)
    assert {key: tensor.shape for key, tensor in theirs.items()} == shapes_of_module(peer)
    assert list(theirs) == list(peer.state_dict())
    peer.load_state_dict(state_of(theirs))

    back = translate(tensors_of(peer), source="x")
    assert (back.dialect, back.prefix, back.passed_over) == (dialect, "", ())
    assert list(back.tensors) == list(dialect.their_keys(architecture).values())
    assert_same(read(back.tensors), weights)
    again = in_dialect(dialect, architecture, read(back.tensors))
    assert list(again) == list(theirs)
    assert_same(read(again), {key: value.numpy() for key, value in peer.state_dict().items()})

    assert_same_logits(architecture, weights, peer, bgr_input=dialect.bgr_input, logits=logits)
