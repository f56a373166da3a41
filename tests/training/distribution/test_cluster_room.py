"""How a cluster is divided among workers, and what is refused before it is waited for."""

import pytest

from regnety.errors import ClusterError
from regnety.inference.cluster.connection import Cluster
from regnety.training.distribution.cluster import Room

TWO = Cluster((2,), started=True)
MANY = Cluster((8, 16, 16), started=False)


def test_as_many_as_there_is_room_for() -> None:
    assert Room.on(MANY, None, cards=0, cards_each=0) == Room(10, 10, {"CPU": 4.0}, 10)
    assert Room.on(MANY, None, cards=3, cards_each=1) == Room(3, 3, {"CPU": 4.0, "GPU": 1}, 3)


def test_the_fewest_and_the_most() -> None:
    assert Room.on(MANY, (4, 16), cards=0, cards_each=0) == Room(4, 16, {"CPU": 2.0}, 20)
    assert Room.on(MANY, (50, 60), cards=0, cards_each=0) == Room(50, 60, {"CPU": 1.0}, 40)  # others may join
    assert Room.on(TWO, (1, 2), cards=0, cards_each=0) == Room(1, 2, {"CPU": 1.0}, 2)


def test_what_can_never_be() -> None:
    with pytest.raises(ClusterError, match=r"^this machine has room for 2 workers, not 3 \(--ray-workers\)$"):
        Room.on(TWO, (3, 3), cards=0, cards_each=0)
    with pytest.raises(ClusterError, match=r"^the Ray cluster has 0 graphics cards, and a worker is to have 1$"):
        Room.on(MANY, (1, 2), cards=0, cards_each=1)
