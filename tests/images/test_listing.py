"""What places name: files as they are, folders by what stands in them."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
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


def link(place: Path, target: Path | str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def below(root: Path) -> list[str]:
    return [Path(name).relative_to(root).as_posix() for name in listed(root, recursive=True)]


def test_links_are_followed_to_files_and_to_folders(tmp_path: Path) -> None:
    fill(tmp_path, "photos/1.jpg", "elsewhere/2.jpg", "elsewhere/deep/3.jpg")
    link(tmp_path / "photos" / "link.jpg", tmp_path / "elsewhere" / "2.jpg")
    link(tmp_path / "photos" / "folder.jpg", tmp_path / "elsewhere")
    assert below(tmp_path / "photos") == ["1.jpg", "link.jpg", "folder.jpg/2.jpg", "folder.jpg/deep/3.jpg"]
    assert listed(tmp_path / "photos") == [str(tmp_path / "photos" / name) for name in ("1.jpg", "link.jpg")]


@pytest.mark.parametrize("target", [".", "..", "../..", "{root}/photos", "{root}", "/"])
def test_a_link_to_what_it_stands_in_is_a_circle(target: str, tmp_path: Path) -> None:
    fill(tmp_path, "photos/1.jpg", "photos/a/2.jpg", "beside.jpg")
    link(tmp_path / "photos" / "a" / "circle", target.format(root=tmp_path))
    assert below(tmp_path / "photos") == ["1.jpg", "a/2.jpg"]


def test_links_in_circles_through_each_other(tmp_path: Path) -> None:
    fill(tmp_path, "photos/a/1.jpg", "photos/b/2.jpg", "outside/3.jpg", "outside/inner/4.jpg")
    link(tmp_path / "photos" / "a" / "b", "../b")
    link(tmp_path / "photos" / "b" / "a", "../a")
    link(tmp_path / "photos" / "c", "../outside")
    link(tmp_path / "outside" / "inner" / "back", "../../photos")
    link(tmp_path / "outside" / "up", "..")
    assert below(tmp_path / "photos") == ["a/1.jpg", "b/2.jpg", "c/3.jpg", "c/inner/4.jpg"]


def test_a_folder_is_gone_through_once_and_at_its_own_place_if_it_has_one(tmp_path: Path) -> None:
    fill(tmp_path, "photos/z/1.jpg", "outside/deep/2.jpg", "outside/3.jpg")
    link(tmp_path / "photos" / "a", "z")
    link(tmp_path / "photos" / "again", "a")
    link(tmp_path / "photos" / "m" / "to-z", "../z")
    link(tmp_path / "photos" / "o1", "../outside/deep")
    link(tmp_path / "photos" / "o2", "../outside")
    link(tmp_path / "photos" / "o3", tmp_path / "outside" / "deep")
    assert below(tmp_path / "photos") == ["o1/2.jpg", "o2/3.jpg", "z/1.jpg"]
    link(tmp_path / "top", "photos")
    assert below(tmp_path / "top") == ["o1/2.jpg", "o2/3.jpg", "z/1.jpg"]


def test_a_link_into_what_is_passed_over_is_followed(tmp_path: Path) -> None:
    fill(tmp_path, "photos/.store/1.jpg", "photos/@eaDir/2.jpg")
    link(tmp_path / "photos" / "a", ".store")
    link(tmp_path / "photos" / "b", "@eaDir")
    assert below(tmp_path / "photos") == ["a/1.jpg", "b/2.jpg"]


def test_a_link_that_leads_nowhere_is_its_own_error_if_it_may_have_led_to_a_folder(tmp_path: Path) -> None:
    photos = fill(tmp_path, "photos/1.jpg") / "photos"
    link(photos / "2024", "/nowhere/2024")
    link(photos / "round", "round")
    link(photos / "notes.txt", "nowhere.txt")
    link(photos / ".lock", "nowhere")
    link(photos / "gone.jpg", "nowhere.jpg")
    first, gone, missing, itself = list_images([photos], recursive=True)
    assert [first, gone] == [str(photos / "1.jpg"), str(photos / "gone.jpg")]
    reason = "is a broken link; mend it or remove it"
    assert [missing, itself] == [Unreadable(str(photos / "2024"), reason), Unreadable(str(photos / "round"), reason)]
    assert listed(photos) == [str(photos / "1.jpg"), str(photos / "gone.jpg")]


@pytest.mark.parametrize("recursive", [False, True])
def test_what_other_programs_keep_beside_photographs_is_none(recursive: bool, tmp_path: Path) -> None:
    fill(tmp_path, "1.jpg", "._1.jpg", "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/2.jpg", "__MACOSX/._1.jpg")
    fill(tmp_path, "__MACOSX/3.jpg", ".thumbnails/4.png", "$RECYCLE.BIN/5.jpg", "@EADIR/6.jpg", ".@__thumb/7.jpg")
    assert listed(tmp_path, recursive=recursive) == [str(tmp_path / "1.jpg")]
    assert listed(tmp_path / "@eaDir" / "1.jpg") == [str(tmp_path / "@eaDir" / "1.jpg" / "SYNOPHOTO_THUMB_M.jpg")]


def test_a_disk_without_inodes_loses_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda *a, **k: os.stat_result([*stat(*a, **k)[:1], 0, *stat(*a, **k)[2:]]))
    assert below(tmp_path) == ["a/1.jpg", "b/2.jpg", "c/3.jpg"]


def test_the_order_is_not_the_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, *(f"photos/{a}/{b}.jpg" for a in "pq" for b in range(3)), "outside/x/1.jpg", "outside/y/2.jpg")
    for name in ("a", "b", "z"):
        link(tmp_path / "photos" / name, "../outside")
        link(tmp_path / "photos" / f"{name}x", "../outside/x")
    expected = below(tmp_path / "photos")
    assert expected == ["a/x/1.jpg", "a/y/2.jpg", *(f"{a}/{b}.jpg" for a in "pq" for b in range(3))]
    scandir = os.scandir

    @contextmanager
    def backwards(folder: str) -> Iterator[list[os.DirEntry[str]]]:
        with scandir(folder) as entries:
            yield sorted(entries, key=lambda entry: entry.name, reverse=True)

    monkeypatch.setattr(os, "scandir", backwards)
    assert below(tmp_path / "photos") == expected


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
