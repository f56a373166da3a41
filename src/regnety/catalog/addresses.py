"""Where a MODEL says that it is, in timm's words: `hf-hub:owner/name` on the Hub, `local-dir:folder` on this disk."""

import re

from regnety.errors import UnknownModelError

HUB = "hf-hub:"
LOCAL = "local-dir:"
_SCHEMES = {"hf-hub": HUB, "hf_hub": HUB, "local-dir": LOCAL}
"""timm's spellings, the older one too; capitals do not matter there either."""

# Compiled when first used: this module is imported by every command, and few are given an address.
_WORD = r"\w(?:[\w.-]{0,94}\w)?"
_REPOSITORY = rf"({_WORD}/{_WORD})(?:@(\S+))?"
_FORBIDDEN = r"--|\.\.|\.git$"
"""In the name of a repository. The Hub forbids them; huggingface_hub would raise an error of its own."""


def split_address(text: str) -> tuple[str | None, str]:
    """`HUB` or `LOCAL`, and the place after it; None and the whole text if it begins with neither."""
    scheme, colon, place = text.partition(":")
    known = _SCHEMES.get(scheme.lower()) if colon else None
    return (None, text) if known is None else (known, place)


def parse_hub_address(address: str) -> tuple[str, str | None]:
    """`hf-hub:owner/name@revision`, with or without prefix and revision, to the repository and the revision.

    Raises:
        UnknownModelError: it is no such address.
    """
    parts = re.fullmatch(_REPOSITORY, split_address(address)[1], re.ASCII)
    if parts is None or re.search(_FORBIDDEN, parts[1]):
        raise UnknownModelError(f"{address}: names no repository of the Hub; one is {HUB}OWNER/NAME[@REVISION]")
    return parts[1], parts[2]
