"""Running models: engines, the pipeline from bytes to answers, the predictor, evaluation."""
