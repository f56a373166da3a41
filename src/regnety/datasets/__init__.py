"""Labelled photographs on disk."""
