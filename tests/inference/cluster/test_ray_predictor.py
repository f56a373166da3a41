"""The same answers from the workers of a real Ray cluster, also when one is killed in the middle."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundles import small_bundle
from pictures import encoded, noise, write_colours
from ray_cluster import ENVIRONMENT, RayCluster
from regnety import ImageError, Predictor
from regnety.errors import ClusterError
from regnety.images.sources import ImageSource, NamedImage, Unreadable
from regnety.inference.cluster import ray_predictor, shipped_model
from regnety.inference.cluster.ray_predictor import RayPredictor
from regnety.inference.cluster.shipped_model import ship
from regnety.inference.predictor import Prediction

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of sockets that Ray leaves to the garbage collector
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[ImageSource]:
    folder = write_colours(tmp_path_factory.mktemp("photos"), count=20)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff and nothing more")
    names: list[ImageSource] = sorted(map(str, folder.rglob("*.*")))
    return [
        *names[:30],
        str(folder / "missing.jpg"),
        NamedImage("-", encoded(noise(50, 40))),
        Unreadable("there", "is closed"),
        encoded(noise(60, 40)),
        b"not an image",
        *names[30:],
    ]


@pytest.fixture(scope="module")
def predictor(ray_cluster: RayCluster) -> Iterator[RayPredictor]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        with RayPredictor(small_bundle(), address=ray_cluster.address, ray_workers=2, engine="onnxruntime") as made:
            yield made


def same(got: list[Prediction], wanted: list[Prediction]) -> bool:
    """Batches may be cut otherwise in a worker, which moves the last digits."""
    probabilities = pytest.approx([entry.prob for answer in wanted for entry in answer.predictions], abs=1e-6)
    return without_probabilities(got) == without_probabilities(wanted) and probabilities == [
        entry.prob for answer in got for entry in answer.predictions
    ]


def without_probabilities(answers: list[Prediction]) -> list[Any]:
    return [
        (answer.filename, answer.error, [(entry.index, entry.label) for entry in answer.predictions])
        for answer in answers
    ]


@pytest.mark.parametrize("window", [ray_predictor.WINDOW, 20])
def test_answers_are_those_of_one_machine_in_order(
    window: int, predictor: RayPredictor, photos: list[ImageSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With errors in their places, and in one window or in two."""
    monkeypatch.setattr(ray_predictor, "WINDOW", window)
    wanted = Predictor(small_bundle(), engine="onnxruntime").predict(photos, 3, on_error="record")
    got = list(predictor.stream(iter(photos), 3, on_error="record"))
    assert [answer.error is not None for answer in got].count(True) == 4
    assert got[34].error == wanted[34].error
    assert str(got[34].error).startswith("images[34]: is not an image that can be read")
    assert same(got, wanted)
    (answer,) = predictor.predict(noise(40, 30), min_probability=1.0)
    assert (answer.error, answer.predictions) == (None, ())
    assert predictor.describe() == "2 Ray workers of 1 thread on 1 node"


def test_a_single_image_is_one_answer(predictor: RayPredictor, photos: list[ImageSource]) -> None:
    """A name, a `Path`, bytes and pixels; a text is no list of letters."""
    name = str(photos[0])
    alone = Predictor(small_bundle(), engine="onnxruntime")
    for image in (name, Path(name), Path(name).read_bytes(), noise(40, 30)):
        assert same(predictor.predict(image, 2), alone.predict(image, 2))
        assert same(list(predictor.stream(image)), alone.predict(image))


def test_the_logits_are_those_of_one_machine(predictor: RayPredictor, photos: list[ImageSource]) -> None:
    wanted = list(Predictor(small_bundle(), engine="onnxruntime").outputs(photos))
    got = list(predictor.outputs(iter(photos)))
    assert [(output.filename, output.outputs is None) for output in got] == [
        (output.filename, output.outputs is None) for output in wanted
    ]
    for output, other in zip(got, wanted, strict=True):
        if output.outputs is not None and other.outputs is not None:
            assert output.outputs["logits"] == pytest.approx(other.outputs["logits"], abs=1e-5)
        else:
            assert str(output.error) == str(other.error)


