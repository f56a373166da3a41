"""A real S3 server on this machine: moto's, in a process of its own.

with S3Server() as server:
    server.make_bucket("photos")
    server.put("photos/cat.jpg", data)
    regnety("predict", "s3://photos/cat.jpg", **server.environment)
"""

import subprocess
import sys
import urllib.parse
import urllib.request
from types import TracebackType

_PROGRAM = """
import sys, threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()  # until whoever started this ends, however that happens
"""
ENDING_S = 60.0


class S3Server:
    """The server; as a context manager it runs, on a free port."""

    def __enter__(self) -> "S3Server":
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(ENDING_S)
        self._process.stdout.close()

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to know of it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def make_bucket(self, bucket: str) -> None:
        """Make an empty bucket."""
        self._ask("PUT", bucket, b"")

    def put(self, place: str, data: bytes) -> None:
        """Put an object at BUCKET/KEY."""
        self._ask("PUT", place, data)

    def get(self, place: str) -> bytes:
        """The object at BUCKET/KEY."""
        return self._ask("GET", place)

    def _ask(self, method: str, place: str, data: bytes | None = None) -> bytes:
        address = f"{self.url}/{urllib.parse.quote(place)}"
        headers = {"Content-Type": "application/octet-stream"}  # urllib's own would be a form's
        request = urllib.request.Request(address, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=ENDING_S) as response:
            answer: bytes = response.read()
        return answer
