"""How results are printed: a table for people, the rest for programs. The same names everywhere."""

from enum import StrEnum


class RowFormat(StrEnum):
    """Of commands that answer row by row."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


class ReportFormat(StrEnum):
    """Of commands that answer with one report."""

    table = "table"
    json = "json"
