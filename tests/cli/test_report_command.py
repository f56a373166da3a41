"""`regnety report`."""

from pathlib import Path

import pytest

from commands import one_line, python, regnety_here
from regnety.reports.stored_content import save_content
from report_contents import content, everything

RUN_MAIN = """
import sys
from regnety.cli.main import run
print("status", run(), sorted({"torch", "matplotlib", "sklearn", "onnxruntime"} & sys.modules.keys()))
"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, stored in (("one", content()), ("other", everything())):
        (tmp_path / name).mkdir()
        save_content(tmp_path / name / "report.npz", stored)
    return tmp_path


def test_it_makes_the_report_again_from_one_file(runs: Path) -> None:
    """Neither the photographs nor the model are there, and nothing that takes long to import is needed."""
    result = python(RUN_MAIN, "report", runs / "one")
    assert (result.stdout, result.stderr) == ("status 0 []\n", f"regnety: wrote {runs / 'one' / 'report.html'}\n")
    assert (runs / "one" / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_it_sets_two_runs_beside_each_other(runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "report", "one", "--beside", "other")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "regnety: wrote one/comparison.html\n")
    assert "one beside other" in (runs / "one" / "comparison.html").read_text("utf-8")
    assert sorted(file.name for file in (runs / "one").iterdir()) == ["comparison.html", "report.npz"]


def test_it_writes_another_file(runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (runs / "page.html").write_text("old")
    result = regnety_here(capfd, "report", "one/report.npz", "-o", "page.html")
    said = "regnety: page.html: already exists; it is replaced when the new one is complete\nregnety: wrote page.html\n"
    assert (result.returncode, result.stderr) == (0, said)
    assert "class0" in (runs / "page.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "nowhere: no such folder; RUN is one that finetune or train has written"),
        ((".",), ".: has no report.npz, from which a report is made; finetune and train write it"),
        (("one", "--beside", "nowhere"), "nowhere: no such folder; RUN is one that finetune or train has written"),
        (("damaged.npz",), "damaged.npz: is not what a report is made from"),
        (("one", "-o", "nowhere/page.html"), "nowhere/page.html: there is no folder nowhere"),
        (("one", "-o", "other.html"), "other.html: is a folder"),
        (("one", "-o", "/dev/stdout"), "/dev/stdout: a report is a page; name it .html"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: tuple[str, ...], said: str, runs: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (runs / "other.html").mkdir()
    (runs / "damaged.npz").write_bytes(b"no archive")
    result = regnety_here(capfd, "report", *arguments)
    assert one_line(result).startswith(said)
