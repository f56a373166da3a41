"""Where a network is trained: what `auto` takes, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pictures import write_colours
from regnety import ClusterError, RecipeError, train
from regnety.training import devices, run
from regnety.training.devices import PROCESSOR, Device, find_device, memory_for
from regnety.training.distribution.workers import joined


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


def test_too_little_memory_of_a_card_is_one_line() -> None:
    wanted = r"memory is too small for a batch of 512; --set accumulate=4 .* --batch-size"
    with pytest.raises(RecipeError, match=wanted), memory_for(512):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20.00 GiB")


def test_more_processes_than_cards_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name, value in (("LOCAL_RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    wanted = r"more processes than this machine has graphics cards \(1\)"
    with pytest.raises(ClusterError, match=wanted), joined(Device("cuda")):
        pass


@pytest.mark.parametrize(("device", "gpus", "taken"), [("auto", 0, "cpu"), ("auto", 1, "auto"), ("cpu", 0, "cpu")])
def test_workers_without_a_card_train_on_the_processor(
    device: str, gpus: float, taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works: list[Any] = []
    monkeypatch.setattr(run, "train_on_cluster", lambda work, *_, **__: works.append(work))
    train("data", tmp_path / "run", "cifar10", ray="local", gpus_per_worker=gpus, device=device, mlflow="runs")
    assert works[0].keywords["device"] == taken
    assert works[0].keywords["mlflow"] == str(Path("runs").absolute())
    with pytest.raises(RecipeError, match=r"device cuda \(--device\) on a cluster needs gpus_per_worker"):
        train("data", tmp_path / "run", "cifar10", ray="local", device="cuda")


def test_apples_gpu_is_not_shared_by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ClusterError, match=r"^Apple's GPU cannot share a run"), joined(Device("mps")):
        pass
