"""What is here of a file that is on its way: `NAME.part`, and what it is a part of."""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from regnety.errors import WeightsError


class PartFile:
    """The bytes of a file that have arrived, beside the place where it belongs.

    `NAME.part.tag` names the address and the entity tag (RFC 9110, section 8.8.3) of what they are a part of. Both
    outlive a kill, so that the next process can go on. One process at a time: whoever uses it holds a lock.

    Args:
        path: where the whole file belongs; its folder is there.
        url: where it comes from.
    """

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url
        self.part = path.with_name(f"{path.name}.part")
        self._tag_file = path.with_name(f"{path.name}.part.tag")

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.part.stat().st_size if self.part.is_file() else 0

    @property
    def tag(self) -> str | None:
        """By which the server can tell whether it still has the same file; None where that is not known."""
        try:
            url, _, tag = self._tag_file.read_text("utf-8").partition("\n")
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return tag if tag and url == self.url else None

    def begin(self, tag: str | None) -> None:
        """Start anew with another file, or with another version of it."""
        self._tag_file.unlink(
            missing_ok=True
        )  # before the bytes: a kill between leaves none that somebody goes on with
        self.part.open("wb").close()
        if tag is not None:
            self._tag_file.write_text(f"{self.url}\n{tag}", "utf-8")

    def append(self) -> BinaryIO:
        """The file, to write what comes next."""
        return self.part.open("ab")

    def discard(self) -> None:
        """Forget what has arrived."""
        self._tag_file.unlink(missing_ok=True)
        self.part.unlink(missing_ok=True)

    def finish(self, sha256_prefix: str | None) -> None:
        """Check the whole file, and move it to its place.

        Raises:
            WeightsError: its SHA-256 does not begin with `sha256_prefix`; what has arrived is removed.
        """
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
            digest = "" if sha256_prefix is None else hashlib.file_digest(file, "sha256").hexdigest()
        if sha256_prefix is not None and not digest.startswith(sha256_prefix):
            self.discard()
            raise WeightsError(
                f"{self.url}: gave a wrong file, which was removed: its SHA-256 begins with "
                f"{digest[: len(sha256_prefix)]}, expected {sha256_prefix}"
            )
        self.part.replace(self.path)
        self._tag_file.unlink(missing_ok=True)
