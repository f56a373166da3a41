"""The photographs of the page, each with what is said below it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from regnety.reports.content import Picture, ReportContent
from regnety.reports.pictures import MOST_PAIRS, MOST_SUSPECTS, shown_mistakes, shown_pairs
from regnety.reports.statistics import Figures
from regnety.text import counted


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph with what is said below it.

    Args:
        name: of its file.
        photograph: a data address; None where there is no picture of it.
        class_map: a data address, or None.
        answers: (class, probability or None, kind), where the kind is a class of the style sheet.
        mapped: the class whose map is shown.
    """

    name: str
    photograph: str | None
    class_map: str | None
    answers: Sequence[tuple[str, float | None, str]]
    mapped: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two classes that are taken for each other, with photographs of it."""

    target: str
    prediction: str
    text: str
    photos: Sequence[Photo]


def pairs(content: ReportContent, figures: Figures) -> list[Pair]:
    """The most confused pairs that have photographs to show."""
    support = {each.number: each.recall.count for each in figures.per_class}
    shown = []
    for pair, numbers in zip(figures.confusions[:MOST_PAIRS], shown_pairs(figures), strict=True):
        photos = [_mistake(content, number) for number in numbers]
        if any(photo.photograph for photo in photos):
            text = f"{pair.count} of {counted(support[pair.target], 'photograph')}"
            shown.append(Pair(content.classes[pair.target], content.classes[pair.prediction], text, photos))
    return shown


def mistakes(content: ReportContent, figures: Figures) -> list[Photo]:
    """The answers that were surest and wrong."""
    return [_mistake(content, number) for number in shown_mistakes(figures)]


def suspects(content: ReportContent) -> list[Photo]:
    """Labels that look wrong."""
    return [
        _photo(
            content,
            suspect.name,
            [
                (content.classes[suspect.label], suspect.self_confidence, "label"),
                (content.classes[suspect.suggestion], suspect.prob, "answer"),
            ],
        )
        for suspect in content.suspects[:MOST_SUSPECTS]
    ]


def data_address(jpeg: bytes) -> str:
    """A picture within the page."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _mistake(content: ReportContent, number: int) -> Photo:
    scored = content.scored
    target, answer = int(scored.targets[number]), int(scored.predictions[number])
    of_target = None if scored.probabilities is None else float(scored.probabilities[number, target])
    of_answer = None if scored.confidences is None else float(scored.confidences[number])
    answers = [(content.classes[answer], of_answer, "answer"), (content.classes[target], of_target, "label")]
    return _photo(content, scored.names[number], answers)


def _photo(content: ReportContent, name: str, answers: Sequence[tuple[str, float | None, str]]) -> Photo:
    picture: Picture | None = content.pictures.get(name)
    mapped = next(label for label, _, kind in answers if kind == "answer")
    if picture is None:
        return Photo(name, None, None, answers, mapped)
    class_map = None if picture.class_map is None else data_address(picture.class_map)
    return Photo(name, data_address(picture.photograph), class_map, answers, mapped)


def compared_photo(contents: tuple[ReportContent, ReportContent], numbers: tuple[int, int]) -> Photo:
    """A photograph that two models have answered differently.

    Args:
        contents: of the two reports.
        numbers: of the photograph in each.
    """
    one, other = contents
    target = one.classes[int(one.scored.targets[numbers[0]])]
    answers: list[tuple[str, float | None, str]] = [(target, None, "label")]
    for content, number, kind in zip(contents, numbers, ("first", "second"), strict=True):
        confidences = content.scored.confidences
        answer = content.classes[int(content.scored.predictions[number])]
        answers.append((answer, None if confidences is None else float(confidences[number]), kind))
    name = one.scored.names[numbers[0]]
    picture = one.pictures.get(name) or other.pictures.get(name)
    # no class map: it would be of one of the two answers
    return Photo(name, None if picture is None else data_address(picture.photograph), None, answers, "")
