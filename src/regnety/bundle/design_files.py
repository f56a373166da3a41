"""A design as a command line names it: its fields, the JSON of them, or a file that holds it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regnety.architecture.description import AnyDesign
from regnety.architecture.notation import design_from_dict, parse_design
from regnety.errors import InvalidDesignError
from regnety.files.opening import read_file_text
from regnety.text import one_line

SUFFIXES = (".json", ".yaml", ".yml")


def find_design(text: str) -> AnyDesign:
    """What --design means.

    Args:
        text: `depth=13,w0=24,...` (`parse_design`), a table in JSON, or the name of a .json or .yaml file that has
            the table (`design_from_dict`), alone or under `design`: what `describe --format json` printed, a run's
            recipe.yaml, the config.json of a bundle.

    Raises:
        InvalidDesignError: it is no design; the message begins with the file's name where it is one.
    """
    if text.lstrip().startswith("{"):
        return design_from_dict(_table(text, ".json", "the design"))
    path = Path(os.path.expanduser(text))
    if path.suffix.lower() not in SUFFIXES:
        return parse_design(text)
    if not path.exists():
        raise InvalidDesignError(f"{text}: there is no such file; a design is also written name=value,name=value,...")
    try:
        content = read_file_text(path, pipes="open")
    except (OSError, ValueError) as error:
        raise InvalidDesignError(f"{text}: cannot be read: {one_line(error)}") from None
    try:
        return design_from_dict(_table(content, path.suffix.lower(), "the file"))
    except InvalidDesignError as error:
        raise InvalidDesignError(f"{text}: {error}") from None


def _table(content: str, suffix: str, what: str) -> Any:
    """The table of a design, or the one in which it stands."""
    try:
        if suffix == ".json":
            values = json.loads(content)
        else:
            import yaml

            values = yaml.safe_load(content)
    except (ValueError, RecursionError) as error:
        raise InvalidDesignError(f"{what} is not JSON: {one_line(error)}") from None
    except Exception as error:  # yaml's own, whose class is not known before it is imported
        raise InvalidDesignError(f"{what} is not YAML: {one_line(error)}") from None
    for name in ("regnety", "design"):
        if isinstance(values, Mapping) and isinstance(values.get(name), Mapping):
            values = values[name]
    return values
