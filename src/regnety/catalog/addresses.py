"""Where a MODEL says that it is, in timm's words: `hf-hub:owner/name` on the Hub, `local-dir:folder` on this disk."""

HUB = "hf-hub:"
LOCAL = "local-dir:"
_SCHEMES = {"hf-hub": HUB, "hf_hub": HUB, "local-dir": LOCAL}
"""timm's spellings, the older one too; capitals do not matter there either."""


def split_address(text: str) -> tuple[str | None, str]:
    """`HUB` or `LOCAL`, and the place behind it; None and the whole text where it begins with neither."""
    scheme, colon, place = text.partition(":")
    known = _SCHEMES.get(scheme.lower()) if colon else None
    return (None, text) if known is None else (known, place)
