"""`regnety quantize`."""

from pathlib import Path

import pytest

from commands import one_line, regnety, regnety_here
from pictures import photograph, write_colours
from quantized_models import colour_bundle
from regnety import Bundle
from regnety.bundle.training_files import TrainingFiles

pytest.importorskip("nncf", reason="needs NNCF: make test installs it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled pictures in data/, a model in float/."""
    place = tmp_path_factory.mktemp("quantize")
    write_colours(place / "data", count=10)
    colour_bundle(place / "float")
    return place


def test_it_prints_accuracy_size_and_speed(folder: Path, tmp_path: Path) -> None:
    result = regnety(
        *("quantize", folder / "float", "--calibrate", folder / "data", "--data", folder / "data", "--samples", 12),
        *("--max-drop", 50, "-o", tmp_path / "made"),
    )
    assert (result.returncode, result.stderr) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert lines["bundle"] == str(tmp_path / "made")
    assert lines["size"] == "0.0 MB before, 0.0 MB in int8"
    measured = Bundle.load(tmp_path / "made").metadata.calibration.measured  # type: ignore[union-attr]
    assert lines["top1"] == f"100.00 % before, {measured.top1_int8:.2f} % in int8, on 30 images of {folder / 'data'}"  # type: ignore[union-attr]
    assert lines["same"].endswith(" % of the 12 calibration images")
    assert sum(line.startswith("speed ") for line in result.stdout.splitlines()) >= 4


def test_a_photograph_that_cannot_be_read_is_status_1(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for seed in range(8):
        photograph(40, 40, seed=seed).save(tmp_path / f"{seed}.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "0.png").read_bytes()[:400])
    result = regnety_here(
        capfd, "quantize", folder / "float", "--calibrate", tmp_path, "-o", tmp_path / "made", "--quiet"
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"regnety: {tmp_path / 'torn.png'}: ")
    assert Bundle.load(tmp_path / "made").metadata.calibration is not None


def test_max_drop_wants_labelled_photographs(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(
        *(capfd, "quantize", folder / "float", "--calibrate", folder / "data", "--max-drop", 1, "-o", tmp_path / "made")
    )
    assert one_line(result) == (
        "--max-drop needs labelled photographs to measure accuracy on: give --data (regnety quantize --help)"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_model_in_floating_point_has_no_int8(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    picture = folder / "data" / "red" / "000.png"
    result = regnety_here(capfd, "predict", picture, "--model", folder / "float", "--precision", "int8")
    assert one_line(result) == (
        f"{folder / 'float'}: is not quantized; regnety quantize makes a model of it that computes in int8"
    )


def test_names_have_no_power_over_the_terminal(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "d\x1b[31m"
    write_colours(data, count=3)
    (data / "red" / "z\x1b[2J.png").touch()
    arguments = ("--calibrate", data, "--data", data, "-o", tmp_path / "made\x9b1m")
    result = regnety_here(capfd, "quantize", folder / "float", *arguments)
    assert result.returncode == 1
    assert "z\\x1b[2J.png: is empty" in result.stderr
    assert f"bundle       {tmp_path}/made\\x9b1m\n" in result.stdout
    assert result.stdout.count("d\\x1b[31m") == 1
    assert not set(result.stdout + result.stderr) & {"\x1b", "\x9b"}


def test_accuracy_is_not_measured_on_what_was_trained_on(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = Bundle.load(folder / "float")
    bundle.training_files = TrainingFiles.of(sorted((folder / "data" / "red").iterdir())[:4], quiet=True)
    bundle.save(tmp_path / "float")
    arguments = ("--calibrate", folder / "data", "--data", folder / "data", "--max-drop", 90, "-o", tmp_path / "made")
    result = regnety_here(capfd, "quantize", tmp_path / "float", *arguments, "--samples", 8)
    assert result.returncode == 0
    assert " on 26 images of " in result.stdout
    assert f"{tmp_path}/float was trained on 4 of the 30 photographs; only the other 26 are scored" in result.stderr
    made = Bundle.load(tmp_path / "made").training_files
    assert made is not None
    assert made.values.tolist() == bundle.training_files.values.tolist()
