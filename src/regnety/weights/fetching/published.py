"""Published weights on this disk: put there by hand, found in the Hub's cache, or fetched from the Hub."""

import logging
import os
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path

from regnety.catalog.models import model_info
from regnety.catalog.published import PublishedWeights
from regnety.errors import UnknownModelError, UnreachableError, WeightsError
from regnety.files.file_names import WEIGHTS_FILE
from regnety.storage.cache import NO_CACHE, cache_directory, say_not_kept
from regnety.storage.locks import locked
from regnety.storage.replacing import replacing
from regnety.text import reason_of
from regnety.weights.fetching.kept_weights import check_placed, note_fetched

logger = logging.getLogger("regnety")


def fetch(published: PublishedWeights, *, quiet: bool = False) -> Path:
    """The file of published weights on this disk; it is fetched if it is missing.

    It comes from the Hub and stays in the Hub's own cache; `cache_path` leads there. If many processes ask at once, one
    fetches and the others wait. A licence that forbids commercial use is shown before the first use, even if `quiet`.

    Args:
        published: the weights.
        quiet: no progress and no other notices.

    Returns:
        A file whose size and hash are those that were announced; its content has not been read.

    Raises:
        UnknownModelError: it is not here and is unavailable, UnreachableError if the Hub does not answer; the message
            says why, and where it can be put by hand.
        WeightsError: another file came than was announced, and was removed; or a file that was put here by hand does
            not have the published hash, and stays.
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
            file = published.cached_file or _fetch(published, quiet)  # another process may have been faster
    elif file == published.url_path:
        check_placed(file, published.url, published.url_sha256_prefix)
    if first_use:
        with suppress(OSError):  # a cache that cannot be written: it is shown again the next time
            said.touch()
    return file


def fetch_weights(name: str, *, quiet: bool = False) -> Path:
    """The file of a model's published weights on this disk; it is fetched if it is missing (`regnety fetch`).

    Args:
        name: `regnety_040`, or with the tag of other weights than those that the plain name means.
        quiet: no progress and no notices except that of a licence.

    Raises:
        UnknownModelError: there are none of that name, or they are unavailable.
        WeightsError: another file came than was announced, and was removed; or a file that was put here by hand does
            not have the published hash.
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
    """Into the Hub's cache alone, if that is another one and can be written, or has the file."""
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
    # Imported here: huggingface_hub takes 0.13 s to import, and a file that is on this disk does not need it.
    from regnety.weights.fetching.hub import fetch_from_hub, offline_mode

    missing = f"{published.name}: the weights of this model are not on this disk, and"
    try:
        file = fetch_from_hub(published.hub_repo, WEIGHTS_FILE, quiet=quiet)
    except WeightsError as error:
        raise WeightsError(f"{missing} cannot be fetched: {error}; {_by_hand(published)}") from error
    except UnknownModelError as error:
        if variable := offline_mode():
            why = f"{missing} offline mode is on ({variable}); unset it, or {_by_hand(published)}"
            raise UnreachableError(why) from error
        kind = UnreachableError if isinstance(error, UnreachableError) else UnknownModelError
        raise kind(f"{missing} cannot be fetched: {error}; {_by_hand(published)}") from error
    _lead(published.cache_path, file)
    note_fetched(published.cache_path)
    return published.cache_path


def _by_hand(published: PublishedWeights) -> str:
    or_else = "" if published.url is None else f", or the file of {published.url} at {published.url_path}"
    return f"put {WEIGHTS_FILE} of https://huggingface.co/{published.hub_repo} at {published.cache_path}{or_else}"


def _lead(place: Path, file: Path) -> None:
    """Make a place in our cache lead to a file in the Hub's: later runs need neither network nor Hub library."""
    place.unlink(missing_ok=True)  # a link whose file was removed from the Hub's cache
    for link in (os.symlink, os.link):
        with suppress(OSError):  # symlinks may be forbidden, as on Windows; hard links end at the edge of a disk
            link(file.resolve(), place)
            return
    with replacing(place) as beside:
        shutil.copyfile(file, beside)
