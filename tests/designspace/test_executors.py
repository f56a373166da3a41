"""Where trials are trained, without a cluster."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from regnety.designspace.executors import RayTasks
from regnety.designspace.trials import Conditions, TrialData
from regnety.errors import ClusterError


@pytest.mark.parametrize(
    ("resources", "most", "slots"),
    [({"CPU": 8.0}, None, 4), ({"CPU": 8.0}, 3, 3), ({"CPU": 1.0}, None, 1), ({"memory": 1e9}, None, 1)],
)
def test_a_cluster_has_room_for_one_trial_at_least(resources: dict[str, float], most: int | None, slots: int) -> None:
    assert _tasks(resources, most).slots() == slots


def test_a_cluster_without_a_node_is_an_error_and_not_a_wait() -> None:
    with pytest.raises(ClusterError, match="Ray: its last node was lost; --resume continues"):
        _tasks({}, None).slots()


def _tasks(resources: dict[str, float], most: int | None) -> RayTasks:
    tasks = object.__new__(RayTasks)  # making one needs a cluster
    tasks._ray = SimpleNamespace(cluster_resources=lambda: resources)
    tasks._conditions, tasks._most, tasks._gpus = Conditions(threads=2), most, 0
    return tasks


def test_cards_that_the_cluster_lacks_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(cluster_resources=lambda: {"CPU": 2.0}))
    data = TrialData((), (), (), "", "")
    with pytest.raises(ClusterError, match=r"^the Ray cluster has 0 graphics cards, and a trial is to have 0\.5$"):
        RayTasks((), data, Path("here"), Conditions(), most=None, gpus=0.5)
