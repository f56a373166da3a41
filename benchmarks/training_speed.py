"""How fast `regnety train` is beside timm's `train.py`: its steps, and a whole epoch from JPEG files.

    python benchmarks/training_speed.py FOLDER --timm-python PYTHON [--photographs 3000] [--steps 60] [--rounds 3]
        [--workers 1 2 4] [--threads 1 2] [--compiled] [--output training_speed.json]

FOLDER gets photographs of 500x375 and the runs. regnety_002 is trained at 224 pixels in batches of 32, each time by a
process of its own, from the files on. The contenders take turns:

- `regnety`: `regnety train --recipe scratch`, with timm's crops, flip and label smoothing;
- `timm`: `peers/timm_train.py`, which does what timm's `train.py` does where its user says nothing;
- `timm tuned`: the same by hand: channels-last memory, bf16 where the processor has it, no change of colours (which
  regnety does not make either), and the best of several numbers of workers and threads, tried first;
- `timm tuned, compiled`, with `--compiled`: `torch.compile` too, whose minute or more is part of an epoch. No target.

Printed are medians: images a second of the steps after the first ones, with the loader at work beside them; the seconds
of an epoch over all photographs; and those of the process that trained it. Each part is kept in the JSON file at once:
started again, the script goes on. The exit status is 1 where a target is missed. It takes half an hour; the machine
must have nothing else to do.
"""

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from loader import write_photographs
from processes import processor, processor_kind, regnety_command, run
from stored_parts import StoredParts

HERE = Path(__file__).parent
BATCH_SIZE = 32
TARGETS = {"AVX-512 bf16": (3.5, 4.0), "AVX2": (1.4, 1.6)}
"""By kind of processor: how many times timm's images a second, and how many times shorter an epoch."""
Measurement = Callable[[int | None], dict[str, Any]]
"""Trains so many steps, or, with None, an epoch."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--timm-python", required=True, help="of an environment with timm")
    parser.add_argument("--photographs", type=int, default=3000, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=60, help="that are measured at once (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="tried for `timm tuned`")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="tried for `timm tuned`")
    parser.add_argument("--compiled", action="store_true", help="timm after torch.compile too; needs a C++ compiler")
    parser.add_argument("--output", type=Path, default=Path("training_speed.json"), help="default: %(default)s")
    options = parser.parse_args()
    photographs = options.folder / f"photographs-{options.photographs}"
    options.folder.mkdir(parents=True, exist_ok=True)
    write_photographs(photographs, options.photographs)
    parts = StoredParts(options.output, {"photographs": options.photographs, "steps": options.steps})
    timm_tuned = partial(timms, options.timm_python, photographs, *by_hand(processor_kind()))
    numbers = best_numbers(parts, timm_tuned, options.workers, options.threads, options.steps)
    contenders: dict[str, Measurement] = {
        "regnety": ours(photographs, options.folder / "current"),
        "timm": timms(options.timm_python, photographs),
        "timm tuned": timm_tuned(*numbers),
    }
    if options.compiled:
        contenders["timm tuned, compiled"] = timm_tuned(*numbers, "--compiled")
    for what, steps in (("steps", options.steps), ("epoch", None)):
        for number in range(options.rounds):
            for name, measure in contenders.items():  # in turns
                parts.part(f"{what}/{name}/{number}", partial(measure, steps))
    rows = medians(parts.measured, list(contenders))
    print(f"{processor()}\ntimm tuned: {' '.join([*by_hand(processor_kind()), *numbers])}\n\n{markdown(rows)}\n")
    found = verdicts(rows, processor_kind())
    for line in found:
        print(line)
    sys.exit(any(line.endswith("missed") for line in found))


def ours(photographs: Path, output: Path) -> Measurement:
    """`regnety train`; steps are an epoch of their own after one that is not counted."""

    def measure(steps: int | None) -> dict[str, Any]:
        shutil.rmtree(output, ignore_errors=True)
        settings = ["image_size=224", "val_fraction=0", "label_smoothing=0.1", "augmentation.min_area=0.08"]
        if steps is not None:
            settings.append(f"steps_per_epoch={steps}")
        command = [*regnety_command(), "train", "--data", str(photographs), "--output", str(output), "--quiet"]
        command += ["--recipe=scratch", "--model=regnety_002", f"--batch-size={BATCH_SIZE}"]
        command += [f"--epochs={1 if steps is None else 2}", *(f"--set={setting}" for setting in settings)]
        taken = run(command)
        seconds = json.loads((output / "metrics.jsonl").read_text("utf-8").splitlines()[-1])["seconds"]
        count = BATCH_SIZE * (steps or len(list(photographs.glob("*/*.jpg"))) // BATCH_SIZE)
        return {
            "images_per_s": round(count / seconds, 2),
            "epoch_s": round(seconds, 2),
            "process_s": round(taken.seconds, 2),
        }

    return measure


def timms(python: str, photographs: Path, *how: str) -> Measurement:
    """timm's loop, in the other environment."""

    def measure(steps: int | None) -> dict[str, Any]:
        command = [python, str(HERE / "peers" / "timm_train.py"), str(photographs), f"--batch-size={BATCH_SIZE}", *how]
        taken = run(command if steps is None else [*command, f"--steps={steps}"])
        told: dict[str, Any] = json.loads(taken.stdout.splitlines()[-1])
        return told | {"process_s": round(taken.seconds, 2)}

    return measure


