"""What every test may use."""

import importlib.util
import os
import sys
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from core_only import NAMES_AN_EXTRA, needs_the_core_alone
from ray_cluster import RayCluster
from s3_server import S3Server

SHARED = Path(__file__).parent.parent.parent / "shared"
"""Data that stays outside of the repository: CIFAR-10, one photograph, the reference figures."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--core", action="store_true", help="only what needs no extra")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_test = collection_path.is_dir() or collection_path.match("test_*.py")
    return True if config.getoption("--core") and is_test and not needs_the_core_alone(collection_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and item.config.getoption("--core") and NAMES_AN_EXTRA in report.longreprtext:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, "Skipped: needs an extra")
    return report


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's caches, or fetches anything unless it says so; all of a run share one."""
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.getbasetemp() / "hub"))
    monkeypatch.setenv("REGNETY_OFFLINE", "1")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # a token would be kept in the user's home


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data; a test that needs it is skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the data sets in {os.path.relpath(SHARED)}, which are not in the repository")
    return SHARED


@pytest.fixture(scope="session")
def torchvision() -> Any:
    """torchvision; a test that needs it is skipped where it is not installed.

    Its wheel does not import beside a torch that was built otherwise, for the processor alone as a rule, unless two of
    its operators are there.
    """
    torch = pytest.importorskip("torch", reason="needs torch: make test installs it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pytest.importorskip("torchvision", reason="needs torchvision: make test-all installs it")
        except RuntimeError:  # operator torchvision::nms does not exist
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
        operators = torch.library.Library("torchvision", "DEF")
        for operator, arguments in (("nms", "Tensor dets, Tensor scores"), ("qnms", "Tensor dets, Tensor scores")):
            operators.define(f"{operator}({arguments}, float iou_threshold) -> Tensor")
        package: Any = importlib.import_module("torchvision")
    package.operators = operators  # they last as long as their library
    return package


@pytest.fixture(scope="session")
def timm(request: pytest.FixtureRequest) -> Any:
    """The package that ours is held to; a test that needs it is skipped where it is not installed."""
    if importlib.util.find_spec("timm") is None:
        pytest.skip("needs timm: make test-all installs it")
    request.getfixturevalue("torchvision")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import timm
        import timm.data

    return timm


@pytest.fixture(scope="session")
def transformers(torchvision: Any) -> Any:
    """transformers, which imports torchvision by itself; a test that needs it is skipped where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("transformers", reason="needs transformers: make test-all installs it")
        assert package.RegNetForImageClassification  # imported now, whatever it warns of
    return package


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A store that serves a whole test run; started when it is first wanted."""
    pytest.importorskip("moto", reason="needs moto: make test installs it")
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The store, which this process and those that it starts are told of."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture(scope="session")
def ray_cluster(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A Ray cluster that serves a whole test run and sees the store; started when it is first wanted."""
    environment = {"REGNETY_CACHE": str(tmp_path_factory.getbasetemp() / "cache"), "REGNETY_OFFLINE": "1"}
    with RayCluster({**environment, **s3_server.environment}) as cluster:
        yield cluster
