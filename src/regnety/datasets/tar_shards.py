"""Tar shards as WebDataset writes them: `0001.jpg` beside `0001.cls`, which holds a class's number or name.

Only the headers and the classes are read at first; an image is read from its place in the shard when it is needed.
Nothing is unpacked: names in a shard are only names, and links are passed over.
"""

import os
import posixpath
import tarfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from regnety.datasets.places import opened, stamp_of, what_failed
from regnety.datasets.samples import Sample
from regnety.errors import DataError, ImageError, RegNetYError
from regnety.files.opening import open_file
from regnety.images.formats import SUFFIXES, is_passed_over
from regnety.images.sources import StoredImage
from regnety.remote import file_system, is_remote
from regnety.text import excerpt, reason_of

TAR = ".tar"
CLASS = ".cls"
LONGEST_CLASS = 4096
"""Bytes of a class's name; a longer one is something else."""
_BLOCK = 512
_CUT = "is cut short, at byte {}; copy or download it again"


@dataclass(frozen=True, slots=True)
class ImageInTar(StoredImage):
    """An image in a tar file that is not compressed."""

    name: str
    shard: str
    """Path or address."""
    offset: int
    """Where its bytes begin in the shard."""
    size: int
    """In bytes."""

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            ImageError: the shard cannot be read, or has become shorter.
        """
        try:
            if is_remote(self.shard):
                data = bytes(
                    file_system(self.shard).cat_file(self.shard, start=self.offset, end=self.offset + self.size)
                )
            else:
                with open_file(self.shard) as file:
                    file.seek(self.offset)
                    data = file.read(self.size)
        except RegNetYError:
            raise
        except Exception as error:  # fsspec's stores raise their own libraries' errors, which have no common base
            raise ImageError(f"{self.name}: {what_failed(error, self.shard)}") from error
        if len(data) != self.size:
            raise ImageError(f"{self.name}: the shard is shorter than it was")
        return data

    def stamp(self) -> str:
        """Size and time of the shard."""
        return file_stamp(self.shard)


def file_stamp(place: str) -> str:
    """Size and time of a file, here or in a store; nothing for one that is gone, which reading it finds."""
    if is_remote(place):
        return stamp_of(place)
    try:
        status = os.stat(place)
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


@dataclass(slots=True)
class _Entry:
    """What a shard has under one key."""

    images: list[tarfile.TarInfo] = field(default_factory=list)
    label: str | None = None


def read_shard(shard: str, name: str) -> list[Sample]:
    """The samples of a shard, in its order.

    Args:
        shard: path or address.
        name: what messages and samples call it.

    Raises:
        DataError: it is no tar file, compressed, damaged or cut short; or an image has no class beside it.
    """
    entries: dict[str, _Entry] = {}
    for member, content in _members(shard, name):
        folder, file = posixpath.split(member.name)
        stem, dot, suffix = file.partition(".")  # WebDataset's rule: up to the first dot
        entry = entries.setdefault(posixpath.join(folder, stem), _Entry())
        suffix = f"{dot}{suffix}".lower()
        if suffix in SUFFIXES:
            entry.images.append(member)
        elif content is not None:
            if entry.label is not None:
                raise DataError(f"{name}: has two classes for {excerpt(stem)!r}")
            entry.label = _label(content, f"{name}/{excerpt(member.name)}")
    samples = []
    for key, entry in entries.items():
        if not entry.images and entry.label is None:  # a text or a picture's description alone
            continue
        if len(entry.images) != 1 or entry.label is None:
            what = (
                f"{excerpt(key)}{CLASS} has {'no image' if not entry.images else 'several images'} beside it"
                if entry.label is not None
                else f"{excerpt(entry.images[0].name)} has no {CLASS} beside it that says its class"
            )
            raise DataError(f"{name}: {what}")
        image = entry.images[0]
        samples.append(Sample(ImageInTar(f"{name}/{image.name}", shard, image.offset_data, image.size), entry.label))
    if not samples:
        raise DataError(f"{name}: has no images with a {CLASS} beside them")
    return samples


def _members(shard: str, name: str) -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
    """The ordinary files of a shard; those that hold a class with their content."""
    try:
        with opened(shard) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # it would keep all
                parts = [part for part in member.name.split("/") if part not in ("", ".", "..")]
                hidden = any(map(is_passed_over, parts))
                if not member.isreg() or member.issparse() or hidden:
                    continue
                content = None
                if member.name.lower().endswith(CLASS):
                    if member.size > LONGEST_CLASS:
                        raise DataError(f"{name}/{excerpt(member.name)}: {member.size} bytes are no class")
                    file.seek(member.offset_data)
                    content = file.read(member.size)
                    if len(content) < member.size:
                        raise DataError(f"{name}: {_CUT.format(member.offset_data)}")
                yield member, content
            _check_end(file, archive.offset, name)
    except tarfile.TarError as error:
        raise DataError(f"{name}: {_reason(shard, error)}") from None
    except RegNetYError:
        raise
    except Exception as error:  # a store's own errors while it is read, and tarfile's for damaged numbers
        raise DataError(f"{name}: cannot be read as a tar file: {what_failed(error, shard)}") from error


def _check_end(file: BinaryIO, offset: int, name: str) -> None:
    """A tar file ends with a block of zeros. `tarfile` takes the end of a file, or a damaged header, for its end too.

    Raises:
        DataError: it does not.
    """
    file.seek(offset)
    block = file.read(_BLOCK)
    if len(block) < _BLOCK:
        raise DataError(f"{name}: {_CUT.format(offset)}")
    if any(block):
        raise DataError(f"{name}: is damaged, at byte {offset}; copy or download it again")


def _reason(shard: str, error: tarfile.TarError) -> str:
    with opened(shard) as file:
        head = file.read(6)
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        return "is compressed, so that no image in it can be found without unpacking all; unpack it to .tar"
    if not head:
        return "is empty"
    if "unexpected end" in str(error):
        return "is cut short; copy or download it again"
    return f"is no tar file: {reason_of(error)}"


def _label(content: bytes, name: str) -> str:
    try:
        label = unicodedata.normalize("NFC", content.decode().strip().strip("\0"))
    except UnicodeDecodeError:
        raise DataError(f"{name}: is not text in UTF-8, so it names no class") from None
    if not label:
        raise DataError(f"{name}: is empty, so it names no class")
    if not label.isprintable():
        raise DataError(f"{name}: {excerpt(label)} is no name of a class; one line is")
    return label
