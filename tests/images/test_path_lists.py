"""Lists of paths, as shells, editors and `find` write them."""

import codecs
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from pictures import encoded, noise
from regnety.errors import DataError
from regnety.images.path_lists import CHUNK, PathList


def paths(data: bytes, folder: Path) -> list[str]:
    """Twice, as a list is counted first."""
    (folder / "list.txt").write_bytes(data)
    found = PathList(str(folder / "list.txt"))
    assert list(found) == list(found)
    return list(found)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"a.jpg\nb/c.jpg\n", ["a.jpg", "b/c.jpg"]),
        (b"a.jpg\nb.jpg", ["a.jpg", "b.jpg"]),
        (b"\n\na.jpg\n\n \n\t\nb.jpg\n\n", ["a.jpg", "b.jpg"]),
        (b"a.jpg\r\nb c.jpg\r\n\r\n", ["a.jpg", "b c.jpg"]),
        (codecs.BOM_UTF8 + b"a.jpg\r\nb.jpg", ["a.jpg", "b.jpg"]),
        (b"  a.jpg \nb  c.jpg\n'd'.jpg\n\"e\".jpg\n#f.jpg\n~/g.jpg\n", None),
        ("caf\u00e9.jpg\n\u5199\u771f.jpg\n".encode(), ["caf\u00e9.jpg", "\u5199\u771f.jpg"]),
        ("caf\u00e9.jpg\r\n\u5199\u771f.jpg\r\n".encode("utf-16"), ["caf\u00e9.jpg", "\u5199\u771f.jpg"]),
        (codecs.BOM_UTF16_BE + "a.jpg\nb.jpg".encode("utf-16-be"), ["a.jpg", "b.jpg"]),
        (b"a.jpg\0b\nc.jpg\0 d.jpg\r\0", ["a.jpg", "b\nc.jpg", " d.jpg\r"]),
        (b"a.jpg\0b.jpg", ["a.jpg", "b.jpg"]),
        (b"s3://bucket/a.jpg\nhttps://example.org/b.jpg?width=3\n", None),
        (b"BMW.jpg\nBMX.jpg\n", ["BMW.jpg", "BMX.jpg"]),
        (b"a" * (CHUNK - 3) + b".jpg\nb.jpg\n", ["a" * (CHUNK - 3) + ".jpg", "b.jpg"]),
    ],
)
def test_what_stands_in_a_list(data: bytes, wanted: list[str] | None, tmp_path: Path) -> None:
    assert paths(data, tmp_path) == (data.decode().splitlines() if wanted is None else wanted)


@pytest.mark.skipif(os.name == "nt", reason="Windows names files with text")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    for separator in (b"\n", b"\0"):
        found = paths(separator.join([b"caf\xe9.jpg", b"\xff.jpg"]), tmp_path)
        assert [os.fsencode(path) for path in found] == [b"caf\xe9.jpg", b"\xff.jpg"]


def test_paths_over_the_end_of_a_chunk(tmp_path: Path) -> None:
    wanted = [f"photos/{'x' * (number % 97)}{number}.jpg" for number in range(20_000)]
    for separator in ("\n", "\r\n", "\0"):
        assert paths(separator.join(wanted).encode(), tmp_path) == wanted


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "{path}: there is no path in this list"),
        (b"\n \r\n\n", "{path}: there is no path in this list"),
        (b"\0\0", "{path}: there is no path in this list"),
        (codecs.BOM_UTF8, "{path}: there is no path in this list"),
        (b"a" * 200_000, "{path}: is no list of paths; it has a line of more than 65536 bytes"),
        (encoded(noise(30, 20), "JPEG"), "{path}: is an image, not a list of paths; name it as an image is named"),
        (encoded(noise(30, 20), "PNG"), "{path}: is an image, not a list of paths; name it as an image is named"),
        (codecs.BOM_UTF16_LE + b"a\0\0", "{path}: begins like UTF-16 and is none: truncated data"),
        (None, "{path}: cannot be read as a list of paths: no such file"),
        ("folder", "{path}: is a folder, not a list of paths; name it as an image is named"),
        ("s3://bucket/list.txt", "{path}: cannot be read as a list of paths: it must be a file on this disk, or -"),
    ],
)
def test_what_is_no_list_is_one_line(data: bytes | str | None, message: str, tmp_path: Path) -> None:
    path = str(tmp_path / "list.txt")
    if isinstance(data, bytes):
        Path(path).write_bytes(data)
    elif data == "folder":
        Path(path).mkdir()
    elif data is not None:
        path = data
    with pytest.raises(DataError) as error:
        PathList(path)
    assert str(error.value).startswith(message.format(path=path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes of this kind")
def test_a_pipe_is_read_once_and_kept(tmp_path: Path) -> None:
    """As of `<(find ...)` in a shell."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'w').write('a.jpg\\nb.jpg\\n')"])
    found = PathList(str(pipe))
    assert writer.wait(60) == 0
    assert list(found) == list(found) == ["a.jpg", "b.jpg"]


def test_many_lines_are_not_held(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    with path.open("w") as file:
        file.writelines(f"photographs/of/{number // 1000:03d}/{number:06d}.jpg\n" for number in range(300_000))
    tracemalloc.start()
    found = PathList(str(path))
    count = sum(1 for _ in found)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 300_000
    assert peak < 1 << 20
