"""Plain addresses, asked of a real server that does everything wrong once."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from commands import python
from regnety.errors import UnknownModelError, WeightsError
from regnety.weights.fetching import download as download_module
from regnety.weights.fetching.download import download
from regnety.weights.fetching.patience import Patience, retry_after_s
from web_server import (
    Answer,
    Handler,
    WebFile,
    WebServer,
    always,
    breaks_off,
    gives,
    page,
    redirect,
    serve,
    stalls,
    status,
)

DATA = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
HASTE = Patience(timeout_s=0.3, retries=3, first_wait_s=0.005, longest_wait_s=0.05)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as server:
        server.files["/a.pth"] = WebFile(DATA)
        yield server


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fetch(server: WebServer, folder: Path, digits: str | None = SHA256[:8], patience: Patience = HASTE) -> bytes:
    """The file, which must be all that is left in the folder."""
    download(f"{server.url}/a.pth", folder / "a.pth", sha256_prefix=digits, patience=patience)
    assert names(folder) == ["a.pth"]
    return (folder / "a.pth").read_bytes()


def ranges(server: WebServer) -> list[str | None]:
    return [request.headers.get("Range") for request in server.requests]


def test_a_file_comes_whole(server: WebServer, tmp_path: Path) -> None:
    assert fetch(server, tmp_path) == DATA
    assert ranges(server) == [None]
    assert server.requests[0].headers["User-Agent"].startswith("regnety/")


@pytest.mark.parametrize(
    "file", [WebFile(b""), WebFile(DATA, etag=""), WebFile(DATA, etag='W/"weak"'), WebFile(DATA, etag='"fol\r\n ded"')]
)
def test_an_empty_file_and_servers_without_tags(file: WebFile, server: WebServer, tmp_path: Path) -> None:
    server.files["/a.pth"] = file
    assert fetch(server, tmp_path, hashlib.sha256(file.data).hexdigest()) == file.data


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([breaks_off(100_000)], [None, "bytes=100000-"]),
        ([breaks_off(100_000), breaks_off(50_000)], [None, "bytes=100000-", "bytes=150000-"]),
        ([breaks_off(0)], [None, None]),
        ([stalls(100_000)], [None, "bytes=100000-"]),
        ([status(503), status(429, Retry_After="0"), status(500)], [None] * 4),
        ([breaks_off(100_000), status(502)], [None, "bytes=100000-", "bytes=100000-"]),
        ([breaks_off(300_000, length=400_000)], [None, "bytes=300000-"]),
        ([breaks_off(100_000), breaks_off(10, length=150_000)], [None, "bytes=100000-", "bytes=100010-"]),
    ],
    ids=["break", "breaks", "at once", "stall", "busy", "busy later", "longer announced", "shorter rest announced"],
)
def test_what_is_missing_is_asked_for_again(
    answers: list[Answer], asked: list[str | None], server: WebServer, tmp_path: Path
) -> None:
    server.answers["/a.pth"] += answers
    assert fetch(server, tmp_path) == DATA
    assert ranges(server) == asked
    tag = server.files["/a.pth"].tag
    assert [request.headers.get("If-Range") for request in server.requests] == [tag if one else None for one in asked]


def test_a_server_without_parts_is_asked_for_all_of_it(server: WebServer, tmp_path: Path) -> None:
    server.files["/a.pth"] = WebFile(DATA, ranges=False)
    server.answers["/a.pth"] += [breaks_off(100_000)]
    assert fetch(server, tmp_path) == DATA
    assert ranges(server) == [None, "bytes=100000-"]


@pytest.mark.parametrize("etag", ["", 'W/"weak"', '"fol\r\n ded"'])
def test_without_a_tag_nothing_is_pieced_together(etag: str, server: WebServer, tmp_path: Path) -> None:
    server.files["/a.pth"] = WebFile(DATA, etag=etag)
    server.answers["/a.pth"] += [breaks_off(100_000)]
    assert fetch(server, tmp_path) == DATA
    assert ranges(server) == [None, None]


def test_the_time_of_a_change_serves_as_a_tag(server: WebServer, tmp_path: Path) -> None:
    when = formatdate(1_600_000_000, usegmt=True)
    server.files["/a.pth"] = WebFile(DATA, etag="", headers={"Last-Modified": when})
    server.answers["/a.pth"] += [breaks_off(100_000), always(server.files["/a.pth"])]
    assert fetch(server, tmp_path) == DATA
    assert server.requests[1].headers["If-Range"] == when


@pytest.mark.parametrize("answer", [serve, always(WebFile(DATA))], ids=["If-Range", "no If-Range"])
@pytest.mark.parametrize("digits", [SHA256[:8], None])
def test_a_file_that_changes_meanwhile_is_not_mixed(
    answer: Answer, digits: str | None, server: WebServer, tmp_path: Path
) -> None:
    server.answers["/a.pth"] += [gives_then_breaks(OTHER, 100_000), answer]
    assert fetch(server, tmp_path, digits) == DATA


def gives_then_breaks(data: bytes, after: int) -> Answer:
    return lambda handler, file: breaks_off(after)(handler, WebFile(data))


@pytest.mark.parametrize("headers", [{}, {"Content-Range": "bytes 5-9/300000"}, {"Content-Range": "nonsense"}])
def test_a_part_that_was_not_asked_for_is_not_taken(headers: dict[str, str], server: WebServer, tmp_path: Path) -> None:
    def wrong_part(handler: Handler, file: WebFile) -> None:
        handler.reply(206, OTHER[:1000], headers=headers)

    server.answers["/a.pth"] += [breaks_off(100_000), wrong_part]
    assert fetch(server, tmp_path, None) == DATA
    assert ranges(server) == [None, "bytes=100000-", None]


def test_redirections_are_followed(server: WebServer, tmp_path: Path) -> None:
    server.files["/elsewhere/b"] = WebFile(DATA)
    server.answers["/a.pth"] += [redirect("/elsewhere/b"), redirect(f"{server.url}/elsewhere/b")]
    server.answers["/elsewhere/b"] += [breaks_off(100_000)]
    assert fetch(server, tmp_path) == DATA
    assert [request.path for request in server.requests] == ["/a.pth", "/elsewhere/b"] * 2
    assert ranges(server)[2:] == ["bytes=100000-"] * 2


@pytest.mark.parametrize(
    ("answers", "message", "tries"),
    [
        ([status(404)], "the server answers 404 Not Found", 1),
        ([status(403)], "the server answers 403 Forbidden", 1),
        ([redirect("/a.pth")] * 20, "the server answers 302 The HTTP server returned a redirect error", None),
        ([redirect("file:///etc/passwd")], "the server answers 302 ", 1),
        ([redirect("ftp://127.0.0.1/a.pth")], "cannot be reached: unknown url type: ftp", 1),
        ([page], "gives a web page, not the file; is there a log-in between?", 1),
        ([status(503)] * 20, "the server answers 503 Service Unavailable, 4 times", 4),
        ([breaks_off(0)] * 20, "broke off after 0 of 300,000 bytes, 4 times", 4),
        ([stalls(0)] * 20, "broke off: timed out, 4 times", 4),
    ],
    ids=["404", "403", "circle", "file", "ftp", "page", "503", "empty", "stall"],
)
def test_what_cannot_be_had_is_one_line(
    answers: list[Answer], message: str, tries: int | None, server: WebServer, tmp_path: Path
) -> None:
    server.answers["/a.pth"] += answers
    patience = Patience(timeout_s=0.1, retries=3, first_wait_s=0.005)
    with pytest.raises(UnknownModelError) as error:
        download(f"{server.url}/a.pth", tmp_path / "a.pth", patience=patience)
    assert str(error.value).startswith(f"{server.url}/a.pth: {message}")
    assert "\n" not in str(error.value)
    assert tries in (None, len(server.requests))
    assert not (tmp_path / "a.pth").exists()


def test_https_is_not_left() -> None:
    request = urllib.request.Request("https://example.org/a")
    lead = partial(download_module._Redirections().redirect_request, request, None, 302, "Found", {})
    assert lead("https://example.com/b").full_url == "https://example.com/b"
    with pytest.raises(urllib.error.HTTPError, match=r"leads away from https, to http://example\.org/a"):
        lead("http://example.org/a")


def test_other_addresses_are_none(tmp_path: Path) -> None:
    for url in ("file:///etc/passwd", "/etc/passwd", "ftp://127.0.0.1/a"):
        with pytest.raises(UnknownModelError, match="an address begins with http:// or https://"):
            download(url, tmp_path / "a")


def test_nobody_there_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match=r"^http://127\.0\.0\.1:9/a: cannot be reached: .*refused"):
        download("http://127.0.0.1:9/a", tmp_path / "a", patience=Patience(first_wait_s=60))


def test_a_server_that_was_there_is_waited_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    patience = Patience(retries=3, first_wait_s=0.1, longest_wait_s=0.1)  # the server needs 0.02 s to be gone
    with WebServer() as server:
        server.files["/a.pth"] = WebFile(DATA)
        server.answers["/a.pth"] += [breaks_off(100_000), lambda handler, file: handler.server.server_close()]
        with pytest.raises(
            UnknownModelError, match=r"reached: .*refused, 4 times; 100,000 bytes are kept in .*\.part "
        ):
            download(f"{server.url}/a.pth", tmp_path / "a.pth", patience=patience)
    first, *rest = capfd.readouterr().err.splitlines()
    assert first.startswith("a.pth: broke off after 100,000 of 300,000 bytes; again in 0.")
    assert len(rest) == 2
    assert names(tmp_path) == ["a.pth.part", "a.pth.part.tag"]


def test_what_a_busy_server_asks_for_is_waited(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.answers["/a.pth"] += [status(429, Retry_After="7"), status(503, Retry_After="3600")]
    assert fetch(server, tmp_path, patience=Patience(first_wait_s=1, longest_wait_s=9)) == DATA
    assert waits == [7, 9]


def test_more_than_was_announced_is_thrown_away(server: WebServer, tmp_path: Path) -> None:
    def too_much(handler: Handler, file: WebFile) -> None:
        handler.reply(206, OTHER, headers={"ETag": file.tag, "Content-Range": "bytes 100000-149999/150000"})

    server.answers["/a.pth"] += [breaks_off(100_000), too_much]
    assert fetch(server, tmp_path, None) == DATA
    assert ranges(server) == [None, "bytes=100000-", None]


def test_a_web_page_leaves_what_has_arrived(server: WebServer, tmp_path: Path) -> None:
    server.answers["/a.pth"] += [breaks_off(100_000), page]
    with pytest.raises(UnknownModelError, match=r"web page, not the file; .* 100,000 bytes are kept in "):
        fetch(server, tmp_path)
    assert fetch(server, tmp_path) == DATA
    assert ranges(server)[-1] == "bytes=100000-"


@pytest.mark.parametrize("prefix", [SHA256[:8], SHA256])
def test_wrong_bytes_are_removed(prefix: str, server: WebServer, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"old")
    server.answers["/a.pth"] += [gives(WebFile(OTHER))]
    found = hashlib.sha256(OTHER).hexdigest()[: len(prefix)]
    with pytest.raises(WeightsError) as error:
        fetch(server, tmp_path, prefix)
    assert str(error.value) == (
        f"{server.url}/a.pth: gave a wrong file, which was removed: its SHA-256 begins with {found}, expected {prefix}"
    )
    assert names(tmp_path) == ["a.pth"]
    assert (tmp_path / "a.pth").read_bytes() == b"old"
    assert fetch(server, tmp_path, prefix) == DATA


def test_a_shorter_length_than_the_files_is_found_by_the_hash(server: WebServer, tmp_path: Path) -> None:
    server.answers["/a.pth"] += [breaks_off(300_000, length=200_000)]
    with pytest.raises(WeightsError, match="gave a wrong file"):
        fetch(server, tmp_path)
    assert names(tmp_path) == []


def test_progress_resets_the_count_of_failures(server: WebServer, tmp_path: Path) -> None:
    server.answers["/a.pth"] += [breaks_off(20_000)] * 10
    assert fetch(server, tmp_path) == DATA
    assert len(server.requests) == 11


def test_bytes_that_were_here_before_are_no_progress(server: WebServer, tmp_path: Path) -> None:
    server.files["/a.pth"] = WebFile(DATA, ranges=False)
    server.answers["/a.pth"] += [breaks_off(20_000)] * 20
    with pytest.raises(UnknownModelError, match="broke off after 20,000 of 300,000 bytes, 4 times"):
        fetch(server, tmp_path)
    assert len(server.requests) == 4


KILLED = """
import os, signal, sys
from pathlib import Path
from regnety.weights.fetching import download, part_file
if sys.argv[3] == "whole":
    part_file.PartFile.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
