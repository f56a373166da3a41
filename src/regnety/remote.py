"""Files in stores with an address, such as s3://bucket/photo.jpg: one fsspec file system per process and scheme.

fsspec is imported when the first address is met. Endpoint and credentials come from the environment, as each store's
own tools take them (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...), and from fsspec's variables (FSSPEC_S3_ANON=true).
"""

import os
from typing import Any, TypeAlias

from regnety.extras import import_extra
from regnety.forks import ProcessLock
from regnety.text import one_line

FileSystem: TypeAlias = Any
"""fsspec's AbstractFileSystem; the package has no type hints."""
WEB = ("http://", "https://")
"""Addresses that are fetched without fsspec."""
S3 = ("s3", "s3a")
STORES = (*S3, "gs", "gcs", "az", "abfs", "abfss", "oss", "hf", "file", "local", "memory")
"""Schemes of which one file system serves a whole process, as their addresses name no host."""
# ftp, sftp, smb and hdfs do, and would need a file system per host; some of fsspec's raise when they are closed.
S3_CONFIG = {
    "connect_timeout": 5,
    "read_timeout": 30,  # seconds without a byte
    "retries": {"mode": "standard", "max_attempts": 3},
    "max_pool_connections": 64,  # threads that read at once
}
"""For botocore: with its own values a store that does not answer is reported after minutes, not seconds."""

_file_systems: dict[tuple[int, str], FileSystem] = {}
_starting = ProcessLock()


class UnknownSchemeError(ValueError):
    """An address with a scheme that cannot be read; the message continues a sentence that begins with the address."""


def is_remote(place: object) -> bool:
    """Whether a place is an address for fsspec; http and https are not."""
    return isinstance(place, str) and "://" in place and not place.lower().startswith(WEB)


def file_system(address: str) -> FileSystem:
    """The file system of an address. All threads of a process share it; its methods take addresses as paths.

    Raises:
        MissingExtraError: fsspec is not installed, or for s3:// not s3fs.
        UnknownSchemeError: the scheme is unknown, its package is not installed, or the address is a chain of two.
    """
    scheme, _, rest = address.partition("://")
    if "://" in rest:  # fsspec would read zip://a.png::s3://b.zip
        raise UnknownSchemeError("is a chain of addresses; give a single address")
    key = (os.getpid(), scheme)  # a forked child must not use the parent's connections
    with _starting:
        if key not in _file_systems:
            _file_systems[key] = _started(scheme)
        return _file_systems[key]


def what_went_wrong(error: BaseException, address: str) -> str:
    """The reason why a file system failed, in one line without the address; each store raises errors of its own."""
    said, kind = one_line(error), type(error).__name__
    if isinstance(error, UnknownSchemeError):
        return said
    if isinstance(error, FileNotFoundError):
        scheme, _, path = address.partition("://")
        is_bucket = scheme in S3 and "/" not in path.rstrip("/")  # FileNotFoundError for either
        return "there is no such bucket" if is_bucket or "bucket" in said.lower() else "no such file or folder"
    if isinstance(error, IsADirectoryError):
        return "is a folder, not a file"
    if isinstance(error, PermissionError):
        return f"access is denied: {said}"
    if kind in ("NoCredentialsError", "PartialCredentialsError"):
        return (
            "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or FSSPEC_S3_ANON=true for a public bucket"
        )
    if kind == "ParamValidationError":  # botocore refuses such a name before it asks the store
        return "is not the address of a file or folder; s3://BUCKET/NAME is"
    return f"cannot be reached: {said}"


def _started(scheme: str) -> FileSystem:
    if scheme not in STORES:
        raise UnknownSchemeError(f"an address begins with one of http, https, {', '.join(STORES)} and ://")
    for module in ("fsspec.config", *(("s3fs",) if scheme in S3 else ())):
        import_extra(module, feature=f"{scheme}://", extra="remote")
    import fsspec

    options: dict[str, Any] = {}
    if scheme in S3:
        options = {"config_kwargs": S3_CONFIG, "use_listings_cache": False}
        for name in fsspec.config.conf.get("s3", {}):
            options.pop(name, None)  # the user's own settings win
    try:
        return fsspec.filesystem(scheme, **options)
    except ImportError as error:  # fsspec says "install gcsfs" even if gcsfs is there and broken
        broken = error.__cause__ if not isinstance(error.__cause__, ModuleNotFoundError) else None
        raise UnknownSchemeError(f"{scheme}:// cannot be read: {one_line(broken or error)}") from None
