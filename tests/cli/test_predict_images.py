"""What `regnety predict` takes as images, and where the answers go: folders, pipes, files, Ctrl-C, narrow windows."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundles import small_bundle
from commands import TIMEOUT_S, on_terminal, one_line, regnety, regnety_here
from pictures import encoded, noise
from regnety import Bundle
from regnety.cli import application


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, and a folder of pictures with sub-folders."""
    folder = tmp_path_factory.mktemp("images")
    small_bundle().save(folder / "bundle")
    for number, name in enumerate(("b.PNG", "a.jpg", "sub/c.webp", "sub/deep/d.gif")):
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise(40, 30, seed=number).save(path)
    (folder / "photos" / "notes.txt").write_text("not an image")
    (folder / "empty").mkdir()
    return folder


def command(folder: Path, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "regnety", "predict", "--model", str(folder / "bundle"), *map(str, arguments)]


def names(result: subprocess.CompletedProcess[str], folder: Path) -> list[str]:
    assert result.returncode == 0, result.stderr
    return [os.path.relpath(json.loads(line)["filename"], folder / "photos") for line in result.stdout.splitlines()]


def test_a_folder_gives_its_own_images(folder: Path) -> None:
    result = regnety("predict", folder / "photos", "--model", folder / "bundle", "--format", "jsonl")
    assert names(result, folder) == ["a.jpg", "b.PNG"]


def test_recursive(folder: Path) -> None:
    result = regnety("predict", folder / "photos", "-r", "--model", folder / "bundle", "--format", "jsonl")
    assert names(result, folder) == ["a.jpg", "b.PNG", "sub/c.webp", "sub/deep/d.gif"]


def test_no_image_at_all_is_status_2(folder: Path) -> None:
    line = one_line(regnety("predict", folder / "empty", "--model", folder / "bundle", "--quiet"))
    assert line.startswith(f"{folder}/empty: no images in this folder (.jpg, ")


def test_an_empty_folder_among_others_is_an_error_row(folder: Path) -> None:
    arguments = (folder / "empty", folder / "photos", "--model", folder / "bundle", "--format", "jsonl")
    result = regnety("predict", *arguments)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["error"] is None for row in rows] == [False, True, True]
    assert result.returncode == 1


