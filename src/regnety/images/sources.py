"""Where an image comes from, and its bytes: a path, a web address, an address in a store, or the bytes themselves."""

import errno
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
import numpy.typing as npt

from regnety.errors import ImageError, MissingExtraError
from regnety.files.opening import SpecialFileError, open_file
from regnety.images.formats import HEAD_SIZE, READABLE, SUFFIXES, format_of
from regnety.remote import WEB, file_system, is_remote, what_went_wrong
from regnety.text import one_line, reason_of

if TYPE_CHECKING:
    from PIL import Image

MAX_BYTES = 1 << 30
"""Size above which a file is refused before it is read."""
PASSING = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
"""Errors of a network disk that are often gone a moment later; one in a million reads must not end a long run."""
PAUSES_S = (0.1, 1.0)
"""Before a file is read again after one of them."""
TIMEOUT_S = 30.0
"""How long a server may send nothing."""
DEADLINE_S = 120.0
"""For the whole of a file: a server that sends a byte now and then would hold a batch up for hours."""
MAX_FETCHED_BYTES = 1 << 28
FIRST_PART = 4 << 20
"""Bytes of the first request to a store: the whole of most photographs, and not much of a file that is none."""


@dataclass(frozen=True, slots=True)
class NamedImage:
    """The bytes of a file, with the name that answers and errors use for it."""

    name: str
    data: bytes


class StoredImage(ABC):
    """An image within a larger file, as a tar file or a Parquet table. It is read whenever it is needed."""

    name: str
    """What answers and errors call it."""

    @abstractmethod
    def read(self) -> bytes:
        """Its bytes.

        Raises:
            ImageError: it cannot be read; the message begins with its name.
        """

    @abstractmethod
    def stamp(self) -> str:
        """A text that changes when the larger file is written again, as its size and time of change."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place that gave no images. It is answered with its error, like a file that cannot be read."""

    name: str
    reason: str


def without_images(folder: str, recursive: bool) -> Unreadable:
    """The answer for a folder without images."""
    hint = "" if recursive else "; --recursive looks into sub-folders"
    return Unreadable(folder, f"no images in this folder ({', '.join(SUFFIXES)}){hint}")


ImageSource: TypeAlias = Union[
    str, Path, bytes, NamedImage, StoredImage, Unreadable, "Image.Image", npt.NDArray[np.uint8]
]
"""A path, an address (http://, https://, s3:// and others of fsspec), the bytes of a file, a PIL image, or uint8 pixels
[height, width, 3] in RGB."""


def source_name(source: object) -> str | None:
    """The name of a source that has one."""
    if isinstance(source, NamedImage | StoredImage | Unreadable):
        return source.name
    return str(source) if isinstance(source, str | Path) else None


def is_single_image(images: object) -> bool:
    """Whether the argument `images` is one image. What is no image at all counts as one, and gets its error."""
    if isinstance(images, np.ndarray):
        return images.ndim != 4
    return (
        not isinstance(images, Iterable)
        or isinstance(images, str | Path | bytes | bytearray | memoryview | NamedImage | Unreadable)
        or hasattr(images, "convert")  # a PIL image, told without importing Pillow
        or hasattr(images, "read")  # an open file, which iterates over its lines
    )


def read_image_file(source: object) -> bytes:
    """The bytes of an image file. What its size or first bytes show to be no image is not read to the end.

    Raises:
        ImageError: missing, unreadable, empty, too large, or of no known format; the message begins with its name.
        MissingExtraError: it is in a store, and fsspec is not installed.
    """
    name = source_name(source) or "image"
    if isinstance(source, Unreadable):
        raise ImageError(f"{name}: {source.reason}")
    if isinstance(source, NamedImage):
        source = source.data
    if hasattr(source, "read"):
        source = source.read()
    if isinstance(source, str) and "://" in source:
        data = _read_remote(source) if is_remote(source) else _fetched(source)
    elif source == "":
        raise ImageError("image: the path is empty")
    elif isinstance(source, str | Path):
        data = _read(Path(source), name)
    elif isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    else:
        raise ImageError(
            f"{name}: an image is a path, an address, bytes, a PIL image or a uint8 array, got {type(source).__name__}"
        )
    _check_head(data[:HEAD_SIZE], name)
    return data


