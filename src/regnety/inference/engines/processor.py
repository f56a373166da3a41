"""What this machine's processor can do, as the operating system says. Standard library only."""

import functools
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

BF16_FLAGS = ("avx512_bf16", "amx_bf16")
"""Either of them multiplies bf16 numbers; without one, bf16 is emulated and slower than f32."""
NOTED_FLAGS = ("avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8")
"""What decides how fast a network runs, oldest first."""

CPUINFO = Path("/proc/cpuinfo")
# The full path, as /usr/sbin is not on every PATH.
SYSCTL = ("/usr/sbin/sysctl", "machdep.cpu", "hw.optional")
SYSCTL_TIMEOUT_S = 5
MAC_FLAGS = {"avx1_0": "avx", "avx512bf16": "avx512_bf16", "avx512vnni": "avx512_vnni"}
"""macOS's names that differ from Linux's."""


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor's name and abilities."""

    name: str | None
    """The maker's; None if the system does not say."""
    flags: frozenset[str] | None
    """Its instruction sets, by Linux's names; None if the system does not say."""

    @property
    def noted_flags(self) -> tuple[str, ...]:
        """Those that decide how fast a network runs; empty if none is known."""
        return tuple(flag for flag in NOTED_FLAGS if flag in (self.flags or ()))


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # containers and taskset allow fewer than there are; not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def processor() -> Processor:
    """This machine's processor; asked once per process."""
    if sys.platform == "linux":
        return _of_linux()
    if sys.platform == "darwin":
        return _of_macos()
    return Processor(os.environ.get("PROCESSOR_IDENTIFIER") or None, None)  # Windows; it does not list the flags


def has_bf16() -> bool | None:
    """Whether this processor multiplies bf16 numbers; None if the system does not say."""
    flags = processor().flags
    return None if flags is None else not flags.isdisjoint(BF16_FLAGS)


def from_cpuinfo(lines: Iterable[str]) -> Processor:
    """The first processor of Linux's /proc/cpuinfo."""
    values: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        if not key.strip() and values:
            break  # an empty line ends a core; the others are the same
        values[key.strip()] = value.strip()
    return _from_values(values, name_keys=("model name", "Processor", "cpu model"), flag_keys=("flags", "Features"))


def from_sysctl(lines: Iterable[str]) -> Processor:
    """macOS: `sysctl machdep.cpu hw.optional`. On Intel features are words, on Apple's own chips and newer 0 and 1."""
    values: dict[str, str] = {}
    switched_on = []
    for line in lines:
        key, _, value = line.partition(":")
        values[key.strip()] = value.strip()
        if key.startswith("hw.optional.") and value.strip() == "1":
            switched_on.append(key.rpartition(".")[2])
    values["switched on"] = " ".join(switched_on)
    return _from_values(
        values,
        name_keys=("machdep.cpu.brand_string",),
        flag_keys=("machdep.cpu.features", "machdep.cpu.leaf7_features", "switched on"),
    )


def _from_values(values: Mapping[str, str], *, name_keys: Iterable[str], flag_keys: Iterable[str]) -> Processor:
    names = [values[key] for key in name_keys if values.get(key)]
    # macOS writes AVX1.0 and AVX512BF16, Linux avx and avx512_bf16.
    words = [word.lower().replace(".", "_") for key in flag_keys for word in values.get(key, "").split()]
    flags = frozenset(MAC_FLAGS.get(word, word) for word in words)
    return Processor(names[0] if names else None, flags or None)


def _of_linux() -> Processor:
    try:
        with CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            return from_cpuinfo(lines)
    except OSError:
        return Processor(None, None)


def _of_macos() -> Processor:
    import subprocess  # takes milliseconds, which other systems need not pay

    try:
        answer = subprocess.run(SYSCTL, capture_output=True, text=True, timeout=SYSCTL_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return Processor(None, None)
    return from_sysctl(answer.stdout.splitlines())
