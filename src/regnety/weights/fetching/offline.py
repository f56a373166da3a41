"""Whether this process may ask the network for anything."""

import os

from regnety.errors import UnknownModelError

VARIABLES = ("REGNETY_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Ours, and those that huggingface_hub obeys."""
TRUE = ("1", "ON", "YES", "TRUE")


def offline_mode() -> str | None:
    """The environment variable that forbids every connection; None where none does."""
    return next((name for name in VARIABLES if os.environ.get(name, "").upper() in TRUE), None)


class UnreachableError(UnknownModelError):
    """Nobody answers, or nobody may be asked: what else is not on this disk cannot be had either."""
