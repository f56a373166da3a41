"""Embeddings, and what they are for: similar photographs, and the same photograph twice."""

# Cosine from which on images count as nearly the same: measured, docs/tutorials/embeddings.md. It is here and not in
# `duplicates`, as the command line reads it for a default and must not import NumPy for that.
THRESHOLD = 0.99
