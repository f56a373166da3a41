"""Which cluster, and how much of it: what needs no Ray that runs."""

import logging
import socket

import pytest

from commands import one_line, python, regnety
from regnety.errors import ClusterError
from regnety.inference.cluster import connection
from regnety.inference.cluster.connection import Cluster, connected


@pytest.mark.parametrize(
    ("processors", "wanted", "threads", "expected"),
    [
        ((2,), None, None, (1, 2)),
        ((16,), None, None, (4, 4)),
        ((16, 16, 3), None, None, (11, 3)),
        ((16, 8), None, 8, (3, 8)),
        ((2,), 2, None, (2, 1)),
        ((16, 16), 32, None, (32, 1)),
        ((16, 16), 2, None, (2, 4)),
        ((4,), 9, 2, (9, 2)),
        ((1, 1), None, None, (2, 1)),
    ],
)
def test_workers_and_their_threads(
    processors: tuple[int, ...], wanted: int | None, threads: int | None, expected: tuple[int, int]
) -> None:
    assert Cluster(processors, started=False).workers(wanted, threads) == expected


def test_a_worker_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(ClusterError, match=r"^no node of the Ray cluster has 9 processors .*; the largest has 8$"):
        Cluster((8, 4), started=False).workers(None, 9)


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "127.0.0.1", ":6379", "here", "127.0.0.1:port"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ClusterError, match="a Ray cluster is local, auto or HOST:PORT") as error, connected(address):
        pass
    assert str(error.value).startswith(f"{address}: ")


def test_nobody_answers_at_the_address(tmp_path: object) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    expected = f"{address}: no Ray cluster answers there: Connection refused"
    assert one_line(regnety("predict", "examples/cat.png", "--ray", address)) == expected
    assert one_line(regnety("predict", "examples/cat.png", "--ray", "auto", RAY_ADDRESS=address)) == expected


def test_workers_on_a_cluster_want_a_cluster() -> None:
    assert one_line(regnety("predict", "cat.png", "--ray-workers", 2)).startswith("--ray-workers needs --ray")


def test_without_the_extra_it_says_which_one() -> None:
    code = """
import sys
sys.modules["ray"] = None
from regnety import MissingExtraError
from regnety.inference.cluster.ray_predictor import RayPredictor
try: RayPredictor(address="local")
except MissingExtraError as error: print(error)
"""
    assert python(code).stdout == "--ray needs an extra: pip install '.[ray]' in a clone of regnety\n"


def test_a_prediction_without_it_imports_nothing_of_it() -> None:
    code = "import sys; from regnety.cli.commands.predict import predict; from regnety import Predictor\n"
    code += "print(sorted(name for name in sys.modules if name == 'ray' or 'cluster' in name))"
    assert python(code).stdout == "[]\n"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_the_handlers_of_the_process_are_not_silenced() -> None:
    pytest.importorskip("ray", reason="needs Ray: make test installs it")
    handler = logging.StreamHandler()
    loggers = [logging.getLogger(), logging.getLogger("ray")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        connection._silence()
        assert handler.level == logging.NOTSET
        assert handler not in loggers[1].handlers
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
