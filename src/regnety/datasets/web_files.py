"""A file of the web, as a table or a shard: kept in the cache as long as its server says that it is the same."""

import hashlib
from pathlib import Path
from typing import Any

from regnety.errors import DataError
from regnety.images.sources import TIMEOUT_S
from regnety.progress import Progress
from regnety.remote import WEB
from regnety.storage.cache import cache_folder
from regnety.storage.replacing import replacing
from regnety.text import one_line, reason_of
from regnety.version import __version__

_CHUNK = 1 << 20


def fetched(url: str, *, quiet: bool = False) -> Path:
    """A copy of the file at a web address, below the cache's folder `data`.

    Servers often give no part of a file, so all of it is fetched.

    Args:
        url: the address.
        quiet: show no progress.

    Raises:
        DataError: it cannot be fetched, or breaks off, or the cache cannot be written.
    """
    # Imported here: what reads files on this disk does without.
    import http.client
    import urllib.error
    import urllib.request

    try:
        request = urllib.request.Request(url, headers={"User-Agent": f"regnety/{__version__}"})
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            if not response.geturl().lower().startswith(WEB):  # a redirect must not read this machine's files
                raise DataError(f"{url}: leads away from the web")
            copy = _place(url, response.headers)
            if not copy.is_file():
                _write(response, copy, url, quiet=quiet)
            return copy
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(f"{url}: the server answers {error.code} {one_line(error.reason)}") from error
    except urllib.error.URLError as error:
        raise DataError(f"{url}: cannot be fetched: {one_line(error.reason)}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DataError(f"{url}: cannot be fetched: {reason_of(error)}") from error


def _place(url: str, headers: Any) -> Path:
    """Of the copy; another version of the file has another one."""
    version = [url, *(headers.get(name) or "" for name in ("ETag", "Last-Modified", "Content-Length"))]
    digest = hashlib.sha256("\n".join(version).encode()).hexdigest()
    return cache_folder("data") / digest[:32]


def _write(response: Any, copy: Path, url: str, *, quiet: bool) -> None:
    wanted = int(response.headers.get("Content-Length") or 0)
    with Progress(f"fetching {url.rpartition('/')[2]}, MB", total=wanted >> 20 or None, quiet=quiet) as progress:
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with replacing(copy) as beside, beside.open("wb") as file:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    progress.advance()
                if file.tell() < wanted:
                    raise DataError(f"{url}: broke off after {file.tell()} of {wanted} bytes")
        except OSError as error:
            raise DataError(
                f"{url}: cannot be kept in {copy.parent}: {reason_of(error)}; set REGNETY_CACHE to another folder"
            ) from error
