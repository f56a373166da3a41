"""`regnety predict` on a store and on a cluster, as whole processes: a real S3 server, a real Ray."""

import csv
import io
import json
import socket
from pathlib import Path

import pytest

from bundles import small_bundle
from commands import one_line, regnety
from pictures import COLOURS, colour, encoded
from ray_cluster import ENVIRONMENT, RayCluster
from s3_server import S3Server

NAMES = [f"{label}/{number}.png" for label in sorted(COLOURS) for number in range(8)]


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server) -> str:
    s3_server.make_bucket("album")
    for name in NAMES:
        label, number = name.removesuffix(".png").split("/")
        s3_server.put(f"album/2026/{name}", encoded(colour(label, seed=int(number))))
    s3_server.put("album/2026/green/broken.png", b"\x89PNG\r\n\x1a\nbroken")
    s3_server.put("album/2026/green/notes.txt", b"not asked for")
    return "s3://album"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_bundle().save(tmp_path_factory.mktemp("model") / "small")


def rows(data: bytes) -> dict[str, list[tuple[str, str, str]]]:
    """Of each file: rank, label and what is wrong with it."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in csv.DictReader(io.StringIO(data.decode())):
        found.setdefault(row["filename"], []).append((row["rank"], row["label"], row["error"]))
    return found


def test_an_object_is_answered_like_a_file(bucket: str, s3: S3Server, model: Path) -> None:
    address = f"{bucket}/2026/red/3.png"
    result = regnety("predict", address, "--model", model, "--format", "json", "--quiet")
    assert (result.returncode, result.stderr) == (0, "")
    (answer,) = json.loads(result.stdout)
    assert (answer["filename"], answer["error"], len(answer["predictions"])) == (address, None, 4)


def test_a_prefix_is_answered_into_a_store(bucket: str, s3: S3Server, model: Path) -> None:
    output = f"{bucket}/labels.csv"
    result = regnety("predict", f"{bucket}/2026", "-r", "--model", model, "-o", output, "--quiet")
    assert result.returncode == 1, result.stderr
    found = rows(s3.get("album/labels.csv"))
    assert list(found) == sorted([*(f"{bucket}/2026/{name}" for name in NAMES), f"{bucket}/2026/green/broken.png"])
    assert [len(answers) for answers in found.values()].count(4) == len(NAMES)
    ((_, _, error),) = found[f"{bucket}/2026/green/broken.png"]
    assert error.startswith(f"{bucket}/2026/green/broken.png: ")


@pytest.mark.slow
def test_a_cluster_answers_what_one_machine_does(
    bucket: str, s3: S3Server, model: Path, ray_cluster: RayCluster
) -> None:
    """Rows, errors, exit status, and what is said on stderr but for the line about the workers."""
    arguments = ("predict", f"{bucket}/2026", "--recursive", "--model", model, "--engine", "onnxruntime")
    alone = regnety(*arguments, "-o", f"{bucket}/alone.csv")
    cluster = regnety(
        *arguments, "--ray", ray_cluster.address, "--ray-workers", 2, "-o", f"{bucket}/cluster.csv", **ENVIRONMENT
    )
    assert (alone.returncode, cluster.returncode) == (1, 1), cluster.stderr
    assert rows(s3.get("album/cluster.csv")) == rows(s3.get("album/alone.csv"))
    assert cluster.stdout == ""
    assert cluster.stderr.splitlines()[0] == "regnety: 2 Ray workers of 1 thread on 1 node"
    assert all(line.startswith("regnety: ") for line in cluster.stderr.splitlines()), cluster.stderr
    assert cluster.stderr.count(f"{bucket}/2026/green/broken.png: ") == 1


@pytest.mark.slow
def test_a_cluster_of_our_own_says_nothing_and_ends(tmp_path: Path, model: Path) -> None:
    """Parquet and its table; afterwards no process of it is left."""
    import pyarrow.parquet as parquet

    for name in NAMES:
        label, number = name.removesuffix(".png").split("/")
        (tmp_path / label).mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(colour(label, seed=int(number))))
    output = tmp_path / "labels.parquet"
    arguments = ("predict", tmp_path, "-r", "--model", model, "--ray", "local", "-o", output, "--top-k", 1, "--quiet")
    result = regnety(*arguments, **ENVIRONMENT)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert parquet.read_table(output)["filename"].to_pylist() == sorted(str(tmp_path / name) for name in NAMES)


def test_a_store_that_is_not_there_is_one_line(s3: S3Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert one_line(regnety("predict", "s3://nobody-has-this/photos/")) == (
        "s3://nobody-has-this/photos/: there is no such bucket"
    )
    assert one_line(regnety("predict", "s3://album/2026/", AWS_ENDPOINT_URL=url)) == (
        f's3://album/2026/: cannot be reached: Could not connect to the endpoint URL: "{url}/album'
        '?list-type=2&prefix=2026%2F&delimiter=%2F&encoding-type=url"'
    )


def test_without_credentials_it_is_one_line(s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    assert one_line(regnety("predict", "s3://album/2026/", **nowhere)).startswith(
        "s3://album/2026/: there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or FSSPEC_S3_ANON"
    )
