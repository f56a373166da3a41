"""Embeddings, and what they are for: similar photographs, and the same photograph twice."""