def checked_pixels(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """An array that was given as an image.

    Raises:
        ImageError: it is not uint8 [height, width, 3].
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ImageError(f"image: an array must be uint8 [height, width, 3] in RGB, got {pixels.dtype} {pixels.shape}")
    return np.ascontiguousarray(pixels)


def check_pixel_count(width: int, height: int, max_pixels: int, name: str) -> None:
    """Refuse a picture by its header, before it is decoded.

    Raises:
        ImageError: it has none, or more than `max_pixels`.
    """
    if width * height == 0:
        raise ImageError(f"{name}: has no pixels, it is {width}x{height}")
    if width * height > max_pixels:
        raise ImageError(f"{name}: {width}x{height} pixels are over the limit of {max_pixels} (max_pixels)")


def _check_head(head: bytes | bytearray, name: str) -> None:
    if not head:
        raise ImageError(f"{name}: is empty")
    if format_of(bytes(head)) is None:
        raise ImageError(f"{name}: is not an image that can be read ({READABLE})")


def _check_size(size: int, name: str, limit: int) -> None:
    if size > limit:
        raise ImageError(f"{name}: {size} bytes are over the limit of {limit}")


def _read(path: Path, name: str) -> bytes:
    try:
        for pause_s in PAUSES_S:
            try:
                return _read_once(path, name)
            except OSError as error:
                if error.errno not in PASSING:
                    raise
            time.sleep(pause_s)
        return _read_once(path, name)
    except ImageError:
        raise
    except SpecialFileError:
        raise ImageError(f"{name}: is a device or a pipe, not an image file") from None
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{name}: is a folder, not an image") from None
    except PermissionError as error:  # a folder on Windows says this
        what = "is a folder, not an image" if path.is_dir() else f"cannot be read: {reason_of(error)}"
        raise ImageError(f"{name}: {what}") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: cannot be read: {reason_of(error)}") from error


def _read_once(path: Path, name: str) -> bytes:
    with open_file(path) as file:
        head = file.read(HEAD_SIZE)
        _check_head(head, name)
        _check_size(os.fstat(file.fileno()).st_size, name, MAX_BYTES)
        return head + file.read()


def _fetched(url: str) -> bytes:
    """The bytes at a web address; the environment's proxies are used."""
    # Imported here: together they take longer than to predict a photograph on the disk.
    import http.client
    import urllib.error
    import urllib.request

    from regnety.version import __version__

    try:
        request = urllib.request.Request(url, headers={"User-Agent": f"regnety/{__version__}"})
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            if not response.geturl().lower().startswith(WEB):  # a redirect must not read this machine's files
                raise ImageError(f"{url}: leads away from the web")
            wanted = int(response.headers.get("Content-Length") or 0)
            _check_size(wanted, url, MAX_FETCHED_BYTES)
            data = bytearray(response.read(HEAD_SIZE))
            _check_head(data, url)
            deadline = time.monotonic() + DEADLINE_S
            while chunk := response.read1(1 << 20):
                data += chunk
                _check_size(len(data), url, MAX_FETCHED_BYTES)
                if time.monotonic() > deadline:
                    raise ImageError(f"{url}: is not here after {DEADLINE_S:g} s, {len(data)} bytes are")
    except ImageError:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        raise ImageError(f"{url}: the server answers {error.code} {one_line(error.reason)}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ImageError(f"{url}: cannot be fetched: {one_line(reason)}") from error
    if len(data) < wanted:
        raise ImageError(f"{url}: broke off after {len(data)} of {wanted} bytes")
    return bytes(data)


def _read_remote(address: str) -> bytes:
    """The bytes at an address in a store: one request for most photographs, two for a large one."""
    try:
        files = file_system(address)
        data = bytes(_part(files, address, 0, FIRST_PART))
        _check_head(data[:HEAD_SIZE], address)
        if len(data) == FIRST_PART:  # its last byte is asked for again, as stores refuse a range beyond the end
            data = data[:-1] + _part(files, address, FIRST_PART - 1, MAX_FETCHED_BYTES + 1)
            _check_size(len(data), address, MAX_FETCHED_BYTES)
        return data
    except (ImageError, MissingExtraError):
        raise
    except Exception as error:  # fsspec's stores raise their own libraries' errors, which have no common base
        raise ImageError(f"{address}: {what_went_wrong(error, address)}") from error


def _part(files: Any, address: str, start: int, end: int) -> bytes:
    try:
        part: bytes = files.cat_file(address, start=start, end=end)
    except Exception as error:  # as above; and an empty file has no first byte, which some stores call a wrong range
        if start == 0 and "range" in str(error).lower() and files.info(address)["size"] == 0:
            return b""
        raise
    return part
