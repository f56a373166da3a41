"""`regnety fetch`, as a process; the Hub is a server on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundles import small_bundle
from commands import one_line, regnety, regnety_here
from regnety.catalog.models import embedded_bundle, model_info
from regnety.catalog.published import PublishedWeights, list_weights
from regnety.cli.commands.fetch import complete_published
from regnety.errors import UnreachableError
from web_server import COMMIT, WebServer

DATA = bytes(300_000)
REPO = "timm/regnety_002.pycls_in1k"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """The Hub of every process that is started."""
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    with WebServer() as server:
        monkeypatch.delenv("REGNETY_OFFLINE")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield server


def test_names_are_fetched_and_printed(hub: WebServer, tmp_path: Path) -> None:
    hub.add_hub_file(REPO, "model.safetensors", DATA)
    hub.add_hub_file("timm/regnety_032.tv2_in1k", "model.safetensors", DATA * 4)
    result = regnety("fetch", "regnety_002", "regnety_032.tv2_in1k", "regnety_002")
    weights = tmp_path / "cache" / "weights"
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        f"{weights}/regnety_002.pycls_in1k.safetensors: 0.3 MB\n{weights}/regnety_032.tv2_in1k.safetensors: 1.2 MB\n"
    )
    assert (weights / "regnety_002.pycls_in1k.safetensors").read_bytes() == DATA


def test_a_repository_of_the_hub_and_the_embedded_model(hub: WebServer, tmp_path: Path) -> None:
    hub.add_hub_file("me/birds", "config.json", b"{}")
    hub.add_hub_file("me/birds", "model.safetensors", DATA)
    result = regnety("fetch", "hf-hub:me/birds@main", "regnety_cifar10")
    assert (result.returncode, result.stderr) == (0, "")
    here, embedded = result.stdout.splitlines()
    assert here == f"{tmp_path}/hf/hub/models--me--birds/snapshots/{COMMIT}: 0.3 MB"
    assert embedded.startswith(f"{embedded_bundle('regnety_cifar10')}: ")


def test_what_cannot_be_had_is_a_line_and_the_others_come(hub: WebServer, tmp_path: Path) -> None:
    hub.add_hub_file(REPO, "model.safetensors", DATA)
    result = regnety("fetch", "regnetx_002", "hf-hub:me/none", "regnety_002", "--quiet")
    assert result.returncode == 1
    assert [line.partition(": ")[2].partition(": ")[0] for line in result.stderr.splitlines()] == [
        "regnetx_002.pycls_in1k",
        f"{hub.url}/me/none",
    ]
    assert result.stdout == f"{tmp_path}/cache/weights/regnety_002.pycls_in1k.safetensors: 0.3 MB\n"


def test_a_proxy_that_is_not_there_is_a_line(hub: WebServer) -> None:
    result = regnety("fetch", "regnety_002", http_proxy="http://127.0.0.1:9", no_proxy="")
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert f"{hub.url}/{REPO}: model.safetensors is unavailable: " in line
    assert hub.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["regnety_002", "regnety_2"], "no model named 'regnety_2', and no such file or folder; did you mean regnety_"),
        (["regnety_002.a1_in1k"], "regnety_002 has no published weights tagged 'a1_in1k'; its tags: pycls_in1k"),
        (["regnety_002", "hf-hub:birds"], "hf-hub:birds: is not a repository of the Hub; expected hf-hub:OWNER/NAME"),
        ([], "give the names of weights, or --all (regnety fetch --help)"),
        (["--all", "regnety_002"], "--all and names contradict each other; give one of them (regnety fetch --help)"),
    ],
)
def test_a_wrong_name_is_told_before_any_work(arguments: list[str], message: str, hub: WebServer) -> None:
    hub.add_hub_file(REPO, "model.safetensors", DATA)
    assert one_line(regnety("fetch", *arguments)).startswith(message)
    assert hub.requests == []


def test_all_begins_with_what_it_comes_to(hub: WebServer, tmp_path: Path) -> None:
    rows = json.loads(regnety("models", "--format", "json").stdout)
    total = sum(row["weights_bytes"] for row in rows if row["tag"])
    (size,) = (row["weights_bytes"] for row in rows if row["name"] == "regnety_640.seer")
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    (folder / "regnety_640.seer.safetensors").write_bytes(DATA)
    result = regnety("fetch", "--all", REGNETY_OFFLINE="1")
    summary, *failed = [line for line in result.stderr.splitlines() if "commercial use" not in line]
    assert summary == (
        f"regnety: 61 published weights, {total / 1e9:.1f} GB in f32; 1 here, {(total - size) / 1e9:.1f} GB missing"
    )
    assert result.returncode == 1
    assert result.stdout == f"{folder}/regnety_640.seer.safetensors: 0.3 MB\n"
    (line,) = failed
    assert line.startswith(
        "regnety: 60 of 61 published weights are missing and cannot be fetched; the first: regnetx_002.pycls_in1k: the "
        "weights of this model are not on this disk, and offline mode is on (REGNETY_OFFLINE); unset it, or put model."
    )
    assert hub.requests == []


def test_all_without_a_network_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them is tried, and no other."""
    monkeypatch.delenv("REGNETY_OFFLINE")
    nowhere = "http://127.0.0.1:9"
    result = regnety(
        "fetch",
        "--all",
        "-q",
        REGNETY_CACHE=str(tmp_path),
        HF_HOME=str(tmp_path),
        HF_ENDPOINT=nowhere,
        https_proxy=nowhere,
    )
    lines = [line for line in result.stderr.splitlines() if "commercial use" not in line]
    assert (result.returncode, result.stdout, len(lines)) == (1, "", 1)
    assert lines[0].startswith(
        "regnety: 61 of 61 published weights are missing and cannot be fetched; the first: regnetx_002.pycls_in1k: "
    )
    assert f"{nowhere}/timm/regnetx_002.pycls_in1k: model.safetensors is unavailable: " in lines[0]


