"""timm's prefixes of a MODEL: `hf-hub:owner/name` on the Hub, `local-dir:folder` on this disk."""

import re

from regnety.errors import UnknownModelError

HUB = "hf-hub:"
LOCAL = "local-dir:"
_SCHEMES = {"hf-hub": HUB, "hf_hub": HUB, "local-dir": LOCAL}
"""timm's spellings, the older one too; as in timm, capitals do not matter."""

# A name on the Hub has 96 characters at most (1 + 94 + 1), and no dot or hyphen at either end.
# Compiled when first used: this module is imported by every command, and few are given an address.
_WORD = r"\w(?:[\w.-]{0,94}\w)?"
_REPOSITORY = rf"({_WORD}/{_WORD})(?:@(\S+))?"
_FORBIDDEN = r"--|\.\.|\.git$"
"""In the name of a repository, as the Hub has it; huggingface_hub would raise an error of another class."""


def split_address(text: str) -> tuple[str | None, str]:
    """`HUB` or `LOCAL`, and the place after it; None and the whole text if it begins with neither."""
    scheme, colon, place = text.partition(":")
    # without a colon it is a name or a place, even if it is called hf-hub
    known = _SCHEMES.get(scheme.lower()) if colon else None
    return (None, text) if known is None else (known, place)


def parse_hub_address(address: str) -> tuple[str, str | None]:
    """`hf-hub:owner/name@revision`, with or without prefix and revision, to the repository and the revision.

    Raises:
        UnknownModelError: it is not such an address.
    """
    # ASCII: else \w would take letters of every script, which the Hub does not
    parts = re.fullmatch(_REPOSITORY, split_address(address)[1], re.ASCII)
    if parts is None or re.search(_FORBIDDEN, parts[1]):
        raise UnknownModelError(f"{address}: is not a repository of the Hub; expected {HUB}OWNER/NAME[@REVISION]")
    return parts[1], parts[2]
