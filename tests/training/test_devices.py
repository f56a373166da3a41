"""Where a network is trained: what `auto` takes, and what is refused."""

from pathlib import Path

import pytest
import torch

from pictures import write_colours
from regnety import RecipeError, train
from regnety.training import devices
from regnety.training.devices import PROCESSOR, Device, find_device


@pytest.mark.parametrize("available", [True, False, None])
def test_bf16_is_refused_where_it_would_crawl(available: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_bf16", lambda: available)
    assert PROCESSOR.arithmetic("auto") == ("bf16" if available else "f32")
    assert PROCESSOR.arithmetic("f32") == "f32"
    if available:
        assert PROCESSOR.arithmetic("bf16") == "bf16"
    else:
        with pytest.raises(RecipeError, match=r"^precision bf16: this processor has none of avx512_bf16, amx_bf16; "):
            PROCESSOR.arithmetic("bf16")


def test_a_card_is_taken_where_torch_finds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert find_device("auto") == find_device("cuda") == Device("cuda")
    assert find_device("cpu") == PROCESSOR
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == PROCESSOR
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert find_device("auto") == find_device("mps") == Device("mps")


def test_bf16_on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert Device("cuda").arithmetic("auto") == "f32"
    with pytest.raises(RecipeError, match=r"^precision bf16: this device has none of that"):
        Device("cuda").arithmetic("bf16")


@pytest.mark.parametrize("asked", ["cuda", "mps"])
def test_a_device_that_is_not_here(asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    data = write_colours(tmp_path / "data", count=2)
    with pytest.raises(RecipeError, match=rf"^device {asked}: .*; use --device cpu \(device=\)$"):
        train(data, tmp_path / "run", model="regnety_cifar10", device=asked, quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_sum_has_the_digits_that_a_device_has() -> None:
    assert PROCESSOR.widest == Device("cuda").widest == torch.float64
    assert Device("mps").widest == torch.float32


def test_a_name_that_is_none() -> None:
    with pytest.raises(RecipeError, match=r"must be one of auto, cpu, cuda, mps, got 'gpu'"):
        find_device("gpu")
