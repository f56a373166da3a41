"""A study in the paper's manner: AnyNetX_A, RegNetX and RegNetY at one cost, on a part of CIFAR-10.

    python benchmarks/three_spaces.py CIFAR10_ZIP FOLDER [--minutes 30] [--output three_spaces.parquet]

CIFAR10_ZIP has train/CLASS/*.jpg. FOLDER gets the pictures, a folder for each population, results.parquet and
report.html. The same command goes on where it was, whether it was killed or stopped after --minutes; a study in
several sittings has the results of one in a single sitting.

1. The pictures: 500 of each class to train on, 200 others to measure errors on (`three_spaces_pictures.py`).
2. The sweep: 8 designs of each space, each with two pairs of learning rate and decay. `best_values` has the rule by
   which one pair is chosen for everything that follows.
3. 48 designs of each space, one training each.
4. The first 8 of each space again, with two other seeds: the noise of training.

Each population is a `regnety design run` of its own with one thread, as many at a time as there are cores
(`three_spaces_processes.py`). `three_spaces_page.py` writes the page of the documentation from what is in --output.
"""

import argparse
import math
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from processes import processor
from three_spaces_pictures import write_part
from three_spaces_processes import Part, are_trained
from three_spaces_results import SEEDS, SWEEP, collected, write_results

from regnety import DesignSpace, Population
from regnety.designspace.pages.report import write_population_report
from regnety.designspace.spaces import SPACES
from regnety.inference.engines.processor import available_cores

NAMES = ("anynetx_a", "regnetx", "regnety")
MACS = (7.6e6, 8.4e6)
"""Of every network: within 5 % of 8 million, as the paper's band is within 5 % of 380 million."""
SETTINGS = (
    "image_size=32",
    "crop_pct=1",
    # what CIFAR-10 is trained with: moved by up to 4 pixels, and flipped
    "augmentation.crop=shift",
    "augmentation.lighting=0",
    # the recipe's average of weights hardly moves in 780 steps, and its better of both is then always the last ones
    "ema_alpha=null",
    "ema_decay=0",
    "ema_kept=always",
    "precise_bn_samples=1024",
    "precision=f32",
)
"""What differs from the recipe `population`."""
VARIED = ("optimizer.lr=log:0.01:1", "optimizer.weight_decay=log:0.00001:0.01")
"""What the sweep draws."""
SWEEP_SEED = 1
"""Of the sweep's designs: the study's own, with seed 0, choose nothing."""


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped; the same command goes on"))
    options = _options()
    ends = math.inf if options.minutes is None else time.monotonic() + 60 * options.minutes
    folder = options.folder
    data = write_part(options.archive, folder, train=options.train, val=options.val)
    num_classes = sum(1 for _ in (data / "train").iterdir())
    spaces = {name: space_of(name, num_classes) for name in NAMES}
    common = (*SETTINGS, f"batch_size={options.batch_size}")

    sweep_settings = (*common, f"epochs={options.sweep_epochs}")
    sweep = [
        Part(
            name + SWEEP,
            list(space.sample(options.swept, seed=SWEEP_SEED)),
            # with another seed each space has other pairs
            settings=(*sweep_settings, f"seed={number}"),
            how=(*(word for law in VARIED for word in ("--vary", law)), "--draws", "2"),
        )
        for number, (name, space) in enumerate(spaces.items())
    ]
    chosen: dict[str, float] = {}
    finished = are_trained(sweep, data, folder, at_a_time=options.at_a_time, ends=ends)
    if finished:
        chosen = best_values([Population.load(folder / part.name) for part in sweep])
        values = tuple(f"{field}={plain(value)}" for field, value in chosen.items())
        print(f"from the sweep: {', '.join(values)}", flush=True)
        settings = (*common, f"epochs={options.epochs}", *values)
        designs = {name: list(space.sample(options.designs, seed=0)) for name, space in spaces.items()}
        parts = [Part(name, designs[name], settings=(*settings, "seed=0")) for name in NAMES]
        parts += [
            Part(name + SEEDS, designs[name][: options.repeated], (*settings, "seed=1"), ("--repeat", "2"))
            for name in NAMES
        ]
        finished = are_trained(parts, data, folder, at_a_time=options.at_a_time, ends=ends)
    if not finished:
        print(f"{folder}: stopped; the same command goes on", flush=True)
        return
    facts = {
        "processor": processor(),
        "at_a_time": options.at_a_time,
        "macs": list(MACS),
        "settings": list(common),
        "varied": list(VARIED),
        "chosen": chosen,
    }
    write_results(options.output or folder / "results.parquet", collected(folder, NAMES), facts)
    populations = [Population.load(folder / name) for name in NAMES]
    print(f"wrote {write_population_report(folder / 'report.html', populations)}", flush=True)


def space_of(name: str, num_classes: int) -> DesignSpace:
    """Two or three stages behind a stem that keeps the size; each stage halves it, as in the paper's networks."""
    return SPACES[name](num_stages=(2, 3), stem_stride=1, image_size=32, num_classes=num_classes, macs=MACS)


def best_values(sweep: Sequence[Population]) -> dict[str, float]:
    """The learning rate and the decay of the study, by field of the recipe.

    The geometric mean over the best trials of the sweep: the best quarter of each space, so that no space is favoured
    by its own best values; rounded to two digits. Trials whose loss was not finite count for the quarter, as the worst.
    """
    best = []
    for population in sweep:
        ranked = sorted(population.finished, key=lambda each: (each.error, each.trial.number))
        best += ranked[: max(1, len(population) // 4)]
    means = {
        field: math.fsum(math.log(each.trial.varied[field]) for each in best) / len(best)
        for field in best[0].trial.varied
    }
    return {field: float(f"{math.exp(mean):.1e}") for field, mean in means.items()}


def plain(value: float) -> str:
    """Without an exponent, which YAML would read as text."""
    return f"{value:.8f}".rstrip("0")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="CIFAR-10 as a zip of JPEG files")
    parser.add_argument("folder", type=Path, help="of the study")
    parser.add_argument("--minutes", type=float, help="begin no training after so many; default: to the end")
    parser.add_argument(
        "--at-a-time",
        type=int,
        default=available_cores(),
        help="trainings at a time, each with one thread; default: %(default)s, the cores of this machine",
    )
    parser.add_argument("--output", type=Path, help="default: results.parquet in the folder")
    for name, default, text in (
        ("train", 500, "pictures of a class to train on"),
        ("val", 200, "pictures of a class to measure errors on"),
        ("designs", 48, "of each space"),
        ("repeated", 8, "of them that are trained with three seeds"),
        ("swept", 8, "designs of each space in the sweep"),
        ("sweep-epochs", 5, "of a training in the sweep"),
        ("epochs", 10, "of any other training"),
        ("batch-size", 64, "pictures of a step; of 5,000 there are 78 steps an epoch"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text}; default: %(default)s")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command goes on") from None
