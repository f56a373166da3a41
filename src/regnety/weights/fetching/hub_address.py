"""How a repository of the Hugging Face Hub is named where a MODEL is asked for."""

import re

from regnety.catalog.addresses import HUB, split_address
from regnety.errors import UnknownModelError

_WORD = r"\w(?:[\w.-]{0,94}\w)?"
_ADDRESS = re.compile(rf"({_WORD}/{_WORD})(?:@(\S+))?", re.ASCII)
_FORBIDDEN = re.compile(r"--|\.\.|\.git$")
"""In the name of a repository; huggingface_hub refuses what the Hub does, with an error of its own."""


def parse_hub_address(address: str) -> tuple[str, str | None]:
    """`hf-hub:owner/name@revision`, with or without prefix and revision, to the repository and the revision.

    Raises:
        UnknownModelError: it is no such address.
    """
    parts = _ADDRESS.fullmatch(split_address(address)[1])
    if parts is None or _FORBIDDEN.search(parts[1]):
        raise UnknownModelError(f"{address}: names no repository of the Hub; one is {HUB}OWNER/NAME[@REVISION]")
    return parts[1], parts[2]
