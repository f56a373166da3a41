"""The README shows what really happens: its commands run, its Python runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from code_blocks import ROOT, make_workplace

README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ regnety (.+?)(?:  +#.*)?$", re.sub(r"\\\n +", "", README), re.MULTILINE)
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_workplace(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readme_shows_commands_and_python() -> None:
    assert len(COMMANDS) >= 4
    assert len(PYTHON) >= 2
    for target in re.findall(r"^(?:\$ )?make ([\w-]+)", README, re.MULTILINE):
        assert f"\n{target}:" in (ROOT / "Makefile").read_text("utf-8")


def test_every_command_runs_in_the_order_shown(workplace: Path) -> None:
    for command in COMMANDS:
        line = [sys.executable, "-m", "regnety", *shlex.split(command)]
        result = subprocess.run(line, cwd=workplace, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{command}: {result.stderr}"
        assert result.stdout.strip() or "--output" in command or command.startswith("report "), command


@pytest.mark.parametrize("block", PYTHON)
def test_every_python_block_runs(block: str, workplace: Path) -> None:
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})


def test_the_result_shown_is_the_result(workplace: Path) -> None:
    """The table on the first screen, to the printed digit."""
    shown = README.partition("$ regnety predict examples/cat.png\n")[2].partition("```")[0]
    result = subprocess.run(
        [sys.executable, "-m", "regnety", "predict", "examples/cat.png"],
        cwd=workplace,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[1][:3] == ["examples/cat.png", "Egyptian", "cat"]
    assert [row for row in (line.split() for line in shown.splitlines()) if row and row[-1] == "%"] == rows[1:]
