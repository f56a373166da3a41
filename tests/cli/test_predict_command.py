"""`regnety predict`, as a process."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from bundles import small_bundle
from commands import one_line, regnety
from pictures import encoded, noise
from regnety import Predictor
from regnety.images.formats import READABLE

ENGINE = f"regnety: answered by ONNX Runtime {onnxruntime.__version__} in f32\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, two pictures, and one that is none."""
    folder = tmp_path_factory.mktemp("predict")
    small_bundle().save(folder / "bundle")
    small_bundle(None).save(folder / "nameless")
    for number in (1, 2):
        noise(40, 30, seed=number).save(folder / f"{number}.png")
    (folder / "bad.jpg").write_bytes(b"text")
    return folder


def test_json(folder: Path) -> None:
    images = [folder / "1.png", folder / "bad.jpg", folder / "missing.png", folder / "2.png"]
    result = regnety("predict", *images, "--model", folder / "bundle", "--top-k", 3, "--format", "json")
    assert (result.returncode, result.stderr) == (1, ENGINE)
    answers = json.loads(result.stdout)
    assert [list(answer) for answer in answers] == [["filename", "error", "predictions"]] * 4
    assert [answer["filename"] for answer in answers] == [str(image) for image in images]
    assert [answer["error"] for answer in answers] == [
        None,
        f"{folder}/bad.jpg: is not an image that can be read (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC)",
        f"{folder}/missing.png: no such file",
        None,
    ]
    assert [len(answer["predictions"]) for answer in answers] == [3, 0, 0, 3]
    assert all(list(entry) == ["index", "label", "prob"] for answer in answers for entry in answer["predictions"])
    wanted = Predictor(folder / "bundle").predict([str(folder / "1.png"), str(folder / "2.png")], 3)
    for answer, prediction in zip(answers[::3], wanted, strict=True):
        for entry, expected in zip(answer["predictions"], prediction.as_dict()["predictions"], strict=True):
            assert entry == {**expected, "prob": pytest.approx(expected["prob"], abs=1e-5)}


def test_jsonl_is_a_line_an_image(folder: Path) -> None:
    images = (folder / "1.png", folder / "2.png", folder / "bad.jpg")
    arguments = ("predict", *images, "--model", folder / "bundle", "--format")
    lines, whole = regnety(*arguments, "jsonl"), regnety(*arguments, "json")
    assert lines.returncode == whole.returncode == 1
    assert [json.loads(line) for line in lines.stdout.splitlines()] == json.loads(whole.stdout)


def test_csv_is_a_row_a_file_and_rank(folder: Path) -> None:
    images = [str(folder / name) for name in ("1.png", "bad.jpg")]
    arguments = ("predict", *images, "--model", folder / "bundle", "--top-k", "2", "--format")
    result, answers = regnety(*arguments, "csv"), json.loads(regnety(*arguments, "json").stdout)
    assert result.stdout.splitlines()[0] == "filename,rank,index,label,prob,error"
    first, second, bad = csv.DictReader(io.StringIO(result.stdout))
    for rank, (row, entry) in enumerate(zip((first, second), answers[0]["predictions"], strict=True), start=1):
        assert row == {
            "filename": images[0],
            "rank": str(rank),
            "index": str(entry["index"]),
            "label": entry["label"],
            "prob": str(entry["prob"]),
            "error": "",
        }
    empty = dict.fromkeys(("rank", "index", "label", "prob"), "")
    assert bad == {"filename": images[1], **empty, "error": answers[1]["error"]}
    assert result.returncode == 1


def test_the_table_is_for_people(folder: Path) -> None:
    result = regnety("predict", folder / "1.png", folder / "bad.jpg", "--model", folder / "bundle", "--top-k", "2")
    header, first, second = (line.split() for line in result.stdout.splitlines())
    assert header == ["image", "class", "probability"]
    assert first[0] == str(folder / "1.png")
    assert (len(first), len(second), first[-1], second[-1]) == (4, 3, "%", "%")
    assert result.returncode == 1
    assert result.stderr == f"{ENGINE}regnety: {folder}/bad.jpg: is not an image that can be read ({READABLE})\n"


def test_without_a_model_the_embedded_one_answers_and_says_so(folder: Path) -> None:
    arguments = ("predict", folder / "1.png", "--format", "json", "--top-k", "10")
    result = regnety(*arguments)
    assert result.returncode == 0
    assert len(json.loads(result.stdout)[0]["predictions"]) == 10
    assert result.stderr.startswith("regnety: no --model given; using regnety_tiny, which knows 200 everyday classes.")
    assert result.stderr.count("\n") == 2
    assert result.stderr.endswith(ENGINE)
    named = regnety(*arguments, "--model", "regnety_tiny")
    quiet = regnety(*arguments, "--quiet")
    assert (named.stderr, quiet.stderr) == (ENGINE, "")
    assert named.stdout == quiet.stdout == result.stdout


