"""A web server on this machine that answers well, badly, and as the Hugging Face Hub does.

with WebServer() as server:
    server.files["/a.pth"] = WebFile(data)
    server.answers["/a.pth"] += [status(503), breaks_off(1000)]  # of the first requests; the others get the file
    urllib.request.urlretrieve(f"{server.url}/a.pth", path)
    assert [request.path for request in server.requests] == ["/a.pth"] * 3
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TypeAlias

COMMIT = "0123456789abcdef0123456789abcdef01234567"
"""Of every repository that the server has as the Hub."""


@dataclass(frozen=True)
class WebFile:
    """What stands at a path, and what the server says of it."""

    data: bytes
    etag: str | None = None
    """As it is sent, with its quotes; made of the data if None."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The entity tag."""
        return f'"{hashlib.md5(self.data).hexdigest()}"' if self.etag is None else self.etag


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    """Of the request line: a whole address where the server is asked as a proxy."""
    headers: Mapping[str, str]


class Handler(BaseHTTPRequestHandler):
    """One request, and the end of its connection."""

    server: "WebServer"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.requests.append(Request(self.command, self.path, dict(self.headers)))
        path = "/" + self.path.split("/", 3)[3] if "://" in self.path else self.path
        answers = self.server.answers[path]
        answer = answers.pop(0) if answers else serve
        if path in self.server.files:
            answer(self, self.server.files[path])
        else:
            self.reply(404, headers=self.server.why_missing(path))

    do_HEAD = do_GET

    def reply(
        self, status: int, body: bytes = b"", *, length: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send an answer; a request for the headers gets no body."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body) if length is None else length), **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


Answer: TypeAlias = Callable[[Handler, WebFile], None]


class WebServer(ThreadingHTTPServer):
    """The server; as a context manager it runs in a thread of its own, on a free port."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, WebFile] = {}
        self.answers: defaultdict[str, list[Answer]] = defaultdict(list)
        self.requests: list[Request] = []
        self.repositories: set[str] = set()

    def __enter__(self) -> "WebServer":
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has hung up."""

    def add_hub_file(self, repo_id: str, filename: str, data: bytes, *, announced: bytes | None = None) -> str:
        """Put a file into a repository; its path. The tag and the size are those of the data that is announced.

        As on the Hub, the tag of a large file is its SHA-256, and that of a small one, here all in JSON, is Git's name.
        """
        told = data if announced is None else announced
        git = filename.endswith(".json")
        name = (hashlib.sha1(b"blob %d\0" % len(told) + told) if git else hashlib.sha256(told)).hexdigest()
        headers = {"X-Repo-Commit": COMMIT}
        if not git:
            headers |= {"X-Linked-ETag": f'"{name}"', "X-Linked-Size": str(len(told))}
        for revision in ("main", COMMIT):
            self.files[f"/{repo_id}/resolve/{revision}/{filename}"] = WebFile(data, f'"{name}"', headers=headers)
        self.repositories.add(repo_id)
        return f"/{repo_id}/resolve/main/{filename}"

    def why_missing(self, path: str) -> dict[str, str]:
        """What the Hub adds to its 404."""
        if "/resolve/" not in path:
            return {}
        if path.partition("/resolve/")[0].removeprefix("/") in self.repositories:
            known = path.partition("/resolve/")[2].partition("/")[0] in ("main", COMMIT)
            return {"X-Error-Code": "EntryNotFound" if known else "RevisionNotFound", "X-Repo-Commit": COMMIT}
        return {"X-Error-Code": "RepoNotFound"}


def right_answer(request: Mapping[str, str], file: WebFile) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of a server that does what it should (RFC 9110, section 14.2)."""
    headers = {**file.headers, "ETag": file.tag}
    wanted, total = request.get("Range"), len(file.data)
    if wanted is None:
        return 200, file.data, headers
    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    return 206, file.data[start:], {**headers, "Content-Range": f"bytes {start}-{total - 1}/{total}"}


def serve(handler: Handler, file: WebFile) -> None:
    """The file, as it was asked for."""
    code, body, headers = right_answer(handler.headers, file)
    handler.reply(code, body, headers=headers)


def status(code: int, **headers: str) -> Answer:
    """An answer without the file; `Retry_After="1"` is a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, file: handler.reply(code, b"not now", headers=named)


def breaks_off(after: int) -> Answer:
    """So many bytes of the answer, and the end of the connection; all of them are announced."""

    def answer(handler: Handler, file: WebFile) -> None:
        code, body, headers = right_answer(handler.headers, file)
        handler.reply(code, body[:after], length=len(body), headers=headers)

    return answer


def page(handler: Handler, file: WebFile) -> None:
    """What a hotel's network gives instead."""
    handler.reply(200, b"\n<!DOCTYPE html><html>Please log in</html>", headers={"Content-Type": "text/plain"})
