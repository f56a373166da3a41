"""What files cost in memory: nothing for what is only mapped, and never much more than the file, whoever wrote it.

A process of its own gets a limit of what it may take beyond what it has (RLIMIT_DATA), so that more is a MemoryError.
"""

import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from regnety.files.checked_json import LARGEST_JSON
from regnety.files.torch_files.pickle_writing import Pickler

MIB = 1 << 20


def run_within(more_mib: int, program: str) -> str:
    """Run a program that may take so much more memory than its imports did; what it prints."""
    limited = f"""if True:
        import resource
        from pathlib import Path
        from regnety.errors import WeightsError
        from regnety.files.reading import read_file
        from regnety.files.safetensors_files import SafetensorsWeights, write_safetensors
        from regnety.files.torch_files.writing import write_torch

        (data,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line)
        limit = (int(data.split()[1]) << 10) + ({more_mib} << 20)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    """
    lines = "".join(f"        {line}\n" for line in program.strip().splitlines())
    run = subprocess.run([sys.executable, "-c", limited + "\n" + lines], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def sparse_safetensors(path: Path, mib: int) -> Path:
    """Two tensors of zeros that take no place on the disk."""
    half = mib * MIB // 2
    rows = {
        key: {"dtype": dtype, "shape": [half // size // 1024, 1024], "data_offsets": [index * half, (index + 1) * half]}
        for index, (key, dtype, size) in enumerate([("a", "F32", 4), ("b", "F16", 2)])
    }
    header = json.dumps(rows).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(file.tell() + 2 * half)
    return path


class _SparseFile(io.FileIO):
    """Steps over zeros instead of writing them."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if len(data) < MIB:
            return super().write(data)
        assert not bytes(data).strip(b"\0")
        self.seek(len(data), io.SEEK_CUR)
        return len(data)


def sparse_torch_zip(path: Path, mib: int) -> Path:
    shape = (mib * MIB // 4096, 1024)
    pickle = Pickler(lambda tensor: ("0", "float32", shape)).dump({"a": np.zeros(1)})
    with _SparseFile(path, "w") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle)
        with archive.open(zipfile.ZipInfo("archive/data/0"), "w", force_zip64=True) as entry:
            for _ in range(mib // 16):
                entry.write(bytes(16 * MIB))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("write", [sparse_safetensors, sparse_torch_zip])
def test_a_file_of_more_than_a_gigabyte_is_only_mapped(write: Callable[[Path, int], Path], tmp_path: Path) -> None:
    path = write(tmp_path / "w", 1280)
    assert path.stat().st_size > 1.25 * 2**30
    answer = run_within(
        50,
        f"""
content = read_file({str(path)!r}).content
print({{key: (tensor.read().nbytes, float(tensor.read().sum())) for key, tensor in content.items()}})
""",
    )
    half = 640 * MIB
    assert (
        answer
        == f"{ {'a': (half, 0.0), 'b': (half, 0.0)} if write is sparse_safetensors else {'a': (2 * half, 0.0)} }\n"
    )


@pytest.mark.slow
def test_writing_copies_no_more_than_is_written_at_a_time(tmp_path: Path) -> None:
    """From a file of 128 MiB to another one, with 50 MiB to do it in."""
    path = sparse_safetensors(tmp_path / "w.safetensors", 128)
    run_within(
        50,
        f"""
weights = SafetensorsWeights({str(path)!r})
write_safetensors({str(tmp_path / "v.safetensors")!r}, weights)
write_torch({str(tmp_path / "v.pth")!r}, {{"model": weights.tensors}})
""",
    )
    for name in ("v.safetensors", "v.pth"):
        assert (tmp_path / name).stat().st_size > 128 * MIB


def repeated(instruction: bytes, size: int, first: bytes = b"") -> bytes:
    return b"\x80\x02" + first + instruction * (size // len(instruction)) + b"."


def text(value: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value


SMILE = "\N{GRINNING FACE}".encode()
"""Makes Python give every character four bytes."""

HOSTILE: dict[str, Callable[[int], bytes]] = {
    "lists": lambda size: repeated(b"]", size),
    "dicts": lambda size: repeated(b"}", size),
    "sets": lambda size: repeated(b"\x8f", size),
    "marks": lambda size: repeated(b"(", size),
    "memos": lambda size: repeated(b")\x94", size),
    "nested tuples": lambda size: repeated(b"\x85", size, b")"),
    "nested lists": lambda size: b"\x80\x02" + b"]" * (size // 2) + b"a" * (size // 2),
    "names": lambda size: repeated(b"ca\nb\n", size),
    "objects": lambda size: repeated(b"h\0)\x81", size, b"ca\nb\nq\0"),
    "calls": lambda size: repeated(b"h\0)R", size, b"ccollections\nOrderedDict\nq\0"),
    "wide text": lambda size: b"\x80\x02" + text(b"a" * size + SMILE) + b".",
    "wide texts": lambda size: repeated(text(b"a" * 1000 + SMILE), size),
    "one text encoded again and again": lambda size: repeated(
        b"h\0h\1R", size // 2, b"c_codecs\nencode\nq\0" + text(b"a" * (size // 2)) + text(b"latin1") + b"\x86q\1"
    ),
    "one text encoded as if by a class": lambda size: repeated(
        b"h\0h\1\x81", size // 2, b"c_codecs\nencode\nq\0" + text(b"a" * (size // 2)) + text(b"latin1") + b"\x86q\1"
    ),
    "one list made a set again and again": lambda size: repeated(
        b"h\0h\1R",
        size // 2,
        b"cbuiltins\nset\nq\0]("
        + b"".join(b"J" + struct.pack("<i", index) for index in range(size // 10))
        + b"e\x85q\1",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickle_takes_twice_its_length_and_50_mib(name: str, tmp_path: Path) -> None:
    mib = 24
    path = tmp_path / "w.pth"
    path.write_bytes(HOSTILE[name](mib * MIB))
    answer = run_within(
        2 * mib + 50,
        f"""
try:
    read_file({str(path)!r})
except WeightsError as error:
    print(error)
""",
    )
    assert answer == f"{path}: has a pickle that would take far more memory than its file\n"


@pytest.mark.slow
def test_hostile_header_takes_twice_its_length_and_50_mib(tmp_path: Path) -> None:
    """As many tensors, and as long texts, as are read at all."""
    path = tmp_path / "w.safetensors"
    rows = [f'"{index}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' for index in range(19_000)]
    long = "x" * 200_000 + SMILE.decode()
    texts = [f'"{index}":"{long}"' for index in range(4)]
    header = ("{" + ",".join(rows) + ',"__metadata__":{' + ",".join(texts) + "}}").encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert len(header) > 0.85 * LARGEST_JSON
    answer = run_within(2 * len(header) // MIB + 50, f"print(len(read_file({str(path)!r}).content))")
    assert answer == "19000\n"


@pytest.mark.slow
@pytest.mark.parametrize("member", ["{},", '{"":0},', "[],", "[" * 900 + "]" * 900 + ",", '"😀",'])
def test_hostile_nesting_in_a_header_takes_twice_its_length_and_100_mib(member: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    count = (LARGEST_JSON - 100) // len(member.encode())
    header = ('{"a":[' + member * count + "0]}").encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    answer = run_within(
        2 * len(header) // MIB + 100,
        f"""
try:
    read_file({str(path)!r})
except WeightsError as error:
    print(error)
""",
    )
    assert answer.endswith("a does not have its type, its shape and two offsets\n")


@pytest.mark.slow
def test_hostile_directory_of_a_zip_takes_50_mib(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(28_000):
            archive.writestr(zipfile.ZipInfo(f"w/data/{index}"), b"")
    answer = run_within(
        50,
        f"""
try:
    read_file({str(path)!r})
except WeightsError as error:
    print(error)
""",
    )
    assert answer.startswith(f"{path}: is a zip file, but not one of torch.save: it has no data.pkl; ")
