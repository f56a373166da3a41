"""`regnety convert`, as a process."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundles import LABELS, small_bundle
from commands import one_line, python, regnety, regnety_here
from regnety.architecture.design import Design
from regnety.bundle.bundle import Bundle
from regnety.cli.commands import convert as convert_command
from regnety.export import TARGETS
from regnety.export.conversion import convert_model

OWN = Design(depth=5, w0=8, wa=8.6, wm=1.5, group_width=4)
FORMS = [("there.safetensors", "torchvision"), ("there.pyth", "pycls"), ("there.onnx", "onnx"), ("there/", "timm")]
RUN_MAIN = """
import sys
from regnety.cli.main import run
print("status", run(), "torch" in sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of 120 kB whose design everybody can build."""
    return small_bundle(design=OWN).save(tmp_path_factory.mktemp("convert") / "bundle")


LEFT_BEHIND = "regnety: {place} holds weights alone, without labels and preprocessing; a folder keeps them\n"


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(("name", "target"), FORMS)
def test_what_was_written_is_listed(name: str, target: str, source: Path, tmp_path: Path) -> None:
    result = python(RUN_MAIN, "convert", source, f"{tmp_path}/{name}", "--to", target)
    alone = LEFT_BEHIND.format(place=f"{tmp_path}/{name}") if name.endswith((".safetensors", ".pyth")) else ""
    assert result.stderr == f"{alone}status 0 False\n"
    rows = [line.split(" MB  ") for line in result.stdout.splitlines()]
    assert [path for _, path in rows] == [str(tmp_path / file) for file in files(tmp_path)]
    assert [float(size) for size, _ in rows] == [round(os.path.getsize(path) / 1e6, 1) for _, path in rows]
    assert Bundle.load(tmp_path / name).architecture.design.fitted_stages() == OWN.fitted_stages()


def test_what_was_assumed_is_said(source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = convert_model(source, tmp_path / "bare.pyth", to="pycls").path
    result = regnety_here(capfd, "convert", file, tmp_path / "there", "--to", "transformers")
    assert (result.returncode, result.stderr.count("\n")) == (0, 1)
    assert result.stderr.startswith(f"regnety: {file} has pycls's keys and fits depth=5,w0=8,wa=")
    assert "ImageNet's preprocessing, and strides of 2, are assumed" in result.stderr
    result = regnety_here(capfd, "convert", file, tmp_path / "there.pth", "--to", "timm", "--quiet")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_labels_go_along(source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = convert_model(source, tmp_path / "bare.pth", to="torchvision").path
    (tmp_path / "labels.txt").write_text("\n".join(LABELS))
    labels = ("--labels", tmp_path / "labels.txt")
    assert regnety_here(capfd, "convert", file, tmp_path / "there", "--to", "regnety", *labels).returncode == 0
    assert Bundle.load(tmp_path / "there").labels == LABELS
    (tmp_path / "labels.txt").write_text("\n".join(LABELS[1:]))
    result = regnety_here(capfd, "convert", file, tmp_path / "other", "--to", "regnety", *labels)
    assert one_line(result) == (
        f"{tmp_path / 'labels.txt'}: has 3 class names, {file} has 4 classes; "
        "write one name per line, in the model's order"
    )
    assert not (tmp_path / "other").exists()


def test_weights_are_replaced_and_nothing_else(source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "there.pth"
    place.write_bytes(b"mine")
    line = ("convert", source, place, "--to", "timm")
    assert one_line(regnety_here(capfd, *line)) == f"{place}: exists and holds no model's weights; name another file"
    assert place.read_bytes() == b"mine"
    place.unlink()
    said = f"regnety: {place}: already exists; it is replaced when the new one is complete"
    for times, option in ((0, []), (1, []), (1, ["--overwrite"])):  # which earlier releases wanted to be told
        result = regnety_here(capfd, *line, *option)
        assert (result.returncode, result.stderr.splitlines().count(said)) == (0, times)
    assert Bundle.load(place).architecture.design.fitted_stages() == OWN.fitted_stages()
    assert files(tmp_path) == ["there.pth"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bundle", "there.zip", "--to", "timm"], "there.zip: name it .safetensors or one of .pth, "),
        (["bundle", "bundle", "--to", "timm"], "bundle: is the model itself or a part of it"),
        (["bundle", "no/there.pth", "--to", "timm"], "no/there.pth: there is no folder no"),
        (["none.pth", "there.pth", "--to", "timm"], "none.pth: no such file or folder; a model is a name, "),
        (["regnety_640.seer", "there.pyth", "--to", "onnx"], "there.pyth: an ONNX file ends in .onnx"),
        (["bundle", "there.pth", "--to", "keras"], "Invalid value for '--to': 'keras' is not one of 'regnety', "),
        (["bundle", "there.pth"], "Missing option '--to'. Choose from: regnety, timm, pycls, "),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    message: str,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(source.parent)
    before = files(source.parent)
    assert one_line(regnety_here(capfd, "convert", *arguments)).startswith(message)
    assert files(source.parent) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for 64 kilobytes."""
    place = tmp_path / "disk"
    place.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(line, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a file system can be mounted by root on Linux only")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize(("name", "target"), FORMS)
def test_a_full_disk_and_a_read_only_one_are_one_line(
    name: str, target: str, source: Path, small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = ("convert", source, f"{small_disk}/{name}", "--to", target)
    place = small_disk / name
    assert one_line(regnety_here(capfd, *line)) == f"{place}: No space left on device"
    assert list(small_disk.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert one_line(regnety_here(capfd, *line)) == f"{place}: Read-only file system"


def test_the_help_has_an_example_that_works(tmp_path: Path) -> None:
    help_text = regnety("convert", "--help").stdout
    assert "Example:  regnety convert regnety_cifar10 -o cifar10.pyth --to pycls" in " ".join(help_text.split("\n"))
    result = regnety("convert", "regnety_cifar10", tmp_path / "cifar10.pyth", "--to", "pycls")
    assert (result.returncode, result.stderr) == (0, LEFT_BEHIND.format(place=tmp_path / "cifar10.pyth"))
    assert files(tmp_path) == ["cifar10.pyth"]


def test_everything_that_can_be_written_is_offered() -> None:
    assert convert_command.TARGETS == TARGETS


def test_the_output_is_named_once(tmp_path: Path) -> None:
    for places in ([], [tmp_path / "a.pth", "-o", tmp_path / "b.pth"]):
        line = one_line(regnety("convert", "regnety_cifar10", *places, "--to", "pycls"))
        assert line == "name one place to write to: --output PATH (regnety convert --help)"
    assert regnety("convert", "regnety_cifar10", "-o", tmp_path / "b.pth", "--to", "pycls", "-q").returncode == 0
    assert (tmp_path / "b.pth").is_file()
