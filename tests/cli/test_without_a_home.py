"""Users whom their system does not know, or whose home is somebody else's: all works without a cache, and says so once.

Root may do everything, so the commands run as another user, who is given leave to read (the interpreter may stand in
somebody's home), or as root without the leave to pass over what files allow.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundles import small_bundle
from commands import TIMEOUT_S
from pictures import noise

pytestmark = pytest.mark.skipif(
    shutil.which("setpriv") is None or getattr(os, "getuid", lambda: 1)() != 0,
    reason="needs setpriv, and root, who may become another user",
)
UNKNOWN_USER = 54321
ANOTHER_USER = (
    *("setpriv", "--reuid", str(UNKNOWN_USER), "--regid", str(UNKNOWN_USER), "--clear-groups"),
    *("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"),
)
AS_FILES_ALLOW = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
NO_HOME = "there is no cache, as this user has no home directory"
ADVICE = "; models start more slowly; set REGNETY_CACHE to a folder that can be written"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that everybody may read, with a photograph, a model and somebody's home."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        noise(50, 40).save(folder / "a.png")
        small_bundle().save(folder / "model")
        for home, owner, mode in (("closed", UNKNOWN_USER, 0o700), ("read-only", UNKNOWN_USER, 0o555)):
            (folder / home).mkdir()
            os.chown(folder / home, owner, owner)
            (folder / home).chmod(mode)
        yield folder


def run(who: tuple[str, ...], home: str | None, place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], "REGNETY_OFFLINE": "1"} | ({} if home is None else {"HOME": home})
    result = subprocess.run(
        [*who, sys.executable, "-m", "regnety", *arguments],
        env=variables,
        cwd=place,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if "setpriv:" in result.stderr:
        pytest.skip(f"may not become another user: {result.stderr.strip()}")
    assert "Traceback" not in result.stderr, result.stderr
    return result


def homes(place: Path) -> dict[str, tuple[tuple[str, ...], str | None, str]]:
    """Who, whose home, and where the cache would be."""
    return {
        "none": (ANOTHER_USER, None, ""),
        "/": (ANOTHER_USER, "/", "/.cache/regnety"),
        "empty": (ANOTHER_USER, "", "/.cache/regnety"),
        "missing": (ANOTHER_USER, "/nonexistent", "/nonexistent/.cache/regnety"),
        "closed": (AS_FILES_ALLOW, str(place / "closed"), f"{place}/closed/.cache/regnety"),
        "read-only": (AS_FILES_ALLOW, str(place / "read-only"), f"{place}/read-only/.cache/regnety"),
    }


@pytest.mark.parametrize("which", ["none", "/", "empty", "missing", "closed", "read-only"])
def test_a_photograph_is_answered_and_one_line_says_it(which: str, place: Path) -> None:
    who, home, cache = homes(place)[which]
    for engine in ("onnxruntime", "openvino") if which == "none" else ("onnxruntime",):
        command = ("predict", "a.png", "a.png", "--model", "model", "--engine", engine, "--format", "json")
        result = run(who, home, place, *command)
        assert result.returncode == 0, result.stderr
        assert [len(row["predictions"]) for row in json.loads(result.stdout)] == [4, 4]
        lines = [line for line in result.stderr.splitlines() if "cache" in line]
        why = f"nothing can be kept in the cache {cache} (Permission denied)" if cache else NO_HOME
        assert lines == [f"regnety: {why}{ADVICE}"]
        quiet = run(who, home, place, *command, "-q")
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, result.stdout, "")


@pytest.mark.parametrize("which", ["none", "missing", "closed"])
def test_info_works(which: str, place: Path) -> None:
    who, home, cache = homes(place)[which]
    facts = json.loads(run(who, home, place, "info", "--format", "json").stdout)
    assert (facts["cache"], facts["cache_bytes"]) == (cache or None, {})
    assert (cache or "there is none, as this user has no home directory") in run(who, home, place, "info").stdout


@pytest.mark.parametrize("which", ["none", "closed"])
def test_weights_that_cannot_be_kept_are_one_line(which: str, place: Path) -> None:
    who, home, _ = homes(place)[which]
    result = run(who, home, place, "predict", "a.png", "--model", "regnety_002")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert result.stderr.startswith("regnety: regnety_002.pycls_in1k: the weights of this model are not on this disk, ")
    assert result.stderr.endswith("; set REGNETY_CACHE to a folder that can be written\n")
    assert sorted(path.name for path in place.iterdir()) == ["a.png", "closed", "model", "read-only"]
