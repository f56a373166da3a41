"""Training as timm's `train.py` does it on a processor.

timm's package leaves that file out, so this is the same loop, made of the parts that the package has.

    python timm_train.py FOLDER [--steps 60] [--workers 4] [--channels-last] [--bf16] [--threads N] [--compiled] ...

FOLDER has class folders. The defaults are those of `train.py`: random resized crop from 8 % of the area with a random
filter, flip, colours changed by up to 0.4, four worker processes, the prefetching loader, stochastic gradient descent
with Nesterov momentum and a rate of 0.1 for a batch of 256, decay 2e-5 but for norms and biases, label smoothing 0.1, a
cosine over 300 epochs after a warm-up of 5, float32 in torch's own memory order. Its lines of a log every 50 steps are
left out, and so is validation.

With `--steps` it measures so many steps after ten others; else a whole epoch, from its start to its checkpoint. Prints
a line of JSON.
"""

import argparse
import json
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import shim  # noqa: F401
import timm
import torch
from timm.data import create_dataset, create_loader, resolve_data_config
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import AverageMeter

UNMEASURED_STEPS = 10
"""They also wait for the workers to start, and for memory."""
EPOCHS, WARMUP_EPOCHS, RATE_OF_256 = 300, 5, 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model", default="regnety_002")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--color-jitter", type=float, default=0.4)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--bf16", action="store_true", help="autocast")
    parser.add_argument("--threads", type=int, help="of torch; its own number by default")
    parser.add_argument("--compiled", action="store_true", help="torch.compile")
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    torch.manual_seed(42)
    device = torch.device("cpu")
    dataset = create_dataset("", options.folder, split="train", is_training=True, batch_size=options.batch_size)
    model = timm.create_model(options.model, num_classes=len(dataset.reader.class_to_idx))
    config = resolve_data_config({}, model=model)
    if options.channels_last:
        model.to(memory_format=torch.channels_last)
    optimizer = create_optimizer_v2(
        model, opt="sgd", lr=RATE_OF_256 * options.batch_size / 256, weight_decay=2e-5, momentum=0.9
    )
    forward = torch.compile(model) if options.compiled else model
    loader = create_loader(
        dataset,
        input_size=config["input_size"],
        batch_size=options.batch_size,
        is_training=True,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        hflip=0.5,
        color_jitter=options.color_jitter or None,
        interpolation="random",
        mean=config["mean"],
        std=config["std"],
        num_workers=options.workers,
        device=device,
    )
    per_epoch = len(loader)
    schedule, _ = create_scheduler_v2(
        optimizer,
        num_epochs=EPOCHS,
        warmup_epochs=WARMUP_EPOCHS,
        warmup_lr=1e-5,
        min_lr=0,
        updates_per_epoch=per_epoch,
    )
    criterion = LabelSmoothingCrossEntropy(0.1)
    losses = AverageMeter()
    autocast = (lambda: torch.autocast("cpu", torch.bfloat16)) if options.bf16 else nullcontext
    wanted = per_epoch if options.steps is None else UNMEASURED_STEPS + options.steps
    began = time.perf_counter()
    done, epoch = 0, 0
    model.train()
    while done < wanted:
        for images, targets in loader:
            if options.channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
            with autocast():
                loss = criterion(forward(images), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.update(loss.item(), len(images))
            done += 1
            schedule.step_update(num_updates=done, metric=losses.avg)
            if options.steps is not None and done == UNMEASURED_STEPS:
                began = time.perf_counter()
            if done == wanted:
                break
        epoch += 1
        schedule.step(epoch)
    seconds = time.perf_counter() - began
    if options.steps is None:
        with tempfile.TemporaryDirectory() as folder:
            state = {"state_dict": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, Path(folder) / "last.pth.tar")
    count = options.batch_size * (options.steps or per_epoch)
    print(json.dumps({"images_per_s": round(count / seconds, 2), "epoch_s": round(seconds, 3), "loss": losses.avg}))


if __name__ == "__main__":  # the loader's workers import this file
    main()
