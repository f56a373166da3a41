"""Files of the Hugging Face Hub, in the Hub's own cache: timm and transformers find them there, and we find theirs.

huggingface_hub fetches them: it locks, resumes within a process, and retries. What it does not do is done here: it
compares no hash, and without a network it keeps asking for 23 seconds (measured with 2.4). Importing it takes 0.13 s,
so this module is imported only when there is something to fetch. `HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME` and
`HF_HUB_OFFLINE` are huggingface_hub's own variables.
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path
from typing import Any

from regnety.storage.cache import NO_CACHE, cache_directory
from regnety.storage.room import check_room, disk_full

# huggingface_hub reads HF_HOME when it is imported. Without a home directory it would create a folder named "~".
if os.path.expanduser("~") == "~":
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
from huggingface_hub.utils import are_progress_bars_disabled, tqdm  # type: ignore[attr-defined]

from regnety.catalog.addresses import parse_hub_address
from regnety.errors import UnknownModelError, UnreachableError, WeightsError
from regnety.files.file_names import (
    CONFIG_FILE,
    GRAPH_DATA_FILE,
    GRAPH_FILE,
    INDEX_SUFFIX,
    PROCESSOR_FILE,
    TRAINING_FILES,
    WEIGHTS_FILES,
)
from regnety.progress import ByteProgress
from regnety.text import one_line

MODEL_FILES = (*WEIGHTS_FILES, GRAPH_FILE)
"""What the weights of a repository may be in; the first that it has is taken."""
BUSY_STATUSES = (408, 429, 500, 502, 503, 504)
"""Answers of a server that may answer otherwise in a while; those that huggingface_hub retries."""
OFFLINE_VARIABLES = ("REGNETY_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Ours, and the two that huggingface_hub obeys."""
TRUE = ("1", "ON", "YES", "TRUE")
"""huggingface_hub's list, capitals ignored."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class NotOnHubError(UnknownModelError):
    """The Hub has no such file; or it must not be asked, and its cache has none."""


def offline_mode() -> str | None:
    """The environment variable that forbids every connection; None if none does."""
    # Read each time: huggingface_hub reads its own once, when it is imported, and a test or notebook may set it later.
    return next((name for name in OFFLINE_VARIABLES if os.environ.get(name, "").upper() in TRUE), None)


def fetch_from_hub(
    repo_id: str, filename: str, *, revision: str | None = None, offline: bool | None = None, quiet: bool = False
) -> Path:
    """A file of a repository, checked against the size and the SHA-256 that the Hub announces.

    If the Hub does not answer or must not be asked, what its cache has of that revision is the answer.

    Args:
        repo_id: `timm/regnety_032.tv2_in1k`.
        filename: `model.safetensors`.
        revision: a branch, a tag or a commit; `main` if None.
        offline: whether to use the cache alone; if None, as the environment says.
        quiet: show no progress.

    Returns:
        Its place in the Hub's cache.

    Raises:
        UnknownModelError: it is unavailable: NotOnHubError if there is no such file, UnreachableError if the Hub does
            not answer. The message begins with the address of the repository.
        WeightsError: it is not what the Hub announced, and was removed.
        OSError: it cannot be written, as on a full disk.
    """
    return _fetch_or_find(repo_id, filename, revision, _forbidden_by(offline), quiet)[0]


def fetch_repo(repo_id: str, *, weights: bool = True, offline: bool | None = None, quiet: bool = False) -> Path:
    """A model's repository: its configuration, and its weights in the first form of `MODEL_FILES` that it has.

    Files of the newest commit that are in the cache are not asked for again: a repository that was fetched before costs
    one short request.

    Args:
        repo_id: `hf-hub:owner/name` or `hf-hub:owner/name@revision`; the prefix may be omitted.
        weights: False for the configuration alone.
        offline: whether to use the cache alone; if None, as the environment says.
        quiet: show no progress.

    Returns:
        The folder of that commit in the Hub's cache, with config.json.

    Raises:
        UnknownModelError: there is no such repository, or it is unavailable.
        WeightsError: it holds no weights, or a file is not what the Hub announced.
        OSError: a file cannot be written, as on a full disk.
    """
    name, revision = parse_hub_address(repo_id)
    source = _source(name)
    config, obstacle = _fetch_or_find(name, CONFIG_FILE, revision, _forbidden_by(offline), quiet)
    folder = config.parent
    # From here on by the commit, which is the folder's name: a push between two files would give halves of two models.

    def of_that_commit(filename: str) -> Path:
        cached = try_to_load_from_cache(name, filename, revision=folder.name)
        if isinstance(cached, str):
            return Path(cached)
        if cached is not None:  # the cache remembers that the Hub has no such file
            raise NotOnHubError(f"{source}: has no {filename}")
        return _fetch_or_find(name, filename, folder.name, obstacle, quiet)[0]

    def if_there(filename: str) -> Path | None:
        # Only a clear no counts as one. A model whose preprocessor file was lost to a busy server would run, with
        # another mean and std, and answer a little worse.
        with suppress(NotOnHubError):
            return of_that_commit(filename)
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
        if b'"regnety"' in config.read_bytes():  # only our own bundles have it: other repositories are not asked
            if_there(TRAINING_FILES)
    return folder


def _shards(index: Path) -> list[str]:
    """The files that an index names."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        shards = {*json.loads(index.read_text("utf-8"))["weight_map"].values()}
        # A name with a folder in it would be fetched to a place outside of the model's folder.
        if all(isinstance(shard, str) and shard == Path(shard).name for shard in shards):
            return sorted(shards)
    raise WeightsError(f"{index}: is not an index of files beside it")


