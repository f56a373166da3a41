"""Images in stores: what a real S3 server and fsspec's own stores are asked, and what is said of it in one line."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import python
from pictures import encoded, noise
from regnety import remote
from regnety.errors import ImageError
from regnety.images import remote_listing, sources
from regnety.images.decoding import load_image
from regnety.images.listing import list_images
from regnety.images.sources import Unreadable, read_image_file
from regnety.remote import file_system, is_remote
from s3_server import S3Server

PICTURE = encoded(noise(40, 30), "PNG")
WANTED = ("1.JPG", "b.png", "sub/deep/3.webp", "sub/e f#?%.gif", "z/4.bmp")
OTHERS = ("notes.txt", ".hidden.jpg", "sub/.git/d.jpg", "jpg", "sub/x.jpg.bak")


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> str:
    s3_server.make_bucket("pictures")
    for name in (*WANTED, *OTHERS):
        s3_server.put(f"pictures/holiday/{name}", PICTURE)
    s3_server.put("pictures/holiday/sub/", b"")  # what a console leaves for a folder
    s3_server.put("pictures/empty/", b"")
    s3_server.put("pictures/photo", PICTURE)
    s3_server.put("pictures/bad/empty.png", b"")
    s3_server.put("pictures/bad/text.png", b"not a picture")
    return "s3://pictures"


def refused(address: str) -> str:
    with pytest.raises(ImageError) as error:
        read_image_file(address)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{address}: ")
    return str(error.value).removeprefix(f"{address}: ")


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("s3://bucket/a.png", True),
        ("memory://a.png", True),
        ("https://example.org/a.png", False),
        ("HTTP://example.org/a.png", False),
        ("photos/a.png", False),
        (Path("s3://bucket"), False),
    ],
)
def test_which_places_are_a_stores(place: str | Path, expected: bool) -> None:
    assert is_remote(place) is expected


def test_an_object_is_an_image(bucket: str, s3: S3Server) -> None:
    np.testing.assert_array_equal(load_image(f"{bucket}/holiday/b.png"), noise(40, 30))
    np.testing.assert_array_equal(load_image(f"{bucket}/holiday/sub/e f#?%.gif"), noise(40, 30))


def test_a_large_object_comes_in_two_parts(bucket: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for first in (len(PICTURE) + 1, len(PICTURE), len(PICTURE) - 1, 100):
        monkeypatch.setattr(sources, "FIRST_PART", first)
        assert read_image_file(f"{bucket}/photo") == PICTURE
    monkeypatch.setattr(sources, "MAX_FETCHED_BYTES", len(PICTURE) - 1)
    assert refused(f"{bucket}/photo") == f"{len(PICTURE)} bytes are over the limit of {len(PICTURE) - 1}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bad/empty.png", "is empty"),
        ("bad/text.png", "is not an image that can be read (JPEG"),
        ("bad/missing.png", "no such file or folder"),
        ("holiday", "no such file or folder"),
    ],
)
def test_what_a_store_has_instead_is_one_line(name: str, message: str, bucket: str, s3: S3Server) -> None:
    assert refused(f"{bucket}/{name}").startswith(message)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://nobody-has-this/a.png", "there is no such bucket"),
        ("s3://nobody-has-this", "is not the address of a file or folder; s3://BUCKET/NAME is"),
        ("memory://nothing/a.png", "no such file or folder"),
        ("nonsense://a.png", "an address begins with one of http, https, s3, s3a, gs, gcs, az, abfs"),
        ("S3://pictures/photo", "an address begins with one of http, "),
        ("zip://a.png::s3://pictures/b.zip", "is a chain of addresses; give a single address"),
    ],
)
def test_wrong_addresses_are_one_line(address: str, message: str, s3: S3Server) -> None:
    assert refused(address).startswith(message)


def test_many_threads_share_one_file_system(bucket: str, s3: S3Server) -> None:
    """Started anew, all at once."""
    remote._file_systems.clear()
    barrier = threading.Barrier(8)

    def read(number: int) -> tuple[int, Any]:
        barrier.wait()
        files = file_system(bucket)
        return [len(read_image_file(f"{bucket}/photo")) for _ in range(25)].count(len(PICTURE)), files

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(read, range(8)))
    assert [count for count, _ in answers] == 8 * [25]
    assert len({id(files) for _, files in answers}) == 1


def test_a_prefix_is_a_folder(bucket: str, s3: S3Server) -> None:
    direct = [f"{bucket}/holiday/{name}" for name in WANTED if "/" not in name]
    assert list(list_images([f"{bucket}/holiday"])) == direct
    assert list(list_images([f"{bucket}/holiday/"])) == direct
    assert list(list_images([f"{bucket}/holiday"], recursive=True)) == [f"{bucket}/holiday/{name}" for name in WANTED]
    assert len(list(list_images([bucket], recursive=True))) == len(WANTED) + 2


def test_an_object_without_a_suffix_is_taken_when_it_is_named(bucket: str, s3: S3Server) -> None:
    places = [f"{bucket}/photo", f"{bucket}/not/asked/for.png"]
    assert list(list_images(places)) == places


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("s3://pictures/empty/", "no images in this folder (.jpg, "),
        ("s3://pictures/missing", "no such file or folder"),
        ("s3://nobody-has-this/photos", "there is no such bucket"),
        ("s3://nobody-has-this", "there is no such bucket"),
        ("s3://nobody-has-this/", "there is no such bucket"),
        ("memory://missing", "no such file or folder"),
        ("nonsense://photos", "an address begins with "),
    ],
)
def test_a_place_without_images_is_its_own_error(place: str, reason: str, bucket: str, s3: S3Server) -> None:
    (source,) = list_images([place], recursive=True)
    assert isinstance(source, Unreadable)
    assert source.name == place
    assert source.reason.startswith(reason)


def test_pages_are_asked_for_one_by_one(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first image is there before the second page is listed, and the order is that of the names."""
    s3.make_bucket("pages")
    names = [f"{folder}/{number}.jpg" for folder in "ab" for number in range(7)]
    for name in names:
        s3.put(f"pages/{name}", b"x")
    asked: list[str] = []
    files = file_system("s3://pages")
    call = files.call_s3

    def call_with_small_pages(method: str, **question: Any) -> Any:
        asked.append(method)
        return call(method, **question, MaxKeys=5)

    monkeypatch.setattr(files, "call_s3", call_with_small_pages)
    listing = list_images(["s3://pages/"], recursive=True)
    assert next(listing) == "s3://pages/a/0.jpg"
    assert asked == ["list_objects_v2"]
    assert [next(listing) for _ in range(len(names) - 1)] == [f"s3://pages/{name}" for name in names[1:]]
    assert next(listing, None) is None
    assert asked == 3 * ["list_objects_v2"]


