"""Published weights: from the Hub, put there by hand, and unavailable."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants

from commands import TIMEOUT_S, python
from regnety.bundle.bundle import Bundle
from regnety.catalog.models import model_info
from regnety.catalog.published import PublishedWeights
from regnety.errors import UnknownModelError, UnreachableError, WeightsError
from regnety.weights.fetching.published import fetch
from web_server import Handler, WebFile, WebServer, serve

DATA = bytes(range(256)) * 400
DIGITS = hashlib.sha256(DATA).hexdigest()[:8]
NO_REPOSITORY = "there is no such repository; or it is private, and HF_TOKEN is not set to a token that may read it"


def weights_of(name: str) -> PublishedWeights:
    published = model_info(name).published
    assert published is not None
    return published


PLAIN = weights_of("regnety_002")
ONLY_HUB = weights_of("regnetx_002")
SEER = weights_of("regnety_320.seer")


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """The Hub, with empty caches on this side."""
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    with WebServer() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield server


def at(web: WebServer, published: PublishedWeights, name: str) -> PublishedWeights:
    """Published weights whose address is on the server, under a name of its own."""
    return replace(published, url=f"{web.url}/{name}")


def gets(web: WebServer) -> list[str]:
    return [request.path for request in web.requests if request.method == "GET" and "/api/" not in request.path]


def test_from_the_hub_once_and_never_again(web: WebServer, tmp_path: Path) -> None:
    path = web.add_hub_file(PLAIN.hub_repo, "model.safetensors", DATA)
    assert fetch(PLAIN) == PLAIN.cache_path
    assert PLAIN.cache_path.read_bytes() == DATA
    assert PLAIN.cache_path.resolve().is_relative_to(tmp_path / "hub"), "no second copy"
    assert gets(web) == [path]
    web.requests.clear()
    assert fetch(PLAIN) == PLAIN.cached_file == PLAIN.cache_path
    assert web.requests == []


def test_what_is_here_is_found_without_the_hubs_library(web: WebServer) -> None:
    PLAIN.cache_path.parent.mkdir(parents=True)
    PLAIN.cache_path.write_bytes(DATA)
    code = """
