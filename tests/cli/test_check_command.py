"""`regnety check`, as a process."""

import json
from pathlib import Path

import pytest

from commands import one_line, python, regnety
from pictures import photograph


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for number, label in enumerate(("cat", "dog")):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(6):
            photograph(96, 72, seed=10 * number + index).save(tmp_path / "data" / label / f"{index}.jpg")
    return tmp_path / "data"


def test_nothing_found_is_status_0(data: Path) -> None:
    result = regnety("check", data)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "class  photographs",
        "cat              6",
        "dog              6",
        "",
        "12 photographs of 2 classes: nothing found",
    ]


def test_what_is_found_is_status_1(data: Path) -> None:
    (data / "dog" / "a cat\x1b[31m.jpg").write_bytes((data / "cat" / "0.jpg").read_bytes())
    result = regnety("check", data)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.splitlines()[4:] == [
        "13 photographs of 2 classes, 1 finding",
        "",
        "copies in two classes: 1 photograph in more than one class; keep each in the one that is right",
        f"  {data}/cat/0.jpg = {data}/dog/a cat\\x1b[31m.jpg",
    ]
    result = regnety("check", data, "--format", "json")
    assert result.returncode == 1
    found = json.loads(result.stdout)
    assert (found["count"], found["counts"], len(found["findings"])) == (13, {".": {"cat": 6, "dog": 7}}, 1)


def test_neither_torch_nor_an_engine_is_imported(data: Path) -> None:
    code = (
        "import sys\nfrom regnety.cli.main import run\n"
        "sys.argv = ['regnety', 'check', sys.argv[1]]\nassert run() == 0\n"
        "print(*({'torch', 'onnxruntime', 'openvino', 'sklearn', 'onnx'} & sys.modules.keys()))"
    )
    assert python(code, data).stdout.splitlines()[-1] == ""


def test_what_is_no_data_set_is_one_line(tmp_path: Path) -> None:
    assert one_line(regnety("check", tmp_path / "nowhere")) == f"{tmp_path}/nowhere: there is no such file or folder"
    assert one_line(regnety("check", tmp_path)).startswith(f"{tmp_path}: has no class folders")
