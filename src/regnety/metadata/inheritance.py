"""What holds for a model holds for what is fitted from it: its licence, and the terms of its training pictures."""

from collections.abc import Mapping
from typing import Any

DATA_TERMS = "data_terms"
"""The fact in a model's provenance that says what its training pictures may be used for."""
INHERITED = ("license", DATA_TERMS)


def inherited(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a model's provenance that its descendants have too."""
    return {name: provenance[name] for name in INHERITED if provenance.get(name) is not None}


def terms_in_words(provenance: Mapping[str, Any], name: str) -> str | None:
    """A line on the terms that come with a model, for whoever fits another from it; None without any."""
    terms = provenance.get(DATA_TERMS)
    return None if terms is None else f"{name} was trained on pictures with terms of their own, {terms}"
