"""Several machines: the same predictor in each worker of a Ray cluster."""
