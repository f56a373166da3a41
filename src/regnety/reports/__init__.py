"""Reports of models on labelled photographs: one HTML file that loads nothing."""
