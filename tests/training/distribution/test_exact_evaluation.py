"""Validation that is shared: every picture counts once, and the figures do not depend on the number of workers."""

import pytest
import torch
from threaded_workers import in_threads

from pictures import noise
from regnety import Design
from regnety.datasets.samples import Sample
from regnety.images.pixels import load_pixels
from regnety.network.creation import create_model
from regnety.preprocessing import Preprocessing
from regnety.training.batches import EvaluationBatches
from regnety.training.devices import PROCESSOR
from regnety.training.distribution.workers import ALONE, Workers
from regnety.training.input_normalization import InputNormalization
from regnety.training.loop import top1_of

COUNT = 23
BATCH_SIZE = 5
CLASSES = ("a", "b")
SMALL = Preprocessing(image_size=32, crop_pct=1.0)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    folder = tmp_path_factory.mktemp("noise")
    found = []
    for number in range(COUNT):
        path = folder / f"{number}.png"
        noise(32, 32, seed=number).save(path)
        found.append(Sample(path, CLASSES[number % 2]))
    return found


def test_counts_and_losses_are_the_same_for_1_2_and_3_workers(samples: list[Sample]) -> None:
    """And for more workers than batches, of which some have nothing to do."""
    design = Design(depth=2, w0=16, wa=16, wm=2, group_width=8)
    model = create_model(design.architecture(2), generator=torch.Generator().manual_seed(0)).eval()
    normalize = InputNormalization(SMALL.mean, SMALL.std)

    def figures(workers: Workers) -> tuple[float, float]:
        batches = EvaluationBatches(samples, CLASSES, SMALL, batch_size=BATCH_SIZE, workers=workers)
        first = top1_of(model, batches, normalize=normalize, device=PROCESSOR, arithmetic="f32", workers=workers)
        again = top1_of(  # from memory
            model, batches, normalize=normalize, device=PROCESSOR, arithmetic="f32", workers=workers
        )
        assert again == first
        return first

    expected = figures(ALONE)
    with torch.inference_mode():
        pixels = torch.stack([torch.from_numpy(load_pixels(sample.image, SMALL).copy()) for sample in samples])
        answers = model(normalize(pixels)).argmax(1)
    right = sum(CLASSES[answer] == sample.label for answer, sample in zip(answers.tolist(), samples, strict=True))
    assert expected[0] == 100 * right / COUNT
    for count in (2, 3, 7):
        assert set(in_threads(count, figures)) == {expected}


def test_the_batches_of_all_workers_are_the_pictures_once(samples: list[Sample]) -> None:
    seen = []
    for rank in range(3):
        batches = EvaluationBatches(samples, CLASSES, SMALL, batch_size=BATCH_SIZE, workers=Workers(rank, 3))
        assert (batches.count, batches.total) == (COUNT, 5)
        for number, pixels, targets in batches.numbered():
            assert len(pixels) == len(targets) == min(BATCH_SIZE, COUNT - number * BATCH_SIZE)
            seen.append(number)
    assert sorted(seen) == list(range(5))
