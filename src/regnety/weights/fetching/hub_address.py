"""How a repository of the Hugging Face Hub is named where a MODEL is asked for."""

import re

from regnety.errors import UnknownModelError

HUB_PREFIX = "hf-hub:"
_ADDRESS = re.compile(r"([\w.-]+/[\w.-]+)(?:@(\S+))?", re.ASCII)


def parse_hub_address(address: str) -> tuple[str, str | None]:
    """`hf-hub:owner/name@revision`, with or without prefix and revision, to the repository and the revision.

    Raises:
        UnknownModelError: it is no such address.
    """
    parts = _ADDRESS.fullmatch(address.removeprefix(HUB_PREFIX))
    if parts is None:
        raise UnknownModelError(f"{address}: names no repository of the Hub; one is {HUB_PREFIX}OWNER/NAME[@REVISION]")
    return parts[1], parts[2]
