"""Tar shards and Parquet with images inside, here and at addresses."""

import functools
import http.server
import pickle
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from regnety.datasets.data_sets import DataSet, read_data_set
from regnety.datasets.samples import DataSplits, Sample
from regnety.errors import DataError, ImageError
from regnety.images.sources import StoredImage
from s3_server import S3Server
from stored_data_sets import hub_parquet, png, shard, write_tar


def content(samples: tuple[Sample, ...]) -> list[tuple[str, bytes]]:
    return [(sample.label, sample.image.read()) for sample in samples if isinstance(sample.image, StoredImage)]


def refusal(data: Path | str) -> str:
    with pytest.raises(DataError) as error:
        read_data_set(data)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_shard_of_numbers_and_one_of_names(form: int, tmp_path: Path) -> None:
    data = read_data_set(shard(tmp_path / "s.tar", ["7", "10", "crème brûlée\n"], format=form))
    assert content(data.evaluation()) == [("7", png(0)), ("10", png(1)), ("crème brûlée", png(2))]
    first = data.evaluation()[0]
    assert (first.name, data.training().name_of(first)) == (f"{tmp_path}/s.tar/0000.png", "s.tar/0000.png")
    stamp = first.image.stamp()  # type: ignore[union-attr]
    shard(tmp_path / "s.tar", ["a"])
    assert first.image.stamp() != stamp  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("pattern", "splits"),
    [
        ("", {"train": 4, "val": 1}),
        ("/train-{000..001}.tar", {".": 4}),
        ("/*.tar", {"train": 4, "val": 1}),
        ("/{train-001,val-000}.tar", {"train": 2, "val": 1}),
        ("/val-000.tar", {".": 1}),
    ],
)
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_patterns_and_folders_of_shards(pattern: str, splits: dict[str, int], scheme: str, tmp_path: Path) -> None:
    for name, labels in (("train-000", "ab"), ("train-001", "ba"), ("val-000", "a")):
        shard(tmp_path / f"{name}.tar", labels)
    data = read_data_set(f"{scheme}{tmp_path}{pattern}")
    assert {split: len(samples) for split, samples in data.splits.items()} == splits
    for samples in data.splits.values():
        assert content(samples)[0][1] == png(0)
        name = DataSplits(data.root, (), samples, (), ()).name_of(samples[0])
        assert name in ("train-000.tar/0000.png", "train-001.tar/0000.png", "val-000.tar/0000.png")


def test_a_shard_cut_short_anywhere_is_one_line_that_names_it(tmp_path: Path) -> None:
    whole = shard(tmp_path / "whole.tar", "abab").read_bytes()
    used = len(whole.rstrip(b"\0")) // 512 * 512
    for length in range(0, used, 256):
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        said = refusal(tmp_path / "cut.tar")
        assert said.startswith(f"{tmp_path}/cut.tar: is ")
        assert length < 512 or "cut short" in said
    damaged = next(number for number in range(0, used, 512) if whole[number : number + 4] == b"0001")
    (tmp_path / "cut.tar").write_bytes(whole[:damaged] + b"damaged!" + whole[damaged + 8 :])
    assert refusal(tmp_path / "cut.tar").endswith(f"is damaged, at byte {damaged}; copy or download it again")


