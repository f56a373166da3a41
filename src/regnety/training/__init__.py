"""Training: recipes, loader, loop, checkpoints. Needs the extra `torch`."""
