"""Files of the Hub: a server on this machine speaks its language, huggingface_hub is the real one."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from commands import python
from regnety.errors import UnknownModelError, UnreachableError, WeightsError
from regnety.weights.fetching.hub import NotOnHubError, fetch_from_hub, fetch_repo
from web_server import COMMIT, Handler, WebFile, WebServer, breaks_off, page, serve, status

REPO = "timm/regnety_002.pycls_in1k"
FILE = "model.safetensors"
DATA = bytes(range(256)) * 400


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """The Hub, with an empty cache of its own on this side."""
    with WebServer() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield server


def asked(hub: WebServer, method: str = "GET") -> list[str]:
    """The files that were asked for, in order."""
    return [
        request.path.rpartition("/")[2]
        for request in hub.requests
        if request.method == method and "/resolve/" in request.path
    ]


def forget(hub: WebServer) -> None:
    hub.requests.clear()


def test_a_file_comes_once_and_is_where_timm_looks(hub: WebServer, tmp_path: Path) -> None:
    hub.add_hub_file(REPO, FILE, DATA)
    path = fetch_from_hub(REPO, FILE)
    assert path.read_bytes() == DATA
    assert path == tmp_path / "hub" / "models--timm--regnety_002.pycls_in1k" / "snapshots" / COMMIT / FILE
    assert path.resolve().name == hashlib.sha256(DATA).hexdigest()
    assert fetch_from_hub(REPO, FILE) == fetch_from_hub(REPO, FILE, revision=COMMIT) == path
    assert asked(hub) == [FILE]


def test_the_real_library_with_its_real_variables(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom regnety.weights.fetching.hub import fetch_from_hub\n"
        f"print(fetch_from_hub({REPO!r}, {FILE!r}))\nprint('torch' in sys.modules, 'hf_xet' in sys.modules)"
    )
    with WebServer() as server:
        server.add_hub_file(REPO, FILE, DATA)
        result = python(
            code, HF_ENDPOINT=server.url, HF_HOME=str(tmp_path), HF_TOKEN="hf_secret", HF_HUB_DISABLE_TELEMETRY="1"
        )
    assert result.stderr == ""
    path, *rest = result.stdout.splitlines()
    assert Path(path).read_bytes() == DATA
    assert Path(path).is_relative_to(tmp_path / "hub")
    assert rest == ["False False"]
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer hf_secret"}


def test_wrong_bytes_are_removed(hub: WebServer, tmp_path: Path) -> None:
    found, expected = (hashlib.sha256(data).hexdigest() for data in (DATA[::-1], DATA))
    hub.add_hub_file(REPO, FILE, DATA[::-1], announced=DATA)
    with pytest.raises(WeightsError) as error:
        fetch_from_hub(REPO, FILE)
    assert str(error.value) == (
        f"{hub.url}/{REPO}: gave a wrong {FILE}, now removed: it has the SHA-256 {found}, the Hub announces {expected}"
    )
    assert [path for path in (tmp_path / "hub").rglob("*") if path.is_file() and path.stat().st_size == len(DATA)] == []
    hub.add_hub_file(REPO, FILE, DATA)
    assert fetch_from_hub(REPO, FILE).read_bytes() == DATA


@pytest.mark.parametrize("right", [True, False])
def test_a_cache_without_links_is_checked_too(right: bool, tmp_path: Path) -> None:
    code = f"from regnety.weights.fetching.hub import fetch_from_hub as f; print(f({REPO!r}, {FILE!r}).is_symlink())"
    with WebServer() as server:
        server.add_hub_file(REPO, FILE, DATA if right else DATA[::-1], announced=DATA)
        result = python(code, HF_ENDPOINT=server.url, HF_HOME=str(tmp_path), HF_HUB_DISABLE_SYMLINKS="1")
    kept = [path.name for path in (tmp_path / "hub").rglob("*") if path.is_file() and path.stat().st_size == len(DATA)]
    if right:
        assert (result.stdout, kept) == ("False\n", [FILE])
    else:
        assert f"gave a wrong {FILE}, now removed" in result.stderr
        assert kept == []


def test_a_wrong_size_is_one_line(hub: WebServer) -> None:
    hub.add_hub_file(REPO, FILE, DATA[:-1], announced=DATA)
    with pytest.raises(
        UnknownModelError, match=rf"^{hub.url}/{REPO}: {FILE} was not fetched: Consistency check failed"
    ):
        fetch_from_hub(REPO, FILE)


def test_what_others_left_in_the_cache_is_checked_too(hub: WebServer) -> None:
    hub.add_hub_file(REPO, FILE, DATA)
    path = fetch_from_hub(REPO, FILE)
    path.resolve().write_bytes(DATA[:-1])
    with pytest.raises(WeightsError, match=r"now removed: it has the SHA-256 "):
        fetch_from_hub(REPO, FILE, offline=True)
    assert not path.exists()


def test_a_small_file_is_known_by_its_size(hub: WebServer) -> None:
    hub.add_hub_file(REPO, "config.json", b'{"a": 1}')
    path = fetch_from_hub(REPO, "config.json")
    path.resolve().write_bytes(b'{"a"')
    with pytest.raises(
        WeightsError, match=r"gave a wrong config\.json, now removed: it has 4 bytes, the Hub announces 8$"
    ):
        fetch_from_hub(REPO, "config.json")
    assert fetch_from_hub(REPO, "config.json").read_bytes() == b'{"a": 1}'


@pytest.mark.parametrize("variable", ["REGNETY_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", None])
def test_offline_the_cache_alone_answers(variable: str | None, hub: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add_hub_file(REPO, FILE, DATA)
    path = fetch_from_hub(REPO, FILE)
    forget(hub)
    if variable is not None:
        monkeypatch.setenv(variable, "1")
    assert fetch_from_hub(REPO, FILE, offline=None if variable else True) == path
    with pytest.raises(NotOnHubError) as error:
        fetch_from_hub(REPO, "other.bin", offline=None if variable else True)
    assert str(error.value) == (
        f"{hub.url}/{REPO}: other.bin is not in the Hub's cache, "
        f"and {variable or 'offline=True'} forbids asking the Hub"
    )
    assert hub.requests == []


def test_without_a_network_the_cache_answers_at_once(hub: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add_hub_file(REPO, FILE, DATA)
    path = fetch_from_hub(REPO, FILE)
    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("there is nobody to wait for"))
    assert fetch_from_hub(REPO, FILE) == path
    with pytest.raises(UnknownModelError, match=rf"{REPO}: other.bin is unavailable: .*refused") as error:
        fetch_from_hub(REPO, "other.bin")
    assert isinstance(error.value, UnreachableError)
    assert not isinstance(error.value, NotOnHubError), "nobody said that there is none"


@pytest.mark.parametrize("quiet", [False, True])
def test_a_busy_hub_is_asked_again(
    quiet: bool, hub: WebServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    path = hub.add_hub_file(REPO, FILE, DATA)
    hub.answers[path] += [status(503), status(503), status(429, Retry_After="5")]
    assert fetch_from_hub(REPO, FILE, quiet=quiet).read_bytes() == DATA
    assert waits == [1, 6], "huggingface_hub adds a second to what it is asked for"
    assert [message.partition(" thrown")[0] for message in caplog.messages if "Error" in message] == (
        [] if quiet else ["HTTP Error 503", "HTTP Error 429"]
    )
    hub.answers[path] += [status(503)] * 99
    assert fetch_from_hub(REPO, FILE, quiet=quiet).read_bytes() == DATA, "from the cache"
    hub.answers[path.replace(FILE, "b")] += [status(503)] * 99
    hub.add_hub_file(REPO, "b", DATA)
    with pytest.raises(UnreachableError, match=r"b is unavailable: the server answers 503$"):
        fetch_from_hub(REPO, "b", quiet=quiet)


@pytest.mark.parametrize(
    ("repo_id", "filename", "revision", "headers", "message"),
    [
        ("timm/none", FILE, None, {}, "there is no such repository; or it is private, and HF_TOKEN"),
        (REPO, "none.bin", None, {}, "has no none.bin"),
        (REPO, FILE, "v9", {}, "has no revision v9"),
        (REPO, FILE, None, {"X_Error_Code": "GatedRepo"}, "accept its terms there first, and set HF_TOKEN"),
        (REPO, FILE, None, {"X_Nothing": "said"}, "the server answers 403"),
        ("a--b/c", FILE, None, {}, "Cannot have -- or .. in repo_id"),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    repo_id: str, filename: str, revision: str | None, headers: dict[str, str], message: str, hub: WebServer
) -> None:
    path = hub.add_hub_file(REPO, FILE, DATA)
    hub.answers[path] += [status(403, **headers)] if headers else []
    with pytest.raises(UnknownModelError) as error:
        fetch_from_hub(repo_id, filename, revision=revision)
    assert str(error.value).startswith(f"{hub.url}/{repo_id}: {message}")
    assert "\n" not in str(error.value)


def test_a_page_instead_of_the_hub_is_one_line(hub: WebServer) -> None:
    hub.answers[hub.add_hub_file(REPO, FILE, DATA)] += [page] * 9
    with pytest.raises(
        UnknownModelError, match=rf"^{hub.url}/{REPO}: {FILE} was not fetched: .* missing the 'X-Repo-Commit'"
    ):
        fetch_from_hub(REPO, FILE)


def test_a_full_disk_is_seen_before(hub: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add_hub_file(REPO, FILE, DATA)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(OSError, match="the disk is full: 102,400 more bytes are needed and 1,000 are free") as error:
        fetch_from_hub(REPO, FILE)
    assert error.value.filename == str(tmp_path / "hub")
    assert asked(hub) == []


def test_a_disk_that_fills_up_is_one_line(hub: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    hub.add_hub_file(REPO, FILE, DATA)
    monkeypatch.setattr("regnety.weights.fetching.hub.hf_hub_download", full)
    with pytest.raises(OSError, match=r"the disk is full: 102,400 more bytes are needed and [\d,]+ are free") as error:
        fetch_from_hub(REPO, FILE)
    assert error.value.filename == str(tmp_path / "hub")


def test_a_fetch_that_is_interrupted_leaves_nothing_half(tmp_path: Path) -> None:
    """Ctrl-C while bytes come; the next call fetches the file whole."""
    # A process of its own: a signal to pytest's own would meet whatever a hundred libraries left behind there.
    code = (
        "import signal\nfrom regnety.weights.fetching.hub import fetch_from_hub\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background ignores Ctrl-C
        f"print('ready', flush=True)\nfetch_from_hub({REPO!r}, {FILE!r})"
    )
    with WebServer() as server:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path)},
        )

        def interrupt(handler: Handler, file: WebFile) -> None:
            breaks_off(1000)(handler, file)
            process.send_signal(signal.SIGINT)

        server.answers[server.add_hub_file(REPO, FILE, DATA)] += [serve, serve, interrupt]
        _, error = process.communicate(timeout=60)
        assert error.rstrip().endswith("KeyboardInterrupt")
        assert asked(server) == [FILE]
        assert [path.name for path in (tmp_path / "hub").rglob("*.incomplete")] == []
        again = python(code, HF_ENDPOINT=server.url, HF_HOME=str(tmp_path))
        assert again.returncode == 0, again.stderr
    (path,) = (path for path in (tmp_path / "hub").rglob(FILE))
    assert path.read_bytes() == DATA


def test_a_break_is_mended(hub: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    hub.answers[hub.add_hub_file(REPO, FILE, DATA)] += [serve, serve, breaks_off(1000)]
    assert fetch_from_hub(REPO, FILE).read_bytes() == DATA
    assert len(asked(hub)) == 2


CONFIG = b'{"architecture": "regnety_002"}'


def test_a_repository_is_a_folder_with_what_a_model_needs(hub: WebServer) -> None:
    hub.add_hub_file(REPO, "config.json", CONFIG)
    hub.add_hub_file(REPO, FILE, DATA)
    hub.add_hub_file(REPO, "pytorch_model.bin", DATA)
    folder = fetch_repo(f"hf-hub:{REPO}", weights=False)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json"]
    assert fetch_repo(REPO) == fetch_repo(f"hf-hub:{REPO}@{COMMIT}") == folder
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", FILE]
    assert (folder / FILE).read_bytes() == DATA
    assert asked(hub) == ["config.json", FILE]
    forget(hub)
    fetch_repo(REPO)
    assert set(asked(hub, "HEAD")) == {"config.json"}, "that the other one does not exist is remembered"


def test_a_repository_that_is_here_costs_one_question_and_none_offline(hub: WebServer) -> None:
    for name, data in (("config.json", CONFIG), ("preprocessor_config.json", b"{}"), (FILE, DATA)):
        hub.add_hub_file(REPO, name, data)
    folder = fetch_repo(REPO)
    assert (folder / "preprocessor_config.json").read_bytes() == b"{}"
    forget(hub)
    assert fetch_repo(REPO, offline=True) == folder
    assert hub.requests == []
    assert fetch_repo(REPO) == folder
    assert set(asked(hub, "HEAD")) == {"config.json"}
    assert asked(hub) == []


def test_shards_and_other_forms_of_weights(hub: WebServer) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}}
    for repo in ("a/shards", "a/bin", "a/bins", "a/onnx", "a/nothing", "a/half"):
        hub.add_hub_file(repo, "config.json", CONFIG)
    for repo in ("a/shards", "a/half"):
        hub.add_hub_file(repo, "model.safetensors.index.json", json.dumps(index).encode())
        hub.add_hub_file(repo, "model-1.safetensors", DATA)
    hub.add_hub_file("a/shards", "model-2.safetensors", DATA[::-1])
    hub.add_hub_file("a/bin", "pytorch_model.bin", DATA)
    hub.add_hub_file("a/bins", "pytorch_model.bin.index.json", b'{"weight_map": {"a": "2.bin", "b": "1.bin"}}')
    hub.add_hub_file("a/bins", "1.bin", DATA)
    hub.add_hub_file("a/bins", "2.bin", DATA[::-1])
    hub.add_hub_file("a/onnx", "model.onnx", DATA)
    hub.add_hub_file("a/onnx", "model.onnx.data", DATA)
    assert {
        repo: sorted({path.name for path in fetch_repo(repo).iterdir()} - {"config.json"})
        for repo in ("a/shards", "a/bin", "a/bins", "a/onnx")
    } == {
        "a/shards": ["model-1.safetensors", "model-2.safetensors", "model.safetensors.index.json"],
        "a/bin": ["pytorch_model.bin"],
        "a/bins": ["1.bin", "2.bin", "pytorch_model.bin.index.json"],
        "a/onnx": ["model.onnx", "model.onnx.data"],
    }
    with pytest.raises(WeightsError, match=r"a/nothing: has none of model\.safetensors, .*, model\.onnx$"):
        fetch_repo("a/nothing")
    with pytest.raises(UnknownModelError, match=r"a/half: has no model-2\.safetensors$"):
        fetch_repo("a/half")
    folder = fetch_repo("a/shards")
    (folder / "model-2.safetensors").unlink()
    with pytest.raises(
        UnknownModelError, match=r"shards: model-2\.safetensors is not in the Hub's cache, and offline=T"
    ):
        fetch_repo("a/shards", offline=True)


@pytest.mark.parametrize("name", ["model.safetensors.index.json", "pytorch_model.bin.index.json"])
@pytest.mark.parametrize(
    "index",
    [b"{", b"[]", b'{"weight_map": ["a"]}', b'{"weight_map": {"a": 5}}', b'{"weight_map": {"a": "../../x"}}', b"\xff"],
)
def test_an_index_that_is_none(index: bytes, name: str, hub: WebServer) -> None:
    hub.add_hub_file(REPO, "config.json", CONFIG)
    hub.add_hub_file(REPO, name, index)
    with pytest.raises(WeightsError, match=r"index\.json: is not an index of files beside it$"):
        fetch_repo(REPO)


def test_offline_a_repository_without_weights_here_says_why(hub: WebServer) -> None:
    hub.add_hub_file(REPO, "config.json", CONFIG)
    fetch_repo(REPO, weights=False)
    with pytest.raises(
        NotOnHubError, match=r"each of model\.safetensors, .* is not in the Hub's cache, and offline=True"
    ):
        fetch_repo(REPO, offline=True)


def test_a_file_that_only_may_be_there_is_not_lost_to_a_break(hub: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of an answer is no answer: without the preprocessor's file a model would see its pictures otherwise."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    hub.add_hub_file(REPO, "config.json", CONFIG)
    hub.answers[hub.add_hub_file(REPO, "preprocessor_config.json", b"{}").replace("main", COMMIT)] += [status(503)] * 99
    with pytest.raises(UnreachableError, match=r"preprocessor_config\.json is unavailable: the server answers 503"):
        fetch_repo(REPO)
