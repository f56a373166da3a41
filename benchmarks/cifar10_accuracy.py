"""How accurate a CIFAR-10 model is that is trained from scratch within a time, beside what others publish.

    python benchmarks/cifar10_accuracy.py DATA FOLDER [--runs 30=3 120=1] [--tricks MINUTES]
        [--set KEY=VALUE ...] [--with "TITLE: KEY=VALUE ..."] [--output cifar10_accuracy.json]

DATA has cifar10.zip; FOLDER gets the pictures and the runs. `--runs` is how many seeds are trained within how many
minutes, from the command to its end, by `regnety train --recipe cifar10`. A short run measures a step at each size of
picture first, and as many epochs as fit are trained; warm-up and smaller pictures keep their shares of them. The
accuracy is that of the test pictures, each seen once as it is. The operations of a run stand beside it: six for each
multiply-add of the forward pass and each picture, as in the published figures.

`--tricks` is a table of what each means of the recipe gives: one run of so many minutes with all of them, and one
without each, all with seed 0; whatever makes steps slower has fewer epochs. `--with` adds a run with other settings to
it, and `--set` changes the recipe for all runs.

A run that was interrupted is resumed, and counted by the time of its epochs. Each part is kept in the JSON file at
once: started again, the script goes on. The exit status is 1 where a target is missed or a run took longer than it
may. The machine must have nothing else to do.
"""

import argparse
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from epochs_in_time import Pace, epochs_within, lasting, measured_pace, recipe_with, train_command, training_macs
from photograph_sets import write_set
from processes import processor, processor_kind, run
from stored_parts import StoredParts

from regnety.training.recipes.recipe import Recipe

