"""The report as a file: what it shows, and that it can neither load nor run what a stranger's names hold."""

import base64
import hashlib
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from regnety.reports.content import (
    AugmentedPhotograph,
    Curve,
    Finding,
    Picture,
    ReportContent,
    ScoredPhotographs,
    SuspectLabel,
)
from regnety.reports.report import write_report
from report_contents import JPEG, content, everything, probabilities, scored

HOSTILE = (
    '<script>alert("1")</script>',
    "\"' onload=alert(1) x='",
    "naïve 雪 \u202egnp\n\x07",
    "x" * 300,
    "</style></script><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}\udcff",  # a folder's name on Linux may be no text
)


class Elements(HTMLParser):
    """Elements of a page with their attributes, and the text of the scripts."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.script = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag  # every element is closed in its order

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.script += data


def page(shown: ReportContent, folder: Path) -> str:
    return write_report(folder / "report.html", shown).read_text("utf-8")


def hostile() -> ReportContent:
    """Every text that there can be is hostile."""
    targets = np.arange(36) % 6
    rows = probabilities(targets, 6, sure=0.5)
    names = tuple(f"{HOSTILE[target]}{number}" for number, target in enumerate(targets))
    first, *_ = HOSTILE
    answers = ScoredPhotographs(
        split=first,
        names=names,
        targets=targets,
        predictions=rows.argmax(1),
        probabilities=rows,
        uncalibrated=rows,
    )
    return ReportContent(
        model=first,
        classes=HOSTILE,
        scored=answers,
        method=first,
        counts=dict.fromkeys(HOSTILE, 3),
        published_top1=50.0,
        published_source=first,
        suspects=tuple(
            SuspectLabel(name=name, label=0, suggestion=1, self_confidence=0.1, prob=0.9) for name in HOSTILE
        ),
        curves=(Curve(title=first, x_label=first, y_label=first, x=(1, 2), series=dict.fromkeys(HOSTILE, (1, 2))),),
        augmented=(AugmentedPhotograph(name=first, variants=(JPEG,)),),
        findings=(Finding(title=first, text=first, count=9, examples=HOSTILE),),
        seconds=dict.fromkeys(HOSTILE, 1.0),
        command=first,
        facts=dict(zip(HOSTILE, HOSTILE, strict=True)),
        notices=HOSTILE,
        errors=HOSTILE,
        pictures={name: Picture(photograph=JPEG, class_map=JPEG) for name in names},
    )


@pytest.mark.parametrize("shown", [hostile(), everything(), content()], ids=["hostile", "everything", "least"])
def test_nothing_is_loaded_and_nothing_runs_but_the_sorting(shown: ReportContent, tmp_path: Path) -> None:
    text = page(shown, tmp_path)
    elements = Elements(text)
    assert elements.open == []
    assert [tag for tag, _ in elements.found].count("script") == 1
    assert {tag for tag, _ in elements.found} & {"link", "iframe", "object", "embed", "base", "form", "image"} == set()
    for _, attributes in elements.found:
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(str(each["content"]) for _, each in elements.found if each.get("http-equiv"))
    digest = base64.b64encode(hashlib.sha256(elements.script.encode()).digest()).decode()
    assert policy.split("; ")[0] == "default-src 'none'"
    assert f"script-src 'sha256-{digest}'" in policy.split("; ")
    assert "@import" not in text
    assert "url(" not in text
    # and every place that is linked to is there
    places = {each["id"] for _, each in elements.found if each.get("id")}
    assert {str(each["href"])[1:] for tag, each in elements.found if tag == "a"} <= places


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    text = unescape(re.sub(r"<[^>]*>", "", page(hostile(), tmp_path).partition("</head>")[2]))
    for name in (HOSTILE[0], HOSTILE[1], HOSTILE[3], HOSTILE[4], "{{ 7 * 7 }}{% raw %}\\udcff"):
        assert name in text
    assert "naïve 雪 \\u202egnp\\n\\x07" in text  # what would act on the page is spelt out


def sections(text: str) -> list[str]:
    return re.findall(r'<section id="(\w+)">', text)


def test_there_is_a_section_for_each_thing_that_is_known(tmp_path: Path) -> None:
    assert sections(page(everything(), tmp_path)) == [
        *("classes", "confusions", "mistakes", "labels", "trust", "roc", "curves", "augmentation", "check", "made")
    ]


def test_everything_that_is_known_is_said(tmp_path: Path) -> None:
    text = unescape(page(everything(), tmp_path))
    said = re.sub(r"[ \n]+", " ", re.sub(r"<[^>]*>", " ", text.partition("</head>")[2]))
    for part in (
        "Published 81.25\u202f%",
        "its authors",
        "regnety finetune photos/ -o runs/it",
        "temperature 1.3",
        "seed 7",
        "processor a fast one",
        "train photographs 30",
        "embeddings 3.0\u202fs",
        "time 4.0\u202fs",
        "Some photographs are held out.",
        "broken.jpg: is empty",
        "exact duplicates 5 Two are alike. a.jpg b.jpg and 3 more",
        "odd.jpg class0 0.016 class2 0.875",
        "method a linear classifier on embeddings",
        "epoch 2",
    ):
        assert part in said, part


def test_without_probabilities_there_is_what_answers_alone_say(tmp_path: Path) -> None:
    answers = scored()
    bare = ScoredPhotographs(
        split="test", names=answers.names, targets=answers.targets, predictions=answers.predictions
    )
    text = page(content(bare), tmp_path)
    assert sections(text) == ["classes", "confusions", "mistakes", "made"]
    wrong = [name for name, right in zip(bare.names, bare.right, strict=True) if not right]
    assert 0 < len(wrong) < 24
    assert all(f"<bdi>{name}</bdi>" in text for name in wrong)


def test_a_model_without_mistakes_says_what_that_is_worth(tmp_path: Path) -> None:
    text = page(content(scored(20, sure=30)), tmp_path)
    # Wilson's interval for 20 of 20
    assert (
        "runs/it is right about all of 20 test photographs; with so few of them, its accuracy on new ones may be "
        "as low as 83.9\u202f%." in text
    )
    assert sections(text) == ["classes", "mistakes", "trust", "roc", "made"]
    assert "There is none." in text
    assert "-0.0" not in text


def test_one_mistake_is_one(tmp_path: Path) -> None:
    answers = scored(20, sure=30)
    predictions = answers.predictions.copy()
    predictions[3] = (predictions[3] + 1) % 3
    one = ScoredPhotographs(split="test", names=answers.names, targets=answers.targets, predictions=predictions)
    text = page(content(one), tmp_path)
    assert "1 wrong answer." in text
    assert "95.0\u202f% of 20 test photographs (95\u202f% interval 76.4 to 99.1\u202f%).</h1>" in text


def test_the_verdict_names_what_is_most_often_confused(tmp_path: Path) -> None:
    answers = ScoredPhotographs(
        split="test", names=tuple("abcd"), targets=np.array([0, 1, 1, 2]), predictions=np.array([0, 2, 2, 2])
    )
    text = page(content(answers, seen=True), tmp_path)
    assert (
        "runs/it is right about 50.0\u202f% of 4 test photographs (95\u202f% interval 15.0 to 85.0\u202f%), "
        "it most often takes class1 for class2, and it was fitted on them: expect less of it on new ones.</h1>" in text
    )


def test_a_matrix_has_every_count_and_many_classes_are_a_list(tmp_path: Path) -> None:
    few = scored(90, 3, sure=1)
    text = page(content(few), tmp_path)
    part = text.partition('<table class="matrix')[2].partition("</table>")[0].partition("<tbody>")[2]
    cells = [[int(cell or 0) for cell in re.findall(r"<td[^>]*>(\d*)</td>", row)] for row in part.split("</tr>")[:-1]]
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (few.targets, few.predictions), 1)
    assert cells == [[*row, sum(row)] for row in expected.tolist()]
    many = page(content(scored(2000, 1000, sure=3), classes=1000), tmp_path)
    assert '<table class="matrix' not in many
    assert "The first 200 confusions; " in many
    assert many.count('<figure class="roc">') == 24


def test_a_picture_stands_where_its_photograph_is_named(tmp_path: Path) -> None:
    answers = scored()
    worst = answers.names[int(np.flatnonzero(~answers.right)[0])]
    other = replace(content(), pictures={worst: Picture(photograph=JPEG, class_map=JPEG + b"map")})
    text = page(other, tmp_path)
    assert f'alt="Photograph {worst}"' in text
    assert base64.b64encode(JPEG + b"map").decode() in text
    assert "what is coloured speaks for its answer" in text
    assert "what is coloured" not in page(content(), tmp_path)
