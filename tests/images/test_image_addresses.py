"""Images from the web: a real server on this machine that answers well and badly."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from pictures import encoded, noise
from regnety.errors import ImageError
from regnety.images import sources
from regnety.images.decoding import load_image

PICTURE = encoded(noise(40, 30), "PNG")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/missing.jpg":
            self.send_error(404)
        elif path == "/moved.png":
            self._answer(b"", status=302, Location="/good.png")
        elif path == "/circle.png":
            self._answer(b"", status=302, Location="/circle.png")
        elif path == "/away.png":
            self._answer(b"", status=302, Location="file:///etc/passwd")
        elif path == "/short.png":
            self._answer(PICTURE[:-200], length=len(PICTURE))
        elif path == "/page.jpg":
            self._answer(b"<html>not here</html>" * 9)
        elif path == "/empty.jpg":
            self._answer(b"")
        elif path == "/slow.png":
            self.server.stalled.wait(20)  # type: ignore[attr-defined]
        else:
            self._answer(PICTURE)

    def _answer(self, data: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        http_server.stalled = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=http_server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http_server.server_port}"
        http_server.stalled.set()  # type: ignore[attr-defined]
        http_server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["good.png", "good.png?width=40", "moved.png"])
def test_an_address_is_an_image(name: str, server: str) -> None:
    np.testing.assert_array_equal(load_image(f"{server}/{name}"), noise(40, 30))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.jpg", "the server answers 404 Not Found"),
        ("circle.png", "the server answers 302 "),
        ("away.png", "the server answers 302 "),
        ("short.png", "broke off after "),
        ("page.jpg", "is not an image that can be read (JPEG"),
        ("empty.jpg", "is empty"),
        ("slow.png", "cannot be fetched: timed out"),
    ],
)
def test_what_the_web_gives_instead_is_one_line(
    name: str, message: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TIMEOUT_S", 0.5)
    with pytest.raises(ImageError) as error:
        load_image(f"{server}/{name}")
    assert str(error.value).startswith(f"{server}/{name}: {message}")
    assert "\n" not in str(error.value)


def test_nobody_there(server: str) -> None:
    with pytest.raises(ImageError, match=r"^http://127\.0\.0\.1:9/a\.jpg: cannot be fetched: .*[Rr]efused"):
        load_image("http://127.0.0.1:9/a.jpg")
    with pytest.raises(ImageError, match=r"^http://: cannot be fetched: "):
        load_image("http://")


def test_a_file_over_the_limit_is_not_read_to_the_end(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_FETCHED_BYTES", 100)
    with pytest.raises(ImageError, match=r"bytes are over the limit of 100$"):
        load_image(f"{server}/good.png")
