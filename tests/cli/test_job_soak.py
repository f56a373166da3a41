"""Long batch jobs: memory stays flat, kills lose nothing, every exit status is right, and none hangs."""

import csv
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundles import small_bundle
from jobs_as_processes import MAIN, job_command, started, write_photographs
from pictures import encoded, noise

ONE_RUN_S = 60
PART_RECORDS = 500
MEMORY_MIB = 50
"""That a job may have at its end more than at its thousandth image."""
MODEL = "regnety_cifar10"
KINDS = 24
BEGUN = """
print("begun", file=sys.stderr, flush=True)
"""
"""From here on a command is to be quiet about Ctrl-C; before, the interpreter itself is not."""

linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")


class Memory:
    """Samples the resident memory of a process, in MiB, until it ends; `at_mark` is that of the moment of `mark`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.last = self.at_mark = 0.0
        self.largest_since = 0.0
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def mark(self) -> None:
        self.at_mark = self.largest_since = self._now() or self.last

    def end(self) -> None:
        self._thread.join(ONE_RUN_S)

    def _sample(self) -> None:
        while (now := self._now()) is not None:
            self.last = now
            self.largest_since = max(self.largest_since, now) if self.at_mark else 0.0
            time.sleep(0.1)

    def _now(self) -> float | None:
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return None
        found = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(found[0]) / 1024 if found else None


def parts_of(output: Path) -> int:
    return len(list(output.with_name(f".{output.name}.job").glob("0*.json")))


def rows_by_image(output: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Of a CSV, without holding it."""
    with output.open(newline="") as file:
        rows = csv.reader(file)
        assert next(rows) == ["filename", "rank", "index", "label", "prob", "error"]
        name, held = "", []
        for row in rows:
            if row[0] != name and held:
                yield name, held
                held = []
            name = row[0]
            held.append(row[1:])
        yield name, held


def answers_of_kinds(folder: Path, output: Path) -> dict[int, list[list[str]]]:
    """What each of the few photographs is answered, by its inode: all links of one have the same answer."""
    originals = folder.with_name(f"{folder.name} originals")
    images = sorted(originals.iterdir())
    line = job_command(MODEL, *images, "--output", output)
    assert subprocess.run(line, capture_output=True, timeout=ONE_RUN_S, check=False).returncode == 1
    return {os.stat(name).st_ino: rows for name, rows in rows_by_image(output)}


@linux
@pytest.mark.parametrize(
    ("count", "kills", "longest_s"),
    [
        pytest.param(4_000, 3, 120, marks=pytest.mark.slow),
        pytest.param(100_000, 5, 3600, marks=pytest.mark.soak),
    ],
)
def test_many_images_killed_at_random(count: int, kills: int, longest_s: float, tmp_path: Path) -> None:
    """On the plan that is found for so many: engine and batch may change between two runs, answers do not."""
    folder = write_photographs(tmp_path / "photos", count, bad_every=97, kinds=KINDS)
    kinds = answers_of_kinds(folder, tmp_path / "kinds.csv")
    output = tmp_path / "labels.csv"
    line = job_command(
        MODEL, folder, "--recursive", "--output", output, "--resume", part_records=PART_RECORDS, tuned=True
    )
    generator = random.Random(count)
    ends = sorted(generator.randrange(count // PART_RECORDS - 1) for _ in range(kills))
    growth = []
    deadline = time.monotonic() + longest_s
    for end in [*ends, None]:  # parts after which it is killed
        begun = parts_of(output)
        process = started(line)
        memory = Memory(process)
        while process.poll() is None and time.monotonic() < deadline:
            if not memory.at_mark and parts_of(output) - begun >= 1000 // PART_RECORDS:
                memory.mark()
            if end is not None and parts_of(output) > max(end, begun):
                process.kill()
            time.sleep(0.05)
        _, err = process.communicate(timeout=ONE_RUN_S)
        memory.end()
        if memory.at_mark:
            growth.append(memory.largest_since - memory.at_mark)
        print(
            f"{begun * PART_RECORDS} images before; {memory.at_mark:.0f} MiB at the thousandth, {memory.last:.0f} last"
        )
        assert process.returncode == (1 if end is None else -signal.SIGKILL), err
    print(err.strip().splitlines()[-1])
    assert growth
    assert max(growth) < MEMORY_MIB
    listing = sorted(str(path) for path in folder.rglob("*.jpg"))
    assert len(listing) == count
    unreadable = 0
    for (name, rows), wanted in zip(rows_by_image(output), listing, strict=True):
        assert name == wanted
        expected = kinds[os.stat(name).st_ino]
        assert len(rows) == len(expected)
        for row, other in zip(rows, expected, strict=True):
            assert row[:3] == other[:3]
            if row[3]:
                assert float(row[3]) == pytest.approx(float(other[3]), abs=1e-4)
            else:
                unreadable += 1
                assert row[4].partition(": ")[2] == other[4].partition(": ")[2]
    assert unreadable == count // 97
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kinds.csv", "labels.csv", "photos", "photos originals"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that one process may send another as Ctrl-C")
@pytest.mark.parametrize("runs", [pytest.param(40, marks=pytest.mark.slow), pytest.param(500, marks=pytest.mark.soak)])
def test_every_run_of_a_small_folder_ends_well(runs: int, tmp_path: Path) -> None:
    """In turn all readable, one unreadable, finished already, interrupted at any moment and resumed."""
    small_bundle().save(tmp_path / "bundle")
    for kind in ("good", "bad"):
        (tmp_path / kind).mkdir()
        for number in range(12):
            (tmp_path / kind / f"{number:02d}.jpg").write_bytes(encoded(noise(60, 40, seed=number), "JPEG"))
    (tmp_path / "bad" / "05.jpg").write_bytes(b"text")
    generator = random.Random(0)
    output = tmp_path / "labels.jsonl"

    def run(kind: str, *options: str, interrupt_after_s: float | None = None) -> int:
        line = job_command(tmp_path / "bundle", tmp_path / kind, "--output", output, *options, part_records=3)
        if interrupt_after_s is None:
            process = started(line)
        else:
            line[2] = line[2].replace(MAIN, BEGUN + MAIN)
            process = started(line)
            assert process.stderr is not None
            assert process.stderr.readline() == "begun\n"
            time.sleep(interrupt_after_s)
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=ONE_RUN_S)
        assert out == ""
        assert "Traceback" not in err or "importlib._bootstrap" in err  # CPython's own: it drops a Ctrl-C there
        return process.returncode

    def answers() -> list[str]:
        lines = output.read_text().splitlines()
        output.unlink()
        assert sorted(os.listdir(tmp_path)) == ["bad", "bundle", "good"]
        return lines

    wanted: dict[str, list[str]] = {}
    statuses = {"good": 0, "bad": 1}
    for number in range(runs // 4):
        kind = ("good", "bad")[number % 2]
        assert run(kind) == statuses[kind]
        assert run(kind, "--resume", "--quiet") == 0
        found = answers()
        assert found == wanted.setdefault(kind, found)
        interrupted = run(kind, interrupt_after_s=0.002 + 0.6 * generator.random())
        assert interrupted in (130, statuses[kind])
        finished = output.exists()
        assert run(kind, "--resume", "--quiet") == (0 if finished else statuses[kind])
        assert answers() == found
    assert [len(lines) for lines in wanted.values()] == [12, 12]
