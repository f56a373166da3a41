"""Named models, as data files and a small reader."""
