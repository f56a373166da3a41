"""`regnety predict --output` as a batch job: real processes that are killed, interrupted and out of room."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bundles import small_bundle
from commands import TIMEOUT_S, one_line, regnety
from jobs_as_processes import job_command, started, write_photographs
from pictures import encoded, noise

COUNT = 300
UNREADABLE = COUNT // 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model and some hundred photographs, a few of them unreadable."""
    folder = tmp_path_factory.mktemp("jobs")
    small_bundle().save(folder / "bundle")
    write_photographs(folder / "photos", COUNT)
    return folder


@pytest.fixture(scope="module")
def whole(folder: Path) -> bytes:
    """What a run that nothing happened to writes."""
    output = folder / "whole.csv"
    result = subprocess.run(command(folder, output), capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert result.returncode == 1, result.stderr
    return output.read_bytes()


def command(folder: Path, output: object, *options: object, part_records: int = 16) -> list[str]:
    arguments = (folder / "photos", "--recursive", "--output", output, *options)
    return job_command(folder / "bundle", *arguments, part_records=part_records)


def parts_of(output: Path) -> int:
    return len(list(output.with_name(f".{output.name}.job").glob("0*.json")))


def wait_for_parts(output: Path, count: int, process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + TIMEOUT_S
    while parts_of(output) < count and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_summary_and_the_rows(folder: Path, whole: bytes, tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    process = started(command(folder, output, part_records=4096))
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (1, "")
    lines = err.splitlines()
    assert lines[0].startswith("regnety: answered by ONNX Runtime ")
    assert sum(line.endswith(("is empty", ")")) or "truncated" in line for line in lines[1:-1]) == UNREADABLE
    assert lines[-1].startswith(f"regnety: {output}: {COUNT} images, {UNREADABLE} unreadable, ")
    assert lines[-1].endswith(" images/s")
    assert len(lines) == UNREADABLE + 2
    assert output.read_bytes() == whole  # however large its parts were
    rows = Counter(row["filename"] for row in csv.DictReader(whole.decode().splitlines()))
    listing = sorted(str(path) for path in (folder / "photos").rglob("*.jpg"))
    assert list(rows) == listing
    assert sum(rows.values()) == 2 * (COUNT - UNREADABLE) + UNREADABLE


def test_killed_again_and_again_no_row_is_lost_and_none_is_double(folder: Path, whole: bytes, tmp_path: Path) -> None:
    """At any moment from the first part on; also while parts are joined."""
    output = tmp_path / "labels.csv"
    generator = random.Random(1)
    kills = 0
    while not output.exists() and kills < 8:
        begun = parts_of(output)
        process = started(command(folder, output, "--resume"))
        wait_for_parts(output, begun + generator.randrange(1, 4), process)
        time.sleep(generator.random() * 0.03)
        process.kill()
        process.communicate(timeout=TIMEOUT_S)
        kills += 1
        assert output.exists() or parts_of(output) > begun
    assert kills >= 3
    finished = output.exists()  # it may have been killed while it removed the parts
    process = started(command(folder, output, "--resume"))
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == (0 if finished else 1), err
    assert finished or " of them before), 6 unreadable, " in err
    assert output.read_bytes() == whole
    assert os.listdir(tmp_path) == ["labels.csv"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that one process may send another as Ctrl-C")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_scheduler_keep_every_answer(
    number: signal.Signals, folder: Path, whole: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "labels.csv"
    process = started(command(folder, output))
    wait_for_parts(output, 3, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130, err
    sidecars = sorted((tmp_path / ".labels.csv.job").glob("0*.json"))
    kept = sum(json.loads(path.read_text())["images"] for path in sidecars)
    last = err.strip().splitlines()[-1]
    assert last == f"regnety: {output}: interrupted; {kept} images are kept, continue with --resume"
    again = subprocess.run(command(folder, output), capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert again.returncode == 2
    assert f"{output}: has an unfinished job of {kept} images; continue with --resume (resume=True)" in again.stderr
    other = command(folder, output, "--resume", "--min-probability", "0.1")
    refused = subprocess.run(other, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert refused.returncode == 2
    assert "its unfinished job was started with min_probability 0.0, now it is 0.1" in refused.stderr
    process = started(command(folder, output, "--resume", "--quiet"))
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert output.read_bytes() == whole
    finished = subprocess.run(
        command(folder, output, "--resume"), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (finished.returncode, finished.stdout) == (0, "")
    last = finished.stderr.splitlines()[-1]
    assert last == f"regnety: {output}: is finished already, {COUNT} images, {UNREADABLE} unreadable"
    assert output.read_bytes() == whole


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot make a process stand still")
def test_two_processes_with_one_output(folder: Path, whole: bytes, tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    first = started(command(folder, output))
    wait_for_parts(output, 1, first)
    first.send_signal(signal.SIGSTOP)
    line = command(folder, output, "--resume", "--quiet")
    second = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert one_line(second) == f"{output}: another process is writing it"
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=TIMEOUT_S)
    assert first.returncode == 1
    assert output.read_bytes() == whole


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for some parts."""
    place = tmp_path / "disk"
    place.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(line, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root on Linux only")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_keeps_the_parts(folder: Path, whole: bytes, tiny_disk: Path) -> None:
    output = tiny_disk / "labels.csv"
    line = command(folder, output, "--resume", "--quiet")
    result = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert result.returncode == 2
    kept = 16 * parts_of(output)
    assert 16 <= kept < COUNT
    last = result.stderr.splitlines()[-1]
    assert (
        last
        == f"regnety: {output}: No space left on device; {kept} images are kept, continue with --resume (resume=True)"
    )
    assert not list(tiny_disk.rglob("*.part"))
    subprocess.run(["mount", "-o", "remount,size=1m", str(tiny_disk)], check=True)
    result = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert result.returncode == 1
    assert output.read_bytes() == whole


def test_many_unreadable_images_are_counted_and_the_output_names_all(folder: Path, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02d}.jpg").write_bytes(b"text")
    output = tmp_path / "labels.jsonl"
    result = regnety("predict", tmp_path, "--model", folder / "bundle", "--output", output)
    assert (result.returncode, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert sum("is not an image" in line for line in lines) == 20
    assert lines[-2] == f"regnety: 10 more images could not be read; {output} says why"
    assert lines[-1].startswith(f"regnety: {output}: 30 images, 30 unreadable, ")
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["error"].split(":")[0] for row in rows] == [str(tmp_path / f"{number:02d}.jpg") for number in range(30)]


def test_parquet(folder: Path, whole: bytes, tmp_path: Path) -> None:
    output = tmp_path / "labels.parquet"
    process = started(command(folder, output))
    wait_for_parts(output, 2, process)
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    process = started(command(folder, output, "--resume"))
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    table = pq.read_table(output)
    for row, wanted in zip(table.to_pylist(), csv.DictReader(whole.decode().splitlines()), strict=True):
        assert {name: "" if value is None else str(value) for name, value in row.items()} == wanted
    about = json.loads(table.schema.metadata[b"regnety"])
    assert (about["model"], about["top_k"], about["image_size"]) == (str(folder / "bundle"), 2, 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "parquet"], "parquet cannot be printed; name a file with --output"),
        (["--resume"], "--resume needs an --output of .jsonl, .csv or .parquet"),
        (["--resume", "-o", "{tmp}/a.json"], "--resume needs an --output of .jsonl, .csv or .parquet"),
        (["-o", "{tmp}/a.parquet", "--format", "csv"], "{tmp}/a.parquet: the suffix says parquet, --format says csv"),
        (
            ["-o", "{tmp}/pipe", "--format", "parquet"],
            "{tmp}/pipe: is a device or a pipe; parquet needs a file",
        ),
        (["-o", "memory://a.json"], "memory://a.json: an address takes .jsonl, .csv and .parquet, not json"),
        (["-o", "nothing://a.csv"], "nothing://a.csv: an address begins with one of http, https, s3"),
    ],
)
def test_a_contradiction_is_one_line(options: list[str], message: str, folder: Path, tmp_path: Path) -> None:
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    noise(40, 30).save(tmp_path / "a.png")
    given = [option.format(tmp=tmp_path) for option in options]
    result = regnety("predict", tmp_path / "a.png", "--model", folder / "bundle", "--quiet", *given)
    assert one_line(result).startswith(message.format(tmp=tmp_path))


def test_a_model_that_was_moved_is_the_same_and_another_one_is_not(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    process = started(command(folder, output))
    wait_for_parts(output, 2, process)
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    shutil.copytree(folder / "bundle", tmp_path / "moved")
    small_bundle(seed=1).save(tmp_path / "other")
    arguments = (folder / "photos", "--recursive", "--output", output, "--resume", "--quiet")
    refused = subprocess.run(
        job_command(tmp_path / "other", *arguments), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert one_line(refused).startswith(f'{output}: its unfinished job was started with weights "')
    moved = subprocess.run(
        job_command(tmp_path / "moved", *arguments), capture_output=True, timeout=TIMEOUT_S, check=False
    )
    assert moved.returncode == 1
    assert len(output.read_text().splitlines()) == 2 * (COUNT - UNREADABLE) + UNREADABLE + 1


def test_a_name_that_is_no_text(folder: Path, tmp_path: Path) -> None:
    """Linux names files with bytes."""
    name = os.fsencode(tmp_path) + b"/caf\xe9\r\n.png"
    try:
        with open(name, "wb") as file:
            file.write(encoded(noise(20, 20)))
    except OSError:
        pytest.skip("this file system takes no such name")
    for suffix in ("csv", "jsonl", "parquet"):
        output = tmp_path / f"labels.{suffix}"
        result = regnety("predict", tmp_path, "--model", folder / "bundle", "--top-k", 1, "--output", output)
        assert result.returncode == 0, result.stderr
        if suffix == "jsonl":
            found = json.loads(output.read_text())["filename"]
            assert os.fsencode(found) == name
        elif suffix == "csv":
            with output.open(newline="") as file:
                (row,) = csv.DictReader(file)
            assert row["filename"] == f"{tmp_path}/caf\\udce9\r\n.png"
        else:
            assert pq.read_table(output).column("filename").to_pylist() == [f"{tmp_path}/caf\\udce9\r\n.png"]
