"""A search from photographs to bundles: real engines, real training, small networks."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: make test installs it")

from populations import SETTINGS, write_data
from regnety import Bundle
from regnety.designspace import trials
from regnety.designspace.pages.search_report import _best, _candidates
from regnety.designspace.search import searching
from regnety.designspace.search.record import read_record
from regnety.designspace.search.result import SearchResult
from regnety.errors import JobError, LossError, RecipeError
from searches import PIXELS, search


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("search") / "data")


@pytest.fixture(scope="module")
def found(data: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    return search(data, tmp_path_factory.mktemp("search") / "whole")


@pytest.mark.slow
def test_the_best_is_trained_in_full_and_its_bundle_runs(found: SearchResult) -> None:
    assert len(found.population) == 3
    (winner,) = found.winners
    assert winner.result is found.front[0]
    bundle = Bundle.load(winner.run.bundle)
    assert bundle.metadata.design == winner.candidate.design
    assert (bundle.preprocessing.image_size, bundle.metadata.num_classes) == (16, 2)
    assert winner.neighbour.model.startswith("regnet")
    assert all(candidate.measured.latency_ms > 0 for candidate in found.record.candidates.found)


@pytest.mark.slow
def test_the_page_has_everything_and_loads_nothing(found: SearchResult) -> None:
    page = (found.folder / "report.html").read_text("utf-8")
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", page)
    for text in ("Error and latency", "best-1/bundle", "Latency and multiply-adds", "onnxruntime f32", "front"):
        assert text in page


@pytest.mark.slow
def test_stopped_anywhere_it_goes_on(
    found: SearchResult, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    output = tmp_path / "stopped"
    for step in ("run_population", "train_in_full"):
        with monkeypatch.context() as patched:
            patched.setattr(searching, step, stop)
            with pytest.raises(KeyboardInterrupt):
                search(data, output, resume=True)
    begun = read_record(output)
    again = search(data, output, resume=True)
    assert again.record == begun  # nothing was measured again
    assert [each.design for each in begun.candidates.found] == [each.design for each in found.record.candidates.found]
    assert [result.rows[-1]["val_top1"] for result in again.population.finished] == [
        result.rows[-1]["val_top1"] for result in found.population.finished
    ]
    once_more = search(data, output, resume=True)
    assert once_more.winners[0].run.val_top1 == again.winners[0].run.val_top1


@pytest.mark.slow
def test_another_search_is_refused_before_anything_is_done(found: SearchResult, data: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="holds a search; continue it with --resume"):
        search(data, found.folder)
    with pytest.raises(JobError, match=r"the search has trials 3, resuming cannot change it to 4"):
        search(data, found.folder, trials=4, resume=True)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    text = (found.folder / "search.json").read_text("utf-8")
    for cut in (text[: len(text) // 2], json.dumps({**json.loads(text), "format_version": 99}), "[]"):
        (damaged / "search.json").write_text(cut, "utf-8")
        with pytest.raises(JobError, match=r"search\.json: cannot be read: "):
            read_record(damaged)


def test_a_record_that_a_kill_left_in_part_is_no_search(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    (folder / ".search.json.1234.part").write_text("{", "utf-8")
    assert searching._stored(folder, resume=False) is None


def test_a_search_whose_trials_all_fail_says_why(data: Path, tmp_path: Path) -> None:
    with pytest.raises(
        JobError, match=r"every trial failed: the loss is not finite in epoch \d; lower optimizer\.lr \(1e\+30\)$"
    ):
        search(data, tmp_path / "diverged", trials=2, keep_best=None, settings=(*SETTINGS, PIXELS, "optimizer.lr=1e30"))


def test_one_of_the_best_that_diverges_does_not_end_the_search(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = searching.train_in_full

    def failing(data: Path, place: Path, *arguments: Any, **options: Any) -> Any:
        if place.name == "best-1":
            raise LossError("the loss is not finite in epoch 3")
        return real(data, place, *arguments, **options)

    monkeypatch.setattr(searching, "train_in_full", failing)
    monkeypatch.setattr(searching, "pareto_front", lambda costs: list(range(len(costs))))
    result = search(data, tmp_path / "search", trials=3, keep_best=None, winners=2)
    (winner,) = result.winners
    assert winner.place == "best-2"
    page = (result.folder / "report.html").read_text("utf-8")
    assert f"trial {result.front[0].trial.number} could not be trained in full: the loss is not finite" in page
    assert "best-2/bundle" in page
    assert "best-1" not in page


def test_candidates_that_diverge_leave_those_that_were_stopped(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = trials.train_trial

    def failing(recipe: Any, *arguments: Any, epochs: int, **options: Any) -> Any:
        if epochs > 1:
            raise LossError("the loss is not finite in epoch 3")
        return real(recipe, *arguments, epochs=epochs, **options)

    monkeypatch.setattr(trials, "train_trial", failing)
    result = search(data, tmp_path / "search", trials=3, winners=0)
    assert result.population.counts() == {"done": 2, "stopped": 0, "failed": 1, "open": 0}
    assert result.front
    page = (result.folder / "report.html").read_text("utf-8")
    assert "No candidate was trained to the end: they are compared as they were after 1 epoch." in page


@pytest.mark.slow
def test_the_page_has_the_front_first_and_its_figure_is_not_chosen_by_the_test(found: SearchResult) -> None:
    front = {result.trial.number for result in found.front}
    states = [row[-1].text for row in _candidates(found).rows]
    assert states[: len(front)] == ["front"] * len(front)
    (winner,) = found.winners
    one, other = (
        dataclasses.replace(winner, run=dataclasses.replace(winner.run, val_top1=val_top1, test_top1=test_top1))
        for val_top1, test_top1 in ((80.0, 75.0), (90.0, 70.0))
    )
    assert _best(dataclasses.replace(found, winners=(one, other))) is other


def test_what_cannot_be_is_refused_in_one_line(data: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(JobError, match="is not empty and holds no search"):
        search(data, full)
    with pytest.raises(RecipeError, match="the best are trained as they were measured"):
        search(data, tmp_path / "one", final_settings=("image_size=32",))
    with pytest.raises(RecipeError, match="a new design has none"):
        search(data, tmp_path / "one", final_recipe="finetune")
    with pytest.raises(RecipeError, match=r"trials .* at least 1, got 0"):
        search(data, tmp_path / "one", trials=0)
    assert not (tmp_path / "one").exists()
