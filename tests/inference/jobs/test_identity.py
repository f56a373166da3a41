"""A folder may be spelled in many ways; a job knows its images by what the spelling means."""

import json
import os
import shutil
from pathlib import Path

import pytest

from job_records import Answers, job_of, prediction
from regnety.inference.jobs.identity import identities
from regnety.inference.jobs.job import JobInterrupted, JobSummary, run_job

FILES = [f"{number:02d}.jpg" for number in range(20)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a folder of photographs and a link to it."""
    (tmp_path / "work" / "photos" / "sub").mkdir(parents=True)
    (tmp_path / "work" / "link").symlink_to("photos", target_is_directory=True)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def run(names: list[str], output: Path, answers: Answers | None = None, *, resume: bool = True) -> JobSummary:
    return run_job(job_of(answers), iter(names), output, resume=resume)


def begun(names: list[str], output: Path, at: int) -> None:
    with pytest.raises(JobInterrupted):
        run(names, output, Answers(at, KeyboardInterrupt()))


def test_what_a_name_means(here: Path) -> None:
    identity = identities()
    wanted = str(here / "photos" / "a.jpg")
    for name in (
        "photos/a.jpg",
        "./photos/a.jpg",
        "photos//a.jpg",
        "photos/./a.jpg",
        "photos/../photos/a.jpg",
        "photos/sub/../a.jpg",
        "link/a.jpg",
        "link/sub/../a.jpg",
        f"{here}/photos/a.jpg",
        f"{here}//link/a.jpg",
        f"file://{here}/photos/a.jpg",
        f"local://{here}/photos/a.jpg",
        f"../{here.name}/photos/a.jpg",
    ):
        assert identity(name) == wanted, name
    for name in ("photos", "photos/", "./photos//", "photos/.", "photos/sub/.."):
        assert identity(name) == str(here / "photos"), name


def test_what_two_names_do_not_mean(here: Path) -> None:
    identity = identities()
    (here / "photos" / "a.jpg").write_bytes(b"")
    (here / "photos" / "b.jpg").symlink_to("a.jpg")
    names = ["photos/a.jpg", "photos/b.jpg", "photos/A.jpg", "photos/a.jpg ", "photos/sub/a.jpg", "a.jpg", "-", ""]
    names += ["s3://bucket/a.jpg", "s3://bucket//a.jpg", "s3://bucket/A.jpg", "https://web.org/a.jpg", "caf\udce9.jpg"]
    names += ["photos/\0.jpg", "photos/\n.jpg"]
    assert len({identity(name) for name in names}) == len(names)
    assert identity("s3://bucket//a.jpg") == "s3://bucket//a.jpg"


@pytest.mark.parametrize("spelling", ["./photos", "{here}/photos", "photos/", "photos/../photos", "link", "link/."])
def test_a_folder_that_is_spelled_otherwise_has_no_row_twice(spelling: str, here: Path) -> None:
    """The rows of the first half keep the names that they were given."""
    output = here / "labels.csv"
    begun([f"photos/{file}" for file in FILES], output, 11)
    other = [f"{spelling.format(here=here)}/{file}" for file in FILES]
    answers = Answers()
    summary = run(other, output, answers)
    assert answers.asked == other[11:]
    assert (summary.images, summary.earlier) == (20, 11)
    names = [f"photos/{file}" for file in FILES[:11]] + other[11:]
    rows = [line.split(",")[0] for line in output.read_text().splitlines()[1:]]
    assert rows == [name for name in names for _ in range(max(1, len(prediction(name).predictions)))]


def test_another_working_directory(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a scheduler: relative names are relative to where the job was begun, part by part."""
    output = here / "labels.csv"
    begun([f"photos/{file}" for file in FILES], output, 8)
    monkeypatch.chdir(here / "photos")
    with pytest.raises(JobInterrupted):
        run(FILES, output, Answers(4, KeyboardInterrupt()))
    monkeypatch.chdir("/")
    answers = Answers()
    run([f"{here}/link/{file}" for file in FILES], output, answers)
    assert answers.asked == [f"{here}/link/{file}" for file in FILES[12:]]


def test_the_same_name_in_another_folder_is_another_image(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = here / "labels.csv"
    begun(FILES, output, 8)
    monkeypatch.chdir(here / "photos")
    answers = Answers()
    assert run(FILES, output, answers).images == 28
    assert answers.asked == FILES


def test_a_job_that_is_moved_with_its_images(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "out").mkdir()
    begun([f"photos/{file}" for file in FILES], here / "out" / "labels.csv", 8)
    shutil.move(here, here.parent / "elsewhere")
    monkeypatch.chdir(here.parent / "elsewhere")
    answers = Answers()
    run([f"photos/{file}" for file in FILES], Path("out/labels.csv"), answers)
    assert answers.asked == [f"photos/{file}" for file in FILES[8:]]


def test_a_job_of_an_earlier_release_is_resumed(here: Path) -> None:
    """It does not say what relative names are relative to: the working directory."""
    output = here / "labels.csv"
    begun([f"photos/{file}" for file in FILES], output, 11)
    for path in (here / ".labels.csv.job").glob("0*.json"):
        table = json.loads(path.read_text())
        assert table.pop("base") == "."
        path.write_text(json.dumps(table))
    answers = Answers()
    run([f"./photos/{file}" for file in FILES], output, answers)
    assert answers.asked == [f"./photos/{file}" for file in FILES[11:]]


def test_a_working_directory_that_was_removed(here: Path) -> None:
    place, output = here / "gone", here / "labels.csv"
    place.mkdir()
    os.chdir(place)
    try:
        place.rmdir()
    except OSError:
        pytest.skip("this system removes no working directory")
    names = [f"{here}/photos/{file}" for file in FILES]
    begun(names, output, 8)
    assert run(names, output).images == 20
