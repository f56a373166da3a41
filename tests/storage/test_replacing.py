"""Files and folders come to their place whole or not at all."""

import os
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from commands import python
from regnety.storage import replacing as replacing_module
from regnety.storage.replacing import remove_leftovers, replacing, replacing_folder, replacing_together

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from regnety.storage import replacing
with getattr(replacing, sys.argv[1])(sys.argv[2]) as beside:
    (beside / "file" if beside.is_dir() else beside).write_text("half of the n")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def umask() -> Iterator[int]:
    mask = os.umask(0o027)
    yield 0o027
    os.umask(mask)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_whole_with_the_users_mode(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert mode(path) == 0o666 & ~umask
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_replaced_whole_with_the_users_mode(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "parent" / "folder"
    for content in ("old", "new"):
        with replacing_folder(path) as beside:
            (beside / content).write_text(content)
    assert [entry.name for entry in path.iterdir()] == ["new"]
    assert mode(path) == 0o777 & ~umask
    assert [entry.name for entry in path.parent.iterdir()] == ["folder"]


def write_and_fail(context: AbstractContextManager[Path], inside: str, error: type[BaseException]) -> None:
    with context as beside:
        (beside / inside).write_text("new")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_and_nothing_else(error: type[BaseException], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    for context, inside in ((replacing(tmp_path / "file"), ""), (replacing_folder(tmp_path / "folder"), "new")):
        with pytest.raises(error):
            write_and_fail(context, inside, error)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "old"
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_kill_leaves_the_old(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with replacing_folder(tmp_path / "folder") as beside:
        (beside / "file").write_text("old")
    for function, path in (("replacing", "file"), ("replacing_folder", "folder")):
        assert python(KILLED_WHILE_WRITING, function, tmp_path / path).returncode == -signal.SIGKILL
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "file").read_text() == "old"


def test_the_parent_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), replacing(tmp_path / "file" / "below"):
        pass


def test_files_that_belong_together_come_together(tmp_path: Path) -> None:
    with replacing_together(tmp_path / "a.xml") as beside:
        beside.write_text("new")
        beside.with_suffix(".bin").write_text("data")
        assert names(tmp_path) == [beside.parent.name]
    assert (tmp_path / "a.xml").read_text() == "new"
    assert names(tmp_path) == ["a.bin", "a.xml"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_changes_none_of_them(error: type[BaseException], tmp_path: Path) -> None:
    for name in ("a.xml", "a.bin"):
        (tmp_path / name).write_text("old")
    with pytest.raises(error):
        write_and_fail(replacing_together(tmp_path / "a.xml", companions=["a.bin"]), "", error)
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {"a.bin": "old", "a.xml": "old"}


def test_companions_of_an_old_file_go_with_it(tmp_path: Path) -> None:
    for name in ("a.onnx", "a.onnx.data", "b.onnx.data"):
        (tmp_path / name).write_text("old")
    for name in ("a.onnx", "b.onnx"):
        with replacing_together(tmp_path / name, companions=[f"{name}.data"]) as beside:
            beside.write_text("new")
    assert names(tmp_path) == ["a.onnx", "b.onnx", "b.onnx.data"], "what belonged to no old file stays"


def test_a_kill_between_two_files_leaves_no_mixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.xml", "a.bin"):
        (tmp_path / name).write_text("old")
    replace, seen = Path.replace, []

    def watched(self: Path, target: Path) -> Path:
        moved = replace(self, target)
        seen.append({name: (tmp_path / name).read_text() for name in names(tmp_path) if not name.startswith(".")})
        return moved

    monkeypatch.setattr(Path, "replace", watched)
    with replacing_together(tmp_path / "a.xml") as beside:
        beside.write_text("new")
        beside.with_suffix(".bin").write_text("new")
    assert seen == [{"a.bin": "new"}, {"a.bin": "new", "a.xml": "new"}]


STEPS = {"rename": os.rename, "replace": os.replace, "rmtree": shutil.rmtree}


def stops_at(step: int, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], *, done: bool) -> list[str]:
    """Let the n-th change on the disk raise, before it is made or right after it; what was changed until then."""
    changes: list[str] = []

    def stopping(name: str) -> Any:
        def change(*arguments: Any, **options: Any) -> Any:
            changes.append(name)
            if len(changes) != step:
                return STEPS[name](*arguments, **options)
            if done:
                STEPS[name](*arguments, **options)
            raise error

        return change

    monkeypatch.setattr("os.rename", stopping("rename"))
    monkeypatch.setattr("os.replace", stopping("replace"))
    monkeypatch.setattr("shutil.rmtree", stopping("rmtree"))
    return changes


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_an_exception_at_any_step_leaves_the_old_folder_or_the_new_one(
    step: int, done: bool, error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("old")
    with monkeypatch.context() as patched:
        stops_at(step, patched, error, done=done)
        with suppress(OSError, KeyboardInterrupt), replacing_folder(folder) as beside:
            (beside / "file").write_text("new")
    assert (folder / "file").read_text() in ("old", "new")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["folder"]


# between a file's opening and the `with` that closes it
OPEN_FILES = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def interrupted_at(number: int, work: Callable[[], None]) -> bool:
    """Do some work with Ctrl-C at one of the lines that it runs through; False if it has fewer lines."""
    lines = 0

    def at_each_line(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in (replacing_module.__file__, shutil.__file__):
            return None
        lines += event == "line"
        if event == "line" and lines == number:
            raise KeyboardInterrupt
        return at_each_line

    with suppress(KeyboardInterrupt, OSError):  # shutil may close a folder twice by it
        sys.settrace(at_each_line)
        try:
            work()
        finally:
            sys.settrace(None)
    return lines >= number


@OPEN_FILES
def test_an_interrupt_at_any_line_leaves_nothing_beside_the_folder(tmp_path: Path) -> None:
    def write(content: str) -> None:
        with replacing_folder(tmp_path / "folder") as beside:
            (beside / "file").write_text(content)

    write("0")
    for number in count(1):
        if not interrupted_at(number, partial(write, str(number))):
            break
        assert names(tmp_path) == ["folder"], number
        assert names(tmp_path / "folder") == ["file"], number
    assert number > 30
    assert (tmp_path / "folder" / "file").read_text() == str(number)


@OPEN_FILES
def test_an_interrupt_at_any_line_leaves_nothing_beside_the_files(tmp_path: Path) -> None:
    def write(content: str) -> None:
        with replacing_together(tmp_path / "a.xml") as beside:
            beside.write_text(content)
            beside.with_suffix(".bin").write_text(content)

    write("0")
    for number in count(1):
        if not interrupted_at(number, partial(write, str(number))):
            break
        assert names(tmp_path) == ["a.bin", "a.xml"], number
        assert (tmp_path / "a.xml").read_text() == (tmp_path / "a.bin").read_text(), number
    assert number > 30
    assert (tmp_path / "a.xml").read_text() == str(number)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("step", range(1, 8))
def test_an_exception_at_any_step_leaves_the_old_files_or_the_new_ones(
    step: int, done: bool, error: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.xml", "a.bin", "a.more"):
        (tmp_path / name).write_text("old")
    with monkeypatch.context() as patched:
        stops_at(step, patched, error, done=done)
        with (
            suppress(OSError, KeyboardInterrupt),
            replacing_together(tmp_path / "a.xml", companions=["a.more"]) as beside,
        ):
            beside.write_text("new")
            beside.with_suffix(".bin").write_text("new")
    remove_leftovers(tmp_path)
    found = {name: (tmp_path / name).read_text() for name in names(tmp_path)}
    old = dict.fromkeys(("a.bin", "a.more", "a.xml"), "old")
    assert found in (old, {"a.bin": "new", "a.xml": "new"})


KILLED_AT_A_STEP = """
import os, signal, sys
from regnety.storage import replacing
changes, rename = [], os.rename
def change(*arguments, **options):
    changes.append(1)
    if len(changes) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(*arguments, **options)
os.rename = change
with replacing.replacing_folder(sys.argv[1]) as beside:
    (beside / "file").write_text("new")
"""


@pytest.mark.parametrize("who", ["remove_leftovers", "replacing_folder"])
@pytest.mark.parametrize("step", [1, 2])
def test_after_a_kill_between_two_renames_the_old_folder_is_put_back(step: int, who: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("old")
    assert python(KILLED_AT_A_STEP, folder, step).returncode == -signal.SIGKILL
    assert folder.exists() == (step == 1)
    if who == "remove_leftovers":
        remove_leftovers(tmp_path)
        assert names(tmp_path) == ["folder"]
    else:
        with pytest.raises(RuntimeError), replacing_folder(folder):
            raise RuntimeError
    assert (folder / "file").read_text() == "old"


def test_errors_within_a_folder_name_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full") as raised, replacing_folder(tmp_path / "folder") as beside:
        raise OSError(28, "full", str(beside / "model.onnx"))
    assert raised.value.filename == str(tmp_path / "folder")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
