"""`--from FILE`: images that no command line could hold."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bundles import small_bundle
from commands import TIMEOUT_S, one_line, regnety
from pictures import encoded, noise


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model, and photographs whose names are hard to write into a list."""
    folder = tmp_path_factory.mktemp("lists")
    small_bundle().save(folder / "bundle")
    for number, name in enumerate(("a.jpg", "b c.jpg", "sub/d.jpg", "sub/e.jpg")):
        (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "photos" / name).write_bytes(encoded(noise(40, 30, seed=number), "JPEG"))
    return folder


def asked(folder: Path, *arguments: object, stdin: bytes = b"", status: int = 0) -> subprocess.CompletedProcess[bytes]:
    """`regnety predict ARGUMENTS` within the folder."""
    line = [sys.executable, "-m", "regnety", *map(str, arguments), "--model", str(folder / "bundle")]
    result = subprocess.run(line, input=stdin, capture_output=True, cwd=folder, timeout=TIMEOUT_S, check=False)
    assert result.returncode == status, result.stderr.decode()
    return result


def names(result: subprocess.CompletedProcess[bytes]) -> list[str]:
    return [json.loads(line)["filename"] for line in result.stdout.splitlines()]


def test_a_list_its_folders_and_the_arguments(folder: Path) -> None:
    (folder / "list.txt").write_bytes(b"photos/b c.jpg\r\n\r\nphotos/sub\r\nabsent.jpg\r\nphotos/b c.jpg")
    line = ("predict", "photos/a.jpg", "--from", "list.txt", "--top-k", 1, "--format", "jsonl")
    result = asked(folder, *line, status=1)
    wanted = ["photos/a.jpg", "photos/b c.jpg", "photos/sub/d.jpg", "photos/sub/e.jpg", "absent.jpg", "photos/b c.jpg"]
    assert names(result) == wanted
    errors = [json.loads(line)["error"] for line in result.stdout.splitlines()]
    assert errors == [None, None, None, None, "absent.jpg: no such file", None]
    table = asked(folder, "predict", "--from", "list.txt", "--from", "list.txt", "--top-k", 1, status=1)
    assert table.stdout.count(b"photos/b c.jpg") == 4


def test_standard_input_with_lines_and_with_nul(folder: Path) -> None:
    for data in (b"photos/b c.jpg\nphotos/a.jpg\n", b"photos/b c.jpg\0photos/a.jpg\0"):
        result = asked(folder, "predict", "--from", "-", "--format", "jsonl", "--top-k", 1, stdin=data)
        assert names(result) == ["photos/b c.jpg", "photos/a.jpg"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_what_find_prints(folder: Path, tmp_path: Path) -> None:
    """Line breaks, blanks at both ends, a leading dash and bytes that are no text."""
    wanted = sorted([b"a\nb.jpg", b" c .jpg", b"-d.jpg", b"caf\xe9.jpg", b'"e".jpg'])
    for name in wanted:
        try:
            (tmp_path / os.fsdecode(name)).write_bytes((folder / "photos" / "a.jpg").read_bytes())
        except OSError:
            pytest.skip("this file system takes no such name")
    found = b"\0".join(os.fsencode(tmp_path) + b"/" + name for name in wanted) + b"\0"
    result = asked(folder, "predict", "--from", "-", "--format", "jsonl", "--top-k", 1, stdin=found)
    assert [os.fsencode(name) for name in names(result)] == found.split(b"\0")[:-1]


def test_embed_takes_lists_and_a_job_is_gone_on_with(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("photos/a.jpg\nphotos/b c.jpg\n")
    output = tmp_path / "e.parquet"
    asked(folder, "embed", "--from", tmp_path / "list.txt", "-o", output)
    assert pq.read_table(output).column("filename").to_pylist() == ["photos/a.jpg", "photos/b c.jpg"]
    (tmp_path / "list.txt").write_text(f"{folder}/photos/b c.jpg\nphotos//a.jpg\n")
    again = asked(folder, "embed", "--from", tmp_path / "list.txt", "-o", output, "--resume")
    assert again.stderr.decode().splitlines()[-1] == f"regnety: {output}: is finished already, 2 images, 0 unreadable"


def test_a_job_of_a_list(folder: Path, tmp_path: Path) -> None:
    lines = ["photos/a.jpg", "photos/b c.jpg", "absent.jpg"] * 40
    result = asked(
        folder, "predict", "--from", "-", "-o", tmp_path / "a.csv", stdin="\n".join(lines).encode(), status=1
    )
    assert b": 120 images, 40 unreadable, " in result.stderr
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = [row["filename"] for row in csv.DictReader(file) if row["rank"] in ("", "1")]
    assert rows == lines


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["predict"], b"", "name images, folders, or a list with --from (regnety predict --help)"),
        (["embed", "-o", "e.parquet"], b"", "name images, folders, or a list with --from"),
        (["predict", "--from", "absent.txt"], b"", "absent.txt: cannot be read as a list of paths: no such file"),
        (["predict", "--from", "photos"], b"", "photos: is a folder, not a list of paths; name it as an image is"),
        (["predict", "--from", "photos/a.jpg"], b"", "photos/a.jpg: is an image, not a list of paths"),
        (["predict", "--from", "-"], b"\n\n", "standard input: there is no path in this list"),
        (["predict", "-", "--from", "-"], b"a", "standard input (-) can be read only once"),
        (["predict", "--from", "-", "--from", "-"], b"a", "standard input (-) can be read only once"),
        (["predict", "--from", "-"], b"bundle\n", "bundle: no images in this folder"),
    ],
)
def test_a_list_that_gives_no_image_is_one_line(arguments: list[str], stdin: bytes, message: str, folder: Path) -> None:
    result = asked(folder, *arguments, stdin=stdin, status=2)
    assert result.stdout == b""
    assert result.stderr.decode().startswith(f"regnety: {message}")
    assert result.stderr.count(b"\n") == 1


def test_the_list_is_not_the_output(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"{folder}/photos/a.jpg\n")
    line = ("predict", "--from", tmp_path / "list.csv", "--model", folder / "bundle", "-o", tmp_path / "list.csv")
    assert one_line(regnety(*line)) == f"{tmp_path}/list.csv: is one of the images; name another file for the answers"
