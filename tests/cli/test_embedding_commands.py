"""`regnety embed`, `neighbours` and `duplicates`, as processes."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bundles import small_bundle
from commands import one_line, python, regnety
from pictures import colour, write_colours
from regnety import Embedder, read_embeddings

WITHOUT_PYARROW = "import sys; sys.modules['pyarrow'] = None\nfrom regnety.cli.main import main\nmain()"
LOADED = """
import sys
from regnety.cli.main import run
run()
print(*({"torch", "onnx", "onnxruntime", "openvino"} & sys.modules.keys()), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of three colours, one of them twice, one unreadable; a model, and its embeddings of them."""
    folder = tmp_path_factory.mktemp("embed")
    small_bundle().save(folder / "model")
    photos = write_colours(folder / "photos", count=4)
    shutil.copy(photos / "red" / "001.png", photos / "red" / "copy.png")
    (photos / "red" / "empty.png").touch()
    result = regnety("embed", photos, "--recursive", "--model", folder / "model", "-o", folder / "e.parquet")
    assert result.returncode == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0].startswith("regnety: answered by ONNX Runtime ")
    assert lines[1] == f"regnety: {photos}/red/empty.png: is empty"
    assert lines[2].startswith(f"regnety: {folder}/e.parquet: 14 images, 1 unreadable, ")
    assert len(lines) == 3
    return folder


def test_the_file_holds_what_python_gives(folder: Path) -> None:
    stored = read_embeddings(folder / "e.parquet")
    filenames, values = stored.load()
    assert filenames == [str(path) for path in sorted((folder / "photos").rglob("*.png")) if path.name != "empty.png"]
    wanted = Embedder(folder / "model").embed(filenames)
    np.testing.assert_allclose(values, wanted, rtol=1e-5, atol=1e-6)
    assert stored.origin == Embedder(folder / "model").origin


def test_flags_are_part_of_the_origin(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "e.parquet"
    flags = ("--exact", "--no-exif", "--image-size", "40", "--crop-pct", "1", "--mean", "0.5", "--quiet")
    result = regnety("embed", folder / "photos" / "blue", "--model", folder / "model", "-o", output, *flags)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    origin = read_embeddings(output).origin
    assert (origin.pixels, origin.exif_orientation) == ("exact", False)
    assert (origin.preprocessing.image_size, origin.preprocessing.crop_pct) == (40, 1.0)
    assert origin.preprocessing.mean == (0.5, 0.5, 0.5)
    query = folder / "photos" / "blue" / "000.png"
    found = json.loads(regnety("neighbours", output, query, "--top-k", "1", "--format", "json").stdout)
    assert found[0]["neighbours"] == [{"filename": str(query), "similarity": pytest.approx(1, abs=1e-5)}]


def test_resume_of_what_is_finished_does_nothing_and_says_so(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "e.parquet"
    arguments = ("embed", folder / "photos" / "blue", "--model", folder / "model", "-o", output, "--quiet")
    assert regnety(*arguments, "--resume").returncode == 0
    before = output.read_bytes()
    again = regnety(*arguments[:-1], "--resume")
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr.splitlines()[-1] == f"regnety: {output}: is finished already, 4 images, 0 unreadable"
    larger = regnety("embed", folder / "photos", "-r", "--model", folder / "model", "-o", output, "-q", "--resume")
    assert one_line(larger).startswith(f"{output}: is finished, but ")
    other = regnety("embed", *arguments[1:], "--resume", "--exact")
    assert one_line(other) == (
        f"{output}: is finished, but is not what this job writes: it was written with another pixels; "
        "omit --resume (resume=True) to start over"
    )
    assert output.read_bytes() == before


def test_neighbours_as_a_table(folder: Path, tmp_path: Path) -> None:
    colour("green", seed=55).save(tmp_path / "photo.png")
    result = regnety("neighbours", folder / "e.parquet", tmp_path / "photo.png", "--top-k", "3")
    assert (result.returncode, result.stderr) == (0, "")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[0] == ["image", "neighbour", "similarity"]
    assert rows[1][0] == str(tmp_path / "photo.png")
    assert [len(row) for row in rows] == [3, 3, 2, 2]
    assert all(f"{folder}/photos/green/" in row[-2] for row in rows[1:])
    assert 0.9 < float(rows[3][-1]) <= float(rows[1][-1]) <= 1


@pytest.mark.parametrize("spelling", ["neighbours", "neighbors"])
def test_neighbours_for_programs(spelling: str, folder: Path) -> None:
    query, bad = folder / "photos" / "red" / "copy.png", folder / "photos" / "red" / "empty.png"
    arguments = (spelling, folder / "e.parquet", query, bad, "--top-k", "2", "--format")
    as_json = regnety(*arguments, "json")
    assert (as_json.returncode, as_json.stderr) == (1, "")
    found, failed = json.loads(as_json.stdout)
    assert list(found) == ["filename", "error", "neighbours"]
    assert {Path(entry["filename"]).name for entry in found["neighbours"]} == {"001.png", "copy.png"}
    assert failed == {"filename": str(bad), "error": f"{bad}: is empty", "neighbours": []}
    as_lines = [json.loads(line) for line in regnety(*arguments, "jsonl").stdout.splitlines()]
    assert as_lines == [found, failed]
    rows = list(csv.DictReader(regnety(*arguments, "csv").stdout.splitlines()))
    assert [row["rank"] for row in rows] == ["1", "2", ""]
    assert rows[0]["neighbour"] == found["neighbours"][0]["filename"]
    assert rows[2] == {"filename": str(bad), "rank": "", "neighbour": "", "similarity": "", "error": failed["error"]}
    table = regnety(*arguments, "table")
    assert (table.returncode, table.stderr) == (1, f"regnety: {bad}: is empty\n")
    assert len(table.stdout.splitlines()) == 3


def test_neighbours_need_the_model_of_the_file(folder: Path, tmp_path: Path) -> None:
    query = folder / "photos" / "red" / "000.png"
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    shutil.move(folder / "model", folder / "gone")
    try:
        line = one_line(regnety("neighbours", moved / "e.parquet", query))
        assert (
            line == f"{folder}/model: does not exist; it made these embeddings, --model (model=) says where it is now"
        )
        assert regnety("neighbours", moved / "e.parquet", query, "--model", moved / "model").returncode == 0
    finally:
        shutil.move(folder / "gone", folder / "model")
    line = one_line(regnety("neighbours", folder / "e.parquet", query, "--model", "regnety_cifar10"))
    assert line.startswith(
        "regnety_cifar10 (256 features): is not the model that made the stored embeddings, which is "
    )


def test_duplicates_in_every_form(folder: Path) -> None:
    pair = [str(folder / "photos" / "red" / name) for name in ("001.png", "copy.png")]
    arguments = ("duplicates", folder / "e.parquet", "--threshold", "1", "--format")
    as_json = regnety(*arguments, "json")
    assert (as_json.returncode, as_json.stderr) == (0, "regnety: 14 images, 1 group, 1 redundant\n")
    (group,) = json.loads(as_json.stdout)
    assert group["group"] == 1
    assert [image["filename"] for image in group["images"]] == pair
    assert [image["similarity"] for image in group["images"]] == [pytest.approx(1, abs=1e-6)] * 2
    assert [json.loads(line) for line in regnety(*arguments, "jsonl").stdout.splitlines()] == [group]
    rows = list(csv.DictReader(regnety(*arguments, "csv").stdout.splitlines()))
    assert [(row["group"], row["filename"]) for row in rows] == [("1", pair[0]), ("1", pair[1])]
    table = [line.split() for line in regnety(*arguments, "table").stdout.splitlines()]
    assert table == [["group", "image", "similarity"], ["1", pair[0], "1.0000"], [pair[1], "1.0000"]]


def test_what_is_one_colour_is_nearly_the_same(folder: Path) -> None:
    result = regnety("duplicates", folder / "e.parquet", "--format", "json", "--quiet")
    groups = [{Path(image["filename"]).parent.name for image in group["images"]} for group in json.loads(result.stdout)]
    assert (groups, result.stderr) == ([{"blue"}, {"green"}, {"red"}], "")


def test_no_duplicates(folder: Path, tmp_path: Path) -> None:
    regnety("embed", folder / "photos" / "blue", "--model", folder / "model", "-o", tmp_path / "e.parquet")
    result = regnety("duplicates", tmp_path / "e.parquet", "--threshold", "1")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "regnety: 4 images, no two of them similar at 1\n"
    assert regnety("duplicates", tmp_path / "e.parquet", "--threshold", "1", "--format", "json").stdout == "[]\n"


@pytest.mark.parametrize("command", ["embed", "neighbours"])
def test_torch_is_not_loaded(command: str, folder: Path, tmp_path: Path) -> None:
    picture = folder / "photos" / "red" / "000.png"
    arguments = {
        "embed": (picture, "--model", folder / "model", "-o", tmp_path / "e.parquet", "--quiet"),
        "neighbours": (folder / "e.parquet", picture),
    }[command]
    loaded = python(LOADED, command, *arguments).stderr.split()
    assert "onnxruntime" in loaded
    assert "torch" not in loaded


def test_duplicates_load_no_engine(folder: Path) -> None:
    result = python(LOADED, "duplicates", folder / "e.parquet", "--quiet", "--format", "json")
    assert result.stderr == "\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("embed", "photos", "-o", "e.csv"), "e.csv: embeddings are stored as Parquet; name it .parquet"),
        (("embed", "absent.png", "-o", "no/e.parquet"), "no/e.parquet: there is no folder no"),
        (("embed", "photos", "-o", "e.parquet"), "photos: no images in this folder"),
        (("embed", "e.parquet", "-o", "e.parquet"), "e.parquet: is one of the images; name another file"),
        (("neighbours", "absent.parquet", "photos/red/000.png"), "absent.parquet: no such file"),
        (("duplicates", "model/config.json"), "model/config.json: is not a file that `regnety embed` wrote"),
        (("duplicates", "photos"), "photos: cannot be read"),
        (("duplicates", "e.parquet", "--threshold", "nan"), "Invalid value for '--threshold'"),
        (("duplicates", "e.parquet", "--threshold", "0"), "Invalid value for '--threshold'"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: tuple[str, ...], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert one_line(regnety(*arguments)).startswith(message)


@pytest.mark.parametrize("arguments", [("embed", "photos/red"), ("neighbours",), ("duplicates",)])
def test_without_pyarrow_the_extra_is_named(
    arguments: tuple[str, ...], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    more = {
        "embed": ("--model", "model", "-o", tmp_path / "e.parquet", "--quiet"),
        "neighbours": ("e.parquet", "photos/red/000.png"),
        "duplicates": ("e.parquet",),
    }[arguments[0]]
    line = one_line(python(WITHOUT_PYARROW, *arguments, *more))
    assert line.endswith(" needs an extra: pip install '.[table]' in a clone of regnety")
    assert not (tmp_path / "e.parquet").exists()
