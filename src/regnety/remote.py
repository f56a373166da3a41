"""Files in stores that have an address, as s3://bucket/photo.jpg: one file system a process and scheme, from fsspec.

Nothing of it is imported before an address is met. Endpoint and credentials come from the environment, as each store's
own tools take them (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...), and from fsspec's own (FSSPEC_S3_ANON=true).
"""

import os
from typing import Any, TypeAlias

from regnety.extras import import_extra
from regnety.forks import ProcessLock
from regnety.text import one_line

FileSystem: TypeAlias = Any
"""fsspec's AbstractFileSystem, whose package brings no types."""
WEB = ("http://", "https://")
"""Addresses that are fetched without fsspec."""
S3 = ("s3", "s3a")
STORES = (*S3, "gs", "gcs", "az", "abfs", "abfss", "oss", "hf", "file", "local", "memory")
"""Schemes whose file system needs nothing of an address but the path: one serves all of a process. Those with a host in
them (ftp, sftp, smb, hdfs) would need one for each, and some of fsspec's own raise while they are taken down."""
S3_CONFIG = {
    "connect_timeout": 5,
    "read_timeout": 30,  # seconds without a byte
    "retries": {"mode": "standard", "max_attempts": 3},
    "max_pool_connections": 64,  # threads that read at once
}
"""What botocore is told: a store that is not there is said within seconds, not minutes."""

_file_systems: dict[tuple[int, str], FileSystem] = {}
_starting = ProcessLock()


class UnknownSchemeError(ValueError):
    """An address whose scheme nothing here reads; its text is the rest of a sentence about the address."""


def is_remote(place: object) -> bool:
    """Whether a place is an address that fsspec reads or writes; the web's are not."""
    return isinstance(place, str) and "://" in place and not place.lower().startswith(WEB)


def file_system(address: str) -> FileSystem:
    """The file system of an address; all threads of a process share it, and it takes addresses as paths.

    Raises:
        MissingExtraError: fsspec is not installed, or for s3:// not s3fs.
        UnknownSchemeError: nothing reads that scheme, or the package for it is not installed; or it is a chain.
    """
    scheme, _, rest = address.partition("://")
    if "://" in rest:
        raise UnknownSchemeError("is a chain of addresses, and one is wanted")
    key = (os.getpid(), scheme)  # connections and threads do not survive a fork
    with _starting:
        if key not in _file_systems:
            _file_systems[key] = _started(scheme)
        return _file_systems[key]


def what_went_wrong(error: BaseException, address: str) -> str:
    """What a file system raised when it was asked about an address, in one line without the address."""
    said, kind = one_line(error), type(error).__name__
    if isinstance(error, UnknownSchemeError):
        return said
    if isinstance(error, FileNotFoundError):
        scheme, _, path = address.partition("://")
        is_bucket = scheme in S3 and "/" not in path.rstrip("/")
        return "there is no such bucket" if is_bucket or "bucket" in said.lower() else "no such file or folder"
    if isinstance(error, IsADirectoryError):
        return "is a folder, not a file"
    if isinstance(error, PermissionError):
        return f"access is denied: {said}"
    if kind in ("NoCredentialsError", "PartialCredentialsError"):
        return (
            "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or FSSPEC_S3_ANON=true where everybody may read"
        )
    if kind == "ParamValidationError":
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
            options.pop(name, None)  # what a user has set stays
    try:
        return fsspec.filesystem(scheme, **options)
    except ImportError as error:  # fsspec says what to install, and of a package that is broken the same
        broken = error.__cause__ if not isinstance(error.__cause__, ModuleNotFoundError) else None
        raise UnknownSchemeError(f"{scheme}:// cannot be read: {one_line(broken or error)}") from None
