"""The report of an evaluation: of any model, as a value and by `regnety eval --report`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bundles import small_bundle
from commands import one_line, regnety
from pictures import write_colours
from regnety import Bundle, DataError, evaluate
from regnety.bundle.training_files import TrainingFiles
from regnety.datasets.folders import read_class_folders
from regnety.datasets.samples import Sample
from regnety.inference.evaluation_result import EvaluationResult
from regnety.reports.evaluation_report import evaluation_content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    small_bundle().save(folder / "bundle")
    write_colours(folder / "data" / "test", count=4)
    (folder / "data" / "test" / "red" / "zz.png").touch()
    return folder


def evaluated(folder: Path, bundle: Bundle) -> tuple[EvaluationResult, tuple[Sample, ...]]:
    samples = read_class_folders(folder / "data" / "test")
    return evaluate(bundle, samples, probabilities=True, quiet=True), samples


def test_it_says_what_was_measured_and_how(folder: Path) -> None:
    bundle = small_bundle()
    result, samples = evaluated(folder, bundle)
    content = evaluation_content(result, bundle, samples, split="val", seconds=1.5, command="regnety eval")
    assert (content.model, content.classes, content.scored.split) == ("small", bundle.labels, "validation")
    assert content.scored.names == result.filenames
    assert (content.scored.targets == result.targets).all()
    assert content.scored.probabilities is result.probabilities
    assert (content.seen, content.published_top1, content.errors) == (False, None, result.errors)
    assert content.facts["input"] == "32x32 pixels, crop 0.875"
    assert content.facts["engine"].startswith("ONNX Runtime ")
    assert (content.seconds, content.command) == ({"evaluation": 1.5}, "regnety eval")
    wrong = [name for name, right in zip(content.scored.names, content.scored.right, strict=True) if not right]
    assert wrong
    assert sorted(content.pictures) == sorted(wrong)
    for picture in content.pictures.values():
        assert picture.class_map is not None
    assert evaluation_content(result, bundle, samples).scored.split == ""


def test_a_temperature_that_was_divided_in_is_taken_out_again(folder: Path) -> None:
    plain, cool = small_bundle(), small_bundle(provenance={"temperature": 2.5})
    for name in ("weight", "bias"):
        cool.weights[f"head.fc.{name}"][:] /= 2.5
    result, samples = evaluated(folder, cool)
    content = evaluation_content(result, cool, samples)
    assert content.temperature == 2.5
    assert content.scored.uncalibrated is not None
    expected = evaluated(folder, plain)[0].probabilities
    assert expected is not None
    np.testing.assert_allclose(content.scored.uncalibrated, expected, atol=1e-5)
    for wrong in (0, -1, "2", True, float("nan")):
        other = small_bundle(provenance={"temperature": wrong})
        assert evaluation_content(result, other, samples).temperature is None


def test_what_the_model_was_trained_on_is_said(folder: Path) -> None:
    bundle = small_bundle()
    samples = read_class_folders(folder / "data" / "test")
    bundle.training_files = TrainingFiles.of([sample.image for sample in samples[:3]], quiet=True)
    content = evaluation_content(evaluate(bundle, samples, probabilities=True, quiet=True), bundle, samples)
    assert content.seen
    assert content.notices == (
        "small was trained on 3 of the 12 photographs that are scored; expect less of it on new ones.",
    )


def test_what_cannot_be_reported_on(folder: Path) -> None:
    result, samples = evaluated(folder, small_bundle())
    with pytest.raises(DataError, match=r"^small: a report needs probabilities; evaluate with probabilities=True$"):
        evaluation_content(replace(result, probabilities=None), small_bundle(), samples)
    twice = replace(result, filenames=(result.filenames[0],) * result.count)
    with pytest.raises(DataError, match="needs a name of its own for each photograph, and two share one"):
        evaluation_content(twice, small_bundle(), samples)


def test_the_command_writes_a_page(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    arguments = ("eval", "--data", folder / "data", "--model", folder / "bundle")
    result = regnety(*arguments, "--report", tmp_path / "report.html", "--output", tmp_path / "rows.csv")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[1:] == [
        f"regnety: wrote {tmp_path}/report.html, and what it is made from: {tmp_path}/report.npz",
        f"regnety: {folder}/data/test/red/zz.png: is empty",
    ]
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "12 test photographs" in page
    assert f"--report {tmp_path}/report.html" in page
    assert page.count("data:image/jpeg;base64,") >= 2
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 14
    other = tmp_path / "other.npz"
    (tmp_path / "report.npz").rename(other)
    assert regnety("report", other).stderr == f"regnety: wrote {tmp_path}/other.html\n"
    assert (tmp_path / "other.html").read_text("utf-8") == page
    again = regnety(*arguments, "--report", tmp_path / "report.html", "--quiet")
    assert (again.returncode, again.stderr) == (1, f"regnety: {folder}/data/test/red/zz.png: is empty\n")
    beside = regnety("report", other, "--beside", tmp_path / "report.npz")
    assert beside.stderr == f"regnety: wrote {tmp_path}/comparison.html\n"
    for name, message in (
        ("report.pdf", f"{tmp_path}/report.pdf: a report is a page; name it .html (regnety eval --help)"),
        ("no/report.html", f"{tmp_path}/no/report.html: there is no folder {tmp_path}/no"),
    ):
        assert one_line(regnety(*arguments, "--report", tmp_path / name)) == message
