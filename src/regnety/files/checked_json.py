"""JSON from an untrusted file: of bounded size, and without duplicate keys."""

import json
from typing import Any

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer
from regnety.text import excerpt

LARGEST_JSON = 2 << 20
"""Bytes, enough for some 20,000 tensors. Parsed, JSON takes up to thirty times its size."""


def read_json(text: Buffer) -> Any:
    """The value of a text.

    Raises:
        WeightsError: it is too long, not JSON, or has a key twice; the message is the rest of a sentence about it.
    """
    if len(text) > LARGEST_JSON:
        raise WeightsError(f"has {len(text)} bytes of JSON; at most {LARGEST_JSON} are read")
    try:
        return json.loads(text[:].decode(), object_pairs_hook=_without_doubles)
    except WeightsError:  # it is a ValueError too, and has its message already
        raise
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"is damaged: {excerpt(error)}") from None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # json keeps the last of two equal keys, other readers the first: such a file would be two different models.
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise WeightsError(f"has {excerpt(key)} twice")
        members[key] = value
    return members
