"""More classes than this machine can fit."""

from pathlib import Path

import pytest

from regnety.datasets.samples import DataSplits, Sample
from regnety.errors import DataError
from regnety.finetuning import memory
from regnety.finetuning.memory import available_bytes, check_memory


def splits(rows: int, classes: int) -> DataSplits:
    samples = [Sample(Path(f"{number}.jpg"), f"class {number % classes}") for number in range(rows)]
    return DataSplits.of(Path("labels.csv"), samples)


def test_labels_that_are_no_classes_are_refused_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 16 << 30)
    with pytest.raises(DataError) as error:
        check_memory(splits(100_000, 100_000))
    assert str(error.value).startswith(
        "labels.csv: a classifier of 100000 classes on 100000 photographs needs 373 GiB of memory, 16 are free; "
    )
    check_memory(splits(100_000, 1000))


def test_the_memory_of_this_machine() -> None:
    there = available_bytes()
    assert there is None or 1 << 28 < there < 1 << 46
