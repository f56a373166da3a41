"""One way to read any file of weights. Its bytes say what it is, not its name."""

import re
import struct
from pathlib import Path

from regnety.errors import WeightsError
from regnety.files.file_contents import FileContent, walk_tensors
from regnety.files.mapped_files import Buffer, MappedFile, map_file
from regnety.files.recognition import LONGEST_HEAD, UNKNOWN, what_it_looks_like
from regnety.files.safetensors_files import read_safetensors
from regnety.files.safetensors_header import looks_like_safetensors

ZIP_BEGINNINGS = (b"PK\x03\x04", b"PK\x05\x06")  # the second is of an archive without entries

SAFETENSORS_SUFFIX = ".safetensors"

_PICKLE = re.compile(rb"\x80[\x00-\x05]|[(\]}]|L\d+L?\n|c[\w.]+\n[\w.]+\n")
"""How pickles begin: with their protocol; those of 0 and 1 with a container, a number or a name."""


def read_file(path: str | Path) -> FileContent:
    """Read safetensors, any file of `torch.save`, a plain pickle, or all shards that an index lists.

    Nothing in the file is run, and no class that it names is imported. Tensors stay in the file until they are read.

    Args:
        path: the file, or the index of a checkpoint in shards (`model.safetensors.index.json`).

    Raises:
        WeightsError: the file is missing, damaged, of another kind, or would run something; one line that begins with
            the path.
    """
    path = Path(path)
    file = map_file(path)
    head = file.data[:LONGEST_HEAD]
    # A safetensors file may begin with "{" too: where the length of its header ends in the byte 0x7B.
    if head.lstrip()[:1] == b"{" and not looks_like_safetensors(head):
        from regnety.files.shards import read_shards

        return read_shards(file, lambda shard: _read_one(map_file(shard)))
    return _read_one(file)


def _read_one(file: MappedFile) -> FileContent:
    """A file that is no index."""
    path, data = file.path, file.data
    if not data:
        raise WeightsError(f"{path}: is empty")
    head = data[:LONGEST_HEAD]
    if looks_like_safetensors(head) or (path.suffix.lower() == SAFETENSORS_SUFFIX and _is_nothing_known(head)):
        return read_safetensors(file)
    try:
        container, content = _read_torch(path, data)
        for _ in walk_tensors(content):  # checks the depth once, so that later walks need not
            pass
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    # The readers let Python find most damage: a missing key, a tuple of the wrong length. These are its ways to say so.
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, struct.error):
        raise WeightsError(f"{path}: is a damaged file of torch.save") from None
    return FileContent(path=path, mapped=(file,), container=container, content=content, metadata={})


def _is_nothing_known(head: bytes) -> bool:
    """Whether only the name of a file says what it should be."""
    return not _PICKLE.match(head) and not head.startswith(ZIP_BEGINNINGS) and what_it_looks_like(head) == UNKNOWN


def _read_torch(path: Path, data: Buffer) -> tuple[str, object]:
    # Imported here: most files are safetensors, whose reading should not pay for the import of the pickle reader.
    from regnety.files.torch_files.old_format import read_pickles
    from regnety.files.torch_files.zip_format import read_torch_zip

    head = data[:LONGEST_HEAD]
    if head.startswith(ZIP_BEGINNINGS):
        return "torch zip", read_torch_zip(path, data)
    if _PICKLE.match(head):
        return read_pickles(data)
    raise WeightsError(f"is not a file of weights; it looks like {what_it_looks_like(head)}")
