"""timm's network trained with the recipe `population` by a plain loop, as a user of timm would write it down.

    python timm_population.py DATA --image-size 64 --seed 0 [--model regnety_002] [--epochs 10]

DATA has train/ and test/ with class folders. Stochastic gradient descent with Nesterov momentum, 0.1 for a batch of
128, decay 5e-5 on every parameter, pycls's random weights, a half-period cosine and a warm-up of one epoch, both set
once an epoch; timm's own random-resized-crop from 8 % of the area, flip, and evaluation. The PCA lighting of the recipe
is left out, and so is its precise BN.
Prints a line of JSON.
"""

import argparse
import json
import math

import shim  # noqa: F401
import timm
import torch
from timm.data import create_dataset, create_transform
from torch import nn
from torch.utils.data import DataLoader

BATCH_SIZE, LR, DECAY, WARMUP_EPOCHS = 128, 0.1, 5e-5, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--model", default="regnety_002")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    sizes = {"input_size": (3, options.image_size, options.image_size), "interpolation": "bicubic"}
    changed = create_transform(
        **sizes, is_training=True, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3), hflip=0.5, color_jitter=None
    )
    train = create_dataset("", f"{options.data}/train", transform=changed)
    test = create_dataset("", f"{options.data}/test", transform=create_transform(**sizes, crop_pct=0.875))
    batches = DataLoader(train, BATCH_SIZE, shuffle=True, drop_last=True, num_workers=2)
    model = timm.create_model(options.model, num_classes=len(train.reader.class_to_idx))
    model.apply(initialize)
    optimizer = torch.optim.SGD(model.parameters(), LR, momentum=0.9, weight_decay=DECAY, nesterov=True)
    for epoch in range(options.epochs):
        lr = LR * 0.5 * (1 + math.cos(math.pi * epoch / options.epochs))
        if epoch < WARMUP_EPOCHS:
            lr *= 0.1 + 0.9 * epoch / WARMUP_EPOCHS
        for group in optimizer.param_groups:
            group["lr"] = lr
        model.train()
        for images, labels in batches:
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.inference_mode():
        answers = [
            (model(images).argmax(1) == labels) for images, labels in DataLoader(test, BATCH_SIZE, num_workers=2)
        ]
    print(json.dumps({"top1": round(100 * torch.cat(answers).float().mean().item(), 3), "pictures": len(test)}))


def initialize(module: nn.Module) -> None:
    """pycls's random weights, which the recipe has too: timm's own make the first epochs much faster."""
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)


if __name__ == "__main__":  # the loader's workers import this file
    main()
