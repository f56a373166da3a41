"""Checkpoints that are damaged, of an earlier release, or gone: what a run that is resumed makes of them."""

import io
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from regnety import Bundle, RecipeError
from regnety.training.checkpoints import checkpoints
from regnety.training.session import Session
from runs import epochs_of, run, weights_of


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


def test_a_checkpoint_of_an_earlier_release_is_gone_on_with(three_epochs: Path, splits: Path) -> None:
    for path in checkpoints(three_epochs):
        state = torch.load(path, weights_only=True)
        del state["regnety"], state["progression"]["lengths"]
        torch.save(state, path)
    assert run(splits, three_epochs, "epochs=4", resume=True).epochs == 4
    assert Bundle.load(three_epochs).provenance["schedule"] == "3 epochs, extended to 4 after epoch 3"


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


def test_an_unfinished_run_without_checkpoints_is_not_begun_anew(
    splits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its first epoch on it would overwrite the weights that it has."""
    output = stopped_after_two(splits, tmp_path / "run", monkeypatch)
    (newest,) = checkpoints(output)
    newest.write_bytes(b"damaged")
    with pytest.raises(RecipeError, match=f"start another run from the best weights: --model {output}$"):
        run(splits, output, resume=True, keep=1)
    newest.unlink()
    before = weights_of(output)
    with pytest.raises(RecipeError, match="has no checkpoint to continue from; start another run from its weights"):
        run(splits, output, resume=True)
    assert weights_of(output) == before
    assert epochs_of(output) == [1, 2]


def test_checkpoints_without_their_recipe_are_not_taken_for_a_new_run(three_epochs: Path, splits: Path) -> None:
    for entry in three_epochs.iterdir():
        if entry.name != "checkpoints":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for resume in (False, True):
        with pytest.raises(RecipeError, match=r"has checkpoints of a run whose recipe\.yaml is missing"):
            run(splits, three_epochs, resume=resume)


def stopped_after_two(data: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was stopped in its third and last epoch, with one checkpoint."""
    real = Session.advance

    def advance(session: Session) -> dict[str, Any]:
        if session.progression.epochs_done == 2:
            raise KeyboardInterrupt
        return real(session)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "advance", advance)
        with pytest.raises(KeyboardInterrupt):
            run(data, output, keep=1)
    return output
