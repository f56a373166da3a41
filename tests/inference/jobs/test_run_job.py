"""A batch job as a function: however it ends, and whatever has changed since, no row is lost and none is doubled."""

import csv
import io
import json
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from job_records import Answers, answer, job_of, prediction
from regnety.errors import JobError, WeightsError
from regnety.inference.jobs import job as job_module
from regnety.inference.jobs.job import JobInterrupted, JobSummary, run_job
from regnety.inference.jobs.row_files import ROW_FORMATS

NAMES = [f"photos/{number:03d}.jpg" for number in range(50)]
UNREADABLE = sum(prediction(name).error is not None for name in NAMES)


def run(output: Path, names: list[str] = NAMES, answers: Any = answer, **options: Any) -> JobSummary:
    settings = options.pop("settings", {"top_k": 2})
    job = job_of(answers, row_format=options.pop("row_format", output.suffix[1:]), **settings)
    return run_job(job, iter(names), output, **options)


def interrupted(output: Path, at: int, names: list[str] = NAMES, **options: Any) -> Answers:
    answers = Answers(at, KeyboardInterrupt())
    with pytest.raises(JobInterrupted):
        run(output, names, answers, **options)
    return answers


def files(output: Path) -> list[str]:
    return sorted(path.name for path in output.parent.iterdir())


def rows_of(output: Path) -> list[str]:
    """Names, each as often as it has rows."""
    return [row["filename"] for row in csv.DictReader(io.StringIO(output.read_text()))]


def wanted_rows(names: list[str]) -> list[str]:
    return [name for name in names for _ in range(max(1, len(prediction(name).predictions)))]


@pytest.mark.parametrize("row_format", ROW_FORMATS)
@pytest.mark.parametrize("at", [1, 7, 8, 9, 16, 49])
def test_an_interruption_keeps_all_answers_and_resume_gives_the_same_file(
    row_format: str, at: int, tmp_path: Path
) -> None:
    whole, output = tmp_path / f"whole.{row_format}", tmp_path / f"labels.{row_format}"
    summary = run(whole)
    assert (summary.images, summary.unreadable, summary.earlier) == (50, UNREADABLE, 0)
    interrupted(output, at)
    assert files(output) == [f".labels.{row_format}.job", whole.name]
    answers, earlier = Answers(), []
    summary = run(output, answers=answers, resume=True, on_start=earlier.append)
    assert answers.asked == NAMES[at:]
    assert earlier == [at]
    assert (summary.images, summary.unreadable, summary.earlier) == (50, UNREADABLE, at)
    if row_format == "parquet":
        assert pq.read_table(output) == pq.read_table(whole)
    else:
        assert output.read_bytes() == whole.read_bytes()
    assert files(output) == [output.name, whole.name]


def test_many_interruptions(tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    generator = random.Random(0)
    asked: list[str] = []
    while len(asked) < len(NAMES):
        answers = Answers(at := generator.randrange(5), KeyboardInterrupt())
        if len(NAMES) - len(asked) <= at:
            break
        with pytest.raises(JobInterrupted) as interruption:
            run(output, answers=answers, resume=True)
        asked += answers.asked
        assert interruption.value.images == len(asked)
    run(output, answers=answers, resume=True)
    assert asked + answers.asked == NAMES
    assert rows_of(output) == wanted_rows(NAMES)


def test_a_listing_that_has_changed(tmp_path: Path) -> None:
    """What was answered keeps its rows, also of files that are gone; what has come is answered after it."""
    output = tmp_path / "labels.csv"
    interrupted(output, 20)
    changed = sorted([*NAMES[:3], *NAMES[5:18], *NAMES[19:], "photos/001b.jpg", "photos/015b.jpg", "photos/030b.jpg"])
    answers = Answers()
    summary = run(output, changed, answers, resume=True)
    assert answers.asked == sorted([*NAMES[20:], "photos/001b.jpg", "photos/015b.jpg", "photos/030b.jpg"])
    assert rows_of(output) == wanted_rows(NAMES[:20] + answers.asked)
    assert (summary.images, summary.earlier) == (53, 20)


def test_a_file_that_is_named_twice_has_its_rows_twice(tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    names = ["a.jpg", "b.jpg", "a.jpg", "a.jpg", "c.jpg"]
    interrupted(output, 3, names)
    answers = Answers()
    run(output, names, answers, resume=True)
    assert answers.asked == ["a.jpg", "c.jpg"]
    assert rows_of(output) == wanted_rows(names)


def test_parts_end_by_number_and_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".labels.csv.job"
    interrupted(tmp_path / "labels.csv", 20)
    assert [json.loads((folder / f"00000{part}.json").read_text())["images"] for part in range(3)] == [8, 8, 4]
    folder = tmp_path / ".other.csv.job"
    monkeypatch.setattr(job_module, "PART_SECONDS", 0.0)
    interrupted(tmp_path / "other.csv", 3)
    sidecars = [json.loads((folder / f"00000{part}.json").read_text()) for part in range(3)]
    assert [part["images"] for part in sidecars] == [1, 1, 1]
    assert sidecars[1]["names"] == NAMES[1:2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {},
            "an unfinished job of 20 images; continue with --resume (resume=True), or remove {folder} to start over",
        ),
        (
            {"resume": True, "settings": {"top_k": 3}},
            "its unfinished job was started with top_k 2, now it is 3; use the same, or remove {folder} to start over",
        ),
        (
            {"resume": True, "settings": {"top_k": 2, "exact": True}},
            "its unfinished job was started with exact null, now",
        ),
        ({"resume": True, "row_format": "jsonl"}, 'was started with row_format "csv", now it is "jsonl"'),
    ],
)
def test_an_unfinished_job_is_neither_overwritten_nor_mixed(options: Any, words: str, tmp_path: Path) -> None:
    output, folder = tmp_path / "labels.csv", tmp_path / ".labels.csv.job"
    interrupted(output, 20)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(JobError) as error:
        run(output, **options)
    assert words.format(folder=folder) in str(error.value)
    assert str(error.value).startswith(f"{output}: ")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("row_format", ROW_FORMATS)
