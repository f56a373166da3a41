"""Answers that need no model, for tests of batch jobs: a row or two an image, made from its name."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from regnety.images.sources import source_name
from regnety.inference.jobs.job import Job
from regnety.inference.jobs.rows import PredictionRows
from regnety.inference.predictor import ClassProbability, Prediction


def prediction(name: str) -> Prediction:
    """The same for the same name; one in some names cannot be read."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    if digest[0] < 16:
        return Prediction(name, f"{name}: is empty", ())
    entries = (ClassProbability(digest[1], f"class {digest[1] % 3}", digest[2] / 255), ClassProbability(7, None, 0.001))
    return Prediction(name, None, entries)


def answer(sources: Iterable[Any], count: int | None) -> Iterator[Prediction]:
    """Each in its turn."""
    for source in sources:
        yield prediction(source_name(source) or "")


def job_of(answers: Any = None, *, row_format: str = "csv", **settings: Any) -> "Job[Prediction]":
    """A job of such answers."""
    return Job(answer=answers or answer, rows=PredictionRows(), row_format=row_format, settings=settings)


class Answers:
    """Answers, and what was asked; something may happen at the image of a number."""

    def __init__(self, at: int | None = None, error: BaseException | None = None) -> None:
        self.asked: list[str] = []
        self._at, self._error = at, error

    def __call__(self, sources: Iterable[Any], count: int | None) -> Iterator[Prediction]:
        """As `answer`."""
        for source in sources:
            if len(self.asked) == self._at and self._error is not None:
                raise self._error
            self.asked.append(source_name(source) or "")
            yield prediction(self.asked[-1])
