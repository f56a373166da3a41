"""timm's model as an ONNX file, by torch's own exporter: float32 input [batch, 3, 224, 224], already normalised.

python export_timm.py MODEL WEIGHTS OUTPUT
"""

import sys

import shim  # noqa: F401
import timm
import torch

name, weights, output = sys.argv[1:]
model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": weights}).eval()
torch.onnx.export(
    model,
    (torch.zeros(1, 3, 224, 224),),
    output,
    input_names=["images"],
    output_names=["logits"],
    dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
    dynamo=False,
)