def test_nothing_leaves_a_shard(tmp_path: Path) -> None:
    """Names are only names, and links are not followed: the file that they lead to has a class, and is not read."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(9))
    links = []
    for kind, name in ((tarfile.SYMTYPE, "1.png"), (tarfile.LNKTYPE, "2.png")):
        link = tarfile.TarInfo(name)
        link.type, link.linkname = kind, str(secret)
        links.append((name, link))
    parts = [("../../out.png", png(1)), ("../../out.cls", b"a"), ("/abs/x.png", png(2)), ("/abs/x.cls", b"b")]
    data = read_data_set(write_tar(tmp_path / "s.tar", [*parts, *links]))
    assert content(data.evaluation()) == [("a", png(1)), ("b", png(2))]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.tar", "secret.png"]
    write_tar(tmp_path / "s.tar", [*parts, *links, ("1.cls", b"c")])
    assert refusal(tmp_path / "s.tar") == f"{tmp_path}/s.tar: 1.cls has no image beside it"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([("a.png", b"x")], "a.png has no .cls beside it that says its class"),
        ([("a.cls", b"1")], "a.cls has no image beside it"),
        ([("a.png", b"x"), ("a.jpg", b"x"), ("a.cls", b"1")], "a.cls has several images beside it"),
        ([("a.png", b"x"), ("a.cls", b"")], "a.cls: is empty, so it names no class"),
        ([("a.png", b"x"), ("a.cls", b"\xff")], "a.cls: is not text in UTF-8, so it names no class"),
        ([("a.png", b"x"), ("a.cls", b"1" * 5000)], "a.cls: 5000 bytes are no class"),
        ([("a.txt", b"x")], "has no images with a .cls beside them"),
    ],
)
def test_what_is_wrong_in_a_shard(parts: list[tuple[str, bytes]], message: str, tmp_path: Path) -> None:
    said = refusal(write_tar(tmp_path / "s.tar", parts))
    assert said in (f"{tmp_path}/s.tar: {message}", f"{tmp_path}/s.tar/{message}")


def test_what_is_no_shard(tmp_path: Path) -> None:
    assert "is compressed" in refusal(shard(tmp_path / "s.tar", "a", mode="w:gz"))
    (tmp_path / "s.tar").write_bytes(b"text" * 300)
    assert "is no tar file" in refusal(tmp_path / "s.tar")
    (tmp_path / "s.tar.gz").write_bytes(b"x")
    assert refusal(tmp_path / "s.tar.gz").endswith("; unpack this archive")
    for pattern, message in (
        ("x-{0..2}.tar", "x-0.tar: there is no such file"),
        ("*.jpg", "*.jpg: no file has such a name"),
        ("{5..1}.tar", "{5..1} is no range"),
        ("{a}.tar", "{a} is neither a range"),
        ("*.gz", "s.tar.gz is no shard"),
    ):
        assert message in refusal(f"{tmp_path}/{pattern}")
    (tmp_path / "b").mkdir()
    shard(tmp_path / "b" / "s.tar", "a")
    hub_parquet(tmp_path / "b" / "s.parquet", [0])
    assert "has tar shards and Parquet files" in refusal(tmp_path / "b")
    shard(tmp_path / "c" / "train-1.tar", "a")
    shard(tmp_path / "c" / "more.tar", "a")
    assert refusal(tmp_path / "c") == (
        f"{tmp_path}/c/more.tar: is of no split by its name, others here are of train; move it away"
    )


def test_a_folder_as_the_hub_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    hub_parquet(tmp_path / "data" / "train-00000-of-00002.parquet", [0, 1, 0, 1])
    hub_parquet(tmp_path / "data" / "train-00001-of-00002.parquet", [1, 0])
    hub_parquet(tmp_path / "data" / "validation-00000-of-00001.parquet", [1])
    hub_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", [-1, -1])
    data = read_data_set(tmp_path)
    assert data.training().classes == ("cat", "dög")
    assert content(data.splits["train"])[3:] == [("dög", png(3)), ("dög", png(0)), ("cat", png(1))]
    assert data.evaluation() == data.splits["val"]
    assert data.notices == [f"{tmp_path}/data/test-00000-of-00001.parquet: leaves out 2 images without a label"]
    fourth = data.splits["train"][3]
    assert data.training().name_of(fourth) == "data/train-00000-of-00002.parquet#3"
    assert pickle.loads(pickle.dumps(fourth)) == fourth


def test_parquet_of_other_programs(tmp_path: Path) -> None:
    table = pa.table({"img": [png(1), png(2), None], "class": ["x", "y", "y"], "group": ["p", None, "p"]})
    pq.write_table(table.append_column("split", [["train", "Test", "train"]]), tmp_path / "a.parquet")
    data = read_data_set(tmp_path / "a.parquet")
    assert [(s.label, s.group) for s in data.splits["train"]] == [("x", "p"), ("y", "p")]
    assert content(data.splits["test"]) == [("y", png(2))]
    with pytest.raises(ImageError, match=r"a\.parquet#2: the row holds no image"):
        content(data.splits["train"])
    (tmp_path / "c").mkdir()
    for number in (1, 2):
        (tmp_path / "c" / f"{number}.png").write_bytes(png(number))
    pq.write_table(pa.table({"path": ["c/1.png", "c/2.png"], "label": [3, 4]}), tmp_path / "paths.parquet")
    assert [(s.image, s.label) for s in read_data_set(tmp_path / "paths.parquet").evaluation()] == [
        (tmp_path / "c" / "1.png", "3"),
        (tmp_path / "c" / "2.png", "4"),
    ]


def test_what_is_wrong_in_a_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    for columns, message in (
        (
            {"a": [1], "b": [2]},
            "has neither images inside, a column of bytes, nor a column of their paths; the columns",
        ),
        ({"image": [b"x"], "kind": ["a"]}, "has images, but no column named 'label'; it has kind"),
        ({"image": [b"x"], "label": [1.5]}, "row 0 has the label 1.5; a label is a name or a whole number"),
        ({"path": ["x.png"], "label": [None]}, "row 0 has no label"),
        ({"path": ["x.png"], "label": ["a"]}, "none of its 1 image is there"),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, "has no rows"),
    ):
        pq.write_table(pa.table(columns), path)
        assert refusal(path).startswith(f"{path}: {message}")
    assert refusal(hub_parquet(path, [0, 5])) == f"{path}: row 1 has the label 5, of 2 classes"
    assert refusal(hub_parquet(path, [-1])) == f"{path}: no image has a label, of 1 row"
    for length in (0, 100, path.stat().st_size - 1):
        path.write_bytes(hub_parquet(tmp_path / "whole.parquet", [0, 1]).read_bytes()[:length])
        assert refusal(path).startswith(f"{path}: cannot be read as Parquet: ")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server without byte ranges, as Python's own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_files_of_the_web(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGNETY_CACHE", str(tmp_path / "cache"))
    shard(tmp_path / "train-0.tar", "ab")
    hub_parquet(tmp_path / "a.parquet", [1, 0])
    (tmp_path / "1.png").write_bytes(png(1))
    (tmp_path / "labels.csv").write_text(f"path,label\n1.png,a\n{site}/train.png,b\n")

    def read(name: str) -> DataSet:
        return read_data_set(f"{site}/{name}", quiet=True)

    assert content(read("train-{0..0}.tar").evaluation()) == [("a", png(0)), ("b", png(1))]
    assert content(read("a.parquet").evaluation()) == [("dög", png(0)), ("cat", png(1))]
    assert read("train-0.tar").evaluation()[1].name == f"{site}/train-0.tar/0001.png"
    assert content(read("labels.csv").evaluation()[:1]) == [("a", png(1))]
    assert len([*(tmp_path / "cache" / "data").iterdir()]) == 3
    for name, message in (
        ("no.tar", "the server answers 404"),
        ("folder", "is no data set; of the web one is a"),
    ):
        assert message in refusal(f"{site}/{name}")
    (tmp_path / "labels.csv").write_text("path,label\n/etc/x.png,a\n")
    assert "line 2 names a file on a disk, /etc/x.png, but the table is at an address" in refusal(f"{site}/labels.csv")


def test_a_bucket(s3_server: S3Server, s3: S3Server, tmp_path: Path) -> None:
    bucket = "s3://labelled"
    s3_server.make_bucket("labelled")
    for name in ("train-0", "train-1", "val-0"):
        s3_server.put(f"labelled/wds/{name}.tar", shard(tmp_path / "s.tar", "ab").read_bytes())
    s3_server.put("labelled/hub/train-0.parquet", hub_parquet(tmp_path / "p.parquet", [0, 1, 1, 0]).read_bytes())
    for name in ("cat/1.png", "dog/2 ü.png"):
        s3_server.put(f"labelled/photos/{name}", png(int(name[4])))
    s3_server.put("labelled/photos/l.csv", "path,label\ncat/1.png,a\ndog/2 ü.png,b\n".encode())
    for place, expected in (
        ("wds/train-{0..1}.tar", [("a", png(0)), ("b", png(1))] * 2),
        ("wds/val-*.tar", [("a", png(0)), ("b", png(1))]),
        ("wds", [("a", png(0)), ("b", png(1))]),
        ("hub/train-0.parquet", [("cat", png(0)), ("dög", png(1)), ("dög", png(2)), ("cat", png(3))]),
        ("photos", [("cat", png(1)), ("dog", png(2))]),
        ("photos/l.csv", [("a", png(1)), ("b", png(2))]),
    ):
        data = read_data_set(f"{bucket}/{place}")
        assert content(data.evaluation()) == expected
        sample = data.evaluation()[-1]
        assert sample.image.stamp()  # type: ignore[union-attr]
        assert sample.name.startswith(bucket)
    assert data.training().name_of(sample) == "dog/2 ü.png"
    for place, message in (
        ("nowhere.tar", "no such file or folder"),
        ("nowhere", "there is no such file or folder, or nothing in it"),
        ("x-*.tar", "no file has such a name"),
        ("nowhere.csv", "no such file or folder"),
    ):
        assert refusal(f"{bucket}/{place}").startswith(f"{bucket}/{place}: {message}")
    assert "there is no such bucket" in refusal("s3://nobucket/a.tar")


def test_class_folders_and_tables_in_a_store(tmp_path: Path) -> None:
    for place in ("train/cat/1.png", "train/dog/deep/2.png", "val/dog/3.png"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_bytes(png(int(place[-5])))
    data = read_data_set(f"file://{tmp_path}")
    assert content(data.splits["train"]) == [("cat", png(1)), ("dog", png(2))]
    assert content(data.evaluation()) == [("dog", png(3))]
    assert data.training().name_of(data.splits["train"][1]) == "train/dog/deep/2.png"
    (tmp_path / "val" / "l.csv").write_text("path,label\n../train/cat/1.png,cat\n")
    assert content(read_data_set(f"file://{tmp_path}/val/l.csv").evaluation()) == [("cat", png(1))]
    assert "no such file or folder, or nothing in it" in refusal(f"file://{tmp_path}/nowhere")
    assert "an address begins with one of http" in refusal("ftp://host/x")


@pytest.mark.parametrize("pattern", ["*.tar", "./*.tar", "{train-001,val-000}.tar"])
def test_a_pattern_in_the_current_folder(pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, labels in (("train-001", "ba"), ("val-000", "a")):
        shard(tmp_path / f"{name}.tar", labels)
    monkeypatch.chdir(tmp_path)
    data = read_data_set(pattern)
    assert {split: len(samples) for split, samples in data.splits.items()} == {"train": 2, "val": 1}
