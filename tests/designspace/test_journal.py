"""The journal survives a kill at any byte."""

import json
from pathlib import Path

import pytest

from regnety.designspace.journal import Journal, read_journal
from regnety.errors import JobError

RECORDS = [{"trial": number, "rows": [{"val_top1": 1 / (number + 3)}], "message": "naïve"} for number in range(3)]


def written(path: Path) -> bytes:
    with Journal(path) as journal:
        for record in RECORDS:
            journal.append(record)
    return path.read_bytes()


def test_cut_at_any_byte_it_has_the_whole_records_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    data = written(path)
    ends = [number for number, byte in enumerate(data, start=1) if byte == ord("\n")]
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends)
        assert read_journal(path) == RECORDS[:whole]
        assert path.read_bytes() == data[:cut]  # reading changes nothing: somebody else may be writing
        with Journal(path) as journal:
            assert journal.records == RECORDS[:whole]
            journal.append({"trial": 9})
        assert read_journal(path) == [*RECORDS[:whole], {"trial": 9}]


def test_a_last_line_of_zeros_was_never_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    data = written(path)
    path.write_bytes(data + b"\0" * 40 + b"\n")
    with Journal(path) as journal:
        assert journal.records == RECORDS
        journal.append({"trial": 9})
    assert read_journal(path) == [*RECORDS, {"trial": 9}]


def test_a_copy_with_other_line_ends_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(written(path).replace(b"\n", b"\r\n"))
    with Journal(path) as journal:
        assert journal.records == RECORDS
        journal.append({"trial": 9})
    assert read_journal(path) == [*RECORDS, {"trial": 9}]


def test_a_damaged_line_within_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    first, _, *others = written(path).splitlines(keepends=True)
    path.write_bytes(b"".join([first, b"{nonsense\n", *others]))
    with pytest.raises(JobError, match=r"journal\.jsonl: line 2 is damaged: .*; remove it to go on"):
        read_journal(path)


def test_what_a_full_disk_cuts_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(RECORDS[0])
        file = journal._file

        class Full:
            def write(self, line: bytes) -> int:
                return file.write(line[:7])

            def truncate(self, size: int) -> int:
                return file.truncate(size)

        monkeypatch.setattr(journal, "_file", Full())
        with pytest.raises(OSError, match="the disk is full"):
            journal.append(RECORDS[1])
        monkeypatch.setattr(journal, "_file", file)
        journal.append(RECORDS[2])
    assert [json.loads(line) for line in path.read_text("utf-8").splitlines()] == [RECORDS[0], RECORDS[2]]