def _forbidden_by(offline: bool | None) -> str | None:
    """Why the Hub must not be asked; None if it may be."""
    name = offline_mode() if offline is None else "offline=True" if offline else None
    return None if name is None else f"is not in the Hub's cache, and {name} forbids asking the Hub"


def _fetch_or_find(
    repo_id: str, filename: str, revision: str | None, obstacle: str | None, quiet: bool
) -> tuple[Path, str | None]:
    """A file from the Hub, or from its cache if there is an obstacle; and the obstacle, whether given or met."""
    source = _source(repo_id)
    announced: HfFileMetadata | None = None
    missing: type[UnknownModelError] = NotOnHubError
    if obstacle is None:
        try:
            announced = _announced(hf_hub_url(repo_id, filename, revision=revision), quiet)
        except EntryNotFoundError as error:
            with suppress(EntryNotFoundError, HTTPError, OSError):  # asked so, the cache remembers that there is none
                hf_hub_download(repo_id, filename, revision=revision)
            raise NotOnHubError(f"{source}: has no {filename}") from error
        except (HTTPError, OfflineModeIsEnabled, OSError, ValueError) as error:
            if not _is_unreachable(error):
                raise UnknownModelError(f"{source}: {_refusal(error, revision)}") from error
            obstacle, missing = f"is unavailable: {_refusal(error, revision)}", UnreachableError
    if announced is None:
        cached = try_to_load_from_cache(repo_id, filename, revision=revision)
        if not isinstance(cached, str):
            raise missing(f"{source}: {filename} {obstacle}")
        path, size, etag = Path(cached), None, _name_of_blob(Path(cached))
    else:
        path, size, etag = _download(repo_id, filename, revision, announced, quiet), announced.size, announced.etag
    _check(path, size, etag, source)
    return path, obstacle


def _announced(url: str, quiet: bool) -> HfFileMetadata:
    """What the Hub says of a file; huggingface_hub waits for a busy server."""
    try:
        # First without its retries: they do not tell a busy server from a missing network, which is said at once.
        return get_hf_file_metadata(url)
    except HfHubHTTPError as error:
        if not _is_unreachable(error):
            raise
    with _silenced(quiet):
        return get_hf_file_metadata(url, retry_on_errors=True)


def _is_unreachable(error: Exception) -> bool:
    """Whether there was no answer, or none but that the server is busy."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in BUSY_STATUSES
    return isinstance(error, (HTTPError, OfflineModeIsEnabled))


def _download(repo_id: str, filename: str, revision: str | None, announced: HfFileMetadata, quiet: bool) -> Path:
    cache, source = Path(constants.HF_HUB_CACHE), _source(repo_id)
    # huggingface_hub only warns of a full disk, and then fills it.
    if announced.size and not try_to_load_from_cache(repo_id, filename, revision=announced.commit_hash):
        check_room(cache, announced.size)
    try:
        bar = _bar_class(f"{repo_id} {filename}", quiet=quiet)
        with _silenced(quiet):
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
        why = one_line(error.__cause__ or error)
        raise UnknownModelError(f"{source}: {filename} was not fetched: {why}") from error


def _check(path: Path, size: int | None, etag: str | None, source: str) -> None:
    """Compare a file with what was announced of it. The Hub's tag of a large file is its SHA-256, of a small one Git's.

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
    path.resolve().unlink()  # the blob first: huggingface_hub would only link to it again
    path.unlink(missing_ok=True)
    raise WeightsError(f"{source}: gave a wrong {path.name}, now removed: it has {wrong}")


def _name_of_blob(path: Path) -> str | None:
    """The Hub's tag of a file in its cache, if a snapshot consists of links to blobs that are named by their tags."""
    return path.readlink().name if path.is_symlink() else None


def _source(repo_id: str) -> str:
    return f"{constants.ENDPOINT}/{repo_id}"


def _refusal(error: Exception, revision: str | None) -> str:
    match error:
        case GatedRepoError():
            return "accept its terms there first, and set HF_TOKEN"
        case RepositoryNotFoundError():  # the Hub does not tell strangers which of the two it is
            return "there is no such repository; or it is private, and HF_TOKEN is not set to a token that may read it"
        case RevisionNotFoundError():
            return f"has no revision {revision}"
        case HfHubHTTPError():
            return f"the server answers {error.response.status_code}"
        case _:
            return one_line(error)


@contextmanager
def _silenced(quiet: bool) -> Iterator[None]:
    """Without huggingface_hub's own lines about its retries, if `quiet`."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    if quiet:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _bar_class(description: str, *, quiet: bool) -> type[Any]:
    """The class of bars to hand to huggingface_hub: tqdm's, which show nothing, with ours behind them."""
    quiet = quiet or are_progress_bars_disabled()

    class Bar(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": True})  # type: ignore[no-untyped-call]
            self._progress = ByteProgress(
                description, total=options.get("total"), done=options.get("initial", 0), quiet=quiet
            ).__enter__()

        def update(self, n: float | None = 1) -> None:
            self._progress.advance(int(n or 0))

        # hf_xet counts what came over the wire too. Its chunks are compressed: these are not the bytes of the file.
        def update_transfer(self, n: float) -> None:
            """Nothing is shown of it."""

        def set_transfer_postfix_str(self, *arguments: Any, **options: Any) -> None:
            """Nothing is shown of it."""

        def close(self) -> None:
            super().close()
            self._progress.__exit__(None, None, None)

    return Bar
