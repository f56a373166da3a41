"""A folder of photographs to a CSV of labels with OpenVINO and Pillow, one after the other: the best that a user writes
by hand in an hour.

    python openvino_by_hand.py GRAPH FOLDER OUTPUT PRECISION

GRAPH is timm's model as torch exports it; PRECISION is f32 or bf16.
"""

import os
import sys

import numpy as np
import openvino
from PIL import Image

graph, folder, output, precision = sys.argv[1:]
core = openvino.Core()
core.set_property({"CACHE_DIR": os.environ["OPENVINO_CACHE"]})
model = core.read_model(graph)
model.reshape([1, 3, 224, 224])
compiled = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision})
mean = np.array([0.485, 0.456, 0.406], np.float32)
std = np.array([0.229, 0.224, 0.225], np.float32)
with open(output, "w", encoding="utf-8") as file:
    file.write("filename,index,prob\n")
    for name in sorted(os.listdir(folder)):
        image = Image.open(os.path.join(folder, name)).convert("RGB")
        width, height = image.size
        scale = 256 / min(width, height)
        image = image.resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)
        left, top = round((image.width - 224) / 2), round((image.height - 224) / 2)
        pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
        values = ((pixels / 255 - mean) / std).transpose(2, 0, 1)[None]
        logits = compiled(np.ascontiguousarray(values))[0][0]
        exponentials = np.exp(logits - logits.max())
        probabilities = exponentials / exponentials.sum()
        for index in np.argsort(-probabilities)[:5]:
            file.write(f"{name},{index},{probabilities[index]}\n")
