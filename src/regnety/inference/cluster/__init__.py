"""More than one machine: the same predictor in each worker of a Ray cluster."""
