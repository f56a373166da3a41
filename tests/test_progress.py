"""What long work tells: lines in a pipe, a bar on a terminal, nothing when quiet."""

import sys

import pytest

from commands import on_terminal
from regnety import progress
from regnety.progress import ByteProgress, Progress

ON_TERMINAL = """
import os, sys
os.dup2(1, 2)
from regnety.progress import ByteProgress
with ByteProgress("a.pth", total=8_000_000, done=2_000_000) as progress:
    progress.advance(4_000_000)
    progress.say("broke off")
    progress._bar.refresh()
"""


@pytest.fixture
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_INTERVAL_S", 0.0)


@pytest.mark.usefixtures("every_step_is_told")
def test_lines_of_steps_and_bytes(capfd: pytest.CaptureFixture[str]) -> None:
    with Progress("epoch 1/20", total=3) as steps:
        steps.advance(loss=0.5)
    with ByteProgress("a.pth", total=None) as of_bytes:
        of_bytes.advance(1_500_000)
    with ByteProgress("a.pth", total=8_000_000, done=4_000_000) as of_bytes:
        of_bytes.advance(1_000_000)
        of_bytes.say("broke off")
    assert capfd.readouterr() == (
        "",
        "epoch 1/20: 1/3 loss 0.5\na.pth: 1.5 MB\na.pth: 5.0 of 8.0 MB\na.pth: broke off\n",
    )


@pytest.mark.usefixtures("every_step_is_told")
def test_quiet_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    with ByteProgress("a.pth", total=8, quiet=True) as of_bytes:
        of_bytes.advance(1)
        of_bytes.say("broke off")
    assert capfd.readouterr() == ("", "")


def test_a_bar_that_begins_in_the_middle() -> None:
    shown = on_terminal([sys.executable, "-c", ON_TERMINAL], 80)
    assert "a.pth: broke off\n" in shown
    assert "6.0/8.0 MB" in shown
