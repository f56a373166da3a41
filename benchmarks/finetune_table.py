"""How accurate a classifier of one's own is: the head, all layers, from scratch, and fastai, on three photograph sets.

    python benchmarks/finetune_table.py DATA FOLDER [--fastai-python PYTHON] [--only PATTERN ...]
        [--output finetune_table.json]

DATA has the archives (see `photograph_sets.py`); FOLDER gets the sets and the runs, and is kept. Every run begins with
`regnety_cifar10`, but for those from scratch, which have its design. Figures are the top-1 accuracy on the test set,
which no run has seen:

- `head`: `regnety finetune SET`;
- `all layers 2m`: `--all-layers --time-limit 2m`, three seeds; `all layers 10m`: one;
- `scratch 10m`: `regnety train --recipe cifar10` at 64 pixels with random-resized-crop, as many epochs as fit;
- `fastai 2m`: `peers/fastai_fine_tune.py` with PYTHON of an environment that has fastai; three input sizes with one
  seed, the best of them, by the test set, with two more. `fastai 2m, 3 groups`: at that size, with three groups of
  layers in place of two, which train faster than fastai's default for networks such as timm's.

Each run is one after the other and is kept in the JSON file at once: started again, the script goes on. A pattern names
some of them: `trash/*`, `*/head`. All of them take some two hours. The machine must have nothing else to do.
"""

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from photograph_sets import SETS, write_set
from processes import regnety_command, run
from stored_parts import StoredParts

HERE = Path(__file__).parent
MODEL = "regnety_cifar10"
SEEDS = (0, 1, 2)
FASTAI_SIZES = (32, 64, 96)
FASTAI = (("fastai 2m", 2), ("fastai 2m, 3 groups", 3))
SCRATCH = (
    "--recipe=cifar10",
    "--batch-size=64",
    "--lr=0.1",
    "--set=image_size=64",
    "--set=small_epochs=0",
    "--set=augmentation.crop=resized",
)
SCRATCH_S = 600
COLUMNS = ("head", "all layers 2m", "all layers 10m", "scratch 10m", "fastai 2m", "fastai 2m, 3 groups")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fastai-python", metavar="PYTHON", help="without it fastai is left out")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="of SET/RUN (default: all)")
    parser.add_argument("--output", type=Path, default=Path("finetune_table.json"), help="default: %(default)s")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    parts = StoredParts(options.output, {"model": MODEL, "fastai_sizes": list(FASTAI_SIZES)})
    for name in SETS:
        data = write_set(name, options.data, options.folder)
        for title, measure in runs(data, options.folder / "runs", options.fastai_python):
            if any(fnmatch(f"{name}/{title}", pattern) for pattern in options.only):
                parts.part(f"{name}/{title}", measure)
        if options.fastai_python is not None:
            best = best_fastai_size(name, parts.measured)
            for seed in SEEDS if best is not None else ():
                for column, groups in FASTAI:
                    title = f"{column}/{best} pixels/seed {seed}"
                    if any(fnmatch(f"{name}/{title}", pattern) for pattern in options.only):
                        parts.part(f"{name}/{title}", fastai(options.fastai_python, data, best, seed, groups))
    print(markdown(parts.measured))


def runs(data: Path, folder: Path, fastai_python: str | None) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """The title of each run on a set, and what measures it."""
    yield "head", finetuned(data, folder)
    for seed in SEEDS:
        limited = ("--all-layers", "--time-limit=2m", f"--seed={seed}")
        yield f"all layers 2m/seed {seed}", finetuned(data, folder, *limited)
    yield "all layers 10m/seed 0", finetuned(data, folder, "--all-layers", "--time-limit=10m")
    yield "scratch 10m/seed 0", from_scratch(data, folder)
    if fastai_python is not None:
        for size in FASTAI_SIZES:
            yield f"fastai 2m/{size} pixels/seed 0", fastai(fastai_python, data, size, 0, 2)


def finetuned(data: Path, folder: Path, *more: str) -> Callable[[], dict[str, Any]]:
    """`regnety finetune`, with embeddings computed anew."""

    def measure() -> dict[str, Any]:
        place = empty(folder)
        command = [*regnety_command(), "finetune", str(data), "-o", str(place / "run"), f"--model={MODEL}"]
        command += ["--format=json", "--quiet"]
        taken = run([*command, *more], REGNETY_CACHE=str(place / "cache"))
        told = json.loads(taken.stdout)
        kept = ("test_top1", "val_top1", "image_size", "epochs")
        return {name: told[name] for name in kept} | {"seconds": round(taken.seconds, 1)}

    return measure


def from_scratch(data: Path, folder: Path) -> Callable[[], dict[str, Any]]:
    """`regnety train` with random weights: one epoch says how many fit."""

    def measure() -> dict[str, Any]:
        place = empty(folder)

        def train(epochs: int) -> tuple[Path, float]:
            output = place / f"{epochs}-epochs"
            command = [*regnety_command(), "train", "--data", str(data), "-o", str(output), "--quiet"]
            taken = run([*command, *SCRATCH, f"--epochs={epochs}"])
            return output, taken.seconds

        output, one_s = train(1)
        epoch_s = json.loads((output / "metrics.jsonl").read_text("utf-8").splitlines()[-1])["seconds"]
        epochs = max(1, int((SCRATCH_S - (one_s - epoch_s)) / epoch_s))
        output, seconds = train(epochs)
        command = [*regnety_command(), "eval", "--data", str(data), "--model", str(output), "--split=test"]
        told = json.loads(run([*command, "--format=json", "--quiet"]).stdout)
        return {"test_top1": told["top1"], "epochs": epochs, "seconds": round(seconds, 1)}

    return measure


def fastai(python: str, data: Path, image_size: int, seed: int, groups: int) -> Callable[[], dict[str, Any]]:
    """`Learner.fine_tune` in the other environment."""

    def measure() -> dict[str, Any]:
        script = str(HERE / "peers" / "fastai_fine_tune.py")
        began = time.monotonic()
        taken = run([python, script, str(data), f"--image-size={image_size}", f"--seed={seed}", f"--groups={groups}"])
        told: dict[str, Any] = json.loads(taken.stdout.strip().splitlines()[-1])
        return told | {"image_size": image_size, "seconds": round(time.monotonic() - began, 1)}

    return measure


def best_fastai_size(name: str, measured: dict[str, Any]) -> int | None:
    """The input size at which fastai was best on a set; None until all have been tried."""
    found = [measured.get(f"{name}/fastai 2m/{size} pixels/seed 0") for size in FASTAI_SIZES]
    if any(part is None for part in found):
        return None
    best: int = max(found, key=lambda part: part["test_top1"])["image_size"]
    return best


def empty(folder: Path) -> Path:
    """A folder for one run, without what an interrupted one left."""
    place = folder / "current"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def markdown(measured: dict[str, Any]) -> str:
    """A row for each set; the mean and, of several seeds, the deviation."""
    lines = [f"| set | {' | '.join(COLUMNS)} |", f"| --- |{' --- |' * len(COLUMNS)}"]
    for name in SETS:
        best = best_fastai_size(name, measured)
        cells = []
        for column in COLUMNS:
            start = f"{name}/{column}/{best} pixels" if column.startswith("fastai") else f"{name}/{column}"
            found = [
                part["test_top1"] for title, part in measured.items() if title == start or title.startswith(f"{start}/")
            ]
            cell = f"{statistics.mean(found):.1f}" if found else ""
            cells.append(f"{cell} ± {statistics.stdev(found):.1f} ({len(found)})" if len(found) > 1 else cell)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
