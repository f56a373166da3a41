"""What a file without weights looks like, by its first bytes, for the message that refuses it."""

import re

LONGEST_HEAD = 512
"""Bytes that are enough to tell."""

UNKNOWN = "no known format"

_BEGINNINGS = {
    b"version https://git-lfs": "a Git LFS pointer; the file itself was not downloaded (git lfs pull)",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, like Keras's .h5; its weights must be converted first",
    b"\x1f\x8b": "a gzip file; unpack it first",
    b"BZh": "a bzip2 file; unpack it first",
    b"\xfd7zXZ\0": "an xz file; unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd file; unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip file; unpack it first",
    b"Rar!": "a RAR file; unpack it first",
    b"\x93NUMPY": "a single NumPy array (.npy)",
    b"GGUF": "a GGUF file, a format that no RegNet comes in",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"\x7fELF": "a program",
    b"\x08\x01\x12": "a TensorFlow SavedModel",
    b"<?xml": "an XML file, like OpenVINO's; its weights are in the .bin file beside it",
}

# Protobuf files have no magic number: ONNX and TensorFlow are told by the tags of their first fields.
_PATTERNS = {
    rb"\s*<(!doctype|html|head)": "an HTML page, as a failed download leaves",
    rb"\x08[\x02-\x3f][\x12\x1a\x22\x28\x32\x3a\x42]": "an ONNX file, which is a model, not only weights",
    # a flatbuffer names its kind after the offset of its root
    rb".{4}TFL3": "a TensorFlow Lite file",
    rb"\n.{1,3}\n.*\x12": "a TensorFlow graph",
    rb"\s*[{\[]": "JSON; of JSON files only the index of a checkpoint in shards can be read",
    rb"[\t\n\r\x20-\x7e]+$": "text",  # last: JSON and HTML are text too
}


def what_it_looks_like(head: bytes) -> str:
    """A file by its first bytes, as the end of "looks like ..."."""
    for beginning, name in _BEGINNINGS.items():
        if head.startswith(beginning):
            return name
    for pattern, name in _PATTERNS.items():
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return name
    return UNKNOWN
