"""Reads damaged and hostile files, one after the other, in a process that may do nothing but read.

    python mutants.py FOLDER COUNT SEED

FOLDER holds whole files of every format; each mutant is one of them with some of its bytes changed, or a pickle of
random instructions. Prints JSON: how many of each format were read and refused, the slowest, and what went wrong.

- What runs code, imports, or writes a file ends the reading: Python's audit events tell.
- Memory: the process may take 50 MiB more than it has before the first mutant; more is a MemoryError.
- Time: a mutant that takes longer than `LONGEST_S` is interrupted.
"""

import codecs
import json
import random
import resource
import signal
import struct
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from regnety.errors import WeightsError
from regnety.files.file_contents import walk_tensors
from regnety.files.reading import read_file

MORE_MEMORY = 50 << 20
LONGEST_S = 5.0


class Ran(BaseException):
    """What no reader catches: something was done that should not be."""


class TooLong(BaseException):
    """A mutant took longer than it may."""


armed = False


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Python's audit hook; it cannot be removed."""
    if not armed:
        return
    writes = event == "open" and isinstance(arguments[1], str) and any(mode in arguments[1] for mode in "wax+")
    if writes or event in ("exec", "compile", "import", "pickle.find_class", "socket.connect", "ctypes.dlopen"):
        raise Ran(f"{event} {arguments}")
    if event.startswith(("os.", "subprocess.", "shutil.", "pty.")):
        raise Ran(f"{event} {arguments}")


def interrupt(*_: Any) -> None:
    raise TooLong


# Mutations

