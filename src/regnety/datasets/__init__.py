"""Labelled images on disk."""