download.download(sys.argv[1], Path(sys.argv[2]), sha256_prefix=sys.argv[4])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_goes_on(number: int, server: WebServer, tmp_path: Path) -> None:
    server.answers["/a.pth"] += [stalls(100_000)]
    command = [sys.executable, "-c", KILLED, f"{server.url}/a.pth", str(tmp_path / "a.pth"), "half", SHA256[:8]]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    part = tmp_path / "a.pth.part"
    until = time.monotonic() + 20
    while not (part.is_file() and part.stat().st_size >= 90_000) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(20) != 0
    kept = part.stat().st_size
    assert kept >= 90_000
    assert fetch(server, tmp_path) == DATA
    assert ranges(server) == [None, f"bytes={kept}-"]


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_a_kill_before_the_last_step_costs_no_byte(server: WebServer, tmp_path: Path) -> None:
    result = python(KILLED, f"{server.url}/a.pth", tmp_path / "a.pth", "whole", SHA256[:8])
    assert result.returncode == -signal.SIGKILL
    assert names(tmp_path) == ["a.pth.part", "a.pth.part.tag"]
    assert fetch(server, tmp_path) == DATA
    assert ranges(server) == [None, "bytes=300000-"]


@pytest.mark.parametrize(
    ("tag_file", "goes_on"),
    [
        ("{url}\n{tag}", True),
        ("http://elsewhere/a.pth\n{tag}", False),
        ("{url}\n", False),
        ("\xff", False),
        ("", False),
    ],
)
def test_only_what_is_known_to_be_of_this_file_is_gone_on_with(
    tag_file: str, goes_on: bool, server: WebServer, tmp_path: Path
) -> None:
    (tmp_path / "a.pth.part").write_bytes(DATA[:1000])
    tag = server.files["/a.pth"].tag
    text = tag_file.format(url=f"{server.url}/a.pth", tag=tag)
    (tmp_path / "a.pth.part.tag").write_text(text, "latin-1")
    assert fetch(server, tmp_path) == DATA
    assert ranges(server) == ["bytes=1000-" if goes_on else None]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server: WebServer, tmp_path: Path) -> None:
    (tmp_path / "a.pth.part").write_bytes(OTHER + OTHER)
    (tmp_path / "a.pth.part.tag").write_text(f"{server.url}/a.pth\n{server.files['/a.pth'].tag}")
    assert fetch(server, tmp_path) == DATA
    assert ranges(server) == ["bytes=600000-", None]


