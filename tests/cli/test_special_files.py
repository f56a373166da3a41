"""A pipe, a socket or a device where a file is expected: one line, and nobody waits."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundles import LABELS, small_bundle
from commands import TIMEOUT_S, regnety_here
from pictures import noise
from regnety import DataError, Predictor, WeightsError, export_model
from regnety.files import opening
from regnety.files.opening import open_file
from regnety.images.path_lists import PathList

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")

NOT_A_FILE = "is a device or a pipe, not a file"
NOT_AN_IMAGE = "is a device or a pipe, not an image file"


def socket_at(path: Path) -> None:
    """Bound by a short name: an address has 108 bytes at most."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(before)


KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "socket": socket_at,
    "zeros": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
}


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    def too_late(*_: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small_bundle().save(tmp_path / "model")
    noise(50, 40).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=KINDS)
def special(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Puts one at a place, and takes away what stood there."""

    def put(path: Path) -> None:
        path.unlink(missing_ok=True)
        KINDS[request.param](path)

    return put


@pytest.mark.parametrize(
    "command",
    [
        ("predict", "a.png", "--model", "it.onnx"),
        ("predict", "a.png", "--model", "it.xml"),
        ("predict", "a.png", "--model", "it.safetensors"),
        ("predict", "a.png", "--model", "it.pth"),
        ("predict", "a.png", "--model", "model", "--labels", "it.txt"),
        ("predict", "a.png", "--model", "model", "--labels", "it.json"),
        ("predict", "--from", "it.csv", "--model", "model"),
        ("export", "it.onnx", "--output", "out.onnx"),
        ("convert", "it.pth", "out.safetensors", "--to", "timm"),
        ("train", "--data", "photos", "--output", "run", "--recipe", "it.yaml"),
        ("neighbours", "it.parquet", "a.png"),
        ("duplicates", "it.parquet"),
        ("eval", "--data", "it.txt", "--model", "model"),
        ("describe", "it.yaml"),
    ],
    ids=" ".join,
)
def test_where_a_command_wants_a_file(
    command: tuple[str, ...], special: Callable[[Path], None], place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (name,) = (word for word in command if word.startswith("it."))
    if "--from" in command and "pipe" in os.environ["PYTEST_CURRENT_TEST"]:
        pytest.skip("a list may come from a pipe")
    special(place / name)
    result = regnety_here(capfd, *command)
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    lines = [line for line in result.stderr.splitlines() if name in line]
    assert len(lines) == len(result.stderr.splitlines()) == 1, result.stderr


def test_an_inspection_says_what_it_is(
    special: Callable[[Path], None], place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    special(place / "it.pth")
    assert NOT_A_FILE in regnety_here(capfd, "inspect", "it.pth").stdout


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_in_the_folder_of_a_model(name: str, special: Callable[[Path], None], place: Path) -> None:
    special(place / "model" / name)
    with pytest.raises(WeightsError, match=rf"{name}: .*{NOT_A_FILE}"):
        Predictor(place / "model")


def test_a_graph_and_what_stands_beside_it(special: Callable[[Path], None], place: Path) -> None:
    (place / "model" / "model.safetensors").unlink()
    special(place / "model" / "model.onnx")
    with pytest.raises(WeightsError, match=rf"model\.onnx: {NOT_A_FILE}$"):
        Predictor(place / "model")
    export_model(small_bundle(), place / "m.xml")
    special(place / "m.bin")
    with pytest.raises(WeightsError, match=rf"m\.bin: {NOT_A_FILE}$"):
        Predictor(place / "m.xml")


def test_among_photographs(special: Callable[[Path], None], place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "photos").mkdir()
    shutil.copy(place / "a.png", place / "photos" / "a.png")
    special(place / "photos" / "b.png")
    for images in (("photos",), ("photos/a.png", "photos/b.png")):
        result = regnety_here(capfd, "predict", *images, "--model", "model", "--format", "csv", "-q")
        assert result.returncode == 1
        assert f"photos/b.png: {NOT_AN_IMAGE}" in result.stdout


@pytest.mark.slow
def test_among_photographs_to_train_on(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for label in ("x", "y"):
        for number in range(3):
            (place / "data" / label).mkdir(parents=True, exist_ok=True)
            noise(40, 40, seed=number).save(place / "data" / label / f"{number}.png")
    os.mkfifo(place / "data" / "x" / "it.png")
    arguments = ("--model", "model", "--output", "run", "--set", "epochs=1", "--set", "batch_size=2")
    result = regnety_here(capfd, "train", "--data", "data", *arguments)
    assert result.returncode != 0
    assert f"it.png: {NOT_AN_IMAGE}" in result.stderr


def test_a_pipe_that_a_shell_has_opened_is_read(place: Path) -> None:
    """`--labels <(command)`, and `--labels /dev/stdin`."""
    names = "".join(f"my {label}\n" for label in LABELS)
    command = f"{sys.executable} -m regnety predict a.png --model model --top-k 4 --format csv -q --labels"
    for line in (f"{command} <(printf '{names}')", f"printf '{names}' | {command} /dev/stdin"):
        result = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=place
        )
        assert result.returncode == 0, result.stderr
        assert all(f"my {label}" in result.stdout for label in LABELS)


def test_a_pipe_that_was_empty_or_is_no_longer_there_is_no_reason_to_wait(place: Path) -> None:
    os.mkfifo(place / "pipe")
    with pytest.raises(OSError, match=NOT_A_FILE):
        open_file(place / "pipe")
    with pytest.raises(FileNotFoundError):
        open_file(place / "none")
    with pytest.raises(IsADirectoryError):
        open_file(place)


def test_whoever_writes_a_list_into_a_pipe_is_not_waited_for_for_ever(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "WAIT_S", 1)
    os.mkfifo(place / "pipe")
    with pytest.raises(DataError, match=r"pipe: .*is a pipe, and nobody has written to it for 1 s"):
        PathList(str(place / "pipe"))
