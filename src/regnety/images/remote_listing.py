"""The images of a folder in a store (s3://bucket/photos), by the same rules as a folder on this disk.

S3 is asked page by page, a thousand names at a time, so that a program that takes images from `list_images` has the
first before the last is listed. Other stores give all names of a folder at once. The commands hold the names of what
their arguments name, as they count them first; what they read with `--from` is not held.
"""

from collections.abc import Iterator

from regnety.errors import MissingExtraError
from regnety.images.formats import SUFFIXES, is_passed_over
from regnety.images.sources import ImageSource, Unreadable, without_images
from regnety.remote import S3, FileSystem, file_system, what_went_wrong


def list_remote(address: str, *, recursive: bool = False) -> Iterator[ImageSource]:
    """The image at an address, or those of the folder there, sorted by their whole name.

    An address with an image's suffix is that image, without a request; one that ends in a slash is a folder.

    Args:
        address: of a store.
        recursive: search sub-folders too, but for those that are passed over.

    Raises:
        MissingExtraError: fsspec is not installed, or for s3:// not s3fs.
    """
    if address.lower().endswith(SUFFIXES):
        yield address
        return
    found = False
    try:
        files = file_system(address)
        if not address.endswith("/") and not _is_folder(files, address):
            yield address
            return
        folder = address.rstrip("/")
        for inner in _inner_names(files, folder, recursive):
            if inner.lower().endswith(SUFFIXES) and not any(map(is_passed_over, inner.split("/"))):
                found = True
                yield f"{folder}/{inner}"
        if not found:
            yield without_images(address, recursive)
    except MissingExtraError:
        raise
    except Exception as error:  # fsspec's stores raise their own libraries' errors, which have no common base
        yield Unreadable(address, what_went_wrong(error, address))


def _is_folder(files: FileSystem, address: str) -> bool:
    return bool(files.info(address)["type"] == "directory")


def _inner_names(files: FileSystem, folder: str, recursive: bool) -> Iterator[str]:
    """Names of the files in a folder from there on, sorted."""
    if folder.partition("://")[0] in S3:
        yield from _s3_names(files, folder, recursive)
        return
    if recursive:
        names = files.find(folder)
    else:
        names = [entry["name"] for entry in files.ls(folder, detail=True) if entry["type"] != "directory"]
    start = len(files._strip_protocol(folder).rstrip("/")) + 1  # the names come with the folder, without s3:// or gs://
    yield from sorted(name[start:] for name in names)


def _s3_names(files: FileSystem, folder: str, recursive: bool) -> Iterator[str]:
    """The same on S3, which lists names in the order of their UTF-8 bytes: that is the order of their characters."""
    bucket, key, _ = files.split_path(folder)
    prefix = f"{key}/" if key else ""
    # With a delimiter S3 groups what is below a further slash, and leaves it out of "Contents".
    question = {"Bucket": bucket, "Prefix": prefix, **({} if recursive else {"Delimiter": "/"})}
    while True:
        page = files.call_s3("list_objects_v2", **question)
        yield from (entry["Key"][len(prefix) :] for entry in page.get("Contents", ()))
        if not page.get("IsTruncated"):
            return
        question["ContinuationToken"] = page["NextContinuationToken"]