def test_without_names_the_index_is_shown_and_said(folder: Path) -> None:
    result = regnety("predict", folder / "1.png", "--model", folder / "nameless", "--format", "json")
    assert [entry["label"] for entry in json.loads(result.stdout)[0]["predictions"]] == [None] * 4
    assert (
        result.stderr == f"regnety: {folder}/nameless has no class names, so indexes are shown; see --labels\n{ENGINE}"
    )


def test_one_missing_image_alone_is_status_1(folder: Path) -> None:
    result = regnety("predict", folder / "missing.png", "--model", folder / "bundle")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"regnety: {folder}/missing.png: no such file\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "regnetz"], "no model named 'regnetz', and no such file or folder; did you mean regnety_"),
        (
            ["--model", "regnety_040"],
            "regnety_040.pycls_in1k: the weights of this model are not on this disk, and offline mode is on",
        ),
        (["--model", "{folder}"], "{folder}: is not a bundle, it has no config.json"),
    ],
)
def test_a_wrong_model_is_one_line_and_status_2(arguments: list[str], message: str, folder: Path) -> None:
    result = regnety("predict", folder / "1.png", *(argument.format(folder=folder) for argument in arguments))
    assert one_line(result).startswith(message.format(folder=folder))


def test_the_traceback_is_shown_on_request(folder: Path) -> None:
    result = regnety("predict", folder / "1.png", "--model", "regnetz", REGNETY_DEBUG="1")
    assert result.returncode != 0
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert "UnknownModelError: no model named 'regnetz'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name images, folders, or a list with --from"),
        (["{folder}/1.png", "--no-such-flag"], "--no-such-flag"),
        (["{folder}/1.png", "--format", "xml"], "xml"),
        (["{folder}/1.png", "--top-k", "0"], "--top-k"),
        (["{folder}/1.png", "--top-k", "many"], "--top-k"),
    ],
)
def test_a_wrong_command_line_is_status_2(arguments: list[str], words: str, folder: Path) -> None:
    result = regnety("predict", *(argument.format(folder=folder) for argument in arguments))
    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
    assert words in result.stderr


@pytest.mark.parametrize("output_format", ["json", "csv", "table"])
def test_a_file_name_need_not_be_text(output_format: str, folder: Path) -> None:
    """Linux names files with bytes; an old archive brings `caf\\xe9.png`."""
    good, bad = (os.fsencode(folder) + name for name in (b"/caf\xe9.png", b"/bad caf\xe9.png"))
    for name, data in ((good, encoded(noise(20, 20))), (bad, b"text")):
        with open(name, "wb") as file:
            file.write(data)
    arguments = (os.fsdecode(good), os.fsdecode(bad), "--model", folder / "bundle", "--format", output_format)
    result = regnety("predict", *arguments, PYTHONIOENCODING="utf-8:strict")  # as in any locale but C
    assert "Traceback" not in result.stderr
    assert result.returncode == 1
    assert "png" in result.stdout


@pytest.mark.parametrize("output_format", ["json", "csv", "table"])
def test_class_names_need_not_fit_the_console(output_format: str, folder: Path) -> None:
    """A console of Windows, or a pipe there, speaks cp1252."""
    bundle = small_bundle(("猫", "naïve")).save(folder / "猫")
    result = regnety(
        "predict", folder / "1.png", "--model", bundle, "--format", output_format, PYTHONIOENCODING="cp1252"
    )
    assert "Traceback" not in result.stderr
    assert result.returncode == 0


def test_a_pipe_that_is_closed_is_no_traceback(folder: Path) -> None:
    command = [sys.executable, "-m", "regnety", "predict", *[str(folder / "1.png")] * 40, "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_no_library_keeps_a_file_about_its_user(tmp_path: Path) -> None:
    """ONNX Runtime would write an identifier of this machine below the user's cache."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "HOME": str(tmp_path)}
    cat = Path(__file__).parent.parent.parent / "examples" / "cat.png"
    line = [sys.executable, "-m", "regnety", "predict", str(cat)]
    subprocess.run(line, env=environment, check=True, capture_output=True)
    kept = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {Path(name).parent.as_posix() for name in kept} == {".cache/regnety/graphs"}


def test_an_empty_name_is_no_model(tmp_path: Path) -> None:
    """As an unset variable of a shell gives it: the embedded model is not what was asked for."""
    for command in (["predict", "examples/cat.png"], ["eval", "--data", tmp_path]):
        result = regnety(*command, "--model", "")
        assert result.returncode == 2
        assert "no model named ''" in result.stderr
