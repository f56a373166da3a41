"""ONNX from description and weights, without torch."""