def test_all_that_are_missing_are_asked_for_until_nobody_answers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path))
    here = model_info("regnety_640.seer").published
    assert here is not None
    here.cache_path.parent.mkdir(parents=True)
    here.cache_path.write_bytes(DATA)
    asked = []

    def fetch(published: PublishedWeights, *, quiet: bool) -> Path:
        asked.append(published.name)
        if published.name == "regnetx_008.tv2_in1k":
            raise UnreachableError(f"{published.name}: nobody answers")
        published.cache_path.write_bytes(DATA)
        return published.cache_path

    monkeypatch.setattr("regnety.weights.fetching.published.fetch", fetch)
    result = regnety_here(capfd, "fetch", "--all", "-q")
    before = list_weights()[: list_weights().index("regnetx_008.tv2_in1k")]
    assert asked == [*before, "regnetx_008.tv2_in1k", here.name]
    assert len(result.stdout.splitlines()) == len(before) + 1
    assert result.stderr == (
        f"regnety: {60 - len(before)} of 61 published weights are missing and cannot be fetched; the first: "
        "regnetx_008.tv2_in1k: nobody answers\n"
    )


def test_a_folder_or_a_file_is_here_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small_bundle().save(tmp_path / "birds")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (f"local-dir:{folder}", "~/birds", folder / "model.safetensors"):
        result = regnety("fetch", name)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith(f"{folder}: ")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("regnety_03", ["regnety_032"]),
        ("regnety_032.", ["regnety_032.pycls_in1k", "regnety_032.ra_in1k", "regnety_032.tv2_in1k"]),
        ("resnet", []),
    ],
)
def test_completion(typed: str, offered: list[str]) -> None:
    assert [item.value for item in complete_published(None, None, typed)] == offered  # type: ignore[arg-type]
