"""mistakes.csv: every photograph that was answered wrongly, or could not be read."""

from collections.abc import Iterable
from dataclasses import astuple, fields
from pathlib import Path

from regnety.inference.evaluation_result import EvaluatedImage
from regnety.inference.jobs.row_files import csv_text
from regnety.storage.replacing import replacing


def write_mistakes(path: Path, images: Iterable[EvaluatedImage]) -> int:
    """Write the rows of wrong answers, in the columns of `eval --output rows.csv`; returns their number.

    The surest mistakes come first, as they are the ones to look at; photographs that could not be read come last.
    """
    wrong = [image for image in images if not image.correct]
    wrong.sort(key=lambda image: (image.prob is None, -(image.prob or 0.0), image.filename))
    text = csv_text([[field.name for field in fields(EvaluatedImage)], *map(astuple, wrong)])
    with replacing(path) as beside:
        # On Linux file names are bytes: what is not UTF-8 is spelt out, as in every table of ours.
        beside.write_bytes(text.encode("utf-8", "backslashreplace"))
    return len(wrong)
