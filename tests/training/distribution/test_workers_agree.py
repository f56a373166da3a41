"""What several workers have to agree on before they train together."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from threaded_workers import in_threads

from bundles import SMALL_DESIGN
from regnety import ClusterError
from regnety.network.creation import create_model
from regnety.training.distribution.workers import Workers
from regnety.training.run_session import _check_same, _in_one_arithmetic
from runs import small_recipe


@pytest.mark.parametrize(("first", "second", "common"), [("bf16", "bf16", "bf16"), ("bf16", "f32", "f32")])
def test_all_compute_in_what_each_of_them_has(first: str, second: str, common: str) -> None:
    def work(workers: Workers) -> str:
        device: Any = SimpleNamespace(arithmetic=lambda precision: second if workers.rank else first)
        return _in_one_arithmetic(small_recipe(), device, workers).precision

    assert in_threads(2, work) == [common, common]


@pytest.mark.parametrize("change", ["nothing", "weights", "epochs"])
def test_workers_that_found_different_checkpoints_end(change: str) -> None:
    def work(workers: Workers) -> str:
        network = create_model(SMALL_DESIGN.architecture(3), generator=torch.Generator().manual_seed(0))
        epochs = 4
        if workers.rank == 1 and change == "weights":
            torch.nn.init.zeros_(network.head.fc.weight[0, :1])
        if workers.rank == 1 and change == "epochs":
            epochs = 0
        session: Any = SimpleNamespace(model=network, progression=SimpleNamespace(epochs_done=epochs))
        try:
            _check_same(Path("runs/a"), session, workers)
        except ClusterError as error:
            return str(error)
        return "the same"

    expected = "runs/a: 1 of 3 workers find other checkpoints there than the first; the folder has to be on a disk that"
    for found in in_threads(3, work):
        assert found == "the same" if change == "nothing" else found.startswith(expected)
