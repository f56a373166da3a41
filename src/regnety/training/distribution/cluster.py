"""The workers of a run on a Ray cluster: as many as there is room for, started again where some are lost.

Ray Train starts the processes and sees when one has died; then it starts all of them again, as many as there is room
for now. The run goes on from its last checkpoint, as after any other kill.
"""

import json
import pickle
import shutil
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from regnety.errors import ClusterError, RegNetYError
from regnety.extras import import_extra
from regnety.inference.cluster.connection import Cluster, connected
from regnety.text import counted, one_line, reason_of
from regnety.training.checkpoints import checkpoints
from regnety.training.distribution.workers import BACKENDS, STEP_PATIENCE, AnotherWorkerEndedError, joined

MOST_STARTS = 5
"""Starts in a row after which no epoch was finished; then something kills the workers each time."""
NEWS_S = 1.0
"""How often what happens in the workers is asked for."""
RESIZE_S = 60.0
"""How often Ray looks whether there is room for more workers."""


def run_on_cluster(
    work: Callable[[], object],
    run: Path,
    *,
    address: str,
    workers: tuple[int, int] | None,
    most: int,
    gpus_per_worker: float,
    on_news: Callable[[str], None],
    on_epoch: Callable[[dict[str, Any]], None],
) -> None:
    """Let every worker of a cluster do the work, again and again until it has been done without losing one.

    Args:
        work: resumes the run. It is pickled, and takes its workers from `joined`.
        run: the run's folder, at the same place on every machine; as the training pictures.
        address: of the cluster: `local`, `auto` or HOST:PORT.
        workers: fewest and most; None is as many as there is room for.
        gpus_per_worker: graphics cards of each; 0 trains on processors.
        on_news: is called with a line whenever workers were started.
        on_epoch: is called with each new row of metrics.jsonl.

    Raises:
        ClusterError: there is no such cluster or no room in it, or the workers die again and again.
        RegNetYError: the work raised it.
        MissingExtraError: Ray Train is not installed.
    """
    if 0 < gpus_per_worker < 1:
        raise ClusterError(
            f"a worker has whole graphics cards, as two on one card cannot share a run: {gpus_per_worker:g} "
            "(--gpus-per-worker)"
        )
    with connected(address) as cluster:
        import_extra("ray.train", feature="train --ray", extra="ray", parts=("pydantic",))
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        library: Any = ray
        cards = library.cluster_resources().get("GPU", 0)
        room = Room.on(cluster, workers, most=most, cards=cards, cards_each=gpus_per_worker)
        if room.fewest > room.now:
            on_news(f"the Ray cluster has room for {room.now} of {counted(room.fewest, 'worker')}; waiting for more")
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        # On this machine, so that it lives as long as the command.
        record = library.remote(num_cpus=0, scheduling_strategy=here)(_Record).remote()
        trainer = _trainer(work, run, record, room)
        with _folder_of_ray(run), _telling(ray, record, run / "metrics.jsonl", on_news, on_epoch):
            try:
                trainer.fit()
            except Exception as error:  # Ray raises whatever its parts raise
                failure = ray.get(record.failure.remote())
                if failure is None:
                    raise ClusterError(f"Ray: {one_line(error)}") from error
        failure = ray.get(record.failure.remote())
    if failure is not None:
        raise failure


