"""`regnety design nearest`."""

import csv
import io
import json

import pytest

from commands import regnety_here

DESIGN = "depth=13,w0=24,wa=36.44,wm=2.49,group_width=8"


def test_a_design_and_its_neighbours(capfd: pytest.CaptureFixture[str]) -> None:
    found = json.loads(regnety_here(capfd, "design", "nearest", "--design", DESIGN, "--format", "json").stdout)
    assert found["fit"] == {"w0": 24, "wa": 36.44, "wm": 2.49, "widths": [24, 56, *[152] * 4, *[368] * 7], "e_fit": 0}
    assert [found["nearest"][0][name] for name in ("model", "distance")] == ["regnety_002", 0]
    shown = regnety_here(capfd, "design", "nearest", "--model", "regnety_002", "--count", 2).stdout
    assert "regnety_002" in shown
    assert "linear fit: w0=24, wa=36.44, wm=2.49, e_fit 0.0000" in shown
    table = regnety_here(capfd, "design", "nearest", "--design", DESIGN, "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len(rows) == 5
    assert rows[0]["stage_widths"] == "24:56:152:368"


def test_any_list_of_widths(capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "design", "nearest", "--widths", "32:32:64:128", "--format", "jsonl")
    assert set(json.loads(result.stdout)) == {"w0", "wa", "wm", "widths", "e_fit"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name one of --model, --design and --widths"),
        (("--widths", "8,16", "--design", DESIGN), "name one of"),
        (("--widths", "8,x"), "write whole numbers with commas"),
        (("--widths", "8,0"), "each of widths must be a whole number from 1"),
        (("--model", "regnety_003"), "no model named"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "design", "nearest", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
