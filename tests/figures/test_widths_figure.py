"""The picture of a design: the figures drawn, and the file."""

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from commands import one_line, python, regnety
from regnety.architecture.description import AnyDesign
from regnety.architecture.design import AnyNetDesign, Design
from regnety.architecture.stages import StageDesign
from regnety.catalog.models import model_info
from regnety.errors import InvalidDesignError
from regnety.figures.widths import _draw, plot_widths

REGNETY_002 = model_info("regnety_002").design
REGNETY_008 = model_info("regnety_008").design
ANYNET = AnyNetDesign(stages=tuple(StageDesign(width=8 * n, depth=n, group_width=8) for n in (1, 3, 2)))
ONE_BLOCK = Design(depth=1, w0=8, wa=0, wm=2, group_width=8)
MANY_STAGES = Design(depth=60, w0=8, wa=20, wm=1.1, group_width=8)


def drawn(design: AnyDesign) -> dict[str, list[float]]:
    axes = Figure().add_subplot()
    _draw(axes, design)
    return {str(line.get_label()): list(np.asarray(line.get_ydata(), float)) for line in axes.get_lines()}


def test_the_line_and_the_steps_are_the_papers() -> None:
    lines = drawn(REGNETY_002)
    assert lines["$u_j = w_0 + w_a j$"] == pytest.approx([24 + 36.44 * block for block in range(13)])
    assert lines["$w_j$"] == [24, 56, *[152] * 4, *[368] * 7]
    assert "after fitting to groups" not in lines


def test_widths_that_the_groups_moved_are_shown() -> None:
    lines = drawn(REGNETY_008)
    assert sorted(set(lines["$w_j$"])) == [56, 136, 320, 776]
    assert sorted(set(lines["after fitting to groups"])) == [64, 128, 320, 768]


def test_stages_given_one_by_one_have_no_line() -> None:
    lines = drawn(ANYNET)
    assert "$u_j = w_0 + w_a j$" not in lines
    assert lines["$w_j$"] == [8, 24, 24, 24, 16, 16]


@pytest.mark.parametrize("design", [REGNETY_002, ANYNET, ONE_BLOCK, MANY_STAGES], ids=["002", "any", "one", "many"])
@pytest.mark.parametrize("log_scale", [False, True])
def test_png_is_a_picture_and_the_same_every_time(design: AnyDesign, log_scale: bool, tmp_path: Path) -> None:
    first = plot_widths(design, tmp_path / "a.png", log_scale=log_scale)
    again = plot_widths(design, tmp_path / "b.PNG", log_scale=log_scale)
    assert first.read_bytes() == again.read_bytes()
    with Image.open(first) as picture:
        assert picture.size == (960, 600)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.PNG"]


def test_svg_is_the_same_in_every_process(tmp_path: Path) -> None:
    here = plot_widths(REGNETY_002, tmp_path / "here.svg", title="regnety_002")
    code = "import sys; from regnety import model_info; from regnety.figures.widths import plot_widths\n"
    code += "plot_widths(model_info('regnety_002').design, sys.argv[1], title='regnety_002')"
    subprocess.run([sys.executable, "-c", code, tmp_path / "there.svg"], check=True)
    assert here.read_bytes() == (tmp_path / "there.svg").read_bytes()
    assert ElementTree.parse(here).getroot().tag.endswith("svg")


def test_the_users_own_style_changes_nothing(tmp_path: Path) -> None:
    import matplotlib

    plain = plot_widths(REGNETY_002, tmp_path / "plain.png").read_bytes()
    with matplotlib.rc_context({"axes.facecolor": "red", "figure.dpi": 30, "savefig.dpi": 20, "font.size": 30}):
        assert plot_widths(REGNETY_002, tmp_path / "own.png").read_bytes() == plain
        assert matplotlib.rcParams["axes.facecolor"] == "red"


def test_pyplot_is_left_alone(tmp_path: Path) -> None:
    code = "import sys; from regnety import model_info; from regnety.figures.widths import plot_widths\n"
    code += "plot_widths(model_info('regnety_002').design, sys.argv[1]); print('matplotlib.pyplot' in sys.modules)"
    result = python(code, tmp_path / "a.svg")
    assert (result.stdout, result.stderr) == ("False\n", "")


@pytest.mark.parametrize("name", ["widths.pdf", "widths", "widths.png.txt"])
def test_other_suffixes_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidDesignError, match=rf"{name}: a picture is written as .png or .svg; name such a file$"):
        plot_widths(REGNETY_002, tmp_path / name)


def test_describe_draws_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "widths.png"
    result = regnety("describe", "regnety_002", "--plot", path, "--format", "json")
    assert (result.returncode, result.stderr) == (0, f"regnety: wrote {path}\n")
    assert result.stdout.startswith("{")
    assert path.read_bytes() == plot_widths(REGNETY_002, tmp_path / "own.png", title="regnety_002").read_bytes()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere/a.png", "{tmp}/nowhere/a.png: there is no folder {tmp}/nowhere"),
        ("a.gif", "{tmp}/a.gif: a picture is written as .png or .svg"),
    ],
)
def test_describe_refuses_a_wrong_place(place: str, message: str, tmp_path: Path) -> None:
    result = regnety("describe", "regnety_002", "--plot", tmp_path / place)
    assert one_line(result).startswith(message.format(tmp=tmp_path))


def test_without_matplotlib_the_extra_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['matplotlib'] = None\nfrom regnety.cli.main import main\nmain()"
    result: Any = python(code, "describe", "regnety_002", "--plot", tmp_path / "a.png")
    assert one_line(result) == "a plot needs an extra: pip install '.[plot]' in a clone of regnety"
    assert list(tmp_path.iterdir()) == []