@dataclass(frozen=True, slots=True)
class Room:
    """What is asked of a cluster.

    Args:
        fewest: workers that the run begins with at least.
        most: that it has at any time.
        resources: what each takes of its machine, in Ray's words.
        now: workers that there is room for.
    """

    fewest: int
    most: int
    resources: Mapping[str, float]
    now: int

    @classmethod
    def on(
        cls, cluster: Cluster, workers: tuple[int, int] | None, *, most: int, cards: float, cards_each: float
    ) -> "Room":
        """Divide a cluster with so many graphics cards.

        Args:
            cluster: whose machines are divided.
            workers: the fewest and the most that are wanted.
            most: that a batch can be divided among.
            cards: graphics cards of the cluster.
            cards_each: of each worker.

        Raises:
            ClusterError: there is no room, and there will be none; or a batch is too small for so many.
        """
        if workers is not None and workers[0] > most:
            raise ClusterError(
                f"a batch can be divided among {counted(most, 'worker')} at most, not {workers[0]} (--ray-workers)"
            )
        wanted, threads = cluster.workers(None if workers is None else workers[1], None)
        now = min(most, sum(processors // threads for processors in cluster.processors))
        most = min(most, wanted)
        if cards_each:
            now = min(now, int(cards / cards_each))
        if not now:
            raise ClusterError(f"the Ray cluster has {cards:g} graphics cards, and a worker is to have {cards_each:g}")
        # without a number any is right, also that of the machines which are left when one goes away
        fewest, most = (1, now) if workers is None else (workers[0], most)
        if cluster.started and fewest > now:
            raise ClusterError(f"this machine has room for {counted(now, 'worker')}, not {fewest} (--ray-workers)")
        resources = {"CPU": float(threads), **({"GPU": cards_each} if cards_each else {})}
        return cls(fewest, most, resources, now)


def _trainer(
    work: Callable[[], object],
    run: Path,
    record: Any,
    room: Room,
) -> Any:
    import ray.train
    from ray.train.torch import TorchConfig, TorchTrainer

    library: Any = ray.train  # its types are those of the classes that these replace
    return TorchTrainer(
        _work_of_one,
        train_loop_config={"work": work, "run": run, "record": record},
        torch_config=TorchConfig(
            backend=BACKENDS if "GPU" in room.resources else "gloo", timeout_s=round(STEP_PATIENCE.total_seconds())
        ),
        scaling_config=library.ScalingConfig(
            num_workers=room.most if room.fewest == room.most else (room.fewest, room.most),
            use_gpu="GPU" in room.resources,
            resources_per_worker=dict(room.resources),
            elastic_resize_monitor_interval_s=RESIZE_S,
        ),
        run_config=library.RunConfig(
            name="run",
            storage_path=str(_ray_folder(run)),
            # Without end; `_Record` ends the run where starting again is no use.
            failure_config=library.FailureConfig(max_failures=-1),
        ),
    )


def _work_of_one(config: dict[str, Any]) -> None:
    """What Ray Train runs in each worker."""
    import ray

    record = config["record"]
    with joined() as workers:
        epochs = _epochs_done(config["run"])
        goes_on = workers.from_leader(workers.is_leader and ray.get(record.started.remote(workers.count, epochs)))
        if not goes_on:
            return
        try:
            config["work"]()
        except AnotherWorkerEndedError as error:
            ray.get(record.lost.remote(str(error)))
            raise
        except RegNetYError as error:
            ray.get(record.failed.remote(_portable(error)))
            raise  # so that Ray ends the workers that wait for this one
        except OSError as error:  # the disk is full, as a rule
            ray.get(record.failed.remote(ClusterError(f"a worker has failed: {error.filename}: {reason_of(error)}")))
            raise
        except Exception:
            ray.get(record.failed.remote(ClusterError(f"a worker has failed:\n{traceback.format_exc()}")))
            raise


def _portable(error: RegNetYError) -> RegNetYError:
    """The error, or one with its text where it cannot be sent to another process."""
    try:
        return cast(RegNetYError, pickle.loads(pickle.dumps(error)))
    except TypeError:  # one that is made of more than its text
        return ClusterError(str(error))


class _Record:
    """What has happened in the workers: an actor, as any of them may die at any time."""

    def __init__(self) -> None:
        self._failure: RegNetYError | None = None
        self._news: list[str] = []
        self._epochs = -1
        self._starts = 0
        self._workers = 0
        self._reason = ""

    def started(self, workers: int, epochs: int) -> bool:
        """Note a start with so many epochs done; whether the work goes on."""
        if self._failure is not None:
            return False
        # Those that Ray has started again because there is room for more were not killed.
        again = epochs == self._epochs and workers <= self._workers
        self._starts = self._starts + 1 if again else 1
        self._epochs, self._workers = epochs, workers
        if self._starts > MOST_STARTS:
            last = f"; the last time: {self._reason}" if self._reason else ""
            self._failure = ClusterError(
                f"the workers ended {MOST_STARTS} times without finishing an epoch, killed by the system or a machine "
                "that went away; with less memory for each: --ray-workers with fewer of them, or a smaller "
                f"batch{last}"
            )
            return False
        begun = f"from epoch {epochs + 1} on" if epochs or self._starts > 1 else "from the beginning"
        self._news.append(f"{counted(workers, 'worker')} on the Ray cluster, {begun}")
        return True

    def lost(self, reason: str) -> None:
        """Note why a worker could not go on without another."""
        self._reason = reason

    def failed(self, error: RegNetYError) -> None:
        """Note the first error."""
        self._failure = self._failure or error

    def failure(self) -> RegNetYError | None:
        """The first error."""
        return self._failure

    def news(self) -> list[str]:
        """What has happened since this was last asked."""
        news, self._news = self._news, []
        return news


def _epochs_done(run: Path) -> int:
    found = checkpoints(run)
    return int(found[-1].stem.rpartition("-")[2]) if found else 0


@contextmanager
def _telling(
    ray: Any, record: Any, metrics: Path, on_news: Callable[[str], None], on_epoch: Callable[[dict[str, Any]], None]
) -> Iterator[None]:
    """Pass on news meanwhile, from a thread: `fit` returns at the end only."""
    ended = threading.Event()
    told = len(_rows(metrics))

    def tell() -> None:
        nonlocal told
        last = False
        while not last:
            last = ended.wait(NEWS_S)
            try:
                news = ray.get(record.news.remote())
            except Exception:  # the connection ends first where the command is interrupted
                return
            for line in news:
                on_news(line)
            rows = _rows(metrics)
            for row in rows[told:]:
                on_epoch(row)
            told = max(told, len(rows))

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _rows(metrics: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in metrics.read_text("utf-8").splitlines()]
    except FileNotFoundError:
        return []


def _ray_folder(run: Path) -> Path:
    return run.parent / f".{run.name}.ray"


@contextmanager
def _folder_of_ray(run: Path) -> Iterator[None]:
    """Where Ray Train keeps its own notes, beside the run, as all machines have to see it."""
    try:
        yield
    finally:
        shutil.rmtree(_ray_folder(run), ignore_errors=True)
