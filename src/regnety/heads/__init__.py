"""A linear classifier on embeddings: fitted, calibrated and folded into a model, without PyTorch."""
