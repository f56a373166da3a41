"""Runs that several processes share: the curve of one process, its files, its errors, and its resume."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ranks import Ranks

from pictures import noise, write_colours
from regnety import Bundle, evaluate
from regnety.training.checkpoints import checkpoints
from runs import DESIGN, command, epochs_of, metrics_of, weights_of

MIXED = (
    "augmentation.mixup=0.4",
    "augmentation.cutmix=1",
    "augmentation.erasing=0.3",
    "augmentation.operations=trivial",
    "augmentation.repeats=2",
    "augmentation.lighting=0.1",
    "drop_path=0.3",
    "drop_rate=0.2",
)
WAIT_S = 120


@pytest.fixture(scope="module")
def ranks() -> Iterator[Ranks]:
    with Ranks() as ranks:
        yield ranks


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """33 photographs to train on and 21 to validate with: no batch of 10 divides them."""
    folder = tmp_path_factory.mktemp("data")
    for seed, (split, count) in enumerate((("train", 11), ("val", 7), ("test", 3))):
        write_colours(folder / split, count=count, seed=seed)
    return folder


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What nobody can learn in a few steps, so that the losses stay far from zero."""
    folder = tmp_path_factory.mktemp("noisy")
    for split, count in (("train", 20), ("val", 5)):
        for seed, label in enumerate(("heads", "tails")):
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                place = folder / split / label / f"{number}.png"
                noise(36, 34, seed=1000 * seed + 100 * (split == "val") + number).save(place)
    return folder


def test_three_processes_have_the_curve_of_one(ranks: Ranks, data: Path, tmp_path: Path) -> None:
    """A batch of 10 in parts of 4, 4 and 2, whose classes are weighted."""
    settings = ("precision=f64", "batch_size=10", "epochs=3", "class_weights=balanced", "accumulate=1", *MIXED)
    rows = []
    for count in (0, 3):
        output = tmp_path / str(count)
        ended = ranks.run(count, command(data, output, *settings))
        assert ended.statuses == [0] * max(1, count), ended.err
        assert epochs_of(output) == [1, 2, 3]
        # one of them speaks
        assert ended.out[0].startswith(f"{output}/bundle: val top1 ")
        assert "epoch 3/3: loss" in ended.err[0]
        assert set(ended.out[1:]) | set(ended.err[1:]) <= {""}
        assert "unfinished" not in Bundle.load(output / "bundle").provenance
        rows.append([{key: value for key, value in row.items() if key != "seconds"} for row in metrics_of(output)])
    for one, three in zip(*rows, strict=True):
        assert three == pytest.approx(one, abs=1e-6)


