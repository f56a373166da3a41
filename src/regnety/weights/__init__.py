"""Checkpoints as NumPy arrays: read, checked against a description, written. Never torch."""
