"""The processor, from the texts of three operating systems."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from regnety.inference.engines import processor as module
from regnety.inference.engines.processor import Processor, from_cpuinfo, from_sysctl, has_bf16, processor

EPYC = """processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 9R14
flags\t\t: fpu sse avx fma avx2 avx512f avx512_bf16 avx512_vnni

processor\t: 1
model name\t: another one
flags\t\t: fpu amx_bf16
"""
SAPPHIRE_RAPIDS = "model name\t: Intel(R) Xeon(R) Platinum 8481C\nflags\t\t: avx2 avx512f amx_bf16 amx_tile\n"
BROADWELL = "model name\t: Intel(R) Xeon(R) CPU @ 2.20GHz\nflags\t\t: avx avx2\n"
GRAVITON = "processor\t: 0\nBogoMIPS\t: 2100.00\nFeatures\t: fp asimd sve bf16 i8mm\nCPU part\t: 0xd40\n"
INTEL_MAC = """machdep.cpu.brand_string: Intel(R) Core(TM) i7-1068NG7 CPU @ 2.30GHz
machdep.cpu.features: FPU SSE4.2 AVX1.0
machdep.cpu.leaf7_features: AVX2 AVX512F
hw.optional.avx2_0: 1
"""
APPLE_MAC = """machdep.cpu.brand_string: Apple M2
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_SME: 0
"""


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    processor.cache_clear()
    yield
    processor.cache_clear()


def on_linux(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cpuinfo").write_text(text)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(module, "CPUINFO", folder / "cpuinfo")


@pytest.mark.parametrize(
    ("text", "name", "noted", "bf16"),
    [
        (EPYC, "AMD EPYC 9R14", ("avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16"), True),
        (SAPPHIRE_RAPIDS, "Intel(R) Xeon(R) Platinum 8481C", ("avx2", "avx512f", "amx_bf16"), True),
        (BROADWELL, "Intel(R) Xeon(R) CPU @ 2.20GHz", ("avx", "avx2"), False),
        (GRAVITON, None, (), False),
        ("", None, (), None),
        ("nonsense\n\n:\n", None, (), None),
    ],
)
def test_linux(
    text: str,
    name: str | None,
    noted: tuple[str, ...],
    bf16: bool | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_linux(text, tmp_path, monkeypatch)
    assert processor() == from_cpuinfo(text.splitlines())
    assert (processor().name, processor().noted_flags, has_bf16()) == (name, noted, bf16)


@pytest.mark.parametrize(
    ("text", "name", "flags"),
    [
        (
            INTEL_MAC,
            "Intel(R) Core(TM) i7-1068NG7 CPU @ 2.30GHz",
            {"fpu", "sse4_2", "avx", "avx2", "avx512f", "avx2_0"},
        ),
        (APPLE_MAC, "Apple M2", {"feat_bf16"}),
    ],
)
def test_macos(text: str, name: str, flags: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess((), 0, text, ""))
    assert processor() == from_sysctl(text.splitlines()) == Processor(name, frozenset(flags))
    assert has_bf16() is False


def test_what_is_not_known_is_not_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "missing")
    monkeypatch.setattr(module, "SYSCTL", (str(tmp_path / "missing"),))
    monkeypatch.delenv("PROCESSOR_IDENTIFIER", raising=False)
    for platform in ("linux", "darwin", "win32"):
        processor.cache_clear()
        monkeypatch.setattr(sys, "platform", platform)
        assert processor() == Processor(None, None)
        assert has_bf16() is None
        assert processor().noted_flags == ()


def test_windows_says_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("PROCESSOR_IDENTIFIER", "AMD64 Family 25 Model 97")
    assert processor() == Processor("AMD64 Family 25 Model 97", None)


def test_it_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_linux(BROADWELL, tmp_path, monkeypatch)
    assert has_bf16() is False
    (tmp_path / "cpuinfo").write_text(EPYC)
    assert has_bf16() is False