def test_what_is_refused_is_said_once(ranks: Ranks, data: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine", "utf-8")
    ended = ranks.run(2, command(data, taken))
    assert 0 not in ended.statuses
    assert ended.err[0] == f"regnety: {taken}: is not empty and holds no run; name another output\n"
    assert ended.err[1].strip() == ""
    ended = ranks.run(3, command(data, tmp_path / "run", "batch_size=4"))
    assert 0 not in ended.statuses
    assert ended.err[0].endswith("use at most 2 workers, or a batch_size of at least 6\n")
    assert not any("batch" in text for text in ended.err[1:])


@pytest.mark.slow
def test_batch_norm_of_each_process_alone(ranks: Ranks, data: Path, tmp_path: Path) -> None:
    """Validation uses the statistics that are kept, in all of them."""
    settings = ("precision=f64", "batch_size=10", "epochs=4", "sync_batchnorm=false", "ema_decay=0")
    ended = ranks.run(2, command(data, tmp_path / "run", *settings))
    assert ended.statuses == [0, 0], ended.err
    best = Bundle.load(tmp_path / "run" / "bundle").provenance["best_epoch"]
    found = evaluate(tmp_path / "run" / "bundle", data, split="val", quiet=True)
    row = metrics_of(tmp_path / "run")[best - 1]
    assert found.top1 == pytest.approx(row["val_top1"])
    assert found.loss == pytest.approx(row["val_loss"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "more"),
    [
        ("cifar10", ["small_epochs=20"]),
        ("paper", ["optimizer.lr=0.1"]),
        ("modern", ["small_image_size=24"]),
        ("modern", ["small_image_size=24", "accumulate=2"]),
    ],
)
def test_the_curves_of_the_recipes_are_those_of_one_process(
    recipe: str, more: list[str], ranks: Ranks, noisy: Path, tmp_path: Path
) -> None:
    """50 steps in float64, each with a row of its own."""
    common = ["precision=f64", "image_size=32", "epochs=50", "steps_per_epoch=1", "batch_size=14", *more]
    curves = []
    for count in (0, 2):
        output = tmp_path / str(count)
        words = ["train", "--data", str(noisy), "--output", str(output), "--recipe", recipe, "--design", DESIGN]
        ended = ranks.run(count, [*words, *(word for setting in common for word in ("--set", setting))])
        assert ended.statuses == [0] * max(1, count), ended.err
        assert epochs_of(output) == list(range(1, 51))
        curves.append([[row["train_loss"], row["val_loss"], row["val_top1"]] for row in metrics_of(output)])
    assert len({row[0] for row in curves[0]}) == 50
    assert curves[1] == [pytest.approx(row, abs=1e-6) for row in curves[0]]


@pytest.mark.slow
@pytest.mark.parametrize("crop", ["resized", "shift"])
def test_a_killed_run_goes_on_with_another_number_of_processes(
    crop: str, ranks: Ranks, data: Path, tmp_path: Path
) -> None:
    settings = ("precision=f64", "batch_size=10", "epochs=12", f"augmentation.crop={crop}", *MIXED)
    alone, output = tmp_path / "alone", tmp_path / "run"
    assert ranks.run(2, command(data, alone, *settings)).statuses == [0, 0]
    again = [*command(data, output, *settings), "--resume"]
    for count, victim in ((2, 1), (3, 0)):
        done = len(epochs_of(output)) if output.exists() else 0
        processes = ranks.start(count, again)
        deadline = time.monotonic() + WAIT_S
        while not any(int(path.stem.removeprefix("epoch-")) > done for path in checkpoints(output)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        ranks.kill(processes[victim])
        ended = ranks.wait()
        assert ended.statuses[victim] == -9
        assert 0 not in ended.statuses
    ended = ranks.run(2, again)
    assert ended.statuses == [0, 0], ended.err
    assert "resuming after epoch" in ended.err[0]
    assert epochs_of(output) == list(range(1, 13))
    for undisturbed, disturbed in zip(metrics_of(alone), metrics_of(output), strict=True):
        assert disturbed["train_loss"] == pytest.approx(undisturbed["train_loss"], abs=1e-6)


@pytest.mark.slow
def test_a_kill_and_the_same_number_of_processes_end_with_the_same_bits(
    ranks: Ranks, data: Path, tmp_path: Path
) -> None:
    settings = ("batch_size=10", "epochs=12", *MIXED)
    alone, output = tmp_path / "alone", tmp_path / "run"
    assert ranks.run(2, command(data, alone, *settings)).statuses == [0, 0]
    processes = ranks.start(2, command(data, output, *settings))
    deadline = time.monotonic() + WAIT_S
    while not checkpoints(output):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ranks.kill(processes[1])
    assert 0 not in ranks.wait().statuses
    assert ranks.run(2, [*command(data, output, *settings), "--resume"]).statuses == [0, 0]
    assert weights_of(output) == weights_of(alone)


@pytest.mark.slow
def test_torchrun_itself(data: Path, tmp_path: Path) -> None:
    """A process that is killed ends the others; the next command goes on."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "regnety"]
    words = [*torchrun, *command(data, tmp_path / "run", "batch_size=10", "epochs=40")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + WAIT_S
        while not checkpoints(tmp_path / "run"):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.01)
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout
        os.kill(int(children.split()[-1]), signal.SIGKILL)
        out, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode != 0
    assert out == ""
    ended = subprocess.run([*words, "--resume"], capture_output=True, text=True, check=True, timeout=WAIT_S)
    assert ended.stdout.startswith(f"{tmp_path}/run/bundle: val top1 ")
    assert ended.stdout.count("\n") == 1
    assert ended.stderr.count("resuming after epoch") == 1
    assert epochs_of(tmp_path / "run") == list(range(1, 41))
