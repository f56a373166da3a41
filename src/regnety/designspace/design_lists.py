"""Designs from a file: a row each, as `design sample` writes them or as they were written by hand."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regnety.architecture.description import AnyDesign
from regnety.architecture.notation import design_from_dict
from regnety.bundle.design_files import find_design
from regnety.errors import InvalidDesignError
from regnety.extras import import_extra
from regnety.files.opening import read_file_text
from regnety.text import one_line

SUFFIXES = (".parquet", ".csv", ".jsonl")


def read_designs(text: str) -> list[AnyDesign]:
    """The designs of a .parquet, .csv, .json or .jsonl file, or one as the command line takes it (`find_design`).

    A row is a design's fields, or has them as a table or as JSON in the column `design`; the other columns are ignored
    then, but must not say something else of the design.

    Raises:
        MissingExtraError: pyarrow is not installed, for Parquet.
        InvalidDesignError: there is no such file, or a row is no design; the message names it.
    """
    path = Path(text).expanduser()
    if path.suffix.lower() not in SUFFIXES and not _is_list(path):
        return [find_design(text)]
    if not path.exists():
        raise InvalidDesignError(f"{text}: no such file of designs")
    try:
        rows = _rows(path)
    except (OSError, ValueError, csv.Error) as error:
        raise InvalidDesignError(f"{text}: cannot be read: {one_line(error)}") from error
    designs = []
    for number, row in enumerate(rows, start=1):
        try:
            designs.append(_design(row))
        except (InvalidDesignError, ValueError) as error:
            raise InvalidDesignError(f"{text}: design {number}: {one_line(error)}") from error
    if not designs:
        raise InvalidDesignError(f"{text}: has no design")
    return designs


def _is_list(path: Path) -> bool:
    """Whether a .json file holds a list of designs, and not one."""
    if path.suffix.lower() != ".json" or not path.exists():
        return False
    with path.open("rb") as file:
        return file.read(1024).lstrip().startswith(b"[")


def _rows(path: Path) -> list[Any]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        parquet = import_extra("pyarrow.parquet", feature="a Parquet file of designs", extra="table")
        rows: list[Any] = parquet.read_table(path).to_pylist()
        return rows
    content = read_file_text(path)
    if suffix == ".json":
        rows = json.loads(content)
        return rows
    if suffix == ".jsonl":
        return [json.loads(line) for line in content.splitlines() if line.strip()]
    return [
        {key: _number(value) for key, value in row.items() if key is not None and value}
        for row in csv.DictReader(io.StringIO(content))
    ]


def _design(row: Any) -> AnyDesign:
    if not isinstance(row, Mapping) or "design" not in row:
        return design_from_dict(row)
    fields = json.loads(row["design"]) if isinstance(row["design"], str) else row["design"]
    design = design_from_dict(fields)
    for name, value in fields.items():
        if isinstance(value, int | float) and isinstance(row.get(name), int | float) and row[name] != value:
            raise InvalidDesignError(
                f"the column {name} has {row[name]:g} and the column design {value:g}; change both, or leave one out"
            )
    return design


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
