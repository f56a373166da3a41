"""One rule for whatever a command writes: finished outputs are replaced and that is said, all others are refused."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import small_bundle
from commands import TIMEOUT_S, one_line, regnety, regnety_here
from jobs_as_processes import job_command, started, write_photographs
from pictures import noise
from regnety.architecture.design import Design
from regnety.inference.jobs.claims import claimed

REPLACED = "regnety: {output}: already exists; it is replaced when the new one is complete"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model and a photograph."""
    folder = tmp_path_factory.mktemp("outputs")
    small_bundle().save(folder / "bundle")
    small_bundle(design=Design(depth=5, w0=8, wa=8.6, wm=1.5, group_width=4)).save(folder / "bundle-own")
    noise(40, 30).save(folder / "a.png")
    return folder


def predict(folder: Path, output: object, *options: object) -> tuple[object, ...]:
    return ("predict", folder / "a.png", "--model", folder / "bundle", "--top-k", 1, "-o", output, *options)


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_a_finished_output_is_replaced_and_that_is_said_once(suffix: str, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / f"labels.{suffix}"
    first = regnety(*predict(folder, output))
    assert (first.returncode, "is there already" in first.stderr) == (0, False)
    before = output.read_bytes()
    output.write_bytes(b"old")
    again = regnety(*predict(folder, output))
    assert again.returncode == 0
    assert again.stderr.splitlines().count(REPLACED.format(output=output)) == 1
    assert regnety(*predict(folder, output, "--quiet")).stderr == ""
    assert output.read_bytes() == before
    assert os.listdir(tmp_path) == [output.name]


def test_what_is_wrong_comes_before_any_word_of_replacing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("old")
    noise(40, 30).save(tmp_path / "photo.png")
    output = tmp_path / "labels.csv"
    assert one_line(regnety(*predict(folder, output, "--model", "regnetz"))).startswith("no model named 'regnetz'")
    assert one_line(regnety("predict", tmp_path / "no.d", "--from", tmp_path / "no", "-o", output)).endswith(
        "such file"
    )
    line = predict(folder, tmp_path / "photo.png", "--format", "csv")
    assert one_line(regnety(*line)) == f"{tmp_path}/photo.png: is an image; name another file for the answers"
    assert output.read_text() == "old"


WRITING = {
    "export": ("export", "{bundle}", "-o", "{output}.onnx"),
    "export to a folder": ("export", "{bundle}", "-o", "{output}/"),
    "convert": ("convert", "{bundle}-own", "{output}.safetensors", "--to", "torchvision"),
    "convert to a folder": ("convert", "{bundle}-own", "{output}", "--to", "transformers"),
    "card": ("card", "{bundle}", "-o", "{output}.md"),
    "describe": ("describe", "regnety_002", "--plot", "{output}.svg"),
}


@pytest.mark.parametrize("name", WRITING)
def test_whatever_a_command_writes(name: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Replaced with one line; refused while another process writes it, and beside an unfinished job."""
    line = [part.format(bundle=folder / "bundle", output=tmp_path / "made") for part in WRITING[name]]
    (output,) = (part for part in line if part.startswith(str(tmp_path)))
    if name == "describe":
        pytest.importorskip(
            "matplotlib", reason="pictures of designs need matplotlib: pip install '.[plot]' in a clone"
        )
    for times in (0, 1):
        result = regnety_here(capfd, *line)
        assert result.returncode == 0, result.stderr
        said = sum(
            text.endswith("already exists; it is replaced when the new one is complete")
            for text in result.stderr.splitlines()
        )
        assert said == times
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    assert not [path for path in before if path.endswith((".job", ".lock"))]
    with claimed(output, is_folder=os.path.isdir(output)):
        busy = one_line(regnety_here(capfd, *line))
    assert busy == f"{output}: another process is writing it"
    job = tmp_path / f".{Path(output).name}.job"
    job.mkdir()
    (job / "job.json").write_text('{"format_version": 1, "settings": {"row_format": "csv"}}')
    (job / "000000.csv").write_text("")
    (job / "000000.json").write_text('{"names": ["a.jpg"], "unreadable": 0}')
    assert one_line(regnety_here(capfd, *line)).startswith(f"{output}: has an unfinished job of 1 image; ")


@pytest.mark.parametrize("name", ["export to a folder", "convert to a folder"])
def test_a_folder_of_somebody_elses_is_never_deleted(
    name: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = [part.format(bundle=folder / "bundle", output=tmp_path / "made") for part in WRITING[name]]
    (tmp_path / "made").mkdir()
    assert regnety_here(capfd, *line).returncode == 0  # an empty one is nobody's
    for file in ("notes.txt", "config.json"):
        shutil.rmtree(tmp_path / "made")
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / file).write_text("{}")
        assert "name another folder" in one_line(regnety_here(capfd, *line))
        assert os.listdir(tmp_path / "made") == [file]
    assert os.listdir(tmp_path) == ["made"]


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot make a process stand still")
def test_of_ten_at_once_one_writes_and_nine_are_refused(folder: Path, tmp_path: Path) -> None:
    """The first stands still in the middle of its work meanwhile."""
    photos, output = write_photographs(tmp_path / "photos", 200), tmp_path / "labels.csv"
    first = started(job_command(folder / "bundle", photos, "-r", "-o", output, part_records=8))
    while not (tmp_path / ".labels.csv.job" / "000000.json").exists():
        assert first.poll() is None
    first.send_signal(signal.SIGSTOP)
    line = [sys.executable, "-m", "regnety", *map(str, predict(folder, output, "--quiet"))]
    others = [subprocess.Popen(line, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    others.append(subprocess.Popen([*line, "--resume"], stderr=subprocess.PIPE, text=True))
    for other in others:
        _, err = other.communicate(timeout=TIMEOUT_S)
        assert (other.returncode, err) == (2, f"regnety: {output}: another process is writing it\n")
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=TIMEOUT_S)
    assert first.returncode == 1
    with output.open(newline="") as file:
        assert len({row["filename"] for row in csv.DictReader(file)}) == 200
    assert sorted(os.listdir(tmp_path)) == ["labels.csv", "photos", "photos originals"]


def test_after_a_hard_kill_the_line_says_how_to_go_on_and_how_to_begin_anew(folder: Path, tmp_path: Path) -> None:
    photos, output = write_photographs(tmp_path / "photos", 200), tmp_path / "labels.csv"
    line = job_command(folder / "bundle", photos, "-r", "-o", output, part_records=8)
    first = started(line)
    while not (tmp_path / ".labels.csv.job" / "000000.json").exists():
        assert first.poll() is None
    first.kill()
    first.communicate(timeout=TIMEOUT_S)
    result = regnety(*predict(folder, output))
    words = "images; continue with --resume (resume=True), or remove"
    assert one_line(result).startswith(f"{output}: has an unfinished job of ")
    assert one_line(result).endswith(f"{words} {tmp_path}/.labels.csv.job to start over")
    for path in (tmp_path / ".labels.csv.job").iterdir():
        path.unlink()
    (tmp_path / ".labels.csv.job").rmdir()
    assert regnety(*predict(folder, output)).returncode == 0
