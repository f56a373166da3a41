"""How many training pictures a second the loader alone makes from JPEG files, beside torch's DataLoader and SPDL.

    python benchmarks/loader.py FOLDER [--count 1000] [--timm-python PYTHON] [--spdl-python PYTHON]
        [--rounds 3] [--output loader.json]

FOLDER gets photographs of 500x375. Each contender makes random crops of at least a quarter of the area, resized to 224,
half of them flipped, in batches of 64, in a process of its own; all take turns. regnety and SPDL give bytes, timm's
transform normalized float32; regnety's figures are with that step too, in the thread that trains. With `trivial` each
picture also gets one operation of TrivialAugment. DataLoader gets as many processes as there are cores, and twice as
many, and SPDL as many threads. SPDL needs the shared libraries of FFmpeg, 4 to 9.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from processes import processor

HERE = Path(__file__).parent
BATCH_SIZE = 64
EPOCHS = 3
OURS = ("regnety", "regnety-trivial")
PEERS = {"timm": "timm", "timm-trivial": "timm", "spdl": "spdl"}
"""Contenders, and whose Python runs them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=1000, help="photographs (default: %(default)s)")
    parser.add_argument("--timm-python", help="Python of an environment with timm; left out without")
    parser.add_argument("--spdl-python", help="of an environment with spdl-core, spdl-io and NumPy; left out without")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--output", type=Path, help="a JSON file")
    parser.add_argument("--own", choices=OURS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.own:
        print(json.dumps(own(options.folder, trivial=options.own == "regnety-trivial")))
        return
    write_photographs(options.folder, options.count)
    commands = {name: [sys.executable, __file__, str(options.folder), "--own", name] for name in OURS}
    pythons = {"timm": options.timm_python, "spdl": options.spdl_python}
    cores = len(os.sched_getaffinity(0))
    for name, whose in PEERS.items():
        for workers in (cores, 2 * cores) if pythons[whose] else ():
            commands[f"{name} {workers}"] = [
                *(pythons[whose], str(HERE / "peers" / "loaders.py"), name, str(options.folder)),
                *("--batch-size", str(BATCH_SIZE), "--epochs", str(EPOCHS), "--workers", str(workers)),
            ]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            found[name].append(one_run(command))
    rows = {
        name: {key: round(statistics.median(run[key] for run in runs), 3) for key in runs[0]}
        for name, runs in found.items()
    }
    facts = {"processor": processor(), "cores": cores, "rounds": options.rounds, "photographs": options.count}
    print(f"{facts['processor']}, {cores} cores\n\n{'':18}{'images a second':>16}{'first batch, s':>16}")
    for name, row in rows.items():
        print(f"{name:18}{row['images_per_s']:16.0f}{row['first_batch_s']:16.2f}")
    if options.output is not None:
        options.output.write_text(json.dumps({**facts, "measured": rows, "all": found}, indent=1) + "\n", "utf-8")


def one_run(command: list[str]) -> dict[str, float]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def own(folder: Path, *, trivial: bool) -> dict[str, float]:
    """Ours: the batches of `regnety train`, normalized as its loop does."""
    import torch

    from regnety.datasets.folders import read_class_folders
    from regnety.preprocessing import Preprocessing
    from regnety.training.batches import training_batches
    from regnety.training.input_normalization import InputNormalization
    from regnety.training.recipes.recipe import Augmentation

    sys.path.insert(0, str(HERE / "peers"))
    from loaders import MIN_AREA, measured

    samples = read_class_folders(folder)
    classes = sorted({sample.label for sample in samples})
    preprocessing = Preprocessing(interpolation="bicubic")
    augmentation = Augmentation(min_area=MIN_AREA, operations="trivial" if trivial else "none")
    batches = training_batches(samples, classes, preprocessing, augmentation, batch_size=BATCH_SIZE, seed=0, quiet=True)
    normalize = InputNormalization(preprocessing.mean, preprocessing.std)
    torch.set_num_threads(1)
    return measured(
        normalize(torch.from_numpy(pixels)) for epoch in range(EPOCHS) for pixels, _ in batches.epoch(epoch)
    )


def write_photographs(folder: Path, count: int) -> None:
    """In two class folders."""
    if folder.exists():
        return
    flat = folder.with_name(f"{folder.name}.flat")
    subprocess.run([sys.executable, HERE / "photographs.py", flat, "--count", str(count)], check=True)
    for number, path in enumerate(sorted(flat.glob("*.jpg"))):
        target = folder.with_name(f"{folder.name}.incomplete") / f"class {number % 2}" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    folder.with_name(f"{folder.name}.incomplete").rename(folder)


if __name__ == "__main__":
    main()
