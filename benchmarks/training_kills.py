"""Whether a training run that is killed at a random moment and resumed ends as one that nobody disturbed.

    python benchmarks/training_kills.py DATA FOLDER [--kills 20] [--torchrun-kills 3] [--epochs 8]
        [--output training_kills.json]

DATA has class folders, or train/ with them; FOLDER gets the runs. They have the design and the optimiser of the recipe
`cifar10` and every random change that training knows, so that everything in a checkpoint counts. Three parts:

- each of the runs is killed once by SIGKILL, after a random share of the time of an undisturbed one, and resumed to its
  end; the weights of its bundle, to the bit, and the figures of all epochs, to the last digit, are compared;
- the same under `torchrun --nproc-per-node 2`, where one of the two processes is killed and torchrun ends the other;
- a run on a disk that is full after its second checkpoint: it must end with one line that names the file, keep both
  checkpoints and nothing half written, and, with more room, go on to the same end. The disk is a tmpfs, which root can
  mount on Linux; elsewhere this part is left out, and said so.

Each part is kept in the JSON file at once: started again, the script goes on. The exit status is 1 where anything ended
differently.
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from killed_runs import CHECKPOINTS, Kill, RunCommand, end_of_training, epochs_done
from processes import processor
from stored_parts import StoredParts

SETTINGS = (
    *("image_size=32", "batch_size=64", "val_fraction=0.1", "ema_decay=0.99", "accumulate=2"),
    *("drop_path=0.1", "drop_rate=0.1", "small_epochs=4", "small_image_size=24", "small_sizes=2"),
    *("augmentation.operations=trivial", "augmentation.lighting=0.1", "augmentation.repeats=2"),
    *("augmentation.mixup=0.2", "augmentation.cutmix=1.0", "augmentation.erasing=0.25"),
)
TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
DISK_FULL = "No space left on device"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--torchrun-kills", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=8, help="of a run, at least 4 (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("training_kills.json"), help="default: %(default)s")
    options = parser.parse_args()
    if options.epochs < 4:
        parser.error(f"--epochs: at least 4, got {options.epochs}")
    options.folder.mkdir(parents=True, exist_ok=True)
    parts = StoredParts(
        options.output, {"data": options.data.name, "epochs": options.epochs, "seed": options.seed, "set": [*SETTINGS]}
    )
    words = ["regnety", "train", "--data", str(options.data), "--recipe=cifar10", f"--epochs={options.epochs}"]
    words += ["--quiet", *(f"--set={setting}" for setting in SETTINGS)]
    alone = RunCommand(sys.executable, "-m", *words)
    together = RunCommand(sys.executable, "-m", *TORCHRUN, *words)
    print(processor())
    good = killed(parts, "one process", alone, options.folder, count=options.kills, seed=options.seed)
    if options.torchrun_kills:
        good &= killed(parts, "torchrun", together, options.folder, count=options.torchrun_kills, seed=options.seed)
    good &= full_disk(parts, alone, options.folder)
    sys.exit(not good)


def killed(parts: StoredParts, title: str, command: RunCommand, folder: Path, *, count: int, seed: int) -> bool:
    """Kill so many runs; whether all ended as the undisturbed one."""
    undisturbed = parts.part(f"{title}/undisturbed", lambda: undisturbed_run(folder, command))
    print(f"{title}: undisturbed {undisturbed['seconds']:.1f} s")
    kills = []
    for number in range(count):
        after_s = random.Random(f"{seed} {title} {number}").uniform(0, undisturbed["seconds"])

        def measure(after_s: float = after_s, number: int = number) -> dict[str, Any]:
            output = emptied(folder / "killed")
            victim = None if title == "one process" else lambda started: worker_of(started, number)
            return asdict(kill_once(output, command, after_s=after_s, victim=victim, expected=undisturbed["end"]))

        part = parts.part(f"{title}/kill {number:02d}", measure)
        kills.append(Kill(**{name: part[name] for name in Kill.__dataclass_fields__}))
    same, disturbed = sum(kill.same for kill in kills), sum(kill.during != "nothing" for kill in kills)
    print(f"\n| {title}: killed after, s | epochs done | end |\n| --- | --- | --- |")
    for kill in kills:
        print(f"| {kill.after_s:.2f} | {kill.epochs_done} | {'the same' if kill.same else 'ANOTHER'} |")
    print(f"\n{title}: {disturbed} of {count} runs were killed; {same} of {count} ended the same\n", flush=True)
    return same == count


def undisturbed_run(folder: Path, command: RunCommand) -> dict[str, Any]:
    output = emptied(folder / "undisturbed")
    seconds = command.finish(output)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    checkpoint = max(path.stat().st_size for path in (output / CHECKPOINTS).iterdir())
    return {"seconds": seconds, "end": digest_of(output), "bytes": size, "checkpoint_bytes": checkpoint}


def digest_of(output: Path) -> str:
    """Of the weights that a run has ended with and the figures of its epochs."""
    return hashlib.sha256(json.dumps(end_of_training(output), sort_keys=True).encode()).hexdigest()


def kill_once(
    output: Path,
    command: RunCommand,
    *,
    after_s: float,
    victim: Callable[[int], int] | None,
    expected: str,
) -> Kill:
    """Kill a run, resume it to its end, and compare."""
    was_killed = command.kill(output, after_s=after_s, victim=victim)
    epochs = epochs_done(output)
    during = "nothing" if not was_killed else "training" if epochs else "preparation"
    command.finish(output)
    return Kill(round(after_s, 2), during, epochs, digest_of(output) == expected)


def worker_of(torchrun: int, number: int) -> int:
    """One of the processes that torchrun has started; torchrun itself, before it has."""
    found = subprocess.run(["pgrep", "-P", str(torchrun)], capture_output=True, text=True, check=False).stdout.split()
    return int(found[number % len(found)]) if found else torchrun


def full_disk(parts: StoredParts, command: RunCommand, folder: Path) -> bool:
    """Whether a run survives a disk without room for its third checkpoint."""
    place = folder / "disk"
    place.mkdir(exist_ok=True)
    undisturbed = parts.part("one process/undisturbed", lambda: undisturbed_run(folder, command))
    # Two checkpoints and the bundle fit, and half of what the third needs before the first is removed.
    size = undisturbed["bytes"] + undisturbed["checkpoint_bytes"] // 2

    def measure() -> dict[str, Any]:
        with small_disk(place, size) as enlarge:
            output = place / "run"
            process = command.start(output)
            _, said = process.communicate()
            left = [str(path.relative_to(output)) for path in output.rglob("*.part")]
            epochs = epochs_done(output)
            enlarge(4 * size)
            command.finish(output)
            end = digest_of(output)
        found = {"status": process.returncode, "stderr": said.splitlines(), "epochs_done": epochs, "half_written": left}
        return found | {"same": end == undisturbed["end"]}

    if "full disk" not in parts.measured and not can_mount(place):
        print("full disk: left out; only root can mount a small one, on Linux")
        return True
    part = parts.part("full disk", measure)
    one_line = len(part["stderr"]) == 1 and part["stderr"][0].endswith(DISK_FULL)
    good: bool = part["status"] == 2 and one_line and part["epochs_done"] == 2 and not part["half_written"]
    print(f"full disk: status {part['status']}, {part['epochs_done']} checkpoints kept: {' / '.join(part['stderr'])}")
    print(f"full disk: with more room {'the same' if part['same'] else 'ANOTHER'} end")
    return good and bool(part["same"])


def can_mount(place: Path) -> bool:
    if shutil.which("mount") is None or mount(place, "size=64k").returncode:
        return False
    subprocess.run(["umount", str(place)], check=True)
    return True


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Callable[[int], None]]:
    """A file system of so many bytes; gives the function that makes it larger."""
    mount(place, f"size={size}").check_returncode()
    try:
        yield lambda larger: mount(place, f"remount,size={larger}").check_returncode()
    finally:
        subprocess.run(["umount", str(place)], check=True)


def mount(place: Path, options: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
    )


def emptied(folder: Path) -> Path:
    """A place for one run, without what an earlier one left."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    main()
