"""`regnety explain`, as a process."""

import json
from pathlib import Path

import numpy as np
import pytest

from bundles import small_bundle
from commands import one_line, python, regnety
from pictures import encoded, photograph
from regnety import explain

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from regnety.cli.main import run
sys.exit(run())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    small_bundle().save(folder / "bundle")
    (folder / "photo.png").write_bytes(encoded(photograph(60, 50)))
    return folder


def test_a_picture_without_torch(folder: Path, tmp_path: Path) -> None:
    arguments = ("explain", folder / "photo.png", "--model", folder / "bundle", "-o", tmp_path / "why.png")
    result = python(WITHOUT_TORCH, *map(str, arguments))
    expected = explain(small_bundle(), folder / "photo.png")
    assert (result.returncode, result.stderr) == (0, f"regnety: wrote {tmp_path}/why.png\n")
    assert result.stdout.split()[-4:] == [f"{folder}/photo.png", expected.label, f"{100 * expected.prob:.1f}", "%"]
    expected.save(tmp_path / "expected.png")
    assert (tmp_path / "why.png").read_bytes() == (tmp_path / "expected.png").read_bytes()


def test_an_array_and_the_numbers_for_a_chosen_class(folder: Path, tmp_path: Path) -> None:
    arguments = ("explain", folder / "photo.png", "--model", folder / "bundle", "--label", "white", "--format", "json")
    result = regnety(*arguments, "-o", tmp_path / "why.npy", "--quiet")
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert (found["label"], found["index"]) == ("white", 3)
    values = np.load(tmp_path / "why.npy")
    assert values.dtype == np.float32
    assert (values == np.array(found["values"], np.float32)).all()
    assert values.mean() + found["bias"] == pytest.approx(found["logit"], abs=1e-4)


def test_its_own_picture_is_replaced_and_no_photograph(folder: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes((folder / "photo.png").read_bytes())
    arguments = ("explain", photo, "--model", folder / "bundle", "-o")
    assert one_line(regnety(*arguments, photo)) == f"{photo}: is one of the images; name another file for the answers"
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    assert one_line(regnety(*arguments, other)) == f"{other}: is an image; name another file for the answers"
    assert other.read_bytes() == photo.read_bytes()
    assert regnety(*arguments, tmp_path / "why.png").returncode == 0
    again = regnety(*arguments, tmp_path / "why.png", "--label", "red")
    assert again.returncode == 0
    assert "already exists; it is replaced" in again.stderr


def test_what_cannot_be_explained_is_one_line(folder: Path, tmp_path: Path) -> None:
    photo, model, out = folder / "photo.png", ("--model", folder / "bundle"), ("-o", tmp_path / "why.png")
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "two").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "two" / name).write_bytes(photo.read_bytes())
    for arguments, message in (
        ((photo, *model, *out, "--label", "pink"), f"{folder}/bundle has no class named 'pink'"),
        ((tmp_path / "no.png", *model, *out), f"{tmp_path}/no.png: no such file"),
        ((tmp_path / "bad.jpg", *model, *out), f"{tmp_path}/bad.jpg: is not an image that can be read"),
        ((tmp_path / "two", *model, *out), f"{tmp_path}/two: has 2 images; name one of them"),
        ((photo, *model, "-o", tmp_path / "why.gif"), f"{tmp_path}/why.gif: name it .png, or .npy for the numbers"),
        (
            (photo, *model, "-o", tmp_path / "no" / "why.png"),
            f"{tmp_path}/no/why.png: there is no folder {tmp_path}/no",
        ),
        ((photo, "--model", "nothing", *out), "no model named 'nothing'"),
    ):
        assert one_line(regnety("explain", *arguments)).startswith(message)
    assert not (tmp_path / "why.png").exists()
