"""A file from a plain address: gone on with where it broke off, checked, and in its place whole or not at all."""

import http.client
import time
import urllib.error
import urllib.request
from errno import ENOSPC
from pathlib import Path
from typing import Any

from regnety.errors import UnknownModelError
from regnety.progress import ByteProgress
from regnety.storage import check_room, disk_full
from regnety.text import one_line
from regnety.version import __version__
from regnety.weights.fetching.offline import UnreachableError, offline_mode
from regnety.weights.fetching.part_file import PartFile
from regnety.weights.fetching.patience import RETRIED_STATUSES, Patience, retry_after_s

SCHEMES = ("http://", "https://")
CHUNK_BYTES = 1 << 20


def download(
    url: str, path: Path, *, sha256_prefix: str | None = None, patience: Patience | None = None, quiet: bool = False
) -> None:
    """Fetch what stands at an address; the proxies of the environment are used.

    What has arrived stays as `NAME.part` after a break, a kill or Ctrl-C, and the next call goes on from there if the
    server still has the same file. One process at a time: whoever calls this for a place that others want holds a lock.

    Args:
        url: http or https; a redirection leads to such addresses only, and never from https to http.
        path: where the file belongs. Its folder is there; what stands in its place is replaced once the new one is
            whole and checked.
        sha256_prefix: the first hex digits of the SHA-256 of the whole file; nothing is compared without it.
        patience: how long the server is waited for.
        quiet: show no progress.

    Raises:
        UnknownModelError: the file cannot be had, UnreachableError where nobody answers; the message begins with the
            address.
        WeightsError: the file that came is another one; it was removed.
        OSError: the file cannot be written, as on a full disk.
    """
    patience = patience or Patience()
    if offline := offline_mode():
        raise UnreachableError(f"{url}: is not asked, {offline} forbids it")
    if not url.startswith(SCHEMES):
        raise UnknownModelError(f"{url}: an address begins with {' or '.join(SCHEMES)}")
    part = PartFile(path, url)
    with ByteProgress(path.name, quiet=quiet) as progress:
        _fetch_all(part, patience, progress)
    part.finish(sha256_prefix)


def _fetch_all(part: PartFile, patience: Patience, progress: ByteProgress) -> None:
    """Ask until all is here. Failures are counted from the last time that more had arrived than ever before."""
    failures, furthest, here_before = 0, part.size, part.size
    while True:
        try:
            return _fetch_rest(part, patience.timeout_s, progress)
        except _BrokenOff as broken:
            if part.size > furthest:
                failures, furthest = 0, part.size
            failures += 1
            hopeless = broken.final or (broken.unreachable and furthest == here_before)
            if hopeless or failures > patience.retries:
                kind = UnreachableError if broken.unreachable else UnknownModelError
                raise kind(_why_not(part, broken, failures)) from broken
            wait_s = patience.wait_s(failures, broken.retry_after_s)
            progress.say(f"{broken}; again in {wait_s:.1f} s")
            time.sleep(wait_s)


def _fetch_rest(part: PartFile, timeout_s: float, progress: ByteProgress) -> None:
    """Ask once for what is missing, and write what comes.

    Raises:
        _BrokenOff: some of it is still missing.
    """
    tag = part.tag
    offset = part.size if tag else 0
    headers = {"User-Agent": f"regnety/{__version__}"}
    if tag and offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": tag}
    try:
        response = _open(urllib.request.Request(part.url, headers=headers), timeout_s)
    except _RangeRefused as refused:
        if refused.total == offset:  # all was here before the last process was killed
            return
        part.discard()
        raise _BrokenOff("has another file now") from None
    with response:
        start, total = _extent(response)
        if response.status == 206 and (start != offset or _tag(response) not in (None, tag)):
            part.discard()
            raise _BrokenOff("goes on with other bytes than were asked for")
        chunk = _read(response)
        if response.status != 206 and _is_page(chunk, response.headers):
            raise _BrokenOff("gives a web page, not the file; is there a log-in between?", final=True)
        if response.status != 206:
            part.begin(_tag(response))
        if total is not None:
            check_room(part.path, total - part.size)
        progress.place(part.size, total)
        _write(part, response, chunk, total, progress)
    size = part.size
    if total is not None and size != total:
        if size > total:
            part.discard()
        raise _BrokenOff(f"broke off after {size:,} of {total:,} bytes")


