"""Folders in the Hub's layout, one module for each program that writes them."""
