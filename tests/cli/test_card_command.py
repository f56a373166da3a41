"""`regnety card`."""

import re
import shlex
from pathlib import Path

import pytest

from commands import one_line, python, regnety, regnety_here
from regnety import model_card

RUN_MAIN = """
import sys
from regnety.cli.main import run
print("status", run(), "torch" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("model", ["regnety_040", "regnety_032.tv2_in1k", "regnety_cifar10"])
def test_it_prints_the_card(model: str, capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "card", model)
    assert (result.returncode, result.stdout, result.stderr) == (0, model_card(model), "")


def test_it_needs_neither_torch_nor_weights(tmp_path: Path) -> None:
    result = python(RUN_MAIN, "card", "regnety_040", REGNETY_CACHE=str(tmp_path / "none"))
    assert result.stderr == "status 0 False\n"
    assert result.stdout == model_card("regnety_040")
    assert list(tmp_path.iterdir()) == []


def test_it_writes_a_file(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text("old")
    result = regnety("card", "regnety_002", "--output", file)
    said = f"regnety: {file}: already exists; it is replaced when the new one is complete\nregnety: wrote {file}\n"
    assert (result.returncode, result.stdout, result.stderr) == (0, "", said)
    assert file.read_text("utf-8") == model_card("regnety_002")
    assert list(tmp_path.iterdir()) == [file]


def test_what_it_tells_to_type_works(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = re.search(r"^regnety (predict .*)$", model_card("regnety_cifar10"), re.MULTILINE)
    assert command is not None
    photograph = Path(__file__).parent.parent.parent / "examples" / "cat.png"
    arguments = [str(photograph) if word == "photo.jpg" else word for word in shlex.split(command[1])]
    result = regnety_here(capfd, *arguments)
    assert result.returncode == 0
    assert " cat " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["regnetz"], "no model named 'regnetz', and no such file or folder; did you mean "),
        (["regnety_032.nobody"], "regnety_032 has no published weights tagged 'nobody'; its tags: ra_in1k, "),
        ([], "Missing argument 'MODEL'."),
        (["regnety_002", "--output", "nowhere/card.md"], "nowhere/card.md: there is no folder nowhere"),
        (["regnety_002", "--output", "."], ".: is a folder, a device or a pipe, not a file that may be replaced"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert one_line(regnety("card", *arguments)).startswith(message)
