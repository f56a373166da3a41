"""What a model says of itself beside its weights: design, labels, preprocessing, provenance, calibration."""
