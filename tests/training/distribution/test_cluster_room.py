"""How a cluster is divided among workers, and what is refused before it is waited for."""

from pathlib import Path

import pytest

from regnety.errors import ClusterError, RecipeError
from regnety.inference.cluster.connection import Cluster
from regnety.training.distribution.batch_parts import most_workers, part_of_batch
from regnety.training.distribution.cluster import Room, _Record, run_on_cluster

TWO = Cluster((2,), started=True)
MANY = Cluster((8, 16, 16), started=False)


def test_as_many_as_there_is_room_for() -> None:
    assert Room.on(MANY, None, most=100, cards=0, cards_each=0) == Room(1, 10, {"CPU": 4.0}, 10)
    assert Room.on(MANY, None, most=100, cards=3, cards_each=1) == Room(1, 3, {"CPU": 4.0, "GPU": 1}, 3)


def test_the_fewest_and_the_most() -> None:
    assert Room.on(MANY, (4, 16), most=100, cards=0, cards_each=0) == Room(4, 16, {"CPU": 2.0}, 20)
    assert Room.on(MANY, (50, 60), most=100, cards=0, cards_each=0) == Room(50, 60, {"CPU": 1.0}, 40)  # others may join
    assert Room.on(TWO, (1, 2), most=100, cards=0, cards_each=0) == Room(1, 2, {"CPU": 1.0}, 2)


def test_what_can_never_be() -> None:
    with pytest.raises(ClusterError, match=r"^this machine has room for 2 workers, not 3 \(--ray-workers\)$"):
        Room.on(TWO, (3, 3), most=100, cards=0, cards_each=0)
    with pytest.raises(ClusterError, match=r"^the Ray cluster has 0 graphics cards, and a worker is to have 1$"):
        Room.on(MANY, (1, 2), most=100, cards=0, cards_each=1)


def test_no_more_than_a_batch_can_be_divided_among() -> None:
    most = most_workers(64, pieces=8)
    assert most == 4
    assert len(part_of_batch(64, rank=3, workers=most, pieces=8).places) == 16
    with pytest.raises(RecipeError, match="use at most 4 workers"):
        part_of_batch(64, rank=0, workers=most + 1, pieces=8)
    assert Room.on(MANY, None, most=most, cards=0, cards_each=0) == Room(1, 4, {"CPU": 4.0}, 4)
    assert Room.on(MANY, (2, 16), most=most, cards=0, cards_each=0) == Room(2, 4, {"CPU": 2.0}, 4)
    with pytest.raises(
        ClusterError, match=r"^a batch can be divided among 4 workers at most, not 5 \(--ray-workers\)$"
    ):
        Room.on(MANY, (5, 16), most=most, cards=0, cards_each=0)


def test_workers_that_are_started_again_for_one_more_were_not_killed() -> None:
    record = _Record()
    assert all(record.started(workers, 0) for workers in range(1, 12))
    assert record.failure() is None
    assert [record.started(11, 0) for _ in range(5)] == [True] * 4 + [False]
    assert "ended 5 times without finishing an epoch" in str(record.failure())


def test_what_workers_died_of_is_in_the_last_line() -> None:
    record = _Record()
    for _ in range(5):
        assert record.started(2, 0)
        record.lost("another worker of this run has ended, or cannot be reached (NCCL error: no device)")
    assert not record.started(2, 0)
    assert str(record.failure()).endswith("or cannot be reached (NCCL error: no device)")


def test_a_share_of_a_card_is_refused_before_the_cluster_is_asked() -> None:
    with pytest.raises(ClusterError, match=r"^a worker has whole graphics cards, .*: 0\.5 \(--gpus-per-worker\)$"):
        run_on_cluster(
            print,
            Path("run"),
            address="local",
            workers=None,
            most=2,
            gpus_per_worker=0.5,
            on_news=print,
            on_epoch=print,
        )
