"""The temperature is the one of least cross-entropy, also at the ends."""

import numpy as np
import numpy.typing as npt
import pytest

from regnety.heads.calibration import (
    GREATEST_TEMPERATURE,
    LEAST_TEMPERATURE,
    cross_entropy,
    fit_temperature,
    prudent_smoothing,
)

FloatArray = npt.NDArray[np.float64]


def drawn(
    temperature: float, *, count: int = 4000, num_classes: int = 4, seed: int = 0
) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Logits whose labels were drawn from softmax(logits / temperature)."""
    generator = np.random.default_rng(seed)
    logits = generator.standard_normal((count, num_classes)) * 3
    gumbel = generator.gumbel(size=logits.shape)  # the largest of logits with this noise is a draw from their softmax
    return logits, (logits / temperature + gumbel).argmax(1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_it_finds_the_temperature_that_labels_were_drawn_at(temperature: float) -> None:
    logits, labels = drawn(temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.1)
    losses = [cross_entropy(logits, labels, temperature=found * factor) for factor in (0.99, 1, 1.01)]
    assert losses[1] == min(losses)


def test_it_is_the_minimum_that_scipy_finds() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    logits, labels = drawn(2.5, seed=3)
    theirs = optimize.minimize_scalar(
        lambda log: cross_entropy(logits, labels, temperature=np.exp(log)), bounds=(-3, 3), options={"xatol": 1e-9}
    )
    assert fit_temperature(logits, labels) == pytest.approx(np.exp(theirs.x), rel=1e-4)


def test_answers_that_are_all_right_or_all_wrong() -> None:
    logits = np.eye(3)[[0, 1, 2]] * 5
    assert LEAST_TEMPERATURE <= fit_temperature(logits, [0, 1, 2]) < 0.2  # from there on the cross-entropy is flat
    assert fit_temperature(logits, [1, 2, 0]) == pytest.approx(GREATEST_TEMPERATURE, rel=0.2)
    assert fit_temperature(np.zeros((4, 3)), [0, 1, 2, 0]) > 0
    assert fit_temperature(np.zeros((0, 3)), []) == 1


@pytest.mark.parametrize("count", [3, 24, 1000])
def test_few_answers_that_are_all_right_are_no_proof_of_certainty(count: int) -> None:
    labels = np.arange(count) % 3
    logits = np.eye(3)[labels] * 5
    temperature = fit_temperature(logits, labels, smoothing=prudent_smoothing(count, 3))
    own = 1 / (1 + 2 * np.exp(-5 / temperature))
    assert own == pytest.approx((count + 1) / (count + 2), abs=1e-4)
    drawn_logits, drawn_labels = drawn(2.0)
    smoothing = prudent_smoothing(len(drawn_labels), 4)
    assert fit_temperature(drawn_logits, drawn_labels, smoothing=smoothing) == pytest.approx(
        fit_temperature(drawn_logits, drawn_labels), rel=0.01
    )


def test_large_logits() -> None:
    """float32 as it comes from a network."""
    logits, labels = drawn(1.0, num_classes=50)
    assert fit_temperature((logits * 200).astype(np.float32), labels) == pytest.approx(GREATEST_TEMPERATURE, rel=0.01)
