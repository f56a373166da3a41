"""Files of the Hugging Face Hub, into the Hub's own cache: timm and transformers find them there, and we find theirs.

huggingface_hub fetches them. What it leaves to others is done here: it compares no hash, and where there is no network
it goes on asking for 23 seconds (measured with 2.4). Importing it takes 0.13 s, so this module is imported when there
is something to fetch. `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and `HF_HUB_OFFLINE` are its own.
"""

import hashlib
import json
import logging
import os
import re
import time
from contextlib import suppress
from errno import ENOSPC
from pathlib import Path

from regnety.storage import NO_CACHE, cache_directory, check_room, disk_full

if os.path.expanduser("~") == "~":  # no home directory: it would make a folder of that name
    os.environ.setdefault("HF_HOME", str(cache_directory() / "hub"))

from huggingface_hub import (
    HfFileMetadata,
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is that of its httpx
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from regnety.errors import UnknownModelError, WeightsError
from regnety.files.file_names import (
    CONFIG_FILE,
    GRAPH_DATA_FILE,
    GRAPH_FILE,
    INDEX_SUFFIX,
    PROCESSOR_FILE,
    TRAINING_FILES,
    WEIGHTS_FILES,
)
from regnety.text import one_line
from regnety.weights.fetching.hub_address import parse_hub_address
from regnety.weights.fetching.hub_progress import bar_class
from regnety.weights.fetching.offline import UnreachableError, offline_mode
from regnety.weights.fetching.patience import RETRIED_STATUSES, Patience, retry_after_s

logger = logging.getLogger("regnety")

MODEL_FILES = (*WEIGHTS_FILES, GRAPH_FILE)
"""What the weights of a repository may be in; the first that it has is taken."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class NotOnHubError(UnknownModelError):
    """The Hub has no such file; or it cannot be asked, and its cache has none."""


def fetch_from_hub(
    repo_id: str,
    filename: str,
    *,
    revision: str | None = None,
    offline: bool | None = None,
    patience: Patience | None = None,
    quiet: bool = False,
) -> Path:
    """A file of a repository, checked against the size and the SHA-256 that the Hub announces.

    Where the Hub cannot or must not be asked, what its cache has of that revision is the answer.

    Args:
        repo_id: `timm/regnety_032.tv2_in1k`.
        filename: `model.safetensors`.
        revision: a branch, a tag or a commit; `main` if None.
        offline: whether to ask for nothing; if None, as the environment says.
        patience: how long a Hub that is busy is waited for.
        quiet: show no progress.

    Returns:
        Its place in the Hub's cache.

    Raises:
        UnknownModelError: it cannot be had: NotOnHubError where there is no such file, UnreachableError where there
            is no Hub. The message begins with the address of the repository.
        WeightsError: it is not what the Hub announced, and was removed.
        OSError: it cannot be written, as on a full disk.
    """
    return _fetch_or_find(repo_id, filename, revision, _forbidden_by(offline), patience or Patience(), quiet)[0]


def fetch_repo(
    repo_id: str,
    *,
    weights: bool = True,
    offline: bool | None = None,
    patience: Patience | None = None,
    quiet: bool = False,
) -> Path:
    """A model's repository: its configuration, and its weights in the first form of `MODEL_FILES` that it has.

    What its cache has of the newest commit is not asked for again, so that one short question is all that a
    repository costs that was fetched before.

    Args:
        repo_id: `hf-hub:owner/name` or `hf-hub:owner/name@revision`; the prefix may be missing.
        weights: False for the configuration alone.
        offline: whether to ask for nothing; if None, as the environment says.
        patience: how long a Hub that is busy is waited for.
        quiet: show no progress.

    Returns:
        The folder of that commit in the Hub's cache, with config.json.

    Raises:
        UnknownModelError: there is no such repository, or it cannot be had.
        WeightsError: it holds no weights, or a file is not what the Hub announced.
        OSError: a file cannot be written, as on a full disk.
    """
    name, revision = parse_hub_address(repo_id)
    source, patience = f"{constants.ENDPOINT}/{name}", patience or Patience()
    config, obstacle = _fetch_or_find(name, CONFIG_FILE, revision, _forbidden_by(offline), patience, quiet)
    folder = config.parent

    def of_that_commit(filename: str) -> Path:
        cached = try_to_load_from_cache(name, filename, revision=folder.name)
        if isinstance(cached, str):
            return Path(cached)
        if cached is not None:  # the Hub was asked for it before
            raise NotOnHubError(f"{source}: has no {filename}")
        return _fetch_or_find(name, filename, folder.name, obstacle, patience, quiet)[0]

    def if_there(filename: str) -> Path | None:
        try:
            return of_that_commit(filename)
        except NotOnHubError:
            return None

    if_there(PROCESSOR_FILE)
    if weights:
        found = next((path for path in map(if_there, MODEL_FILES) if path is not None), None)
        if found is None:
            files = ", ".join(MODEL_FILES)
            if obstacle:
                raise NotOnHubError(f"{source}: each of {files} {obstacle}")
            raise WeightsError(f"{source}: has none of {files}")
        for shard in _shards(found) if found.name.endswith(INDEX_SUFFIX) else ():
            of_that_commit(shard)
        if found.name == GRAPH_FILE:
            if_there(GRAPH_DATA_FILE)
        if b'"regnety"' in config.read_bytes():
            if_there(TRAINING_FILES)
    return folder


def _shards(index: Path) -> list[str]:
    """The files that an index names."""
    try:
        shards = {*json.loads(index.read_text("utf-8"))["weight_map"].values()}
        if all(isinstance(shard, str) and shard == Path(shard).name for shard in shards):
            return sorted(shards)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise WeightsError(f"{index}: is not an index of files beside it")


def _forbidden_by(offline: bool | None) -> str | None:
    """Why the Hub must not be asked; None where it may be."""
    name = offline_mode() if offline is None else "offline=True" if offline else None
    return None if name is None else f"is not in the Hub's cache, and {name} forbids to ask for it"


def _fetch_or_find(
    repo_id: str, filename: str, revision: str | None, obstacle: str | None, patience: Patience, quiet: bool
) -> tuple[Path, str | None]:
    """A file from the Hub, or from its cache where there is an obstacle; and the obstacle, whether given or met."""
    source = f"{constants.ENDPOINT}/{repo_id}"
    announced: HfFileMetadata | None = None
    missing: type[UnknownModelError] = NotOnHubError
    if obstacle is None:
        try:
            announced = _announced(repo_id, filename, revision, patience, quiet)
        except _Unreachable as error:
            obstacle, missing = f"cannot be had: {error}", UnreachableError
        except EntryNotFoundError as error:
            with suppress(EntryNotFoundError, HTTPError, OSError):  # it remembers what there is none of
                hf_hub_download(repo_id, filename, revision=revision)
            raise NotOnHubError(f"{source}: has no {filename}") from error
        except (OSError, ValueError) as error:
            raise UnknownModelError(f"{source}: {_refusal(error, revision)}") from error
    if announced is None:
        cached = try_to_load_from_cache(repo_id, filename, revision=revision)
        if not isinstance(cached, str):
            raise missing(f"{source}: {filename} {obstacle}")
        path, size, etag = Path(cached), None, _name_of_blob(Path(cached))
    else:
        path, size, etag = _download(repo_id, filename, revision, announced, quiet), announced.size, announced.etag
    _check(path, size, etag, source)
    return path, obstacle


def _announced(repo_id: str, filename: str, revision: str | None, patience: Patience, quiet: bool) -> HfFileMetadata:
    """What the Hub says of a file.

    Raises:
        _Unreachable: there is no Hub, or it is busy for longer than the patience lasts.
        HfHubHTTPError: it says no.
    """
    failures = 0
    while True:
        try:
            return get_hf_file_metadata(hf_hub_url(repo_id, filename, revision=revision))
        except HfHubHTTPError as error:
            status = error.response.status_code
            failures += 1
            if status not in RETRIED_STATUSES:
                raise
            if failures > patience.retries:
                raise _Unreachable(f"the server answers {status}, {failures} times") from error
            wait_s = patience.wait_s(failures, retry_after_s(error.response.headers.get("Retry-After")))
            if not quiet:
                logger.warning(f"{constants.ENDPOINT}/{repo_id}: the server answers {status}; again in {wait_s:.1f} s")
            time.sleep(wait_s)
        except (HTTPError, OfflineModeIsEnabled) as error:
            raise _Unreachable(one_line(error)) from error


def _download(repo_id: str, filename: str, revision: str | None, announced: HfFileMetadata, quiet: bool) -> Path:
    cache, source = Path(constants.HF_HUB_CACHE), f"{constants.ENDPOINT}/{repo_id}"
    if announced.size and not try_to_load_from_cache(repo_id, filename, revision=announced.commit_hash):
        check_room(cache, announced.size)
    try:
        bar = bar_class(f"{repo_id} {filename}", quiet=quiet)
        return Path(hf_hub_download(repo_id, filename, revision=revision, tqdm_class=bar))
    except (HTTPError, OSError, RuntimeError) as error:  # the last is what hf_xet raises
        if isinstance(error, OSError) and error.errno == ENOSPC:
            raise disk_full(cache, announced.size) from error
        if NO_CACHE in cache.parents:
            raise UnknownModelError(
                f"{source}: there is no place to keep it, as this user has no home directory; set HF_HOME or "
                "REGNETY_CACHE to a folder"
            ) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnknownModelError(f"{source}: {filename} did not come: {one_line(error.__cause__ or error)}") from error


def _check(path: Path, size: int | None, etag: str | None, source: str) -> None:
    """Hold a file against what was announced of it; the Hub's tag of a large file is its SHA-256.

    Raises:
        WeightsError: it is another one; it and what leads to it are removed.
    """
    found_size, found_hash = path.stat().st_size, None
    if etag and _SHA256.fullmatch(etag):
        with path.open("rb") as file:
            found_hash = hashlib.file_digest(file, "sha256").hexdigest()
    if found_hash not in (None, etag):
        wrong = f"the SHA-256 {found_hash}, the Hub announces {etag}"
    elif size not in (None, found_size):
        wrong = f"{found_size:,} bytes, the Hub announces {size:,}"
    else:
        return
    path.resolve().unlink()
    path.unlink(missing_ok=True)
    raise WeightsError(f"{source}: gave a wrong {path.name}, now removed: it has {wrong}")


def _name_of_blob(path: Path) -> str | None:
    """The Hub's tag of a file in its cache, where a snapshot is made of links to files that are named by their tags."""
    return path.readlink().name if path.is_symlink() else None


def _refusal(error: Exception, revision: str | None) -> str:
    match error:
        case GatedRepoError():
            return "its terms are to be accepted there first, and HF_TOKEN is to be set"
        case RepositoryNotFoundError():
            return "there is no such repository; or it is private, and HF_TOKEN is not set to a token that may read it"
        case RevisionNotFoundError():
            return f"has no revision {revision}"
        case HfHubHTTPError():
            return f"the server answers {error.response.status_code}"
        case _:
            return one_line(error)


class _Unreachable(Exception):
    """There is no answer from the Hub."""
