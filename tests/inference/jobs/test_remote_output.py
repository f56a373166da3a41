"""Outputs at addresses: fsspec's memory, and a real S3 server on this machine."""

import csv
import io
import json
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundles import small_bundle
from commands import one_line, regnety
from job_records import Answers, answer, job_of, prediction
from pictures import noise
from regnety import remote
from regnety.errors import JobError, MissingExtraError
from regnety.inference.jobs.job import JobInterrupted, JobSummary, run_job
from regnety.inference.jobs.places import place_of
from s3_server import S3Server

pytest.importorskip("fsspec")

NAMES = [f"photos/{number:03d}.jpg" for number in range(30)]


def run(output: str, answers: Any = answer, **options: Any) -> JobSummary:
    job = job_of(answers, row_format=output.rpartition(".")[2], top_k=2)
    return run_job(job, iter(NAMES), output, **options)


def names_in(data: bytes) -> list[str]:
    return [row["filename"] for row in csv.DictReader(io.StringIO(data.decode()))]


WANTED = [name for name in NAMES for _ in range(max(1, len(prediction(name).predictions)))]


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """An empty bucket of that server, which the environment names as in any deployment."""
    name = f"bucket-{uuid.uuid4().hex}"
    s3.make_bucket(name)
    return f"s3://{name}"


def memory() -> str:
    return f"memory://{uuid.uuid4().hex}"


@pytest.mark.parametrize("kind", ["memory", "s3"])
def test_an_address_is_written_interrupted_and_resumed(kind: str, request: pytest.FixtureRequest) -> None:
    top = memory() if kind == "memory" else request.getfixturevalue("bucket")
    output = f"{top}/folder/labels.csv"
    files = remote.file_system(output)
    with pytest.raises(JobInterrupted):
        run(output, Answers(20, KeyboardInterrupt()))
    assert not files.exists(output)
    assert files.exists(f"{top}/folder/.labels.csv.job/000002.json")
    with pytest.raises(JobError, match=rf"{output}: has an unfinished job of 20 images; .*{top}/folder/.labels.csv"):
        run(output)
    answers = Answers()
    run(output, answers, resume=True)
    assert answers.asked == NAMES[20:]
    assert names_in(files.cat_file(output)) == WANTED
    assert [name.rpartition("/")[2] for name in files.find(f"{top}/folder")] == ["labels.csv"]
    assert run(output, resume=True).was_finished


def test_parquet_on_s3(bucket: str) -> None:
    import pyarrow.parquet as pq

    run(f"{bucket}/labels.parquet")
    data = io.BytesIO(remote.file_system(bucket).cat_file(f"{bucket}/labels.parquet"))
    assert pq.read_table(data).column("filename").to_pylist() == WANTED


@pytest.mark.parametrize("size", [10, 12 << 20])
def test_an_upload_that_fails_leaves_no_object(size: int, bucket: str) -> None:
    """Also after some pieces of it are there: S3 takes them from five MiB on."""
    place = place_of(f"{bucket}/labels.csv")

    def fail() -> None:
        with place.output() as file:
            file.write(bytes(size))
            raise OSError("the store is gone")

    with pytest.raises(JobError, match=rf"^{bucket}/labels\.csv: cannot be reached: the store is gone$"):
        fail()
    assert not place.is_finished()
    with place.output() as file:
        file.write(bytes(size))
    assert place.is_finished()
    assert remote.file_system(bucket).size(f"{bucket}/labels.csv") == size


def test_two_at_once_of_one_user() -> None:
    output = f"{memory()}/labels.csv"
    with place_of(output).locked(), pytest.raises(JobError, match=r"labels\.csv: another process is writing it"):
        run(output)


def test_addresses_that_cannot_be_written(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JobError, match=rf"^{bucket}x/labels\.csv: there is no such bucket$"):
        run(f"{bucket}x/labels.csv")
    with pytest.raises(JobError, match=r"^nothing://labels\.csv: an address begins with one of http, https, s3"):
        run("nothing://labels.csv")
    with pytest.raises(JobError, match="is a folder; name a file in it"):
        run("memory://folder/")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setattr(remote, "_file_systems", {})
    with pytest.raises(
        MissingExtraError, match=r"memory:// needs an extra: pip install '\.\[remote\]' in a clone of regnety"
    ):
        run("memory://labels.csv")


def test_the_head_tells_what_the_job_is() -> None:
    output = f"{memory()}/labels.csv"
    job = replace(job_of(Answers(20, KeyboardInterrupt()), top_k=2), about={"model": "small"})
    with pytest.raises(JobInterrupted):
        run_job(job, iter(NAMES), output)
    head = json.loads(place_of(output).read("job.json"))
    assert head["settings"] == {"row_format": "csv", "top_k": 2}
    assert head["about"]["model"] == "small"


def test_the_command_writes_to_an_address(bucket: str, tmp_path: Path) -> None:
    """As a process, which finds the store by the environment."""
    for number in range(3):
        noise(40, 30, seed=number).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"text")
    line = ("predict", tmp_path, "--model", small_bundle().save(tmp_path / "bundle"), "--top-k", 1, "--output")
    result = regnety(*line, f"{bucket}/labels.jsonl", "--quiet")
    assert result.returncode == 1, result.stderr
    assert result.stderr.startswith(f"regnety: {tmp_path}/3.png: is not an image")
    assert result.stderr.count("\n") == 1
    lines = remote.file_system(bucket).cat_file(f"{bucket}/labels.jsonl").decode().splitlines()
    assert [json.loads(line)["filename"] for line in lines] == [str(tmp_path / f"{number}.png") for number in range(4)]
    assert one_line(regnety(*line, f"{bucket}x/labels.jsonl", "--quiet")).startswith(f"{bucket}x/labels.jsonl: ")
    again = regnety(*line, f"{bucket}/labels.jsonl", "--quiet", "--resume")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
