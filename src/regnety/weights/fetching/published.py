"""Published weights, from wherever they can be had: this disk, the Hub, the address that their authors gave."""

import logging
import os
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path

from regnety.catalog.models import model_info
from regnety.catalog.published import PublishedWeights
from regnety.errors import RegNetYError, UnknownModelError, WeightsError
from regnety.files.file_names import WEIGHTS_FILE
from regnety.storage import NO_CACHE, cache_directory, locked, replacing, say_not_kept
from regnety.text import reason_of
from regnety.weights.fetching.kept_weights import note_fetched
from regnety.weights.fetching.offline import UnreachableError, offline_mode

logger = logging.getLogger("regnety")


def fetch(published: PublishedWeights, *, quiet: bool = False) -> Path:
    """The file of published weights on this disk; it is fetched where it is missing.

    The Hub is asked first, then the address of the weights if they have one. What came from the Hub stays in the Hub's
    own cache, and `cache_path` leads there. Of many processes that ask at once one fetches, and the others wait for it.
    A licence that forbids commercial use is said before the first use, also where all else is quiet.

    Args:
        published: the weights.
        quiet: no progress and no other notices.

    Returns:
        A file whose size and hash are those that were announced; nobody has looked at what is in it.

    Raises:
        UnknownModelError: it is not here and cannot be had, UnreachableError where nobody answers; the message says
            why, and where it can be put by hand.
        WeightsError: what came was another file than announced; it was removed.
        OSError: it cannot be written, as on a full disk.
    """
    said = published.cache_path.with_name(f".{published.name}.licence-said")
    first_use = published.noncommercial and not os.path.exists(said)
    if first_use:
        logger.warning(published.licence_notice)
    file = published.cached_file
    if file is None:
        with ExitStack() as alone:
            try:
                alone.enter_context(locked(published.cache_path, on_wait=lambda: _say_waiting(published, quiet)))
            except OSError as error:
                return _fetch_without_our_cache(published, error, quiet)
            file = published.cached_file or _fetch(published, quiet)
    if first_use:
        with suppress(OSError):  # said once more, then
            said.touch()
    return file


def fetch_weights(name: str, *, quiet: bool = False) -> Path:
    """The file of a model's published weights on this disk; it is fetched where it is missing (`regnety fetch`).

    Args:
        name: `regnety_040`, or with the tag of other weights than those that the plain name means.
        quiet: no progress and no notices but that of a licence.

    Raises:
        UnknownModelError: there are none of that name, or they cannot be had.
        WeightsError: what came was another file than announced; it was removed.
        OSError: it cannot be written, as on a full disk.
    """
    published = model_info(name).published
    if published is None:
        raise UnknownModelError(f"{name}: comes with the package, there is nothing to fetch")
    return fetch(published, quiet=quiet)


def _say_waiting(published: PublishedWeights, quiet: bool) -> None:
    if not quiet:
        logger.warning(f"{published.name}: another process is fetching it; waiting for that")


def _fetch_without_our_cache(published: PublishedWeights, our_error: OSError, quiet: bool) -> Path:
    """Into the Hub's cache alone, where that is another one and can be written, or has the file."""
    from regnety.weights.fetching.hub import fetch_from_hub

    try:
        file = fetch_from_hub(published.hub_repo, WEIGHTS_FILE, quiet=quiet)
    except (UnknownModelError, WeightsError, OSError) as error:
        why = f"nothing can be kept in {cache_directory()} ({reason_of(our_error)})"
        if cache_directory() == NO_CACHE:
            why = "there is no place to keep them, as this user has no home directory"
        raise UnknownModelError(
            f"{published.name}: the weights of this model are not on this disk, and {why}; set REGNETY_CACHE to a "
            "folder that can be written"
        ) from error
    say_not_kept(published.cache_path, our_error)
    return file


def _fetch(published: PublishedWeights, quiet: bool) -> Path:
    from regnety.weights.fetching.hub import fetch_from_hub

    try:
        file = fetch_from_hub(published.hub_repo, WEIGHTS_FILE, quiet=quiet)
    except (UnknownModelError, WeightsError) as error:
        return _fetch_from_address(published, error, quiet)
    _lead(published.cache_path, file)
    note_fetched(published.cache_path)
    return published.cache_path


def _fetch_from_address(published: PublishedWeights, hub_error: UnknownModelError | WeightsError, quiet: bool) -> Path:
    url, path, digits = published.url, published.url_path, published.url_sha256_prefix
    offline = offline_mode()
    if offline and not isinstance(hub_error, WeightsError):
        raise UnreachableError(
            f"{published.name}: the weights of this model are not on this disk, and offline mode is on ({offline}); "
            f"unset it, or {_by_hand(published)}"
        ) from hub_error
    if offline or url is None or path is None:
        raise _not_to_be_had(published, hub_error)
    from regnety.weights.fetching.download import download

    if not quiet:
        logger.warning(f"{hub_error}; trying {url}")
    try:
        download(url, path, sha256_prefix=digits, quiet=quiet)
    except (UnknownModelError, WeightsError) as error:
        raise _not_to_be_had(published, hub_error, error) from error
    note_fetched(path)
    if digits is None and not quiet:
        logger.warning(
            f"{published.name}: no hash of this file is known; that it came from {url} whole, and the keys and shapes "
            "in it, are all that is checked"
        )
    return path


def _not_to_be_had(published: PublishedWeights, *errors: UnknownModelError | WeightsError) -> Exception:
    kind: type[RegNetYError] = UnknownModelError
    if any(isinstance(error, WeightsError) for error in errors):
        kind = WeightsError
    elif all(isinstance(error, UnreachableError) for error in errors):
        kind = UnreachableError
    reasons = "; ".join(map(str, errors))
    return kind(
        f"{published.name}: the weights of this model are not on this disk, and cannot be fetched: {reasons}; "
        f"{_by_hand(published)}"
    )


def _by_hand(published: PublishedWeights) -> str:
    or_else = "" if published.url is None else f", or the file of {published.url} at {published.url_path}"
    return f"put {WEIGHTS_FILE} of https://huggingface.co/{published.hub_repo} at {published.cache_path}{or_else}"


def _lead(place: Path, file: Path) -> None:
    """Make a place in our cache lead to a file in another, so that it can be had from there without asking anyone."""
    place.unlink(missing_ok=True)  # a link that leads nowhere any more
    for link in (os.symlink, os.link):
        with suppress(OSError):  # not allowed, as on Windows, or not from this disk to that
            link(file.resolve(), place)
            return
    with replacing(place) as beside:
        shutil.copyfile(file, beside)
