"""Values that timm's and transformers' config.json have in common, taken where they are what they should be."""

from collections.abc import Mapping
from typing import Any


def class_names(names: Any, num_classes: int) -> tuple[str, ...] | None:
    """A list, or a table by index; None where there are none or not as many as classes."""
    if isinstance(names, Mapping):  # JSON's keys are texts, even those that were numbers in Python
        names = [names.get(str(index), names.get(index)) for index in range(num_classes)]
    if not isinstance(names, list) or len(names) != num_classes or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names) or None


def provenance(*tables: Mapping[str, Any]) -> dict[str, Any]:
    """Licence, tag and repository; of several tables the last that has one counts."""
    names = ("license", "tag", "hf_hub_id")
    return {name: table[name] for table in tables for name in names if isinstance(table.get(name), str)}


def numbers(values: Any) -> tuple[float, ...] | None:
    """A list as a tuple, None for anything else; `Preprocessing` checks what is in it."""
    return tuple(values) if isinstance(values, list | tuple) else None