@pytest.mark.parametrize("name", ["REGNETY_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked(
    name: str, server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(UnknownModelError, match=f": is not asked, {name} forbids it$"):
        fetch(server, tmp_path)
    assert server.requests == []
    monkeypatch.setenv(name, "0")
    assert fetch(server, tmp_path) == DATA


def test_the_proxy_of_the_environment_is_asked(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    download("http://weights.invalid/a.pth", tmp_path / "a.pth", sha256_prefix=SHA256[:8], patience=HASTE)
    assert (tmp_path / "a.pth").read_bytes() == DATA
    assert [request.path for request in server.requests] == ["http://weights.invalid/a.pth"]


def test_a_disk_without_room_is_seen_before(server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 200_000}))
    server.answers["/a.pth"] += [breaks_off(150_000)]
    with pytest.raises(OSError, match="the disk is full: 300,000 more bytes are needed and 200,000 are free") as error:
        fetch(server, tmp_path)
    assert error.value.filename == str(tmp_path / "a.pth")
    assert (tmp_path / "a.pth.part").stat().st_size == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs the right to mount a small disk")
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_a_disk_that_fills_up(length: str, server: WebServer, small_disk: Path) -> None:
    def without_length(handler: Handler, file: WebFile) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + file.data)

    if length == "unknown":
        server.answers["/a.pth"] += [without_length]
    with pytest.raises(OSError, match="the disk is full: ") as error:
        fetch(server, small_disk)
    needed = r"300,000 more bytes are needed and 1\d\d,\d\d\d are free" if length == "known" else "0 are free"
    assert re.fullmatch(f"the disk is full: {needed}", error.value.strerror)
    assert error.value.filename == str(small_disk / "a.pth")


def test_quiet_says_nothing(server: WebServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    server.answers["/a.pth"] += [breaks_off(1000)]
    download(f"{server.url}/a.pth", tmp_path / "a.pth", patience=HASTE, quiet=True)
    assert capfd.readouterr() == ("", "")


def test_waits_double_within_their_bound() -> None:
    patience = Patience(first_wait_s=1, longest_wait_s=5)
    for failures, longest in ((1, 1), (2, 2), (3, 4), (4, 5), (9, 5)):
        waits = [patience.wait_s(failures) for _ in range(50)]
        assert longest / 2 <= min(waits) < max(waits) <= longest
    assert [patience.wait_s(1, asked) for asked in (0.0, 3.0, 60.0, -2.0)] == [0, 3, 5, 0]


def test_what_servers_ask_for() -> None:
    assert [retry_after_s(value) for value in (None, "7", " 7 ", "soon", "")] == [None, 7, 7, None, None]
    in_a_minute = retry_after_s(formatdate(time.time() + 60, usegmt=True))
    assert in_a_minute is not None
    assert 50 < in_a_minute <= 60
