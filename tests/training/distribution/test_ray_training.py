"""Runs on a Ray cluster whose workers are killed or taken away: they end by themselves, with the undisturbed curve."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pictures import write_colours
from ray_cluster import ENVIRONMENT, RayCluster
from regnety.errors import DataError
from regnety.training.checkpoints import checkpoints
from regnety.training.run import train
from runs import epochs_of, metrics_of, run, small_recipe

EPOCHS = 30
SETTINGS = ("precision=f64", "batch_size=10", f"epochs={EPOCHS}", "augmentation.mixup=0.4", "augmentation.cutmix=1")
WAIT_S = 240

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of sockets that Ray leaves to the garbage collector
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for seed, (split, count) in enumerate((("train", 11), ("val", 7))):
        write_colours(folder / split, count=count, seed=seed)
    return folder


@pytest.fixture(scope="module")
def alone(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of a run in one process."""
    output = tmp_path_factory.mktemp("alone") / "run"
    run(data, output, *SETTINGS)
    return losses_of(output)


@pytest.fixture(autouse=True)
def _without_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def losses_of(output: Path) -> list[float]:
    assert epochs_of(output) == list(range(1, EPOCHS + 1))
    return [row["train_loss"] for row in metrics_of(output)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """Of one machine with two processors."""
    with RayCluster({}) as cluster:
        yield cluster


class Training(threading.Thread):
    """A run on a cluster, which the test disturbs meanwhile."""

    def __init__(self, data: Path, output: Path, cluster: RayCluster, workers: tuple[int, int]) -> None:
        super().__init__()
        self.output = output
        self.error: BaseException | None = None
        self._options = {"ray": cluster.address, "ray_workers": workers, "command": "regnety train ..."}
        self._data = data

    def run(self) -> None:
        try:
            train(self._data, self.output, small_recipe(*SETTINGS), **self._options)
        except BaseException as error:
            self.error = error

    def wait_for_epoch(self, epoch: int) -> None:
        deadline = time.monotonic() + WAIT_S
        while not any(int(path.stem.removeprefix("epoch-")) >= epoch for path in checkpoints(self.output)):
            assert time.monotonic() < deadline
            assert self.is_alive(), self.error
            time.sleep(0.01)

    def wait(self) -> None:
        self.join(WAIT_S)
        assert not self.is_alive()
        assert self.error is None, self.error


def training_workers() -> list[int]:
    """The numbers of the processes that train."""
    table = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in table.splitlines() if "ray::RayTrainWorker" in line]


def test_a_worker_that_is_killed_is_replaced(
    cluster: RayCluster, data: Path, alone: list[float], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    training = Training(data, tmp_path / "run", cluster, (2, 2))
    training.start()
    training.wait_for_epoch(3)
    os.kill(training_workers()[-1], signal.SIGKILL)
    training.wait()
    assert losses_of(tmp_path / "run") == pytest.approx(alone, abs=1e-6)
    told = capfd.readouterr().err
    assert told.count("regnety: 2 workers on the Ray cluster, from ") == 2
    assert f"epoch {EPOCHS}/{EPOCHS}: loss" in told
    assert [path.name for path in tmp_path.iterdir()] == ["run"]  # Ray's own notes are gone


def test_an_error_of_the_data_is_raised_here_and_not_tried_again(
    cluster: RayCluster, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="nowhere"):
        train(data / "nowhere", tmp_path / "run", small_recipe(*SETTINGS), ray=cluster.address, ray_workers=2)


def test_two_of_four_workers_are_taken_away(data: Path, alone: list[float], tmp_path: Path) -> None:
    """With the machine that they are on."""
    with RayCluster({}) as cluster:
        host = "127.0.0.3"
        joining = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", f"--address={cluster.address}"]
        second = subprocess.Popen(
            [*joining, f"--node-ip-address={host}", "--num-cpus=2", f"--object-store-memory={100 << 20}"],
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            training = Training(data, tmp_path / "run", cluster, (2, 4))
            training.start()
            training.wait_for_epoch(3)
            assert len(training_workers()) == 4
            os.killpg(second.pid, signal.SIGKILL)
            training.wait()
        finally:
            second.kill()
            second.wait()
    assert losses_of(tmp_path / "run") == pytest.approx(alone, abs=1e-6)