def test_standard_input(folder: Path) -> None:
    data = encoded(noise(40, 30), "JPEG")
    line = command(folder, "-", "--format", "jsonl", "--quiet")
    result = subprocess.run(line, input=data, capture_output=True, timeout=TIMEOUT_S, check=True)
    answer = json.loads(result.stdout)
    assert (answer["filename"], answer["error"]) == ("-", None)
    assert result.stderr == b""
    bad = subprocess.run(line, input=b"", capture_output=True, timeout=TIMEOUT_S, check=False)
    assert (bad.returncode, json.loads(bad.stdout)["error"]) == (1, "-: is empty")


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv"])
def test_output_goes_to_a_file_whose_suffix_is_its_format(suffix: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / f"answers.{suffix}"
    path.write_text("what stood here")
    arguments = ("predict", folder / "photos", folder / "missing.jpg", "--model", folder / "bundle", "--top-k", "1")
    result = regnety(*arguments, "--output", path)
    assert (result.returncode, result.stdout) == (1, "")
    errors = [line for line in result.stderr.splitlines() if line.endswith(": no such file")]
    assert errors == [f"regnety: {folder}/missing.jpg: no such file"]
    assert path.read_text() == regnety(*arguments, "--format", suffix).stdout
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--output", "{tmp}/a.txt"],
            "{tmp}/a.txt: name it .json, .jsonl, .csv or .parquet, or say which with --format",
        ),
        (["--output", "{tmp}/a.csv", "--format", "json"], "{tmp}/a.csv: the suffix says csv, --format says json"),
        (["--output", "{tmp}/no/a.csv"], "{tmp}/no/a.csv: there is no folder {tmp}/no"),
        (["--output", "{tmp}/folder.csv"], "{tmp}/folder.csv: "),
        (["--test-size", "--image-size", "64"], "--image-size and --test-size contradict each other"),
        (["--image-size", "0"], "Invalid value for '--image-size'"),
        (["--crop-pct", "2"], "Invalid value for '--crop-pct'"),
        (["--mean", "half"], "Invalid value for '--mean': 'half' is neither a number nor numbers separated by commas"),
        (["--mean", "0.5,0.5"], "mean must be one number, or one for each of 3 channels, got (0.5, 0.5)"),
        (
            ["--mean", "123.7,116.3,103.5"],
            "mean is 123.7, as for values from 0 to 255; here it is for values from 0 to 1",
        ),
        (["--std", "0"], "std must be above 0, got 0"),
        (["--interpolation", "cubic"], "Invalid value for '--interpolation'"),
        (["--engine", "tensorrt"], "Invalid value for '--engine'"),
        (["--min-probability", "50"], "Invalid value for '--min-probability'"),
        (["-", "-"], "standard input (-) can be read only once"),
    ],
)
def test_a_wrong_option_is_one_line(arguments: list[str], message: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    result = regnety("predict", folder / "photos" / "a.jpg", "--model", folder / "bundle", "--quiet", *given)
    assert one_line(result).startswith(message.format(tmp=tmp_path))
    assert os.listdir(tmp_path) == ["folder.csv"]


def test_min_probability_hides_classes_and_loses_no_file(folder: Path) -> None:
    arguments = ("predict", folder / "photos", "--model", folder / "bundle", "--quiet", "--min-probability", "1")
    rows = [json.loads(line) for line in regnety(*arguments, "--format", "jsonl").stdout.splitlines()]
    assert [(row["error"], row["predictions"]) for row in rows] == [(None, [])] * 2
    table = regnety(*arguments).stdout.splitlines()
    assert [line.split()[-1] for line in table] == ["probability", "-", "-"]
    lines = list(csv.reader(regnety(*arguments, "--format", "csv").stdout.splitlines()))
    assert [line[1:] for line in lines[1:]] == [[""] * 5] * 2


def test_size_and_crop_change_what_the_model_is_shown(folder: Path) -> None:
    def answer(*options: object) -> str:
        arguments = (folder / "photos" / "a.jpg", "--model", folder / "bundle", "--format", "csv", *options)
        result = regnety("predict", *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    plain = answer()
    assert answer("--image-size", 32) == plain  # its own
    others = {plain, answer("--image-size", 64), answer("--crop-pct", 0.5), answer("--image-size", 64, "--exact")}
    assert len(others) == 4


def test_mean_std_and_interpolation_change_what_the_model_is_shown(folder: Path) -> None:
    def answer(*options: object, engine: str = "onnxruntime") -> str:
        arguments = (folder / "photos" / "a.jpg", "--model", folder / "bundle", "--format", "csv", "--engine", engine)
        result = regnety("predict", *arguments, *options)
        assert result.returncode == 0, result.stderr
        return result.stdout

    own = Bundle.load(folder / "bundle").preprocessing
    plain = answer()
    mean, std = (",".join(map(str, values)) for values in (own.mean, own.std))
    assert answer("--mean", mean, "--std", std, "--interpolation", own.interpolation) == plain
    options = (("--mean", "0.1"), ("--std", "0.9,0.8,0.7"), ("--interpolation", "nearest", "--exact"))
    assert len({plain, *(answer(*option) for option in options)}) == 4
    assert answer("--mean", "0.1,0.1,0.1") == answer("--mean", "0.1")
    assert answer() == plain  # the graph with another mean inside is another graph


def test_exif_can_be_left_alone(folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    path.write_bytes(encoded(noise(40, 30), "JPEG", exif=exif))
    plain, left = (
        regnety("predict", path, "--model", folder / "bundle", "--format", "csv", *options).stdout
        for options in ((), ("--no-exif",))
    )
    assert plain != left


def test_control_characters_have_no_power(folder: Path, tmp_path: Path) -> None:
    names = ["new\nline.png", "esc\x1b[31m.png", "bell\a.png", "right\u202eto left.png"]
    for name in names:
        noise(20, 20).save(tmp_path / name)
    (tmp_path / "bad\x1b[2J.jpg").write_bytes(b"text")
    result = regnety("predict", tmp_path, "--model", folder / "bundle", "--top-k", "1")
    assert len(result.stdout.splitlines()) == 5
    assert not {"\x1b", "\a", "\u202e"} & set(result.stdout + result.stderr)
    assert "new\\nline.png" in result.stdout
    assert "bad\\x1b[2J.jpg: is not an image" in result.stderr


def test_a_reader_who_leaves_ends_the_work_quietly(folder: Path) -> None:
    many = [folder / "photos" / "a.jpg"] * 3000
    for output_format in ("table", "jsonl", "csv", "json"):
        line = command(folder, *many, "--format", output_format)
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read().count("\n") == 1  # the engine
            assert process.wait(TIMEOUT_S) == 141


def wait_for(path: Path, lines: int) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        assert time.monotonic() < end
        time.sleep(0.02)


unix = pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that one process may send another as Ctrl-C")


def hear_ctrl_c() -> None:
    """A shell that starts the tests in the background lets them ignore it, and the processes that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@unix
def test_ctrl_c_keeps_what_is_done(folder: Path, tmp_path: Path) -> None:
    """One list is no job: what is done of it comes to its place."""
    noise(4000, 3000).save(tmp_path / "large.png", compress_level=1)
    path = tmp_path / "answers.json"
    line = command(folder, *[tmp_path / "large.png"] * 400, "--output", path, "--engine", "onnxruntime")
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("regnety: answered by ONNX Runtime ")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 130
        assert process.stderr.read().strip() == ""
    assert 0 < len(json.loads(path.read_text())) < 400
    assert sorted(os.listdir(tmp_path)) == [path.name, "large.png"]


@unix
def test_ctrl_c_at_any_time_is_quiet(folder: Path) -> None:
    """From the first moment that our code runs: while modules are imported, the engine starts, images are read."""
    code = "from regnety.cli.main import main; print('begun', flush=True); main()"
    arguments = command(folder, *[folder / "photos" / "a.jpg"] * 2000, "--output")[3:]
    for delay in (0.002, 0.05, 0.1, 0.2, 0.4, 0.8):
        line = [sys.executable, "-c", code, *arguments, str(folder / f"{delay}.jsonl")]
        with subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "begun\n"
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT_S) in (130, 0)
            assert "Traceback" not in process.stderr.read()


def test_a_library_may_make_something_else_of_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As ONNX Runtime does while it is imported."""

    def interrupted(_: object) -> int:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    monkeypatch.setattr(application, "run_command", interrupted)
    result = regnety_here(capfd, "predict", "a.jpg")
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def test_colours_only_on_a_terminal(folder: Path) -> None:
    line = command(folder, folder / "photos" / "a.jpg")
    assert on_terminal(line, 200).startswith("\x1b[1mimage")
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_terminal(line, 200, **environment)
    assert "\x1b" not in regnety(*line[3:]).stdout


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_narrow_windows_keep_every_row_on_one_line(columns: int, folder: Path, tmp_path: Path) -> None:
    for name in ("a" * 120 + ".png", "猫" * 40 + ".png", "short.png"):
        noise(20, 20).save(tmp_path / name)
    text = on_terminal(command(folder, tmp_path, "--top-k", "2"), columns, NO_COLOR="1")
    rows = text.splitlines()
    assert len(rows) == 7
    assert all(len(row) + row.count("猫") <= columns for row in rows)
    assert sum("…" in row for row in rows) >= 2
    assert all(row.endswith((" %", "probability")) for row in rows)
