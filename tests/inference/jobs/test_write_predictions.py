"""Predictions as a job from Python: rows, settings and resuming are the command's."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bundles import small_bundle
from commands import regnety
from pictures import noise
from regnety import Bundle, JobError, Predictor, write_predictions
from regnety.inference.jobs.job import JobInterrupted
from regnety.inference.jobs.rows import prediction_rows


@pytest.fixture
def model() -> Bundle:
    return small_bundle(["ant", "bee", "cat", "dog"])


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Twenty, of which the fourth is unreadable."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(20):
        noise(40, 30, seed=number).save(folder / f"{number:02d}.png")
    (folder / "03.png").write_bytes(b"text")
    return sorted(folder.iterdir())


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.parametrize("top_k", [1, 3])
def test_the_rows_are_the_predictors_answers(top_k: int, model: Bundle, photos: list[Path], tmp_path: Path) -> None:
    predictor = Predictor(model, engine="onnxruntime", precision="f32")
    seen: list[Any] = []
    summary = write_predictions(predictor, photos, tmp_path / "a.csv", top_k=top_k, on_record=seen.append)
    assert (summary.images, summary.unreadable, summary.earlier) == (20, 1, 0)
    answers = predictor.predict(photos, top_k, on_error="record")
    assert seen == answers
    wanted = [row for answer in answers for row in prediction_rows(top_k, 4, wide=False).rows_of(answer)]
    assert [tuple(row.values()) for row in rows_of(tmp_path / "a.csv")] == [
        tuple("" if value is None else str(value) for value in row) for row in wanted
    ]


def test_forms_of_rows(model: Bundle, photos: list[Path], tmp_path: Path) -> None:
    predictor = Predictor(model, engine="onnxruntime")
    write_predictions(predictor, photos, tmp_path / "a.csv", top_k=9, wide=True)
    assert [*rows_of(tmp_path / "a.csv")[0]][-3:] == ["label_4", "prob_4", "error"]
    write_predictions(predictor, photos, tmp_path / "a.txt", row_format="jsonl", min_probability=1.0)
    lines = [json.loads(line) for line in (tmp_path / "a.txt").read_text().splitlines()]
    assert [line["predictions"] for line in lines] == [[]] * 20
    write_predictions(predictor, iter(photos), tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 19 * 4 + 1
    facts = json.loads(pq.read_schema(tmp_path / "a.parquet").metadata[b"regnety"])
    assert (facts["top_k"], facts["min_probability"], facts["pixels"], facts["model"]) == (5, 0.0, "fast", "small")


def test_what_one_begins_the_command_resumes_and_the_other_way_round(
    model: Bundle, photos: list[Path], tmp_path: Path
) -> None:
    model.save(tmp_path / "bundle")
    output, begun = tmp_path / "labels.csv", []

    def ctrl_c(_: object) -> None:
        begun.append(1)
        if len(begun) == 12:
            raise KeyboardInterrupt

    with pytest.raises(JobInterrupted):
        write_predictions(tmp_path / "bundle", photos, output, top_k=2, on_record=ctrl_c)
    result = regnety(
        "predict", tmp_path / "photos", "--model", tmp_path / "bundle", "--top-k", 2, "--output", output, "--resume"
    )
    assert result.returncode == 1, result.stderr
    assert "20 images (12 of them before), 1 unreadable" in result.stderr
    assert len(rows_of(output)) == 2 * 19 + 1
    assert write_predictions(tmp_path / "bundle", photos, output, top_k=2, resume=True).was_finished


def test_a_job_with_other_settings_is_not_resumed(model: Bundle, photos: list[Path], tmp_path: Path) -> None:
    def some() -> Iterator[Path]:
        yield from photos[:5]
        raise KeyboardInterrupt

    predictor = Predictor(model, workers=1)
    with pytest.raises(JobInterrupted):
        write_predictions(predictor, some(), tmp_path / "a.csv")
    for options, words in (({"top_k": 4}, "top_k 5, now it is 4"), ({"min_probability": 0.5}, "min_probability 0.0")):
        with pytest.raises(JobError, match=f"was started with {words}"):
            write_predictions(predictor, photos, tmp_path / "a.csv", resume=True, **options)  # type: ignore[arg-type]
    with pytest.raises(JobError, match='was started with pixels "fast", now it is "exact"'):
        write_predictions(Predictor(model, pixels="exact"), photos, tmp_path / "a.csv", resume=True)
    earlier: list[int] = []
    summary = write_predictions(predictor, photos, tmp_path / "a.csv", resume=True, on_start=earlier.append)
    assert [summary.earlier] == earlier
    assert summary.images == 20


@pytest.mark.parametrize(
    ("output", "options", "kind", "message"),
    [
        ("a.txt", {}, JobError, r"a\.txt: name it \.csv, \.jsonl, \.parquet, or pass row_format"),
        ("a.csv", {"row_format": "json"}, ValueError, "row_format must be one of csv, jsonl, parquet, got 'json'"),
        ("a.jsonl", {"wide": True}, ValueError, "wide rows are for csv and parquet"),
        ("a.csv", {"top_k": 0}, ValueError, "top_k must be a whole number of at least 1"),
    ],
)
def test_what_is_refused_before_any_work(
    output: str, options: dict[str, Any], kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        write_predictions("no-such-model", [], tmp_path / output, **options)


def test_one_image_is_as_a_list_of_it(model: Bundle, photos: list[Path], tmp_path: Path) -> None:
    for number, single in enumerate((photos[0], str(photos[0]))):
        output = tmp_path / f"{number}.csv"
        assert write_predictions(model, single, output, top_k=1).images == 1
        assert rows_of(output)[0]["filename"] == str(photos[0])
    with pytest.raises(ValueError, match="paths, addresses or NamedImage, got int"):
        write_predictions(model, 5, tmp_path / "none.csv")  # type: ignore[arg-type]
    assert not (tmp_path / "none.csv").exists()
