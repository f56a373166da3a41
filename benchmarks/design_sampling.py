"""Draws a second from RegNetY with every restriction and complexity counted: ours, and one design after the other.

    python benchmarks/design_sampling.py [--seconds 10]

pycls is no package, so the other side is a loop of its own in pycls's manner (`pycls/sweep`): each number from NumPy's
global generator and quantized by `decimal`, the widths of one design in NumPy, and complexity by a walk over its
blocks, for designs whose number of stages fits. Both sides run on one thread of this process, in turns; a draw counts
whether it is rejected or not. Seconds are those of the processor, so that other work on the machine does not count.
"""

import argparse
import json
import time
from decimal import Decimal

import numpy as np

from regnety.designspace.sampling import draws
from regnety.designspace.spaces import DesignSpace

MACS = (380e6, 400e6)
PART = 1 << 14
"""Draws of ours between two looks at the clock."""


def quantize(value: float, quantum: float) -> float:
    return float(Decimal(int(value)) * Decimal(str(quantum)))


def uniform(low: float, high: float, quantum: float) -> float:
    return quantize(np.floor(np.random.uniform(low, high + quantum) / quantum), quantum)


def log_uniform(low: float, high: float, quantum: float) -> float:
    open_end = low - min(quantum, low / 2)
    value = np.exp(-np.random.uniform(-np.log(high), -np.log(open_end)))
    return quantize(np.ceil(value / quantum), quantum)


def power_of_two_or_log_uniform(low: float, high: float, quantum: float) -> float:
    power = 2 ** np.floor(np.random.uniform(np.log2(low), np.log2(high) + 1))
    return log_uniform(max(low, quantum), high, min(high, quantum)) if power >= quantum else power


def draw() -> tuple[int, int, float, float, int]:
    depth = int(uniform(12, 28, 1))
    w0 = int(log_uniform(8, 256, 8))
    wa, wm = log_uniform(8, 256, 0.1), log_uniform(2, 3, 0.001)
    return depth, w0, wa, wm, int(power_of_two_or_log_uniform(8, 128, 8))


def stages_of(depth: int, w0: int, wa: float, wm: float) -> tuple[list[int], list[int], int]:
    """Widths and depths of the stages, and how many there are if no power of wm is skipped or merged."""
    continuous = np.arange(depth) * wa + w0
    steps = np.round(np.log(continuous / w0) / np.log(wm))
    widths = (np.round(w0 * np.power(wm, steps) / 8) * 8).astype(int)
    found, depths = np.unique(widths, return_counts=True)
    return [int(width) for width in found], [int(blocks) for blocks in depths], int(steps.max()) + 1


def complexity(widths: list[int], depths: list[int], group_width: int, size: int = 224) -> dict[str, int]:
    counts = {"side": size, "macs": 0, "params": 0, "activations": 0}

    def convolution(width_in: int, width_out: int, kernel: int, stride: int, groups: int) -> None:
        side = counts["side"] = (counts["side"] - 1) // stride + 1
        weights = kernel * kernel * width_in * width_out // groups
        counts["macs"] += weights * side * side
        counts["params"] += weights + 2 * width_out
        counts["activations"] += width_out * side * side

    def linear(width_in: int, width_out: int) -> None:
        counts["macs"] += (width_in + 1) * width_out
        counts["params"] += (width_in + 1) * width_out
        counts["activations"] += width_out

    def block(width_in: int, width_out: int, stride: int) -> None:
        side = counts["side"]
        if width_in != width_out or stride != 1:
            convolution(width_in, width_out, 1, stride, 1)
            counts["side"] = side
        convolution(width_in, width_out, 1, 1, 1)
        convolution(width_out, width_out, 3, stride, width_out // group)
        squeezed = round(width_in * 0.25)
        linear(width_out, squeezed)
        linear(squeezed, width_out)
        convolution(width_out, width_out, 1, 1, 1)

    convolution(3, 32, 3, 2, 1)
    entering = 32
    for width, depth in zip(widths, depths, strict=True):
        group = min(group_width, width)
        fitted = max(group, round(width / group) * group)
        for number in range(depth):
            block(entering, fitted, 2 if number == 0 else 1)
            entering = fitted
    linear(entering, 1000)
    return counts


def one_by_one(seconds: float) -> tuple[int, int, float]:
    """Draws, designs that were accepted, and seconds."""
    start, drawn, accepted = time.process_time(), 0, 0
    while (spent := time.process_time() - start) < seconds:
        depth, w0, wa, wm, group_width = draw()
        drawn += 1
        widths, depths, total = stages_of(depth, w0, wa, wm)
        if len(widths) == total == 4:
            accepted += MACS[0] <= complexity(widths, depths, group_width)["macs"] <= MACS[1]
    return drawn, accepted, spent


def ours(seconds: float) -> tuple[int, int, float]:
    """The same."""
    space = DesignSpace.regnety("pycls", macs=MACS)
    start, drawn, accepted = time.process_time(), 0, 0
    while (spent := time.process_time() - start) < seconds:
        accepted += len(draws(space, drawn, drawn + PART, seed=0).columns["draw"])
        drawn += PART
    return drawn, accepted, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each side, in five turns")
    turn = parser.parse_args().seconds / 5
    np.random.seed(0)
    ours(0.05)
    rows: dict[str, dict[str, float]] = {}
    for name, side in [("one by one", one_by_one), ("regnety", ours)] * 5:
        drawn, accepted, spent = side(turn)
        row = rows.setdefault(name, {"draws": 0, "accepted": 0, "seconds": 0.0})
        row["draws"] += drawn
        row["accepted"] += accepted
        row["seconds"] += spent
    for row in rows.values():
        row["draws_per_second"] = row["draws"] / row["seconds"]
        row["accepted_share"] = row["accepted"] / row["draws"]
    loop, own = rows["one by one"], rows["regnety"]
    share = (loop["accepted"] + own["accepted"]) / (loop["draws"] + own["draws"])
    deviation = (share * (1 - share) * (1 / loop["draws"] + 1 / own["draws"])) ** 0.5
    result = {
        **rows,
        "ratio": own["draws_per_second"] / loop["draws_per_second"],
        # both draw from one space: their shares differ by chance alone
        "shares_differ_by_deviations": abs(own["accepted_share"] - loop["accepted_share"]) / max(deviation, 1e-12),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
