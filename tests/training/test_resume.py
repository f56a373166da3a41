"""A run that was killed goes on where it was, and ends with the same weights as one that was left alone."""

import io
import json
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from commands import one_line, python, regnety, regnety_here
from pictures import write_colours
from regnety import Bundle, DataError, RecipeError
from regnety.training.checkpoints import checkpoints
from runs import CROPS, MEMORISED, command, epochs_of, run, weights_of, write_contrary

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


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colours in train/ and test/: the run writes down what it holds out, and its bundle twice."""
    folder = tmp_path_factory.mktemp("splits")
    write_colours(folder / "train", count=10)
    write_colours(folder / "test", count=2, seed=1)
    return folder


@pytest.fixture(scope="module")
def expected(splits: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    output = tmp_path_factory.mktemp("expected") / "run"
    run(splits, output)
    return weights_of(output)


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
    name: str, count: int, splits: Path, expected: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Half of a file is on the disk, or a folder is between its two places; three epochs in all."""
    output = tmp_path / "run"
    arguments = command(splits, output)
    stopped = python(KILLED_WHILE_WRITING, name, count, *arguments)
    assert stopped.returncode == -signal.SIGKILL, stopped.stderr
    result = regnety_here(capfd, *arguments, "--resume")
    assert result.returncode == 0, result.stderr
    assert weights_of(output) == expected
    assert epochs_of(output) == [1, 2, 3]