def test_a_finished_output_is_left_as_it_is_with_resume(row_format: str, tmp_path: Path) -> None:
    output = tmp_path / f"labels.{row_format}"

    assert UNREADABLE
    run(output, NAMES, resume=True)  # nothing there: it begins
    before, answers = output.read_bytes(), Answers()
    for spelled in (NAMES, [f"./photos//../{name}" for name in reversed(NAMES)], NAMES[:4]):
        summary = run(output, spelled, answers, resume=True)
        assert (summary.images, summary.unreadable, summary.earlier, summary.was_finished) == (50, UNREADABLE, 50, True)
    with pytest.raises(JobError) as error:
        run(output, [*NAMES, "photos/new.jpg", "photos/newer.jpg"], answers, resume=True)
    assert str(error.value) == (
        f"{output}: is finished, but 2 images have no rows in it, first photos/new.jpg; "
        "omit --resume (resume=True) to start over"
    )
    assert (answers.asked, output.read_bytes(), files(output)) == ([], before, [output.name])


def test_a_finished_output_is_replaced_without_resume(tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    run(output, NAMES[:3])
    interrupted(output, 20)  # written again: the old one stays until the new one is whole
    assert rows_of(output) == wanted_rows(NAMES[:3])
    run(output, resume=True)
    assert rows_of(output) == wanted_rows(NAMES)
    assert files(output) == ["labels.csv"]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("labels.csv", b"name,price\napple,3\n", "its columns are name, price, not filename, rank, index, label"),
        ("labels.csv", b"", "its columns are none, not filename"),
        ("labels.csv", b"\xff\xfe\0", "can't decode byte"),
        ("labels.jsonl", b'{"name": "apple"}\n', "a line has no filename"),
        ("labels.jsonl", b"[" * 100_000, "recursion"),
        ("labels.jsonl", b'{"filename": "photos/000.jpg"', "Expecting"),
        ("labels.parquet", b"PAR1", ""),
        ("labels.parquet", None, "it was written with another top_k"),
    ],
)
def test_what_another_one_made_is_not_taken_for_finished(
    name: str, data: bytes | None, words: str, tmp_path: Path
) -> None:
    output = tmp_path / name
    if data is None:
        run(output, settings={"top_k": 3})
    else:
        output.write_bytes(data)
    before = output.read_bytes()
    with pytest.raises(JobError) as error:
        run(output, resume=True)
    assert str(error.value).startswith(f"{output}: is finished, but is not what this job writes: ")
    assert str(error.value).endswith("; omit --resume (resume=True) to start over")
    assert words in str(error.value)
    assert output.read_bytes() == before
    assert files(output) == [name]


