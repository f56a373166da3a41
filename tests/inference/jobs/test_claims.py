"""One process at a time, nothing unfinished is lost, and replacing is announced."""

import multiprocessing
import os
from contextlib import suppress
from pathlib import Path

import pytest

from job_records import Answers, job_of
from regnety.errors import JobError
from regnety.inference.jobs.claims import claimed
from regnety.inference.jobs.job import JobInterrupted, run_job

NAMES = [f"{number}.jpg" for number in range(9)]


def interrupt(output: Path) -> None:
    with pytest.raises(JobInterrupted):
        run_job(job_of(Answers(5, KeyboardInterrupt())), NAMES, output)


def test_nothing_stays_of_a_claim(tmp_path: Path) -> None:
    for _ in range(2):
        with claimed(tmp_path / "a.json") as place:
            assert os.listdir(tmp_path) == [".a.json.job"]
            assert not place.replaces
        assert os.listdir(tmp_path) == []
    with claimed(tmp_path / "new" / "er" / "bundle", is_folder=True):
        pass
    assert os.listdir(tmp_path) == []
    with claimed(tmp_path / "new" / "er" / "bundle", is_folder=True) as place:
        (tmp_path / "new" / "er" / "bundle").mkdir()
        assert not place.replaces
    assert os.listdir(tmp_path / "new" / "er") == ["bundle"]


def test_what_is_replaced_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    (tmp_path / "link.json").symlink_to("a.json")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "config.json").write_text("{}")
    for name in ("a.json", "link.json"):
        with claimed(tmp_path / name) as place:
            assert place.replaces
        with claimed(tmp_path / name, resume=True) as place:
            assert not place.replaces  # a finished output is left as it is
    for name in ("empty", "full"):
        with claimed(f"{tmp_path}/{name}/", is_folder=True) as place:
            assert place.replaces == (name == "full")
    interrupt(tmp_path / "a.json")
    with claimed(tmp_path / "a.json", resume=True) as place:
        assert place.replaces


def test_a_second_one_is_refused_whatever_the_output_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.csv").symlink_to("a.csv")
    with claimed(tmp_path / "a.csv"):
        for name in ("a.csv", "./a.csv", f"../{tmp_path.name}/a.csv", "link.csv"):
            with pytest.raises(JobError) as error, claimed(name):
                pass
            assert str(error.value) == f"{name}: another process is writing it"
        with pytest.raises(JobError, match="another process"):
            run_job(job_of(), NAMES, "a.csv")
        with claimed("b.csv"):
            pass
    with claimed("a.csv"):
        pass


def test_an_unfinished_job_is_not_written_over(tmp_path: Path) -> None:
    output, folder = tmp_path / "a.csv", tmp_path / ".a.csv.job"
    interrupt(output)
    before = sorted(os.listdir(folder))
    for is_folder in (False, True):
        with pytest.raises(JobError) as error, claimed(output, is_folder=is_folder):
            pass
        assert str(error.value) == (
            f"{output}: has an unfinished job of 5 images; continue with --resume (resume=True), "
            f"or remove {folder} to start over"
        )
    assert sorted(os.listdir(folder)) == before
    with claimed(output, resume=True) as place:
        assert run_job(job_of(), NAMES, place, resume=True).earlier == 5
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_claim_after_a_kill_is_no_job(tmp_path: Path) -> None:
    (tmp_path / ".a.csv.job").mkdir()
    (tmp_path / ".a.csv.job" / ".job.lock").touch()
    (tmp_path / ".a.csv.job" / "job.json").write_text('{"format_version": 1, "settings": {}}')
    with claimed(tmp_path / "a.csv"):
        pass
    assert os.listdir(tmp_path) == []


def test_what_may_not_be_replaced_is_refused_before_anything_is_said(tmp_path: Path) -> None:
    def refuse() -> None:
        raise JobError("it is somebody's")

    with pytest.raises(JobError, match="it is somebody's"), claimed(tmp_path / "a.csv", check=refuse):
        pass
    assert os.listdir(tmp_path) == []


def _count(output: str, log: str, rounds: int) -> None:
    for _ in range(rounds):
        with suppress(JobError), claimed(output), open(log, "a") as file:
            file.write("(")
            file.flush()
            file.write(")")


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the folder of a lock for a while")
def test_many_processes_are_never_in_it_together(tmp_path: Path) -> None:
    """The folder of the lock comes and goes meanwhile."""
    context = multiprocessing.get_context("fork")
    line = (str(tmp_path / "a.csv"), str(tmp_path / "log"), 100)
    processes = [context.Process(target=_count, args=line) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    written = (tmp_path / "log").read_text()
    assert written == "()" * (len(written) // 2)
    assert len(written) > 20
    assert os.listdir(tmp_path) == ["log"]
