"""What places name: files as they are, folders by what stands in them."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from regnety.images.listing import list_images
from regnety.images.sources import Unreadable


def fill(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def listed(*places: str | Path, recursive: bool = False) -> list[str]:
    return [str(source) for source in list_images(places, recursive=recursive)]


WANTED = ("1.JPG", "2.Jpeg", "3.png", "4.WEBP", "5.gif", "6.bmp", "7.TIFF", "8.tif", "9.avif", "a.HEIC", "b.heif")
OTHERS = ("notes.txt", ".hidden.jpg", "jpg", "x.jpg.bak", "y.svg", "sub/c.jpg", ".git/d.jpg", "sub/deep/e.png")


def test_a_folder_gives_its_own_images_in_any_spelling(tmp_path: Path) -> None:
    folder = fill(tmp_path, *WANTED, *OTHERS)
    assert listed(folder) == [str(folder / name) for name in WANTED]
    assert listed(f"{folder}/") == [f"{folder}/{name}" for name in WANTED]


def test_recursive_takes_sub_folders_after_the_files_beside_them(tmp_path: Path) -> None:
    folder = fill(tmp_path, "b/2.jpg", "a/1.jpg", "a/z/3.jpg", "c.jpg", ".git/d.jpg")
    names = [Path(name).relative_to(folder).as_posix() for name in listed(folder, recursive=True)]
    assert names == ["c.jpg", "a/1.jpg", "a/z/3.jpg", "b/2.jpg"]


def test_places_keep_their_order_and_a_named_file_needs_no_suffix(tmp_path: Path) -> None:
    folder = fill(tmp_path, "x/1.jpg", "photo", "missing no more")
    places = [folder / "photo", "https://example.org/a.jpg", folder / "x", folder / "absent.jpg"]
    assert listed(*places) == [str(places[0]), str(places[1]), str(folder / "x" / "1.jpg"), str(places[3])]


@pytest.mark.parametrize("recursive", [False, True])
def test_a_folder_without_images_is_its_own_error(recursive: bool, tmp_path: Path) -> None:
    fill(tmp_path, "notes.txt", "sub/deep.txt")
    (source,) = list_images([tmp_path], recursive=recursive)
    assert isinstance(source, Unreadable)
    assert source.name == str(tmp_path)
    assert source.reason.startswith("no images in this folder (.jpg, ")
    assert ("--recursive" in source.reason) is not recursive


def test_links_are_followed_to_files_and_not_in_circles(tmp_path: Path) -> None:
    fill(tmp_path, "photos/1.jpg", "elsewhere/2.jpg")
    (tmp_path / "photos" / "link.jpg").symlink_to(tmp_path / "elsewhere" / "2.jpg")
    (tmp_path / "photos" / "circle").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "folder.jpg").symlink_to(tmp_path / "elsewhere")
    names = [Path(name).name for name in listed(tmp_path / "photos", recursive=True)]
    assert names == ["1.jpg", "link.jpg"]


def test_a_sub_folder_that_cannot_be_read_is_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says to anybody but root, who runs tests too."""
    fill(tmp_path, "1.jpg", "locked/2.jpg", "open/3.jpg")
    scandir = os.scandir

    def refusing(folder: str) -> Any:
        if Path(folder).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    first, locked, third = list_images([tmp_path], recursive=True)
    assert (str(first), str(third)) == (str(tmp_path / "1.jpg"), str(tmp_path / "open" / "3.jpg"))
    assert locked == Unreadable(str(tmp_path / "locked"), "cannot be read: Permission denied")


def test_ten_thousand_files(tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"{number:05d}.jpg").touch()
    names = listed(tmp_path)
    assert len(names) == 10_000
    assert names == sorted(names)
