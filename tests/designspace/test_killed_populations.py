"""Populations on a Ray cluster and in a process of their own, with workers and drivers killed at any moment."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: make test-all installs it")

from populations import SETTINGS, epochs_of_trials, population, records_of, write_data
from ray_cluster import ENVIRONMENT, RayCluster, descendants

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of sockets that Ray leaves to the garbage collector
]
DESIGNS = """depth,w0,wa,wm,group_width,stem_stride
2,8,16,2,8,1
2,16,16,2,8,1
2,24,16,2,8,1
2,32,16,2,8,1
"""
KILLS = 10


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("population") / "data")


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A population in this process that nothing has stopped."""
    return population(data, tmp_path_factory.mktemp("population") / "whole", keep_best="1/3")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def results_of(output: Path) -> list[dict[str, Any]]:
    """What the journal has of trials that did not fail, whatever order they came in."""
    records = [record for record in records_of(output) if record["message"] is None]
    return sorted(records, key=lambda record: (record["trial"], record["first"]))


def command(data: Path, output: Path, designs: Path, *more: str) -> list[str]:
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    line = ["design", "run", str(designs), "--data", str(data), "-o", str(output), "--keep-best", "1/3", "--resume"]
    return [sys.executable, "-W", "ignore", "-m", "regnety", *line, *settings, *more]


def length_of(output: Path) -> int:
    journal = output / "journal.jsonl"
    return journal.stat().st_size if journal.exists() else 0


def test_a_cluster_has_the_results_of_one_process(
    data: Path, whole: Path, tmp_path: Path, ray_cluster: RayCluster
) -> None:
    output = population(data, tmp_path / "ray", keep_best="1/3", ray=ray_cluster.address)
    assert results_of(output) == results_of(whole)


def test_a_killed_worker_loses_nothing(data: Path, whole: Path, tmp_path: Path, ray_cluster: RayCluster) -> None:
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 120
        while not killed and time.monotonic() < deadline:
            for number, title in descendants(ray_cluster.process_number):
                if title.startswith("ray::_outcome_alone") and not killed:
                    os.kill(number, signal.SIGKILL)
                    killed.append(number)
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    output = population(data, tmp_path / "ray", keep_best="1/3", ray=ray_cluster.address)
    killer.join()
    assert killed
    messages = [record["message"] for record in records_of(output) if record["message"] is not None]
    assert len(messages) == 1
    assert messages[0].startswith("the worker died: ")
    assert results_of(output) == results_of(whole)


def test_a_killed_driver_is_resumed(data: Path, whole: Path, tmp_path: Path, ray_cluster: RayCluster) -> None:
    output, designs = tmp_path / "ray", tmp_path / "designs.csv"
    designs.write_text(DESIGNS, "utf-8")
    line = command(data, output, designs, "--ray", ray_cluster.address)
    with subprocess.Popen(line, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as driver:
        while not length_of(output):
            assert driver.poll() is None
            time.sleep(0.01)
        driver.kill()
    before = records_of(output)
    subprocess.run(line, check=True, capture_output=True)
    assert records_of(output)[: len(before)] == before
    assert results_of(output) == results_of(whole)


def test_ten_random_kills(data: Path, whole: Path, tmp_path: Path) -> None:
    output, designs = tmp_path / "killed", tmp_path / "designs.csv"
    designs.write_text(DESIGNS, "utf-8")
    line = command(data, output, designs)
    chance = random.Random(0)
    for _ in range(KILLS):
        before = length_of(output)
        with subprocess.Popen(line, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as driver:
            # from its start to after its next results, which take a while from torch's import on
            patience = chance.choice([chance.uniform(0, 3), None])
            end = time.monotonic() + (60 if patience is None else patience)
            while driver.poll() is None and time.monotonic() < end:
                if patience is None and length_of(output) > before:
                    time.sleep(chance.uniform(0, 0.1))
                    break
                time.sleep(0.005)
            driver.kill()
    subprocess.run(line, check=True, capture_output=True)
    assert results_of(output) == results_of(whole)
    assert epochs_of_trials(output) == epochs_of_trials(whole)