HUGE = [b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\xff" * 4, b"\0\0\0\x80", b"\xff\xff\xff\x7f", b"\0" * 8, b"\xff" * 2]
DIGITS = [b"9" * 19, b"18446744073709551615", b"-1", b"1e9", b"[0]", b"null", b'"', b"{", b"]" * 9, b"[" * 99]


def mutate(data: bytes, others: list[bytes], random: random.Random) -> bytes:
    """One to four changes; many are near an end, where lengths and directories are."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 1, 2, 4))):
        size = len(changed)
        near = random.choice((size, size, min(size, 300), -min(size, 300)))
        at = (
            random.randrange(size)
            if near == size
            else (random.randrange(near) if near > 0 else size + random.randrange(near, 0))
        )
        span = random.choice((1, 1, 1, 1, 2, 4, 8, 30, 200))
        change = random.choice(CHANGES)
        changed = change(changed, at, span, others, random) or bytearray(b"\0")
    return bytes(changed)


def flip(data: bytearray, at: int, span: int, others: list[bytes], random: random.Random) -> bytearray:
    for _ in range(span):
        data[random.randrange(at, min(len(data), at + 64))] ^= 1 << random.randrange(8)
    return data


def cut(data: bytearray, at: int, span: int, others: list[bytes], random: random.Random) -> bytearray:
    return data[:at]


def remove(data: bytearray, at: int, span: int, others: list[bytes], random: random.Random) -> bytearray:
    return data[:at] + data[at + span :]


def insert(data: bytearray, at: int, span: int, others: list[bytes], random: random.Random) -> bytearray:
    return data[:at] + random.randbytes(span) + data[at:]


def double(data: bytearray, at: int, span: int, others: list[bytes], random: random.Random) -> bytearray:
    return data[:at] + data[at : at + span] * random.choice((2, 3, 100)) + data[at + span :]


def swap(data: bytearray, at: int, span: int, others: list[bytes], random: random.Random) -> bytearray:
    to = random.randrange(len(data))
    data[at : at + span], data[to : to + span] = data[to : to + span], data[at : at + span]
    return data


def splice(data: bytearray, at: int, span: int, others: list[bytes], random: random.Random) -> bytearray:
    other = random.choice(others)
    start = random.randrange(len(other))
    return data[:at] + other[start : start + span] + data[at + span :]


def enlarge(data: bytearray, at: int, span: int, others: list[bytes], random: random.Random) -> bytearray:
    value = random.choice(HUGE)
    data[at : at + len(value)] = value
    return data


def replace_number(data: bytearray, at: int, span: int, others: list[bytes], random: random.Random) -> bytearray:
    """In a header in JSON: the next digits."""
    start = next((place for place in range(at, len(data)) if chr(data[place]).isdigit()), at)
    end = next((place for place in range(start, len(data)) if not chr(data[place]).isdigit()), len(data))
    return data[:start] + random.choice(DIGITS) + data[end:]


def instruct(data: bytearray, at: int, span: int, others: list[bytes], random: random.Random) -> bytearray:
    return data[:at] + instructions(random, random.randrange(1, 9)) + data[at + random.choice((0, span)) :]


CHANGES = (flip, cut, remove, insert, double, swap, splice, enlarge, enlarge, replace_number, instruct)


def instructions(random: random.Random, count: int) -> bytes:
    """Instructions of pickles, half of them with something sensible behind."""
    names = [
        *(b"os\nsystem", b"builtins\neval", b"subprocess\nPopen", b"torch\nFloatStorage", b"collections\nOrderedDict"),
        *(b"torch._utils\n_rebuild_tensor_v2", b"numpy.core.multiarray\n_reconstruct", b"numpy\ndtype", b"a\nB"),
        *(
            b"_codecs\nencode",
            b"copyreg\n_reconstructor",
            b"argparse\nNamespace",
            b"builtins\nset",
            b"builtins\nbytearray",
        ),
        *(b"torch._tensor\n_rebuild_from_type_v2", b"numpy.core.multiarray\nscalar", b"collections\ndeque"),
    ]
    parts = []
    for _ in range(count):
        kind = random.randrange(6)
        if kind == 0:
            parts.append(b"c" + random.choice(names) + b"\n")
        elif kind == 1:
            text = random.choice((b"storage", b"0", b"cpu", b"a", b"f4", b"latin1", b"x" * 40))
            parts.append(b"X" + struct.pack("<I", random.choice((len(text), len(text), 2**31))) + text)
        elif kind == 2:
            parts.append(b"J" + struct.pack("<i", random.choice((0, 1, 2, 24, 2**31 - 1, -1))))
        elif kind == 3:
            parts.append(random.choice(b"q h r j".split()) + random.choice((b"\0", b"\1", b"\xff\xff\xff\xff")))
        elif kind == 4:
            parts.append(
                bytes([random.choice(b"()]}0125NRbotudeasl\x81\x85\x86\x87\x88\x8f\x90\x91\x92\x93\x94QQRRbb")])
            )
        else:
            parts.append(random.randbytes(1))
    return b"".join(parts)


def mutant(name: str, files: dict[str, bytes], random: random.Random) -> bytes:
    if name.startswith("pickle") and random.random() < 0.5:
        return b"\x80" + bytes([random.randrange(6)]) + instructions(random, random.choice((5, 50, 500))) + b"."
    return mutate(files[name], list(files.values()), random)


# Reading


def read_all(path: Path) -> None:
    """Everything that a careless user would do."""
    for _, tensor in walk_tensors(read_file(path).content):
        try:
            array = tensor.read()
        except WeightsError as error:
            if "\n" in str(error):
                raise Ran(f"more than a line: {error}") from error
            continue
        assert array.shape == tensor.shape
        with np.errstate(all="ignore"):
            array.sum()


def main(folder: Path, count: int, seed: int) -> dict[str, Any]:
    global armed
    generator = random.Random(seed)
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    names = [name for name in files if "shard" not in name]
    for name in names:  # what is read for the first time imports what it needs
        read_all(folder / name)
    for codec in ("cp437", "utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le"):  # of names in a zip, and of JSON
        codecs.lookup(codec)
    read, refused = Counter[str](), Counter[str]()
    wrong: list[str] = []
    slowest_s = 0.0
    sys.addaudithook(watch)
    signal.signal(signal.SIGALRM, interrupt)
    size = int(next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmData" in line).split()[1])
    resource.setrlimit(resource.RLIMIT_DATA, ((size << 10) + MORE_MEMORY, resource.RLIM_INFINITY))
    for index in range(count):
        name = names[index % len(names)]
        path = folder / f"mutant-{name}"
        path.write_bytes(mutant(name, files, generator))
        started = time.perf_counter()
        try:
            signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
            armed = True
            read_all(path)
            read[name] += 1
        except WeightsError as error:
            refused[name] += 1
            if "\n" in str(error) or (not str(error).startswith(str(path)) and "mutant" not in str(error)):
                wrong.append(f"{index} {name}: {error}")
        except BaseException as error:
            armed = False
            wrong.append(f"{index} {name}: {type(error).__name__}: {error}")
            path.rename(folder.parent / f"wrong-{index}-{name}")  # for whoever looks for the reason
        finally:
            armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        slowest_s = max(slowest_s, time.perf_counter() - started)
        path.unlink(missing_ok=True)
    return {"read": read, "refused": refused, "slowest_s": slowest_s, "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
