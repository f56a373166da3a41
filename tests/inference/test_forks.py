"""A predictor that was used and then forked answers in the child too; a pickled or copied one is made anew."""

import copy
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import LABELS, small_bundle
from pictures import encoded, noise
from regnety import Bundle, Embedder, Predictor
from regnety.errors import EngineError, WeightsError
from regnety.export.model_export import export_model
from regnety.forks import ProcessLock

IMAGES = [encoded(noise(20, 20, seed=seed)) for seed in range(100)]
LONGEST_S = 60
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def probabilities(predictor: Predictor, images: Any = IMAGES) -> list[float]:
    return [entry.prob for answer in predictor.predict(images, 4) for entry in answer.predictions]


def in_child(work: Callable[[], object]) -> None:
    """Run something in a forked process, which must end by itself and well."""
    number = os.fork()
    if not number:
        signal.alarm(LONGEST_S)
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(number, 0)[1] == 0


@forks
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "torch"])
def test_a_child_answers_as_its_parent_does(engine: str) -> None:
    """In a process of its own: what other tests have left in torch's threads is not what is asked about here."""
    places = os.pathsep.join((str(Path(__file__).parent), str(Path(__file__).parent.parent)))
    code = f"import test_forks; test_forks.check_children({engine!r})"
    environment = {**os.environ, "PYTHONPATH": places}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=3 * LONGEST_S)


def check_children(engine: str) -> None:
    predictor = Predictor(small_bundle(), engine=engine, precision="f32")
    one, many = probabilities(predictor, IMAGES[0]), probabilities(predictor)

    def work() -> None:
        assert predictor.engine is None
        assert probabilities(predictor, IMAGES[0]) == pytest.approx(one, abs=1e-6)
        assert probabilities(predictor) == pytest.approx(many, abs=1e-6)
        in_child(grandchild)

    def grandchild() -> None:
        if engine == "torch":  # hangs within MKL
            with pytest.raises(EngineError, match=r"^torch cannot run in the fork of a fork; use another engine, or "):
                probabilities(predictor, IMAGES[:9])
        else:
            assert probabilities(predictor, IMAGES[:9]) == pytest.approx(many[:36], abs=1e-6)

    for _ in range(3):
        in_child(work)
    assert probabilities(predictor) == pytest.approx(many, abs=1e-6)


@forks
@pytest.mark.parametrize("engine", ["auto", "openvino"])
def test_a_fork_while_other_threads_are_at_work(engine: str) -> None:
    predictor, ended = Predictor(small_bundle(), engine=engine), threading.Event()

    def busy() -> None:
        while not ended.is_set():
            probabilities(predictor)

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            in_child(lambda: probabilities(predictor))
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@forks
@pytest.mark.parametrize("workers", [1, 2])
def test_answers_that_were_begun_before_a_fork_are_one_line_in_the_child(workers: int) -> None:
    predictor = Predictor(small_bundle(), workers=workers)
    answers = predictor.stream(iter(IMAGES))
    next(answers)

    def work() -> None:
        with pytest.raises(EngineError, match=r"^these answers were begun in the process that forked this one; "):
            next(answers)
        assert probabilities(predictor, IMAGES[:3])

    in_child(work)
    assert len(list(answers)) == len(IMAGES) - 1


@forks
def test_a_lock_that_another_thread_holds_is_free_in_a_child() -> None:
    lock, held, ended = ProcessLock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            ended.wait()

    def work() -> None:
        with lock:
            pass

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    in_child(work)
    ended.set()
    thread.join()


PREDICTOR: Predictor | None = None


def asked_globally(number: int) -> list[float]:
    """As a server's worker does with what its parent loaded before it was forked."""
    assert PREDICTOR is not None
    return probabilities(PREDICTOR, IMAGES[number])


def asked(predictor: Predictor, number: int) -> list[float]:
    return probabilities(predictor, IMAGES[number])


@forks
@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_pools_of_forked_processes(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(small_bundle(), engine=engine, precision="f32")
    monkeypatch.setattr(sys.modules[__name__], "PREDICTOR", predictor)
    wanted = [probabilities(predictor, image) for image in IMAGES[:6]]
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        found = pool.map_async(asked_globally, range(6)).get(LONGEST_S)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        found = list(executor.map(asked_globally, range(6), timeout=LONGEST_S))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_are_given_a_predictor(method: str, tmp_path: Path) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    predictor = Predictor(small_bundle().save(tmp_path / "model"), engine="onnxruntime")
    wanted = [asked(predictor, number) for number in range(2)]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as executor:
        found = [executor.submit(asked, predictor, number).result(LONGEST_S) for number in range(2)]
    assert found == wanted


def again(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("made_again", [again, copy.copy, copy.deepcopy])
def test_a_copy_is_made_from_the_same(made_again: Callable[[Any], Any], tmp_path: Path) -> None:
    folder = small_bundle().save(tmp_path / "model")
    names = tuple(f"other {label}" for label in LABELS)
    predictor = Predictor(folder, engine="onnxruntime", image_size=48, crop_pct=1.0, labels=names, workers=2)
    wanted = probabilities(predictor)  # it has an engine, and its own is its copy's no more
    found = made_again(predictor)
    assert found.engine is None
    assert found.bundle.labels == names
    assert (found.bundle.preprocessing.image_size, found.bundle.preprocessing.crop_pct) == (48, 1.0)
    assert probabilities(found) == wanted
    embedder = Embedder(folder, image_size=48, pixels="exact")
    copied = made_again(embedder)
    assert copied.origin == embedder.origin
    np.testing.assert_array_equal(copied.embed(IMAGES[:3]), embedder.embed(IMAGES[:3]))


def test_what_was_made_in_memory_brings_its_weights() -> None:
    bundle = small_bundle()
    sent = pickle.dumps(Predictor(bundle))
    assert len(sent) > sum(np.asarray(value).nbytes for value in bundle.weights.values())
    assert probabilities(pickle.loads(sent)) == probabilities(Predictor(bundle))


def test_a_model_in_files_is_sent_by_its_place_and_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_bundle(seed=1).save(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(Predictor("./model"))
    assert len(sent) < 10_000
    monkeypatch.chdir("/")  # the place is no relative one
    pickle.loads(sent)
    small_bundle(seed=2).save(tmp_path / "model")
    with pytest.raises(WeightsError, match=r"model: has changed since the model was sent to this process"):
        pickle.loads(sent)


def test_one_that_was_replaced_since_is_sent_with_its_weights(tmp_path: Path) -> None:
    folder = small_bundle(seed=1).save(tmp_path / "model")
    bundle = Bundle.load(folder)
    wanted = {key: np.array(bundle.weights[key]) for key in bundle.weights}
    small_bundle(seed=2).save(folder)
    found = again(bundle)
    assert all(np.array_equal(found.weights[key], value) for key, value in wanted.items())


def test_a_graph_is_sent_by_its_place(tmp_path: Path) -> None:
    path = export_model(small_bundle(), tmp_path / "model.onnx").path
    predictor = Predictor(path)
    found = again(predictor)
    assert found.bundle.graph is not None
    assert probabilities(found) == probabilities(predictor)