RECIPE = "cifar10"
TARGETS = {"AVX-512 bf16": {30: 90.5, 120: 93.0}, "AVX2": {30: 85.0, 120: 90.0}}
"""Top-1 in percent, by kind of processor and minutes."""
PUBLISHED = (
    ("airbench94_muon, six views of each picture", "94.01", "0.29"),
    ("airbench94, six views", "94.01", "0.36"),
    ("airbench95, six views", "95.01", "1.4"),
    ("airbench96_faster, six views", "96.00", "3.1"),
    ("ResNet-20", "91.3 to 92.2", "2.0"),
)
"""Name, top-1, PFLOP: the READMEs of KellerJordan/cifar10-airbench, and He et al. (arXiv 1512.03385)."""
SGD_RATE = 0.2 / 128
"""For a picture of the batch, where another optimiser is replaced."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", nargs="+", metavar="MINUTES=SEEDS", help="default: 30=3 120=1; none with --tricks")
    parser.add_argument("--tricks", type=float, metavar="MINUTES")
    parser.add_argument("--with", dest="additions", action="append", default=[], metavar='"TITLE: KEY=VALUE ..."')
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--measured-steps", type=int, default=60, help="of each size (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("cifar10_accuracy.json"), help="default: %(default)s")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    recipe = json.loads(json.dumps(recipe_with(RECIPE, options.settings).as_dict()))
    parts = StoredParts(options.output, {"recipe": recipe, "measured_steps": options.measured_steps})
    runs = Runs(parts, write_set("cifar10", options.data, options.folder), options.folder, options.measured_steps)
    wanted = options.runs if options.runs is not None else [] if options.tricks else ["30=3", "120=1"]
    rows, good = [], True
    for minutes, seeds in ((float(minutes), int(seeds)) for minutes, seeds in (item.split("=") for item in wanted)):
        found = [runs.part("all", options.settings, minutes, seed) for seed in range(seeds)]
        rows.append(accuracy_row(minutes, found, TARGETS.get(processor_kind(), {}).get(minutes)))
        good &= rows[-1]["good"]
    if rows:
        print(f"\n{processor()}\n\n{accuracy_table(rows)}")
    if options.tricks:
        recipe = recipe_with(RECIPE, options.settings)
        changes = {"all": [], **without_each(recipe, processor_kind()), **dict(map(addition, options.additions))}
        tried = {
            title: runs.part(title, [*options.settings, *change], options.tricks, 0)
            for title, change in changes.items()
        }
        print(f"\n{processor()}, {options.tricks:g} minutes each\n\n{tricks_table(tried)}")
    sys.exit(not good)


class Runs:
    """Trainings within a time.

    Args:
        parts: what has been measured.
        data: the pictures.
        folder: gets the runs.
        steps: that are measured at each size of picture.
    """

    def __init__(self, parts: StoredParts, data: Path, folder: Path, steps: int) -> None:
        self._parts, self._data, self._folder, self._steps = parts, data, folder, steps

    def part(self, title: str, settings: list[str], minutes: float, seed: int) -> dict[str, Any]:
        """One of them, measured now or earlier."""
        pace = self._pace(title, settings)
        name = f"{minutes:g} minutes/{title}/seed {seed}"
        return self._parts.part(name, lambda: self._measure(name, settings, pace, minutes, seed))

    def _pace(self, title: str, settings: list[str]) -> Pace:
        output = self._folder / "pace"
        found = self._parts.part(
            f"pace/{title}",
            lambda: asdict(measured_pace(RECIPE, settings, self._data, output, steps=self._steps)),
        )
        step_s = {int(size): seconds for size, seconds in found["step_s"].items()}  # JSON's keys are texts
        return Pace(step_s=step_s, fixed_s=found["fixed_s"])

    def _measure(self, name: str, settings: list[str], pace: Pace, minutes: float, seed: int) -> dict[str, Any]:
        recipe = recipe_with(RECIPE, settings)
        pictures = sum(1 for _ in (self._data / "train").glob("*/*"))
        steps = recipe.steps_per_epoch or pictures // recipe.batch_size
        epochs = epochs_within(recipe, pace, seconds=60 * minutes, steps_per_epoch=steps)
        planned = [*settings, *lasting(recipe, epochs), f"seed={seed}"]
        output = self._folder / "runs" / name.replace("/", ", ")
        before_s = sum(seconds_of_epochs(output))
        taken = run(train_command(RECIPE, planned, self._data, output))
        provenance = json.loads((output / "bundle" / "config.json").read_text("utf-8"))["regnety"]["provenance"]
        macs = training_macs(recipe_with(RECIPE, planned), num_classes=10, steps_per_epoch=steps)
        return {
            "test_top1": provenance["test_top1"],
            "epochs": epochs,
            "minutes": round((before_s + taken.seconds) / 60, 2),
            "was_resumed": before_s > 0,
            "pflop": round(2 * macs / 1e15, 4),
        }


def seconds_of_epochs(output: Path) -> list[float]:
    """Of those that a run has done; none where there is no run."""
    path = output / "metrics.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line)["seconds"] for line in lines]


def without_each(recipe: Recipe, kind: str) -> dict[str, list[str]]:
    """Settings that take one means after the other from a recipe, by what is said of them."""
    optimizer, augmentation = recipe.optimizer, recipe.augmentation
    plain = [f"optimizer.lr={SGD_RATE * recipe.batch_size:g}", "optimizer.momentum=0.9", "optimizer.weight_decay=5e-4"]
    shifted = augmentation.crop == "shift"
    means = (
        ("whitened stem", recipe.whitened_stem, ["whitened_stem=false"]),
        ("averaged weights", recipe.averages_weights, ["ema_decay=0", "ema_alpha=null"]),
        ("smaller pictures first", recipe.small_epochs, ["small_epochs=0"]),
        ("warm-up", recipe.warmup_epochs, ["warmup_epochs=0"]),
        ("label smoothing", recipe.label_smoothing, ["label_smoothing=0"]),
        ("stochastic depth", recipe.drop_path, ["drop_path=0"]),
        ("dropout", recipe.drop_rate, ["drop_rate=0"]),
        (f"{optimizer.name}, with SGD", optimizer.name != "sgd", ["optimizer.name=sgd", *plain]),
        ("weight decay", optimizer.weight_decay, ["optimizer.weight_decay=0"]),
        ("sparing norms and biases", not optimizer.decay_norms_and_biases, ["optimizer.decay_norms_and_biases=true"]),
        ("flip", augmentation.flip, ["augmentation.flip=false"]),
        ("shifts", shifted and augmentation.shift, ["augmentation.shift=0"]),
        ("random crops", not shifted and augmentation.min_area < 1, ["augmentation.min_area=1"]),
        ("TrivialAugment", augmentation.operations != "none", ["augmentation.operations=none"]),
        ("repeats", augmentation.repeats > 1, ["augmentation.repeats=1"]),
        ("lighting", augmentation.lighting, ["augmentation.lighting=0"]),
        ("mixup", augmentation.mixup, ["augmentation.mixup=0"]),
        ("CutMix", augmentation.cutmix, ["augmentation.cutmix=0"]),
        ("erasing", augmentation.erasing, ["augmentation.erasing=0"]),
        ("bf16", recipe.precision == "auto" and kind == "AVX-512 bf16", ["precision=f32"]),
    )
    return {f"without {title}": settings for title, present, settings in means if present}


def addition(text: str) -> tuple[str, list[str]]:
    """TITLE: KEY=VALUE KEY=VALUE."""
    title, _, settings = text.partition(":")
    return f"with {title.strip()}", settings.split()


def accuracy_row(minutes: float, found: list[dict[str, Any]], target: float | None) -> dict[str, Any]:
    """The figures of all seeds of so many minutes."""
    top1 = [part["test_top1"] for part in found]
    longest = max(part["minutes"] for part in found)
    return {
        "minutes": minutes,
        "top1": statistics.mean(top1),
        "spread": statistics.stdev(top1) if len(top1) > 1 else None,
        "seeds": len(top1),
        "epochs": found[0]["epochs"],
        "pflop": found[0]["pflop"],
        "longest": longest,
        "target": target,
        "good": longest <= minutes and (target is None or statistics.mean(top1) >= target),
    }


def accuracy_table(rows: list[dict[str, Any]]) -> str:
    """A row for each number of minutes, and those of others."""
    lines = ["| | top-1, % | target | PFLOP | epochs | longest, minutes |", "|" + " --- |" * 6]
    for row in rows:
        spread = "" if row["spread"] is None else f" ± {row['spread']:.2f} ({row['seeds']} seeds)"
        values = f"{row['top1']:.2f}{spread} | {row['target'] or ''} | {row['pflop']:.3f} | {row['epochs']}"
        lines.append(f"| regnety, {row['minutes']:g} minutes | {values} | {row['longest']:.1f} |")
    lines += [f"| {name} | {top1} | | {pflop} | | |" for name, top1, pflop in PUBLISHED]
    return "\n".join(lines)


def tricks_table(tried: dict[str, dict[str, Any]]) -> str:
    """A row for each change, and what it does to the whole recipe's accuracy."""
    lines = ["| | top-1, % | difference | epochs | PFLOP |", "|" + " --- |" * 5]
    whole = tried["all"]["test_top1"]
    for title, part in tried.items():
        difference = "" if title == "all" else f"{part['test_top1'] - whole:+.2f}"
        values = f"{part['test_top1']:.2f} | {difference} | {part['epochs']} | {part['pflop']:.3f}"
        lines.append(f"| {'the recipe' if title == 'all' else title} | {values} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
