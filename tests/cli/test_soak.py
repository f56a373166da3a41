"""Many runs of the command in a row: every exit status is right, and none hangs, whatever the engine and the cache."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundles import small_bundle
from pictures import encoded, noise

ONE_RUN_S = 60
"""A run that takes longer hangs: it takes well under a second, with torch some four."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photographs, one that is none, and a small model."""
    folder = tmp_path_factory.mktemp("soak")
    for number in range(6):
        image = noise(40 + 57 * number, 400 - 50 * number, seed=number)
        (folder / f"photo {number}").write_bytes(encoded(image, ("JPEG", "PNG", "WEBP")[number % 3]))
    (folder / "bad.jpg").write_bytes(b"text")
    small_bundle().save(folder / "bundle")
    return folder


def command(folder: Path, engine: str, *images: Path) -> list[str]:
    options = ["--engine", engine, "--precision", "f32", "--model", str(folder / "bundle"), "--format", "jsonl", "-q"]
    return [sys.executable, "-m", "regnety", "predict", *map(str, images), *options]


def photographs(folder: Path) -> list[Path]:
    return sorted(folder.glob("photo *"))


COUNTS = {"onnxruntime": (20, 300), "openvino": (10, 300), "torch": (2, 30)}
"""Runs in `make test-all` and in `make soak`."""
RUNS = [
    pytest.param(engine, runs, marks=mark, id=f"{engine}-{runs}")
    for engine, counts in COUNTS.items()
    for runs, mark in zip(counts, (pytest.mark.slow, pytest.mark.soak), strict=True)
]


@pytest.mark.parametrize(("engine", "runs"), RUNS)
def test_every_run_ends_well(engine: str, runs: int, folder: Path) -> None:
    """In turn with all images readable (status 0) and with one that is not (status 1), several threads each."""
    images = photographs(folder)
    answers: dict[int, set[str]] = {0: set(), 1: set()}
    for number in range(runs):
        status = number % 2
        line = command(folder, engine, *images, *([folder / "bad.jpg"] if status else []))
        result = subprocess.run(line, capture_output=True, text=True, timeout=ONE_RUN_S, check=False)
        assert (result.returncode, result.stderr) == (status, "")
        answers[status].add(result.stdout)
    assert [len(found) for found in answers.values()] == [1, 1]
    assert next(iter(answers[0])).count("\n") == len(images)


@pytest.mark.parametrize("runs", [pytest.param(10, marks=pytest.mark.slow), pytest.param(300, marks=pytest.mark.soak)])
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_every_run_of_many_images_ends_well(engine: str, runs: int, folder: Path, tmp_path: Path) -> None:
    """On a plan with batches, whose engine starts while other threads read the first images."""
    many = tmp_path / "many"
    many.mkdir()
    for number in range(90):
        (many / f"{number:02}.jpg").hardlink_to(photographs(folder)[number % 6])
    environment = {**os.environ, "REGNETY_CACHE": str(tmp_path / "cache")}
    tune = (
        "import sys; from regnety import Bundle, RunOptions; from regnety.inference import runner, tuning\n"
        "runner.LONG_S, tuning.BATCHES, tuning.WORTH_TRYING = 0.0, (1, 8), 0.0\n"
        "one = runner.Runner(Bundle.load(sys.argv[1]), RunOptions(engine=sys.argv[2], precision='f32'))\n"
        "list(one.stream(sys.argv[3:]))\n"
    )
    images = [str(path) for path in sorted(many.iterdir())]
    subprocess.run(
        [sys.executable, "-c", tune, str(folder / "bundle"), engine, *images], check=True, env=environment, timeout=60
    )
    answers = set()
    for _ in range(runs):
        line = command(folder, engine, many)
        result = subprocess.run(line, capture_output=True, text=True, timeout=ONE_RUN_S, check=False, env=environment)
        assert (result.returncode, result.stderr) == (0, "")
        answers.add(result.stdout)
    assert len(answers) == 1
    assert next(iter(answers)).count("\n") == len(images)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for twelve kilobytes."""
    place = tmp_path / "disk"
    place.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(line, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root on Linux only")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def answer(folder: Path, engine: str, **environment: str) -> str:
    line = command(folder, engine, *photographs(folder)[:2])
    result = subprocess.run(
        line, capture_output=True, text=True, timeout=ONE_RUN_S, env={**os.environ, **environment}, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_full_disk_and_a_read_only_one_under_the_cache(engine: str, folder: Path, tiny_disk: Path) -> None:
    expected = answer(folder, engine, REGNETY_CACHE=str(tiny_disk.parent / "cache"))
    assert answer(folder, engine, REGNETY_CACHE=str(tiny_disk / "cache")) == expected
    assert not [path for path in tiny_disk.rglob("*") if path.is_file()]  # nothing half-written
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    assert answer(folder, engine, REGNETY_CACHE=str(tiny_disk / "other")) == expected
    assert answer(folder, engine, HOME=str(tiny_disk), XDG_CACHE_HOME="", REGNETY_CACHE="") == expected


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_processes_that_fill_the_cache_at_once(engine: str, folder: Path, tmp_path: Path) -> None:
    line = command(folder, engine, *photographs(folder)[:2])
    for attempt in range(3):
        environment = {**os.environ, "REGNETY_CACHE": str(tmp_path / str(attempt))}
        started = [
            subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
            for _ in range(2)
        ]
        ends = [process.communicate(timeout=ONE_RUN_S) for process in started]
        assert [process.returncode for process in started] == [0, 0]
        assert ends[0] == ends[1]
        assert ends[0][1] == ""
        assert not list(tmp_path.rglob("*.part"))
