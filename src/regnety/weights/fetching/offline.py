"""Whether this process may ask the network for anything."""

import os

VARIABLES = ("REGNETY_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Ours, and those that huggingface_hub obeys."""
TRUE = ("1", "ON", "YES", "TRUE")


def offline_mode() -> str | None:
    """The environment variable that forbids every connection; None where none does."""
    return next((name for name in VARIABLES if os.environ.get(name, "").upper() in TRUE), None)
