"""A design as the command line takes it: its fields, their JSON, or a file with them."""

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
    """The design that --design means.

    Args:
        text: `depth=13,w0=24,...` (`parse_design`), a table in JSON, or a .json or .yaml file with that table
            (`design_from_dict`), alone or under `design`: the output of `describe --format json`, a run's
            recipe.yaml, the config.json of a bundle.

    Raises:
        InvalidDesignError: it is not a design; the message begins with the file's name, if there is a file.
    """
    if text.lstrip().startswith("{"):  # no path begins so, and no list of fields
        return design_from_dict(_table(text, ".json", "the design"))
    path = Path(os.path.expanduser(text))  # shells do not expand the ~ of --design=~/mine.json
    if path.suffix.lower() not in SUFFIXES:
        return parse_design(text)
    if not path.exists():
        raise InvalidDesignError(f"{text}: no such file; a design can also be written name=value,name=value,...")
    try:
        content = read_file_text(path, pipes="open")
    except (OSError, ValueError) as error:
        raise InvalidDesignError(f"{text}: cannot be read: {one_line(error)}") from None
    try:
        return design_from_dict(_table(content, path.suffix.lower(), "the file"))
    except InvalidDesignError as error:
        raise InvalidDesignError(f"{text}: {error}") from None


def _table(content: str, suffix: str, what: str) -> Any:
    """The table of a design, found in the tables around it."""
    try:
        if suffix == ".json":
            values = json.loads(content)
        else:
            import yaml

            values = yaml.safe_load(content)
    except (ValueError, RecursionError) as error:
        raise InvalidDesignError(f"{what} is not JSON: {one_line(error)}") from None
    except Exception as error:  # yaml's own class, which is imported only above
        raise InvalidDesignError(f"{what} is not YAML: {one_line(error)}") from None
    for name in ("regnety", "design"):  # config.json has the one in the other
        if isinstance(values, Mapping) and isinstance(values.get(name), Mapping):
            values = values[name]
    return values