def by_hand(kind: str) -> list[str]:
    """The options of timm's loop that suit a kind of processor."""
    how = ["--channels-last", "--color-jitter=0"]
    return [*how, "--bf16"] if kind == "AVX-512 bf16" else how


def best_numbers(
    parts: StoredParts, timm_tuned: Callable[..., Measurement], workers: list[int], threads: list[int], steps: int
) -> list[str]:
    """The numbers of workers and threads with most images a second, as options."""
    tried = {}
    for pair in product(workers, threads):
        numbers = (f"--workers={pair[0]}", f"--threads={pair[1]}")
        found = parts.part(f"tuning/{' '.join(numbers)}", partial(timm_tuned(*numbers), steps))
        tried[numbers] = found["images_per_s"]
    return list(max(tried, key=lambda numbers: tried[numbers]))


def medians(measured: dict[str, Any], names: list[str]) -> dict[str, dict[str, float]]:
    """Of each contender: images a second, seconds of an epoch and of its process."""

    def median(what: str, name: str, key: str) -> float:
        return statistics.median(
            part[key] for title, part in measured.items() if title.rpartition("/")[0] == f"{what}/{name}"
        )

    return {
        name: {
            "images_per_s": median("steps", name, "images_per_s"),
            "epoch_s": median("epoch", name, "epoch_s"),
            "process_s": median("epoch", name, "process_s"),
        }
        for name in names
    }


def markdown(rows: dict[str, dict[str, float]]) -> str:
    """A row for each contender, and how many times faster regnety is."""
    lines = [
        "| | images a second | regnety is faster | epoch, s | regnety is faster | process, s |",
        "|" + " --- |" * 6,
    ]
    ours = rows["regnety"]
    for name, row in rows.items():
        faster = ours["images_per_s"] / row["images_per_s"], row["epoch_s"] / ours["epoch_s"]
        steps, epoch = ("" if name == "regnety" else f"{ratio:.2f} times" for ratio in faster)
        values = f"{row['images_per_s']:.1f} | {steps} | {row['epoch_s']:.1f} | {epoch} | {row['process_s']:.1f}"
        lines.append(f"| {name} | {values} |")
    return "\n".join(lines)


def verdicts(rows: dict[str, dict[str, float]], kind: str) -> list[str]:
    """A line for each target of a kind of processor, which ends with `reached` or `missed`; none for other kinds."""
    if kind not in TARGETS:
        return []
    steps, epoch = TARGETS[kind]
    ours, default, tuned = rows["regnety"], rows["timm"], rows["timm tuned"]
    compared = (
        (f"steps at least {steps} times as fast as timm's", ours["images_per_s"] / default["images_per_s"], steps),
        ("steps at least as fast as those of timm tuned", ours["images_per_s"] / tuned["images_per_s"], 1.0),
        (f"an epoch at least {epoch} times as fast as timm's", default["epoch_s"] / ours["epoch_s"], epoch),
    )
    return [f"{what}: {ratio:.2f}, {'reached' if ratio >= asked else 'missed'}" for what, ratio, asked in compared]


if __name__ == "__main__":
    main()
