"""Accuracy against latency: which models are on the front, and the picture."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from regnety.errors import InvalidDesignError
from regnety.figures.pareto import ParetoPoint, pareto_front, plot_pareto

POINTS = [
    ParetoPoint("regnety_032.ra_in1k", 81.9, 25.0),
    ParetoPoint("regnety_040.pycls_in1k", 79.2, 24.0),
    ParetoPoint("regnety_002.pycls_in1k", 70.3, 2.2),
    ParetoPoint("regnety_320.pycls_in1k", 80.8, 180.0),
    ParetoPoint("regnety_004.pycls_in1k", 74.0, 4.0),
    ParetoPoint("regnety_006.pycls_in1k", 73.0, 4.0),
]


def test_the_front_is_what_no_other_model_beats() -> None:
    front = [point.name.partition(".")[0] for point in pareto_front(POINTS)]
    assert front == ["regnety_002", "regnety_004", "regnety_040", "regnety_032"]
    assert pareto_front([]) == []
    assert pareto_front(POINTS[:1] * 2) == POINTS[:1]


def test_the_picture_names_every_model_and_is_the_same_every_time(tmp_path: Path) -> None:
    first = plot_pareto(POINTS, tmp_path / "a.png", title="batch 1")
    assert first.read_bytes() == plot_pareto(POINTS, tmp_path / "b.png", title="batch 1").read_bytes()
    with Image.open(first) as picture:
        assert picture.size == (960, 600)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    text = plot_pareto(POINTS, tmp_path / "a.svg").read_text("utf-8")
    assert ElementTree.fromstring(text).tag.endswith("svg")
    for name in ("032", "040", "002", "320", "004", "006"):
        assert f"<!-- {name} -->" in text


@pytest.mark.parametrize("latency_ms", [3.0, 30000.0])
def test_an_axis_has_figures_whatever_it_spans(latency_ms: float, tmp_path: Path) -> None:
    points = [POINTS[2], ParetoPoint("x", 80.0, latency_ms)]
    text = plot_pareto(points, tmp_path / "a.svg").read_text("utf-8")
    figures = [line.strip() for line in text.splitlines() if line.strip().startswith("<!-- ")]
    assert sum(figure.removeprefix("<!-- ").removesuffix(" -->").replace(".", "").isdigit() for figure in figures) >= 8


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDesignError, match=r"a.pdf: a picture is written as .png or .svg; name such a file$"):
        plot_pareto(POINTS, tmp_path / "a.pdf")
