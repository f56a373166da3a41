"""What a resumed run keeps of the one that began, and where it begins anew or refuses."""

import json
import shutil
from pathlib import Path

import pytest

from commands import one_line, regnety_here
from regnety import Bundle, DataError, RecipeError
from runs import MEMORISED, command, run, weights_of, write_contrary


def test_resume_with_nothing_there_starts_anew(
    splits: Path, undisturbed: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for output in (tmp_path / "run", tmp_path / "empty"):
        assert regnety_here(capfd, *command(splits, output), "--resume").returncode == 0
        assert weights_of(output) == undisturbed


def test_resume_of_an_ended_run_changes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The epoch that was kept is not the last one."""
    data, output = write_contrary(tmp_path / "data"), tmp_path / "run"
    assert regnety_here(capfd, *command(data, output, *MEMORISED)).returncode == 0
    assert Bundle.load(output / "bundle").provenance["best_epoch"] < 10
    expected, metrics = weights_of(output), (output / "metrics.jsonl").read_bytes()
    shutil.rmtree(output / "bundle")
    again = regnety_here(capfd, "train", "--data", data, "--output", output, "--resume")
    assert again.returncode == 0, again.stderr
    assert weights_of(output) == expected
    assert (output / "metrics.jsonl").read_bytes() == metrics


def test_a_runs_own_recipe_gives_the_same_weights_elsewhere(
    splits: Path, undisturbed: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert regnety_here(capfd, *command(splits, first)).returncode == 0
    arguments = ("train", "--data", splits, "--recipe", first / "recipe.yaml", "--output", second)
    assert regnety_here(capfd, *arguments).returncode == 0
    assert weights_of(second) == weights_of(first) == undisturbed
    assert (second / "recipe.yaml").read_bytes() == (first / "recipe.yaml").read_bytes()


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


def test_a_run_without_resume_is_refused_as_a_command(
    three_epochs: Path, splits: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = regnety_here(capfd, *command(splits, three_epochs))
    assert one_line(result) == (
        f"{three_epochs}: holds a run; continue it with --resume (resume=True), or name another output"
    )
