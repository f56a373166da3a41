"""A folder of photographs to a CSV of labels with timm's loader and model, as its users write it.

    python timm_loop.py MODEL WEIGHTS FOLDER OUTPUT BATCH WORKERS

MODEL is a name or a folder of timm's, WEIGHTS a file for it, or nothing. timm's own `inference.py`, which its package
leaves out, does the same.
"""

import sys

import shim  # noqa: F401
import timm
import torch
from timm.data import create_dataset, create_loader, resolve_data_config


def main() -> None:
    name, weights, folder, output, batch, workers = sys.argv[1:]
    overlay = {"file": weights} if weights else None
    model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay).eval()
    config = resolve_data_config({}, model=model)
    dataset = create_dataset("", folder, class_map="")
    loader = create_loader(
        dataset,
        batch_size=int(batch),
        use_prefetcher=False,
        num_workers=int(workers),
        persistent_workers=False,
        device=torch.device("cpu"),
        **config,
    )
    probabilities, classes = [], []
    with torch.inference_mode():
        for images, _ in loader:
            top = model(images).softmax(-1).topk(5)
            probabilities.append(top.values)
            classes.append(top.indices)
    names = dataset.filenames(basename=True)
    with open(output, "w", encoding="utf-8") as file:
        file.write("filename,index,prob\n")
        for place, indices, values in zip(names, torch.cat(classes), torch.cat(probabilities), strict=True):
            for index, value in zip(indices.tolist(), values.tolist(), strict=True):
                file.write(f"{place},{index},{value}\n")


if __name__ == "__main__":  # the loader's workers import this file
    main()
