"""What every test may use."""

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parent.parent.parent / "shared"
"""Data that stays outside of the repository: CIFAR-10, one photograph, the reference figures."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's caches, or fetches anything unless it says so; all of a run share one."""
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.getbasetemp() / "hub"))
    monkeypatch.setenv("REGNETY_OFFLINE", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data; a test that needs it is skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the data sets in {os.path.relpath(SHARED)}, which are not in the repository")
    return SHARED


@pytest.fixture(scope="session")
def timm() -> Any:
    """The package that ours is held to; a test that needs it is skipped where it is not installed.

    torchvision's wheel does not import beside a CPU-only torch unless two of its operators are there.
    """
    import torch

    operators = torch.library.Library("torchvision", "DEF")
    for operator, arguments in (("nms", "Tensor dets, Tensor scores"), ("qnms", "Tensor dets, Tensor scores")):
        operators.define(f"{operator}({arguments}, float iou_threshold) -> Tensor")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("timm", reason="needs timm: pip install timm")
        import timm.data

    assert timm.data
    package.operators = operators  # they last as long as their library
    return package


@pytest.fixture(scope="session")
def torchvision(timm: Any) -> Any:
    """torchvision, which imports once timm's fixture has defined its operators; skipped where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torchvision", reason="needs torchvision: pip install torchvision")


@pytest.fixture(scope="session")
def transformers(timm: Any) -> Any:
    """transformers, which imports torchvision where it is installed; skipped where it is not itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("transformers", reason="needs transformers: pip install transformers")
        assert package.RegNetForImageClassification  # imported now, whatever it warns of
    return package