def _write(part: PartFile, response: Any, chunk: bytes, total: int | None, progress: ByteProgress) -> None:
    try:
        with part.append() as file:
            while chunk:
                file.write(chunk)
                progress.advance(len(chunk))
                chunk = _read(response)
    except OSError as error:
        if error.errno == ENOSPC:
            raise disk_full(part.path, None if total is None else total - part.size) from error
        error.filename = str(part.path)
        raise


def _open(request: urllib.request.Request, timeout_s: float) -> Any:
    """A server's good answer.

    Raises:
        _RangeRefused: there are no bytes beyond those that are here.
        _BrokenOff: there is no good answer.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
        _Redirections,
    ):
        opener.add_handler(handler())
    try:
        return opener.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            raise _RangeRefused(_total(error.headers.get("Content-Range"))) from None
        raise _BrokenOff(
            f"the server answers {error.code} {one_line(error.reason)}",
            final=error.code not in RETRIED_STATUSES,
            retry_after_s=retry_after_s(error.headers.get("Retry-After")),
        ) from error
    except urllib.error.URLError as error:  # on the way to the server; what goes wrong later is none of these
        raise _BrokenOff(f"cannot be reached: {one_line(error.reason)}", unreachable=True) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise _BrokenOff(one_line(error), final=True) from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOff(f"broke off: {one_line(error)}") from error


def _read(response: Any) -> bytes:
    try:
        data: bytes = response.read1(CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOff(f"broke off: {one_line(error)}") from error
    return data


def _extent(response: Any) -> tuple[int | None, int | None]:
    """The first byte that the answer has, and the bytes of the whole file; None for what the server does not say."""
    if response.status == 206:
        content_range = response.headers.get("Content-Range", "")
        start = content_range.removeprefix("bytes ").partition("-")[0]
        return int(start) if start.isdecimal() else None, _total(content_range)
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _total(content_range: str | None) -> int | None:
    """`bytes 100-199/200` and `bytes */200` to 200."""
    total = (content_range or "").rpartition("/")[2]
    return int(total) if total.isdecimal() else None


def _tag(response: Any) -> str | None:
    """What the server will recognise this version of the file by: a strong entity tag, else the time of its change."""
    tag = response.headers.get("ETag") or ""
    if not tag or tag.startswith("W/"):
        tag = response.headers.get("Last-Modified") or ""
    return tag if tag and tag.isprintable() else None  # a folded one could not be sent back


def _is_page(start: bytes, headers: Any) -> bool:
    beginning = start[:64].lstrip().lower()
    return headers.get_content_type() == "text/html" or beginning.startswith((b"<!doctype html", b"<html"))


def _why_not(part: PartFile, broken: "_BrokenOff", failures: int) -> str:
    tries = f", {failures} times" if failures > 1 else ""
    kept = f"; {part.size:,} bytes are kept in {part.part} for the next time" if part.size and part.tag else ""
    return f"{part.url}: {broken}{tries}{kept}"


class _Redirections(urllib.request.HTTPRedirectHandler):
    """urllib's own lead to http and https (and ftp, which nothing here opens); this one does not leave https either."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if req.full_url.startswith("https://") and not newurl.startswith("https://"):
            raise urllib.error.HTTPError(req.full_url, code, f"leads away from https, to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _BrokenOff(Exception):
    """Not all of the file has come."""

    def __init__(
        self, reason: str, *, final: bool = False, unreachable: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(reason)
        self.final = final
        """Asking again would change nothing."""
        self.unreachable = unreachable
        """There was no server; that is final too where there never was one."""
        self.retry_after_s = retry_after_s
        """What the server asked for, in seconds."""


class _RangeRefused(Exception):
    """The server has no bytes from there on."""

    def __init__(self, total: int | None) -> None:
        super().__init__(total)
        self.total = total
        """The bytes that it has."""
