"""Populations read back, and the page on them."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import regnety
from commands import one_line, regnety_here
from populations import write_results
from regnety import DesignSpace, Population
from regnety.designspace.comparisons import bootstrap_range
from regnety.designspace.design_numbers import design_numbers, shared_names
from regnety.designspace.pages.error_charts import best_near, known_numbers
from regnety.designspace.pages.report import write_population_report
from regnety.errors import JobError


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("populations")
    write_results(folder / "spaces & <b>", count=12, repeat=2)
    write_results(folder / "halved", count=9, seed=1, keep_best="1/3")
    return folder


def test_a_population_is_read_back(runs: Path) -> None:
    population = Population.load(runs / "halved")
    assert population.counts() == {"done": 1, "stopped": 8, "failed": 0, "open": 0}
    assert len(population) == 9
    (done,) = population.finished
    assert len(done.rows) == 9
    assert population.errors.tolist() == [100 - done.rows[-1]["val_top1"]]
    assert population.column("macs").tolist() == [done.complexity.macs]
    assert done.complexity == regnety.complexity(done.design.architecture(10), 32)
    table = population.to_arrow()
    assert table.num_rows == 9
    assert table["status"].to_pylist().count("stopped") == 8
    assert table["optimizer.lr"].to_pylist() == [result.trial.varied["optimizer.lr"] for result in population]


def test_an_unfinished_population_is_read_too(runs: Path, tmp_path: Path) -> None:
    for name in ("population.json", "journal.jsonl"):
        (tmp_path / name).write_bytes((runs / "spaces & <b>" / name).read_bytes()[: None if "popul" in name else 4000])
    population = Population.load(tmp_path)
    assert population.counts()["open"] == 24 - population.counts()["done"] > 0
    assert np.isnan(population[-1].error)


def test_the_page_has_everything_and_loads_nothing(runs: Path, tmp_path: Path) -> None:
    populations = [Population.load(runs / "spaces & <b>"), Population.load(runs / "halved")]
    with pytest.raises(JobError, match="halved: 1 trial of 9 trained in full so far; a report needs 2"):
        write_population_report(tmp_path / "two.html", populations)
    page = write_population_report(tmp_path / "one.html", populations[:1]).read_text("utf-8")
    assert "spaces &amp; &lt;b&gt;" in page
    assert "<b>" not in page
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", page)
    assert page.count('<svg class="chart"') == 2 + 9 + 6 + 2 + 1  # errors, numbers, networks, costs, curves
    best = min(populations[0].finished, key=lambda result: result.error)
    assert f"Trial {best.trial.number}: {best.error:.2f} %" in page
    for heading in ("Errors of all trials", "The best of a random search", "optimizer.lr", "Noise of training"):
        assert heading in page


def test_populations_beside_each_other_are_compared_at_equal_cost_too(runs: Path, tmp_path: Path) -> None:
    space = DesignSpace.anynetx_a(macs=(5e6, 60e6), image_size=32)
    anynets = Population.load(write_results(tmp_path / "anynets", count=12, seed=2, space=space))
    both = [anynets, Population.load(runs / "spaces & <b>")]
    page = write_population_report(tmp_path / "both.html", both).read_text("utf-8")
    for heading in ("Errors at equal macs", "Distance from a linear design", "mean less anynets"):
        assert heading in page
    assert "is off by e_fit 0." in page


@pytest.mark.slow
def test_each_picture_is_written_as_png_and_svg(runs: Path, tmp_path: Path) -> None:
    population = Population.load(runs / "spaces & <b>")
    write_population_report(tmp_path / "one.html", [population, population], pictures=tmp_path / "pictures")
    written = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert {"edf.png", "edf.svg", "edf_at_equal_macs.png", "error_by_wm.svg", "curves.png"} <= written
    assert len(written) == 2 * (3 + 9 + 6 + 2 + 1)


def test_the_command_writes_it_beside_the_journal(
    runs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = regnety_here(capfd, "design", "report", runs / "spaces & <b>")
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert (runs / "spaces & <b>" / "report.html").exists()
    nothing = one_line(regnety_here(capfd, "design", "report", tmp_path))
    assert nothing == f"{tmp_path}: holds no population, which `regnety design run` writes (population.json is missing)"
    unknown = one_line(regnety_here(capfd, "design", "rum"))
    assert "No such command 'rum'" in unknown


def test_a_damaged_plan_is_one_line(runs: Path, tmp_path: Path) -> None:
    values = json.loads((runs / "halved" / "population.json").read_text("utf-8"))
    for broken, message in (
        ("{", "cannot be read: Expecting property name"),
        (json.dumps({**values, "trials": [{}]}), "cannot be read: 'design'"),
        (json.dumps({**values, "format_version": 9}), "its format_version is 9, this release knows 1"),
    ):
        (tmp_path / "population.json").write_text(broken, "utf-8")
        with pytest.raises(JobError, match=message):
            Population.load(tmp_path)


def test_a_population_with_one_survivor_is_shown_as_it_was(runs: Path, tmp_path: Path) -> None:
    population = Population.load(runs / "halved")
    page = write_population_report(tmp_path / "halved.html", [population]).read_text("utf-8")
    (survivor,) = population.finished
    assert "This page is on 3 as they were after 3 of 9 epochs." in page
    assert f"In full, trial {survivor.trial.number} is wrong on {survivor.error:.2f} %." in page
    early = population.at_rung(0)
    assert early.counts() == {"done": 9, "stopped": 0, "failed": 0, "open": 0}
    assert [len(result.rows) for result in early] == [1] * 9
    assert population.at_rung(2).counts() == population.counts()


def test_populations_of_one_name_are_told_apart(runs: Path, tmp_path: Path) -> None:
    for place in ("first", "second"):
        shutil.copytree(runs / "spaces & <b>", tmp_path / place / "pop")
    loaded = [Population.load(tmp_path / place / "pop") for place in ("first", "second")]
    assert [population.name for population in loaded] == ["pop", "pop"]
    page = write_population_report(tmp_path / "both.html", loaded).read_text("utf-8")
    assert "first/pop" in page
    assert "second/pop" in page


def test_what_is_varied_has_a_column_whatever_its_values(runs: Path) -> None:
    population = Population.load(runs / "halved")
    for number, result in enumerate(population):
        result.trial.varied.clear()
        values = (None, 3, 0.5)
        result.trial.varied.update({"ema_alpha": values[number % 3], "epochs": 9, "precision": "f32"})
    assert population.columns()[-2:] == ("ema_alpha", "recipe.epochs")
    rows = population.to_arrow()
    assert rows["ema_alpha"].to_pylist() == [None, 3.0, 0.5] * 3
    assert rows["recipe.epochs"].to_pylist() == [9] * 9
    assert rows["epochs"].to_pylist() == [len(result.rows) for result in population]
    assert rows["precision"].to_pylist() == ["f32"] * 9
    numbers = [population.number(result, "ema_alpha") for result in population]
    assert [np.isnan(number) for number in numbers] == [True, False, False] * 3


def test_a_varied_field_without_a_number_in_some_trials_is_shown_by_the_others(runs: Path, tmp_path: Path) -> None:
    population = Population.load(runs / "spaces & <b>")
    for number, result in enumerate(population):
        result.trial.varied.clear()
        result.trial.varied["ema_alpha"] = None if number % 2 else 1e-5 * (1 + number)
    page = write_population_report(tmp_path / "report.html", [population]).read_text("utf-8")
    assert "ema_alpha" in page
    assert not re.search(r"\bnan\b", re.sub(r"<script.*?</script>", "", page, flags=re.S))
    trials, values, errors = known_numbers(population, "ema_alpha")
    assert trials == list(range(0, 24, 2))
    assert len(values) == len(errors) == 12
    assert np.isfinite(values).all()


def test_numbers_of_designs_that_are_no_linear_ones() -> None:
    spaces = {
        "a": DesignSpace.anynetx_a(num_stages=(3, 3), image_size=32),
        "c": DesignSpace.anynetx_c(num_stages=(3, 3), image_size=32),
        "any": DesignSpace.anynetx_a(num_stages=(2, 4), image_size=32),
    }
    designs = {name: list(space.sample(40, seed=0)) for name, space in spaces.items()}
    whole = ("width", "depth", "group_width", "bottleneck_multiplier")
    assert shared_names(designs["a"]) == (
        "depth",
        *(f"stage_{number}_{name}" for number in (1, 2, 3) for name in whole),
    )
    assert set(shared_names(designs["c"])) == {
        "depth",
        "group_width",
        "bottleneck_multiplier",
        *(f"stage_{number}_{name}" for number in (1, 2, 3) for name in whole[:2]),
    }
    assert shared_names(designs["any"]) == ("depth",)
    first = designs["c"][0]
    assert design_numbers(first)["stage_2_width"] == first.stages[1].width
    assert shared_names([]) == ()


def test_the_best_of_few_trials_is_that_of_as_many(runs: Path, tmp_path: Path) -> None:
    population = Population.load(runs / "spaces & <b>")
    page = write_population_report(tmp_path / "one.html", [population]).read_text("utf-8")
    shown = re.search(r"<dt>best of 24</dt><dd><strong>([\d.]+) %", page)
    assert shown is not None
    assert float(shown[1]) == pytest.approx(population.best(24).value, abs=0.005)


def test_seeds_of_a_design_are_no_further_trials(runs: Path) -> None:
    population = Population.load(runs / "spaces & <b>")
    groups = list(population.by_design().values())
    values = np.array([population.number(group[0], "macs") for group in groups])
    errors = np.array([np.mean([result.error for result in group]) for group in groups])
    assert len(groups) == 12
    assert best_near(population, "macs") == bootstrap_range(values, errors)
    assert best_near(population[:10], "macs") is None  # five designs


def test_populations_of_one_design_have_no_interval(tmp_path: Path) -> None:
    folders = [
        write_results(tmp_path / name, count=1, repeat=3, seed=seed) for seed, name in enumerate(("one", "other"))
    ]
    page = write_population_report(tmp_path / "page.html", [Population.load(each) for each in folders])
    text = page.read_text("utf-8")
    assert "one has 1 design: the interval and p of its difference are not known." in text
    first, second = (Population.load(each).errors.mean() for each in folders)
    assert f"{second - first:+.2f}" in text
    assert f"{second - first:+.2f} (" not in text
    few = Population.load(write_results(tmp_path / "few", count=5))
    assert "Too few designs to say where the best value lies" in write_population_report(
        tmp_path / "few.html", [few]
    ).read_text("utf-8")


def test_what_else_is_different_is_said(runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(runs / "spaces & <b>", tmp_path / "other")
    plan = json.loads((folder / "population.json").read_text("utf-8"))
    plan["data"]["digest"], plan["recipe"]["label_smoothing"] = "1", 0.3
    (folder / "population.json").write_text(json.dumps(plan), "utf-8")
    populations = [Population.load(runs / "spaces & <b>"), Population.load(folder)]
    page = write_population_report(tmp_path / "page.html", populations).read_text("utf-8")
    assert "other was trained on other photographs than spaces &amp; &lt;b&gt;: their errors do not compare." in page
    assert "(label_smoothing): their errors differ by that too." in page
    assert "has the least mean error" not in page


def test_equal_errors_are_no_traceback_and_no_nan(runs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(runs / "spaces & <b>", tmp_path / "equal")
    records = [json.loads(line) for line in (folder / "journal.jsonl").read_text("utf-8").splitlines()]
    for record in records:
        for row in record["rows"]:
            row["val_top1"] = 50.0
    (folder / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    page = write_population_report(tmp_path / "page.html", [Population.load(folder)]).read_text("utf-8")
    assert "no rank correlation is known" in page
    assert "nan" not in re.sub(r"<style>.*?</style>|<script>.*?</script>", "", page, flags=re.DOTALL).lower()


def test_figures_of_an_early_page_say_how_early(runs: Path, tmp_path: Path) -> None:
    population = Population.load(runs / "halved")
    page = write_population_report(tmp_path / "page.html", [population]).read_text("utf-8")
    assert "of 9, after 3 epochs" in page
    assert "of 9, in full" not in page
