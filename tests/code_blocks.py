"""What a page shows is what happens: its commands and its Python are run in order, and what they print is compared."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FENCE = re.compile(
    r"^(?:<!-- needs: (?P<needs>\w+) -->\n)?```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
NUMBER = r"(?<![\d.])\d+\.\d+(?![\d.])"
TIMEOUT_S = 120
DRAWING = "examples/draw_photographs.py"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    """`console`: commands after `$` and what they print. `python`. `text`: what the Python before it prints."""
    text: str
    line: int
    needs: str | None
    """The module without which it is passed over: `<!-- needs: openvino -->` stands above it."""


def make_workplace(folder: Path) -> None:
    """What the pages speak of: the examples, and the photographs that they draw."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    subprocess.run([sys.executable, DRAWING], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def code_blocks(page: Path) -> list[Block]:
    """The blocks of a Markdown page, without the directives of Sphinx."""
    content = page.read_text("utf-8")
    return [
        Block(match["kind"], match["text"], content[: match.start("text")].count("\n") + 1, match["needs"])
        for match in FENCE.finditer(content)
        if not match["kind"].startswith("{")
    ]


def run_page(page: Path, folder: Path) -> None:
    """Run all blocks of a page in a folder, which is the current one; Python blocks share their names."""
    names: dict[str, Any] = {"__name__": "page"}
    printed = ""
    for block in code_blocks(page):
        place = f"{page.name}, line {block.line}"
        if block.needs is not None and find_spec(block.needs) is None:
            continue
        if block.kind == "python":
            with redirect_stdout(io.StringIO()) as stdout:
                exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
            printed = stdout.getvalue()
        elif block.kind == "text":
            check_shown(block.text, printed, place)
        elif block.kind == "console":
            run_console(block.text, folder, place)
        else:
            raise AssertionError(f"{place}: nothing runs a block of {block.kind!r}")


def run_console(text: str, folder: Path, place: str) -> None:
    """Run the commands of a block, which shows the results of each, or all it says with the results at the end.

    A command may only fail where `echo $?` follows and shows its status.
    """
    session = list(_commands(text))
    status = 0
    for number, (command, shown) in enumerate(session):
        following = session[number + 1][0] if number + 1 < len(session) else ""
        if command == "echo $?":
            check_shown(shown, str(status), f"{place}: {command}")
            continue
        status, results, everything = _run(command, folder)
        assert status == 0 or following == "echo $?", f"{place}: {command}: {everything}"
        if shown.strip():
            check_shown(shown, results if agrees(shown, results) else everything, f"{place}: {command}")


def check_shown(shown: str, printed: str, place: str) -> None:
    """Fail, with both texts, where they do not agree."""
    assert agrees(shown, printed), f"{place} shows\n{shown}\nand prints\n{printed}"


def agrees(shown: str, printed: str) -> bool:
    """Compare without regard to spaces; `...` stands for anything, a number may differ by one in its last digit."""
    pattern, numbers = "", []
    for part in re.split(rf"(\s*\.\.\.\s*|\s+|{NUMBER})", shown.strip()):
        if part.strip() == "...":
            pattern += r".*?"
        elif part.isspace():
            pattern += r"\s+"
        elif re.fullmatch(NUMBER, part):
            decimals = len(part.partition(".")[2])
            pattern += rf"(\d+\.\d{{{decimals}}})"
            numbers.append((float(part), 1.01 * 10**-decimals))
        else:
            pattern += re.escape(part)
    match = re.fullmatch(pattern, printed.strip(), re.DOTALL)
    return match is not None and all(
        abs(float(found) - number) <= tolerance
        for (number, tolerance), found in zip(numbers, match.groups(), strict=True)
    )


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command with what is shown below it."""
    for entry in re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, shown = entry.partition("\n")
        yield re.sub(r"\s+#.*", "", command).strip(), shown


def _run(command: str, folder: Path) -> tuple[int, str, str]:
    """Status, results, and all that was printed. Nothing is installed: that an extra exists is looked up."""
    words, piped = shlex.split(command), None
    if "|" in words:
        before, words = words[: words.index("|")], words[words.index("|") + 1 :]
        piped = subprocess.run(before, cwd=folder, capture_output=True, check=True).stdout.decode()
    if words[0] == "make":
        assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text("utf-8"), command
        return 0, "", ""
    if words[:2] == ["pip", "install"]:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
        named = re.fullmatch(r"(?:regnety|\.)(?:\[([\w,]+)\])?", words[2])
        assert named, command
        assert set((named[1] or "torch").split(",")) <= extras.keys(), command
        return 0, "", ""
    if words == ["python", DRAWING]:  # make_workplace has run it
        return 0, "", ""
    assert words[0] == "regnety", f"nothing runs {command!r}"
    stdin = None
    if "<" in words:
        stdin = (folder / words.pop()).open("rb")
        words.remove("<")
    line = [sys.executable, "-m", "regnety", *words[1:]]
    result = subprocess.run(
        line,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # two that wait for each other lose minutes on a busy machine
        **({"input": piped} if piped is not None else {"stdin": stdin or subprocess.DEVNULL}),
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )
    if stdin is not None:
        stdin.close()
    return result.returncode, result.stdout, result.stderr + result.stdout
