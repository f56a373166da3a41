"""JSON in a file that nobody has checked: of bounded size, and with no key twice."""

import json
from typing import Any

from regnety.errors import WeightsError
from regnety.files.mapped_files import Buffer
from regnety.text import excerpt

LARGEST_JSON = 2 << 20
"""Bytes: some 20,000 tensors. Python makes JSON up to thirty times larger."""


def read_json(text: Buffer) -> Any:
    """The value of a text.

    Raises:
        WeightsError: it is too long, no JSON, or has a key twice; the message is the rest of a sentence about the text.
    """
    if len(text) > LARGEST_JSON:
        raise WeightsError(f"has {len(text)} bytes of JSON, and {LARGEST_JSON} are the most that is read")
    try:
        return json.loads(text[:].decode(), object_pairs_hook=_without_doubles)
    except WeightsError:  # which is a ValueError too
        raise
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"is damaged: {excerpt(error)}") from None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise WeightsError(f"has {excerpt(key)} twice")
        members[key] = value
    return members
