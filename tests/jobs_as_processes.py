"""`regnety predict --output` as a process whose parts are small, so that a job of some hundred images has many."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from pictures import encoded, noise

SMALL_PARTS = """
import sys
from regnety.cli.main import main
from regnety.inference import runner
from regnety.inference.jobs import job
job.PART_RECORDS = int(sys.argv.pop(1))
if sys.argv.pop(1) == "untuned":
    runner.MANY = 1 << 60
"""
MAIN = "main()\n"


def job_command(bundle: object, *arguments: object, part_records: int = 16, tuned: bool = False) -> list[str]:
    """The line of a job. Engine, precision and batch are fixed, so that all runs give the same bits, unless `tuned`."""
    fixed = ("predict", "--model", bundle, "--top-k", "2", "--precision", "f32")
    engine = () if tuned else ("--engine", "onnxruntime")
    first = (SMALL_PARTS + MAIN, part_records, "tuned" if tuned else "untuned")
    return [sys.executable, "-c", *map(str, (*first, *fixed, *engine, *arguments))]


def started(line: list[str], **environment: str) -> subprocess.Popen[str]:
    """A process that hears Ctrl-C also where the tests were started in the background."""
    return subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        preexec_fn=None if os.name == "nt" else lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def write_photographs(folder: Path, count: int, *, bad_every: int = 50, kinds: int = 20) -> Path:
    """A folder of small JPEGs in sub-folders, hard links of a few; some are truncated, empty or text."""
    originals = folder.with_name(f"{folder.name} originals")
    originals.mkdir()
    for number in range(kinds):
        (originals / str(number)).write_bytes(encoded(noise(40, 30, seed=number), "JPEG"))
    whole = (originals / "0").read_bytes()
    for number, data in enumerate((b"", b"text", whole[: len(whole) // 2])):
        (originals / f"bad {number}").write_bytes(data)
    for number in range(count):
        path = folder / f"{number // 1000:03d}" / f"{number % 1000:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        bad = number % bad_every == bad_every - 1
        os.link(originals / (f"bad {number // bad_every % 3}" if bad else str(number % kinds)), path)
    return folder
