"""Whether the recipe `population` trains as timm's network does with the same hyperparameters in a plain loop.

    python benchmarks/population.py DATA FOLDER --timm-python PYTHON [--seeds 3] [--output population.json]

DATA has the archives (see `photograph_sets.py`); FOLDER gets the sets and the runs. regnety_002 is trained for ten
epochs on twenty classes of Tiny ImageNet at 64 pixels, by `regnety train --recipe population` on all training pictures,
and by `peers/timm_population.py`; the test pictures are looked at once, after the last epoch. Printed are the accuracy
of each seed, the means, and whether these are within the spread: nearer to each other than twice the standard error of
their difference. What differs: lighting and precise BN, which only the recipe has, and who draws the random numbers.
"""

import argparse
import json
import shutil
import statistics
import sys
from pathlib import Path

from photograph_sets import write_set
from processes import processor, run

IMAGE_SIZE = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--timm-python", required=True, help="of an environment with timm")
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--output", type=Path, help="a JSON file")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    data = write_set("twenty-classes", options.data, options.folder)
    found: dict[str, list[float]] = {"regnety": [], "timm": []}
    for seed in range(options.seeds):  # in turns
        found["regnety"].append(_ours(data, options.folder / f"population-{seed}", seed, options.epochs))
        found["timm"].append(_timms(data, options.timm_python, seed, options.epochs))
        print(f"seed {seed}: regnety {found['regnety'][-1]:.2f} %, timm {found['timm'][-1]:.2f} %", flush=True)
    means = {name: statistics.mean(values) for name, values in found.items()}
    error = (sum(statistics.variance(values) for values in found.values()) / options.seeds) ** 0.5
    within = abs(means["regnety"] - means["timm"]) <= 2 * error
    print(f"means: regnety {means['regnety']:.2f} %, timm {means['timm']:.2f} %; within the spread: {within}")
    if options.output is not None:
        facts = {
            "processor": processor(),
            "epochs": options.epochs,
            "top1": found,
            "means": means,
            "standard_error_of_the_difference": error,
            "within_the_spread": within,
        }
        options.output.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def _ours(data: Path, output: Path, seed: int, epochs: int) -> float:
    shutil.rmtree(output, ignore_errors=True)
    settings = (f"image_size={IMAGE_SIZE}", "val_fraction=0")
    arguments = ["--recipe", "population", "--model", "regnety_002", "--seed", str(seed), "--epochs", str(epochs)]
    arguments += [word for setting in settings for word in ("--set", setting)]
    line = ["-m", "regnety", "train", "--data", str(data), "--output", str(output), *arguments, "--quiet"]
    run([sys.executable, *line])
    provenance = json.loads((output / "bundle" / "config.json").read_text("utf-8"))["regnety"]["provenance"]
    return float(provenance["test_top1"])


def _timms(data: Path, python: str, seed: int, epochs: int) -> float:
    script = Path(__file__).parent / "peers" / "timm_population.py"
    sizes = ["--image-size", str(IMAGE_SIZE), "--seed", str(seed), "--epochs", str(epochs)]
    return float(json.loads(run([python, str(script), str(data), *sizes]).stdout)["top1"])


if __name__ == "__main__":
    main()