def test_nothing_stays_of_a_job_without_an_answer(tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    interrupted(output, 0)
    with pytest.raises(WeightsError):
        run(output, answers=Answers(0, WeightsError("damaged")))
    assert files(output) == []
    run(output, [])
    assert output.read_text() == "filename,rank,index,label,prob,error\n"
    assert files(output) == ["labels.csv"]


def test_an_error_of_the_model_keeps_what_was_answered(tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    with pytest.raises(WeightsError, match="damaged"):
        run(output, answers=Answers(11, WeightsError("damaged")))
    answers = Answers()
    run(output, answers=answers, resume=True)
    assert answers.asked == NAMES[11:]


def test_answers_of_a_neighbour_are_never_written(tmp_path: Path) -> None:
    def swapped(sources: Iterator[Any], count: int | None) -> Iterator[Any]:
        first, second = next(sources), next(sources)
        yield from answer([second, first], count)

    def short(sources: Iterator[Any], count: int | None) -> Iterator[Any]:
        yield from answer(list(sources)[:-1], count)

    for answers, words in ((swapped, "out of order"), (short, "1 images have no answer, photos/049.jpg is the first")):
        with pytest.raises(RuntimeError, match=words):
            run(tmp_path / f"{words[:3]}.csv", answers=answers)
        assert not (tmp_path / f"{words[:3]}.csv").exists()


def test_sources_are_asked_for_one_by_one_and_records_are_seen(tmp_path: Path) -> None:
    seen: list[str | None] = []

    def listing() -> Iterator[str]:
        for number, name in enumerate(NAMES):
            assert len(seen) == number
            yield name

    output = tmp_path / "labels.csv"
    summary = run_job(job_of(), listing(), output, on_record=lambda record: seen.append(record.filename))
    assert seen == NAMES
    assert summary.images == 50


def test_two_at_once(tmp_path: Path) -> None:
    output = tmp_path / "labels.csv"
    begun, go_on = threading.Event(), threading.Event()

    def slow(sources: Any, count: int | None) -> Iterator[Any]:
        for record in answer(sources, count):
            begun.set()
            assert go_on.wait(60)
            yield record

    first = threading.Thread(target=run, args=(output,), kwargs={"answers": slow})
    first.start()
    assert begun.wait(60)
    for resume in (False, True):
        with pytest.raises(JobError, match=r"labels\.csv: another process is writing it"):
            run(output, resume=resume)
    go_on.set()
    first.join(60)
    assert rows_of(output) == wanted_rows(NAMES)
    assert files(output) == ["labels.csv"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("job.json", b"{"),
        ("job.json", b"[]"),
        ("job.json", b'{"format_version": 1}'),
        ("000001.json", b"[" * 100_000),
        ("000001.json", b'{"unreadable": 1, "names": [3]}'),
        ("000001.json", b'{"names": []}'),
        ("000001.json", None),
        ("000001.csv", None),
    ],
)
def test_a_damaged_job_is_not_resumed(name: str, data: bytes | None, tmp_path: Path) -> None:
    output, folder = tmp_path / "labels.csv", tmp_path / ".labels.csv.job"
    interrupted(output, 30)
    if data is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(data)
    with pytest.raises(JobError, match=r"labels\.csv: its unfinished job cannot be resumed: .* is damaged or missing"):
        run(output, resume=True)
    assert (folder / "000002.csv").exists()


def test_a_later_release(tmp_path: Path) -> None:
    output, head = tmp_path / "labels.csv", tmp_path / ".labels.csv.job" / "job.json"
    interrupted(output, 30)
    head.write_text(head.read_text().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(JobError, match="its unfinished job was written by a later release of regnety; upgrade"):
        run(output, resume=True)


def test_what_a_kill_leaves_of_the_last_steps(tmp_path: Path) -> None:
    output, folder = tmp_path / "labels.csv", tmp_path / ".labels.csv.job"
    interrupted(output, 20)
    (folder / "000003.csv").write_text("rows whose names never came")
    (folder / ".000003.json.abc.part").write_text("half")
    (folder / ".joined.abc.part").write_text("half")
    run(output, resume=True)
    assert rows_of(output) == wanted_rows(NAMES)
    folder.mkdir()  # the folder's head goes first: what is left after that is no job
    (folder / "000003.csv").write_text("old rows")
    assert run(output, resume=True).was_finished
    run(output, NAMES[:2])
    assert rows_of(output) == wanted_rows(NAMES[:2])
    assert files(output) == ["labels.csv"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    output = tmp_path / "labels.csv"
    output.symlink_to(tmp_path / "disk" / "real.csv")
    run(output)
    assert output.is_symlink()
    assert rows_of(tmp_path / "disk" / "real.csv") == wanted_rows(NAMES)
    assert os.listdir(tmp_path / "disk") == ["real.csv"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="is a folder, a device or a pipe"):
        run_job(job_of(), iter(NAMES), tmp_path)
    with pytest.raises(JobError) as error:
        run(tmp_path / "no" / "labels.csv")
    assert str(error.value) == f"{tmp_path / 'no' / 'labels.csv'}: there is no folder {tmp_path / 'no'}"


def test_images_without_names_are_no_job(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="need names"):
        run_job(job_of(), [b"bytes"], tmp_path / "a.csv")
    assert files(tmp_path / "a.csv") == []