import sys
from regnety.catalog.models import model_info
from regnety.weights.fetching.published import fetch
print(fetch(model_info("regnety_002").published))
print(*({"huggingface_hub", "filelock", "urllib.request", "torch"} & sys.modules.keys()))
"""
    assert python(code).stdout == f"{PLAIN.cache_path}\n\n"


def test_what_timm_has_fetched_is_used_offline(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import hf_hub_download

    web.add_hub_file(PLAIN.hub_repo, "model.safetensors", DATA)
    hf_hub_download(PLAIN.hub_repo, "model.safetensors")
    web.requests.clear()
    monkeypatch.setenv("REGNETY_OFFLINE", "1")
    assert fetch(PLAIN).read_bytes() == DATA
    assert web.requests == []


@pytest.mark.parametrize(
    "name", ["regnety_002.pycls_in1k.safetensors", "regnety_002.pycls_in1k.pth", f"regnety_002-{DIGITS}.pth"]
)
def test_a_file_that_was_put_there_by_hand(name: str, web: WebServer) -> None:
    PLAIN.cache_path.parent.mkdir(parents=True)
    (PLAIN.cache_path.parent / name).write_bytes(DATA)
    assert fetch(at(web, PLAIN, f"regnety_002-{DIGITS}.pth")) == PLAIN.cache_path.parent / name
    assert web.requests == [], "nothing is ever fetched from the authors' address"


def test_a_file_that_was_put_there_by_hand_is_held_to_its_published_hash(
    web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = at(web, PLAIN, f"regnety_002-{DIGITS}.pth")
    path = published.url_path
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA[:-1])
    with pytest.raises(WeightsError) as error:
        fetch(published)
    found = hashlib.sha256(DATA[:-1]).hexdigest()[:8]
    assert str(error.value) == (
        f"{path}: is not the file of {published.url}: its SHA-256 begins with {found}, expected {DIGITS}; remove it, "
        "or copy the file again"
    )
    assert path.exists(), "it is the user's"
    path.write_bytes(DATA)
    assert fetch(published) == path
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("it is checked once"))
    assert fetch(published) == path


def test_a_file_of_a_model_is_checked_before_its_first_use(web: WebServer) -> None:
    PLAIN.cache_path.parent.mkdir(parents=True)
    (PLAIN.cache_path.parent / "regnety_002-e68ca334.pth").write_bytes(DATA)
    with pytest.raises(WeightsError, match="is not the file of https://github"):
        Bundle.load("regnety_002")


def test_a_link_that_leads_nowhere_any_more_is_renewed(web: WebServer, tmp_path: Path) -> None:
    web.add_hub_file(PLAIN.hub_repo, "model.safetensors", DATA)
    fetch(PLAIN).resolve().unlink()
    assert PLAIN.cached_file is None
    web.add_hub_file(PLAIN.hub_repo, "model.safetensors", DATA[::-1])
    path = fetch(PLAIN)
    assert path.read_bytes() == DATA[::-1]
    assert path.resolve().name == hashlib.sha256(DATA[::-1]).hexdigest(), "it leads to where the new one is"
    assert len(gets(web)) == 2


@pytest.mark.parametrize("forbidden", [["symlink"], ["symlink", "link"]])
def test_where_links_are_not_allowed(forbidden: list[str], web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "not permitted")

    web.add_hub_file(PLAIN.hub_repo, "model.safetensors", DATA)
    fetch(PLAIN).unlink()
    for name in forbidden:
        monkeypatch.setattr(f"os.{name}", refuse)
    path = fetch(PLAIN)
    assert not path.is_symlink()
    assert path.read_bytes() == DATA
    assert path.stat().st_nlink == (1 if "link" in forbidden else 2)


def test_wrong_bytes(web: WebServer) -> None:
    web.add_hub_file(PLAIN.hub_repo, "model.safetensors", DATA[::-1], announced=DATA)
    with pytest.raises(WeightsError) as error:
        fetch(PLAIN)
    assert str(error.value).startswith(
        "regnety_002.pycls_in1k: the weights of this model are not on this disk, and cannot be fetched: "
        f"{web.url}/timm/regnety_002.pycls_in1k: gave a wrong model.safetensors, now removed: "
    )
    assert PLAIN.cached_file is None
    assert [file.name for file in PLAIN.cache_path.parent.iterdir() if file.suffix != ".lock"] == []


def test_weights_that_are_unavailable_say_where_to_put_them(web: WebServer) -> None:
    published = at(web, PLAIN, "a-01234567.pth")
    folder = PLAIN.cache_path.parent
    with pytest.raises(UnknownModelError) as error:
        fetch(published)
    assert str(error.value) == (
        "regnety_002.pycls_in1k: the weights of this model are not on this disk, and cannot be fetched: "
        f"{web.url}/timm/regnety_002.pycls_in1k: {NO_REPOSITORY}; "
        "put model.safetensors of https://huggingface.co/timm/regnety_002.pycls_in1k at "
        f"{folder}/regnety_002.pycls_in1k.safetensors, or the file of {published.url} at {folder}/a-01234567.pth"
    )
    with pytest.raises(UnknownModelError, match=r"regnetx_002\.pycls_in1k at .*/regnetx_002\.pycls_in1k\.safetensors$"):
        fetch(ONLY_HUB)


@pytest.mark.parametrize("variable", ["REGNETY_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked(variable: str, web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(UnknownModelError) as error:
        fetch(ONLY_HUB)
    assert str(error.value) == (
        f"regnetx_002.pycls_in1k: the weights of this model are not on this disk, and offline mode is on ({variable}); "
        "unset it, or put model.safetensors of https://huggingface.co/timm/regnetx_002.pycls_in1k at "
        f"{ONLY_HUB.cache_path}"
    )
    with pytest.raises(UnreachableError, match="or the file of "):
        fetch(at(web, PLAIN, "a-01234567.pth"))
    assert web.requests == []


def test_offline_a_damaged_file_is_named(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    web.add_hub_file(PLAIN.hub_repo, "model.safetensors", DATA)
    path = fetch(PLAIN)
    path.resolve().write_bytes(DATA[:-1])
    path.unlink()
    web.requests.clear()
    monkeypatch.setenv("REGNETY_OFFLINE", "1")
    with pytest.raises(
        WeightsError, match=r"gave a wrong model\.safetensors, now removed: .*; put model\.safetensors of "
    ):
        fetch(PLAIN)
    assert web.requests == []


def test_a_licence_is_said_before_the_first_use(web: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UnknownModelError):
        fetch(SEER, quiet=True)
    web.add_hub_file(SEER.hub_repo, "model.safetensors", DATA)
    for _ in range(2):
        fetch(SEER, quiet=True)
    licence = (
        "the weights regnety_320.seer are not for commercial use: their licence is seer-license, "
        "see https://huggingface.co/timm/regnety_320.seer"
    )
    assert caplog.messages == [licence] * 2, "quiet leaves nothing else, and what failed was no use"


def test_a_licence_is_said_of_files_that_were_put_there_too(web: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    SEER.cache_path.parent.mkdir(parents=True)
    SEER.cache_path.write_bytes(DATA)
    assert [fetch(SEER) for _ in range(3)] == [SEER.cache_path] * 3
    assert caplog.messages == [SEER.licence_notice]


def test_a_cache_that_cannot_be_written_is_named(web: WebServer, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(UnknownModelError) as raised:
        fetch(PLAIN)
    assert str(raised.value) == (
        f"{PLAIN.name}: the weights of this model are not on this disk, and nothing can be kept in "
        f"{tmp_path / 'cache'} (Not a directory); set REGNETY_CACHE to a folder that can be written"
    )


def test_the_cache_of_the_hub_is_enough(
    web: WebServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regnety.storage.cache._SAID", set())  # said once in a process
    (tmp_path / "cache").touch()
    web.add_hub_file(PLAIN.hub_repo, "model.safetensors", DATA)
    file = fetch(PLAIN)
    assert file.is_relative_to(tmp_path / "hub")
    assert file.read_bytes() == DATA
    (line,) = caplog.messages
    assert line.startswith(f"nothing can be kept in the cache {tmp_path / 'cache'} (")


def test_whoever_waits_says_so(web: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    path = web.add_hub_file(PLAIN.hub_repo, "model.safetensors", DATA)
    ready, go_on = threading.Event(), threading.Event()

    def slowly(handler: Handler, file: WebFile) -> None:
        ready.set()
        go_on.wait(20)
        serve(handler, file)

    web.answers[path] += [slowly]
    first = threading.Thread(target=fetch, args=[PLAIN])
    first.start()
    assert ready.wait(20)
    caplog.handler.addFilter(lambda record: go_on.set() or True)  # type: ignore[func-returns-value]
    assert fetch(PLAIN).read_bytes() == DATA
    first.join()
    assert caplog.messages == ["regnety_002.pycls_in1k: another process is fetching it; waiting for that"]
    assert gets(web) == [path]


FETCH = """
from regnety.catalog.models import model_info
from regnety.weights.fetching.published import fetch
print(fetch(model_info("regnety_002").published).read_bytes() == bytes(range(256)) * 400)
"""


def test_ten_processes_fetch_once(web: WebServer, tmp_path: Path) -> None:
    path = web.add_hub_file(PLAIN.hub_repo, "model.safetensors", DATA)
    environment = {**os.environ, "HF_ENDPOINT": web.url, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-W", "error", "-c", FETCH]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) for _ in range(10)]
    outputs = [process.communicate(timeout=TIMEOUT_S)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 10
    assert outputs == ["True\n"] * 10
    assert gets(web) == [path]
