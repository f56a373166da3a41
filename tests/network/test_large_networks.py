"""The work that the largest models take before any weight is there; the time is `benchmarks/large_models.py`'s."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from regnety import complexity, create_model, model_info

MODELS = ("regnety_1280", "regnety_2560")


def python_calls(work: Callable[[], object]) -> int:
    """How many functions of Python are called; a second has room for some ten million."""
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("name", MODELS)
def test_describing_and_counting_are_some_thousand_calls(name: str) -> None:
    design = model_info(name).design
    assert 100 < python_calls(lambda: design.architecture(1000).state_dict_shapes()) < 5_000
    assert 100 < python_calls(lambda: complexity(design)) < 5_000


class _RealTensors(TorchDispatchMode):
    """Counts operations, and the elements of the largest tensor that any of them really made."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.largest = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.operations += 1
        if isinstance(result, torch.Tensor) and not result.is_meta:
            self.largest = max(self.largest, result.numel())
        return result


@pytest.mark.parametrize("name", MODELS)
def test_on_the_meta_device_nothing_is_drawn_or_kept(name: str) -> None:
    with _RealTensors() as made, torch.device("meta"):
        network = create_model(name)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert parameters == complexity(model_info(name).design).num_params > 600_000_000
    assert made.largest == 0
    assert made.operations < 10 * len(network.state_dict())