def test_a_kill_leaves_nothing_lying_about(splits: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Half a checkpoint can be large; once the run has ended, it is gone."""
    arguments = command(splits, tmp_path / "run")
    assert python(KILLED_WHILE_WRITING, ".epoch-0002.pt.", 1, *arguments).returncode == -signal.SIGKILL
    assert regnety_here(capfd, *arguments, "--resume").returncode == 0
    assert [path.name for path in (tmp_path / "run").rglob(".*")] == [".run.lock"]


def test_resume_with_nothing_there_starts_anew(
    splits: Path, expected: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for output in (tmp_path / "run", tmp_path / "empty"):
        assert regnety_here(capfd, *command(splits, output), "--resume").returncode == 0
        assert weights_of(output) == expected


def test_resume_of_an_ended_run_changes_nothing(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The epoch that was kept is not the last one."""
    output = tmp_path / "run"
    assert regnety_here(capfd, *command(data, output, *MEMORISED)).returncode == 0
    assert Bundle.load(output / "bundle").provenance["best_epoch"] < 10
    expected, metrics = weights_of(output), (output / "metrics.jsonl").read_bytes()
    shutil.rmtree(output / "bundle")
    again = regnety_here(capfd, "train", "--data", data, "--output", output, "--resume")
    assert again.returncode == 0, again.stderr
    assert weights_of(output) == expected
    assert (output / "metrics.jsonl").read_bytes() == metrics


def test_a_runs_own_recipe_gives_the_same_weights_elsewhere(
    splits: Path, expected: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert regnety_here(capfd, *command(splits, first)).returncode == 0
    arguments = ("train", "--data", splits, "--recipe", first / "recipe.yaml", "--output", second)
    assert regnety_here(capfd, *arguments).returncode == 0
    assert weights_of(second) == weights_of(first) == expected
    assert (second / "recipe.yaml").read_bytes() == (first / "recipe.yaml").read_bytes()


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def zeroed(data: bytes) -> bytes:
    return bytes(len(data))


def a_weight_changed(data: bytes) -> bytes:
    """One byte in the middle of the largest tensor."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        tensors = [entry for entry in archive.infolist() if "/data/" in entry.filename]
        tensor = archive.read(max(tensors, key=lambda entry: entry.file_size))
    place = data.index(tensor) + len(tensor) // 2
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def emptied(_: bytes) -> bytes:
    return b""


def text(_: bytes) -> bytes:
    return b"these are notes\n"


@pytest.fixture
def three_epochs(splits: Path, tmp_path: Path) -> Path:
    run(splits, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "bundle")
    return tmp_path / "run"


@pytest.mark.parametrize("damage", [truncated, zeroed, a_weight_changed, emptied, text])
def test_a_damaged_checkpoint_is_one_line_and_the_one_before_will_do(
    damage: Callable[[bytes], bytes], three_epochs: Path, splits: Path
) -> None:
    before, newest = checkpoints(three_epochs)
    whole = newest.read_bytes()
    newest.write_bytes(damage(whole))
    with pytest.raises(RecipeError) as error:
        run(splits, three_epochs, resume=True)
    assert str(error.value).startswith(f"{newest}: cannot be resumed from: ")
    assert str(error.value).endswith("; remove it to continue from the one before")
    assert "\n" not in str(error.value)
    newest.unlink()
    assert run(splits, three_epochs, resume=True).epochs == 3
    assert checkpoints(three_epochs) == [before, newest]
    assert epochs_of(three_epochs) == [1, 2, 3]


@pytest.mark.slow
def test_no_damage_to_a_checkpoint_goes_unnoticed_or_unexplained(three_epochs: Path, splits: Path) -> None:
    """Bytes changed at random: an error that names the file, or the weights of the whole one."""
    *_, newest = checkpoints(three_epochs)
    whole, generator = newest.read_bytes(), random.Random(0)
    run(splits, three_epochs, resume=True)
    expected = weights_of(three_epochs)
    for _ in range(60):
        data = bytearray(whole)
        start = generator.randrange(len(data))
        data[start : start + generator.choice((1, 4, 64))] = generator.randbytes(generator.choice((1, 4, 64)))
        newest.write_bytes(bytes(data))
        try:
            run(splits, three_epochs, resume=True)
        except RecipeError as error:
            explained = str(error).startswith(f"{newest}: cannot be resumed from: ")
        else:
            explained = weights_of(three_epochs) == expected
        assert explained, f"bytes from {start} on"


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("epochs=2", "epochs=3, resuming can make it longer, not shorter (2)"),
        ("optimizer.lr=0.5", "optimizer.lr=0.1, resuming cannot change it to 0.5"),
        ("augmentation.crop=shift", "augmentation.crop=resized, resuming cannot change it to shift"),
        ("design=depth=3,w0=16,wa=16,wm=2,group_width=8", "design.depth=2, resuming cannot change it to 3"),
        ("seed=1", "seed=0, resuming cannot change it to 1"),
    ],
)
def test_a_resumed_run_keeps_its_recipe(setting: str, field: str, three_epochs: Path, splits: Path) -> None:
    with pytest.raises(RecipeError) as error:
        run(splits, three_epochs, setting, resume=True)
    assert str(error.value) == f"{three_epochs}: the run has {field}"


def test_a_resumed_run_keeps_what_it_holds_out(three_epochs: Path, splits: Path, tmp_path: Path) -> None:
    data = shutil.copytree(splits, tmp_path / "data")
    held = json.loads((three_epochs / "split.json").read_text("utf-8"))["val"]
    (data / held[0]).unlink()
    with pytest.raises(DataError) as error:
        run(data, three_epochs, resume=True)
    assert str(error.value) == (
        f"{data}: has other pictures than when the run in {three_epochs} began (29 now, 30 then); put them back, or "
        f"start another run from its weights: --model {three_epochs} (model=)"
    )
    (three_epochs / "pictures.json").unlink()  # as in a run of an earlier release
    with pytest.raises(DataError) as error:
        run(data, three_epochs, resume=True)
    assert str(error.value) == (
        f"{data}: lacks pictures that {three_epochs}/split.json holds out; the data has changed since the run began"
    )


@pytest.mark.parametrize("change", ["added", "renamed", "moved to another class"])
def test_a_resumed_run_keeps_its_pictures(change: str, three_epochs: Path, splits: Path, tmp_path: Path) -> None:
    data = shutil.copytree(splits, tmp_path / "data")
    red = data / "train" / "red"
    if change == "added":
        shutil.copy(red / "001.png", red / "new.png")
    else:
        (red / "001.png").rename((red if change == "renamed" else data / "train" / "blue") / "new.png")
    with pytest.raises(DataError, match=f"^{data}: has other pictures than when the run in {three_epochs} began "):
        run(data, three_epochs, "epochs=5", resume=True)


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


def test_a_run_without_checkpoints_cannot_be_made_longer(three_epochs: Path, splits: Path) -> None:
    run(splits, three_epochs, resume=True)  # which writes its bundle again
    shutil.rmtree(three_epochs / "checkpoints")
    assert run(splits, three_epochs, resume=True).epochs == 3
    with pytest.raises(RecipeError) as error:
        run(splits, three_epochs, "epochs=5", resume=True)
    assert str(error.value) == (
        f"{three_epochs}: has no checkpoint to continue from; start another run from its weights: "
        f"--model {three_epochs} (model=)"
    )


def test_a_checkpoint_of_an_earlier_release_is_gone_on_with(three_epochs: Path, splits: Path) -> None:
    for path in checkpoints(three_epochs):
        state = torch.load(path, weights_only=True)
        del state["regnety"], state["progression"]["lengths"]
        torch.save(state, path)
    assert run(splits, three_epochs, "epochs=4", resume=True).epochs == 4
    assert Bundle.load(three_epochs).provenance["schedule"] == "3 epochs, extended to 4 after epoch 3"


def test_a_run_without_resume_is_refused_as_a_command(
    three_epochs: Path, splits: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = regnety_here(capfd, *command(splits, three_epochs))
    assert one_line(result) == (
        f"{three_epochs}: holds a run; continue it with --resume (resume=True), or name another output"
    )
