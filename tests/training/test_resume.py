"""A run that was killed goes on where it was, and ends with the same weights as one that was left alone."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import python, regnety, regnety_here
from regnety import Bundle
from regnety.training.checkpoints import checkpoints
from runs import CROPS, command, epochs_of, run, weights_of, write_contrary

EPOCHS = 24
MANY_EPOCHS = 80
WAIT_S = 120
"""For a checkpoint; a run that takes longer hangs."""

KILLED_WHILE_WRITING = """
import os, signal, sys
name, count = sys.argv.pop(1), int(sys.argv.pop(1))
fsync, rename = os.fsync, os.rename

def is_the_one(path):
    global count
    count -= os.path.basename(path).startswith(name)
    return count == 0

def half_written(descriptor):
    if is_the_one(os.readlink(f"/proc/self/fd/{descriptor}")):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)

def renamed(source, target, **options):
    rename(source, target, **options)
    if is_the_one(target):
        os.kill(os.getpid(), signal.SIGKILL)

os.fsync, os.rename = half_written, renamed
from regnety.cli.main import main
main()
"""
"""Ends itself, as a power cut would, at the nth write of a file, or right after a folder was moved there."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and val/, where the best epoch is an early one and must survive too."""
    return write_contrary(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", params=CROPS)
def alone(request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody disturbed, with each kind of crop; the folder's name says which."""
    output = tmp_path_factory.mktemp("alone") / str(request.param)
    run(data, output, f"epochs={EPOCHS}", f"augmentation.crop={request.param}")
    return output


def killed(arguments: list[str], output: Path, *, after_epoch: int, delay_s: float) -> bool:
    """Start a run and kill it some time after a checkpoint appeared; False where it had ended by then."""
    line = [sys.executable, "-m", "regnety", *arguments]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + WAIT_S
        while not any(int(path.stem.removeprefix("epoch-")) >= after_epoch for path in checkpoints(output)):
            assert time.monotonic() < deadline
            if process.poll() is not None:
                break
            time.sleep(0.01)
        time.sleep(delay_s)
        process.kill()
        assert process.stderr is not None
        message = process.stderr.read()
        if process.wait() not in (-signal.SIGKILL, 0):
            pytest.fail(message)
        return process.returncode != 0


def test_a_killed_run_ends_with_the_same_weights(
    alone: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    arguments = command(data, output, f"epochs={EPOCHS}", f"augmentation.crop={alone.name}")
    moments = random.Random()
    assert killed(arguments, output, after_epoch=moments.randint(2, EPOCHS // 2), delay_s=moments.uniform(0, 0.1))
    assert "unfinished" in Bundle.load(output / "bundle").provenance
    done = max(int(path.stem.removeprefix("epoch-")) for path in checkpoints(output))
    result = regnety_here(capfd, *arguments, "--resume")
    assert result.returncode == 0, result.stderr
    assert f"resuming after epoch {done} of {EPOCHS}\n" in result.stderr
    assert weights_of(output) == weights_of(alone)
    assert epochs_of(output) == list(range(1, EPOCHS + 1))


def test_a_run_with_every_random_change_ends_the_same_after_it_was_stopped(data: Path, tmp_path: Path) -> None:
    settings = (
        "epochs=4",
        "accumulate=2",
        "drop_path=0.3",
        "drop_rate=0.2",
        "small_epochs=3",
        "small_image_size=16",
        "small_sizes=3",
        "augmentation.operations=trivial",
        "augmentation.lighting=0.1",
        "augmentation.repeats=2",
        "augmentation.mixup=0.2",
        "augmentation.cutmix=1.0",
        "augmentation.erasing=0.25",
    )
    run(data, tmp_path / "alone", *settings)
    # As it was after two epochs.
    run(data, tmp_path / "stopped", *settings, keep=10)
    for path in checkpoints(tmp_path / "stopped")[2:]:
        path.unlink()
    shutil.rmtree(tmp_path / "stopped" / "bundle")
    run(data, tmp_path / "stopped", *settings, resume=True)
    assert weights_of(tmp_path / "stopped") == weights_of(tmp_path / "alone")


@pytest.mark.slow
@pytest.mark.parametrize("crop", CROPS)
def test_ten_kills_in_one_run(crop: str, data: Path, tmp_path: Path) -> None:
    """At random moments, so also while something is written."""
    settings = (f"epochs={MANY_EPOCHS}", f"augmentation.crop={crop}")
    run(data, tmp_path / "alone", *settings)
    output, kills, moments = tmp_path / "run", 0, random.Random()
    while kills < 10:
        arguments = [*command(data, output, *settings), "--resume"]
        kills += killed(arguments, output, after_epoch=5 * (kills + 1), delay_s=moments.uniform(0, 0.1))
        bundle = output / "bundle"  # not there where a kill came between its two places
        ended = bundle.exists() and "unfinished" not in Bundle.load(bundle).provenance
        assert not ended, f"the run had ended after {kills} kills"
    result = regnety(*command(data, output, *settings), "--resume")
    assert result.returncode == 0, result.stderr
    assert weights_of(output) == weights_of(tmp_path / "alone")
    assert epochs_of(output) == list(range(1, MANY_EPOCHS + 1))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        (".recipe.yaml.", 1),
        pytest.param(".split.json.", 1, marks=pytest.mark.slow),
        pytest.param(".epoch-0001.pt.", 1, marks=pytest.mark.slow),
        (".epoch-0002.pt.", 1),
        pytest.param(".metrics.jsonl.", 1, marks=pytest.mark.slow),
        pytest.param(".metrics.jsonl.", 2, marks=pytest.mark.slow),
        (".metrics.jsonl.", 3),
        pytest.param(".summary.csv.", 3, marks=pytest.mark.slow),
        pytest.param(".model.safetensors.", 1, marks=pytest.mark.slow),
        pytest.param("config.json", 1, marks=pytest.mark.slow),
        pytest.param("config.json", 2, marks=pytest.mark.slow),
        (".bundle.old", 1),
        pytest.param("bundle", 1, marks=pytest.mark.slow),
        pytest.param("bundle", 2, marks=pytest.mark.slow),
    ],
)
def test_a_kill_while_something_is_written(
    name: str, count: int, splits: Path, undisturbed: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Half of a file is on the disk, or a folder is between its two places; three epochs in all."""
    output = tmp_path / "run"
    arguments = command(splits, output)
    stopped = python(KILLED_WHILE_WRITING, name, count, *arguments)
    assert stopped.returncode == -signal.SIGKILL, stopped.stderr
    result = regnety_here(capfd, *arguments, "--resume")
    assert result.returncode == 0, result.stderr
    assert weights_of(output) == undisturbed
    assert epochs_of(output) == [1, 2, 3]


def test_a_kill_leaves_nothing_lying_about(splits: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Half a checkpoint can be large; once the run has ended, it is gone."""
    arguments = command(splits, tmp_path / "run")
    assert python(KILLED_WHILE_WRITING, ".epoch-0002.pt.", 1, *arguments).returncode == -signal.SIGKILL
    assert regnety_here(capfd, *arguments, "--resume").returncode == 0
    assert [path.name for path in (tmp_path / "run").rglob(".*")] == [".run.lock"]


@pytest.mark.slow
def test_a_longer_run_that_is_killed_goes_on_to_the_same_weights(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "killed"
    for folder in (tmp_path / "alone", output):
        for epochs in (3, 4):
            run(data, folder, f"epochs={epochs}", resume=True)
    run(data, tmp_path / "alone", "epochs=40", resume=True)
    arguments = ["train", "--data", str(data), "--output", str(output), "--resume", "--epochs", "40"]
    assert killed(arguments, output, after_epoch=8, delay_s=0)
    result = regnety_here(capfd, "train", "--data", data, "--output", output, "--resume")
    assert result.returncode == 0, result.stderr
    assert "was extended (3 epochs, extended to 4 after epoch 3, extended to 40 after epoch 4); " in result.stderr
    assert weights_of(output) == weights_of(tmp_path / "alone")
    assert epochs_of(output) == list(range(1, 41))
    run(data, tmp_path / "begun so", "epochs=40")
    assert weights_of(tmp_path / "begun so") != weights_of(output)
