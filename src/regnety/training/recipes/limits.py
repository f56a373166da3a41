"""What the values of a recipe may be."""

from regnety.errors import RecipeError


def require(name: str, allowed: bool, words: str, value: object) -> None:
    """Refuse a value that is not allowed.

    Raises:
        RecipeError: the message names the field, what it may be, and what it is.
    """
    if not allowed:
        raise RecipeError(f"{name} must be {words}, got {value}")