@pytest.mark.parametrize(("top_k", "on_error"), [(0, "raise"), (5, "ignore")])
def test_a_wrong_question_is_refused_at_once(top_k: int, on_error: Any, predictor: RayPredictor) -> None:
    with pytest.raises(ValueError, match=r"^(top_k|on_error) must be "):
        predictor.stream(["a.jpg"], top_k, on_error=on_error)


def test_a_killed_worker_loses_and_doubles_nothing(
    predictor: RayPredictor, photos: list[ImageSource], ray_cluster: RayCluster
) -> None:
    named = [source for source in photos if isinstance(source, str)]
    sources = [source for _ in range(10) for source in named]
    wanted = Predictor(small_bundle(), engine="onnxruntime").predict(sources, on_error="record")
    got, killed = [], []
    for answer in predictor.stream(iter(sources), on_error="record"):
        got.append(answer)
        if len(got) == 1:
            killed = ray_cluster.worker_processes()[:1]
            ray_cluster.kill_worker(killed[0])
    assert len(killed) == 1
    assert len(got) == len(sources)
    assert same(got, wanted)


class Deadly:
    """Ends the process that receives it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


def test_images_that_end_every_worker_are_given_up(predictor: RayPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a block, of which there are 16."""
    monkeypatch.setattr(ray_predictor, "ATTEMPTS", 2)
    harmless = [NamedImage(f"{number}", encoded(noise(40, 40))) for number in range(40)]
    sources: Any = [*harmless[:31], Deadly(), *harmless[31:]]
    answers = predictor.stream(sources)
    assert [next(answers).filename for _ in range(30)] == [image.name for image in harmless[:30]]
    with pytest.raises(ClusterError, match=r"^Ray worker: 2 workers died of the same images; the first is 30$"):
        list(answers)


def test_an_unreadable_image_raises_where_that_is_wanted(predictor: RayPredictor) -> None:
    sources = [NamedImage("a", encoded(noise(40, 40))), NamedImage("b", b"x")]
    answers = predictor.stream(sources)
    assert next(answers).filename == "a"
    with pytest.raises(ImageError, match=r"^b: is not an image that can be read"):
        next(answers)


def test_a_worker_with_another_release_is_one_line(predictor: RayPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped_model, "__version__", "0.0.1")
    with pytest.raises(ClusterError, match=r"^Ray worker: the worker has regnety .*, the command 0\.0\.1; install the"):
        list(predictor.stream([NamedImage("a", encoded(noise(40, 40)))]))


def test_a_model_reaches_machines_that_do_not_see_its_file(predictor: RayPredictor, tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "model")
    images = [noise(50, 40, seed=seed) for seed in range(3)]
    given = Predictor(folder).bundle.with_labels(["a", "b", "c", "d"])
    model = ship(given, same_machine=False)
    assert model.place is not None
    elsewhere = replace(model, place=None)
    arrived = elsewhere.bundle()
    assert arrived.path != Path(model.place)
    assert arrived.labels == ("a", "b", "c", "d")
    assert same(Predictor(arrived).predict(images), Predictor(given).predict(images))
    assert elsewhere.bundle().path == arrived.path  # once for all workers of a machine
    assert ship(given, same_machine=True).files == ()


def test_a_file_that_has_changed_meanwhile_is_not_taken(predictor: RayPredictor, tmp_path: Path) -> None:
    model = ship(Predictor(small_bundle().save(tmp_path / "model")).bundle, same_machine=True)
    with pytest.raises(ClusterError, match="is not the file that it was when the workers started"):
        replace(model, stamp="another").bundle()


def test_wrong_numbers_of_workers() -> None:
    with pytest.raises(ValueError, match="ray_workers must be a whole number of at least 1, got 0"):
        RayPredictor(small_bundle(), ray_workers=0)
