"""Data sets with something wrong, by the commands that take one: a line says what, and no command fails otherwise."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import regnety_here
from pictures import encoded, noise
from stored_data_sets import png, shard

UNUSUAL = ("Ä \"q\" 's'", "狗 \u202edog", "a,b;c\tt")


def fill(folder: Path, count: int, start: int = 0) -> None:
    folder.mkdir(parents=True)
    for number in range(start, start + count):
        (folder / f"{number} ü.png").write_bytes(encoded(noise(12, 12, seed=number), "PNG"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bad")
    (place / "none").mkdir()
    fill(place / "one" / "cat", 6)
    for name in ("empty", "unreadable", "single"):
        fill(place / name / "cat", 6)
        fill(place / name / "dog", 6, start=6)
    (place / "empty" / "bird").mkdir()
    (place / "unreadable" / "cat" / "damaged.jpg").write_bytes(b"\xff\xd8\xff" + bytes(50))
    (place / "unreadable" / "dog" / "none.png").touch()
    fill(place / "single" / "bird", 1, start=20)
    many = {"image": [png(0)] * 100_000, "label": [f"{number}.png" for number in range(100_000)]}
    pq.write_table(pa.table(many), place / "many.parquet")
    (place / "wrong.csv").write_text("a,b\n1,2\n")
    (place / "unknown.csv").write_text("path,label\none/cat/0 ü.png,cat\none/cat/1 ü.png,zebra\n")
    (place / "tables").mkdir()
    rows = [f"../single/{label}/{number} ü.png,{label}\n" for number in range(12) for label in ("cat", "dog")]
    rows = [row for row in rows if (place / "tables" / row.split(",")[0]).exists()]
    (place / "tables" / "out.csv").write_text("path,label\n" + "".join(rows))
    (place / "cut.tar").write_bytes(shard(place / "whole.tar", "ab" * 20).read_bytes()[:20_000])
    pq.write_table(pa.table({"text": ["a"], "label": [1]}), place / "text.parquet")
    for number, name in enumerate(UNUSUAL):
        fill(place / "names" / name, 6, start=30 + 6 * number)
    return place


REFUSED = (
    ("none", "none: has no class folders; expected one sub-folder per class"),
    ("one", "one: has one class to train on (cat); training needs at least two"),
    ("empty", "empty/bird: the class folder has no images (.jpg, "),
    ("unreadable", "2 of 14 pictures cannot be read; repair or remove them, or go on without them: --skip-unreadable"),
    ("many.parquet", "many.parquet: a classifier of 100000 classes on 100000 photographs needs 373 GiB of memory"),
    ("wrong.csv", "wrong.csv: has no column for the path; its first line must name it 'path'"),
    ("cut.tar", "cut.tar: is cut short; copy or download it again"),
    ("text.parquet", "text.parquet: has neither images inside, a column of bytes, nor a column of their paths"),
)


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_finetune_refuses_it_in_one_line(
    name: str, message: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = regnety_here(capfd, "finetune", folder / name, "-o", tmp_path / "run", "--quiet")
    said = result.stderr.splitlines()
    assert (result.returncode, result.stdout) == (2, "")
    assert said[-1].removeprefix("regnety: ").removeprefix(f"{folder}/").startswith(message)
    assert all(line.startswith("regnety: ") for line in said)


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("none", 2, "none: has no class folders"),
        ("one", 1, "one class: 1 class to train on"),
        ("unreadable", 1, "unreadable: 2 photographs cannot be read"),
        ("empty", 1, "empty classes: 1 class folder has no images; fill or remove it"),
        ("single", 1, "small classes: 1 class with fewer than 5 photographs"),
        ("tables/out.csv", 0, "out.csv: 12 paths lead out of its folder: ../single/cat/0 ü.png"),
        ("names", 0, r"狗 \u202edog"),
        ("cut.tar", 2, "cut.tar: is cut short"),
    ],
)
def test_check_says_it(name: str, status: int, message: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = regnety_here(capfd, "check", folder / name)
    assert result.returncode == status
    assert message in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unknown.csv", "{folder}/one/cat/1 ü.png: regnety_cifar10 has no class named 'zebra'"),
        ("names", "{folder}/names/a,b;c t: regnety_cifar10 has no class named"),
        ("cut.tar", "{folder}/cut.tar: is cut short; copy or download it again"),
        ("many.parquet", "{folder}/many.parquet#0: regnety_cifar10 has no class named '0.png'"),
    ],
)
def test_labels_that_are_not_the_models(
    name: str, message: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = regnety_here(capfd, "eval", "--data", folder / name, "--model", "regnety_cifar10")
    assert result.returncode == 2
    assert message.format(folder=folder) in result.stderr.splitlines()[-1]