def test_other_stores_by_the_same_rules(tmp_path: Path) -> None:
    files = file_system("memory://")
    for name in (*WANTED, *OTHERS):
        files.pipe_file(f"memory://album/{name}", PICTURE)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    for top in ("memory://album", f"file://{tmp_path}"):
        assert list(list_images([top], recursive=True)) == [f"{top}/{name}" for name in WANTED]
        assert list(list_images([f"{top}/"])) == [f"{top}/{name}" for name in WANTED if "/" not in name]
        np.testing.assert_array_equal(load_image(f"{top}/sub/deep/3.webp"), noise(40, 30))


def test_a_listing_that_breaks_off_is_an_error_after_what_came(
    bucket: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(*arguments: object) -> Any:
        yield "1.jpg"
        raise ConnectionResetError("the line\nis cut")

    monkeypatch.setattr(remote_listing, "_inner_names", breaking)
    first, second = list_images([f"{bucket}/holiday/"])
    assert first == f"{bucket}/holiday/1.jpg"
    assert second == Unreadable(f"{bucket}/holiday/", "cannot be reached: the line is cut")


def test_without_the_extra_an_address_says_which_one() -> None:
    code = """
import sys
sys.modules["s3fs"] = None
from regnety.errors import MissingExtraError
from regnety.images.listing import list_images
from regnety.images.sources import read_image_file
for ask in (read_image_file, lambda address: list(list_images([address + "/"]))):
    try: ask("s3://bucket/a.png")
    except MissingExtraError as error: print(error)
"""
    assert python(code).stdout == 2 * "s3:// needs an extra: pip install '.[remote]' in a clone of regnety\n"


def test_a_local_path_imports_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PICTURE)
    code = "import sys; from regnety.images.listing import list_images; from regnety.images.sources import *\n"
    code += "for source in list_images([sys.argv[1]]): read_image_file(source)\n"
    code += "print(sorted({'fsspec', 's3fs', 'asyncio', 'regnety.images.remote_listing'} & sys.modules.keys()))"
    assert python(code, tmp_path).stdout == "[]\n"
