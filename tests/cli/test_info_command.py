"""`regnety info`: what is installed, what the processor has, what the cache holds."""

import json
from pathlib import Path

import onnxruntime
import pytest

from commands import one_line, python, regnety
from regnety import __version__
from regnety.inference.engines.processor import has_bf16
from regnety.inference.engines.registry import ENGINES
from regnety.storage.cache import cache_sizes, empty_cache
from regnety.weights.fetching.kept_weights import note_fetched


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with something in each of our folders, in a folder that is not ours alone."""
    for name, size in {
        "graphs/a.onnx": 1_500_000,
        "compiled/b.blob": 700,
        "openvino/old.blob": 5,
        "weights/c.safetensors": 40,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(size))
    (tmp_path / "thesis.txt").write_text("precious")
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path))
    return tmp_path


def test_the_facts(cache: Path) -> None:
    facts = json.loads(regnety("info", "--format", "json").stdout)
    assert facts["regnety"] == __version__
    assert facts["engines"]["onnxruntime"] == onnxruntime.__version__
    assert list(facts["engines"]) == list(ENGINES)
    assert facts["bf16"] is has_bf16()
    assert facts["auto"] == "onnxruntime, f32"
    assert facts["cache"] == str(cache)
    assert facts["cache_bytes"] == {"graphs": 1_500_000, "compiled": 700, "openvino": 5, "weights": 40}


def test_the_report_for_people(cache: Path) -> None:
    result = regnety("info")
    assert (result.returncode, result.stderr) == (0, "")
    for part in (
        f"regnety         {__version__}, Python",
        f"onnxruntime {onnxruntime.__version__}",
        str(cache),
        "graphs 1.5 MB",
    ):
        assert part in result.stdout


def test_the_cache_is_emptied_of_what_can_be_made_again(cache: Path) -> None:
    result = regnety("info", "--clear-cache")
    assert result.returncode == 0
    assert "1.5 MB removed" in result.stdout
    assert "weights kept: 1 put there by hand (--placed-weights)" in result.stdout
    assert sorted(path.name for path in cache.iterdir()) == ["photos", "thesis.txt", "weights"]
    assert (cache / "weights" / "c.safetensors").stat().st_size == 40
    facts = json.loads(regnety("info", "--clear-cache", "--format", "json").stdout)
    assert (facts["freed_bytes"], facts["cache_bytes"]) == (0, {"weights": 40})


def test_weights_go_where_they_are_named(cache: Path, tmp_path: Path) -> None:
    """A link into the Hub's cache, a copy of a file there, one that was changed since, and one put there by hand."""
    blob = tmp_path / "photos" / "blob"
    blob.write_bytes(bytes(50))
    (cache / "weights" / "a.safetensors").symlink_to(blob)
    for name in ("b.pth", "changed.pth"):
        (cache / "weights" / name).write_bytes(bytes(70))
    for name in ("a.safetensors", "b.pth", "changed.pth"):
        note_fetched(cache / "weights" / name)
    (cache / "weights" / "changed.pth").write_bytes(bytes(80))
    assert one_line(regnety("info", "--weights")).startswith("--weights says what --clear-cache removes too")
    assert "weights kept: 2 fetched (--weights) and 2 put there by hand" in (regnety("info", "--clear-cache").stdout)
    regnety("info", "--clear-cache", "--weights")
    assert sorted(path.name for path in (cache / "weights").iterdir() if not path.name.startswith(".")) == [
        "c.safetensors",
        "changed.pth",
    ]
    assert blob.stat().st_size == 50
    facts = json.loads(regnety("info", "--clear-cache", "--placed-weights", "--format", "json").stdout)
    assert facts["freed_bytes"] == 120
    assert [path for path in (cache / "weights").iterdir() if path.suffix != ".fetched"] == []


def test_no_cache_is_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "none"))
    assert (cache_sizes(), empty_cache()) == ({}, 0)
    assert "is empty" in regnety("info").stdout


def test_what_is_missing_is_named_with_its_extra() -> None:
    code = (
        "import importlib.metadata as m, sys; from regnety.cli.main import run; plain = m.version\n"
        "def version(name):\n"
        "    if name in ('openvino', 'torch', 'pillow-heif'): raise m.PackageNotFoundError(name)\n"
        "    return plain(name)\n"
        "m.version = version; import importlib.util as u; u.find_spec = lambda *a: None; sys.exit(run())"
    )
    result = python(code, "info")
    assert result.returncode == 0, result.stderr
    for extra in ("openvino", "torch", "heif"):
        assert f"is not installed: pip install '.[{extra}]' in a clone of regnety" in result.stdout


def test_no_engine_is_loaded_to_tell_its_version() -> None:
    code = (
        "import sys; from regnety.cli.main import run; run()\n"
        "print(sorted({'torch', 'openvino', 'onnxruntime'} & set(sys.modules)))"
    )
    assert python(code, "info").stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    assert "_REGNETY_COMPLETE" in regnety("completion", shell).stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("regnety pre", {"predict"}),
        ("regnety predict --eng", {"--engine"}),
        ("regnety predict --engine op", {"openvino"}),
        ("regnety predict --model regnety_03", {"regnety_032"}),
        (
            "regnety predict --model regnety_032.",
            {"regnety_032.ra_in1k", "regnety_032.tv2_in1k", "regnety_032.pycls_in1k"},
        ),
        ("regnety export regnety_cif", {"regnety_cifar10"}),
    ],
)
def test_what_is_completed(words: str, expected: set[str]) -> None:
    environment = {"_REGNETY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = regnety(**environment)
    assert result.returncode == 0, result.stderr
    assert expected <= {line.partition(",")[2] for line in result.stdout.splitlines()}
