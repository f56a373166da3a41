"""Batch jobs: answers to any number of images, streamed to a file in parts, and gone on with after any end.

`run_job` (in `job.py`) takes images, a function that answers them in order, and how an answer becomes rows. It knows
nothing of models, so that predictions, embeddings and a cluster's answers are written by the same job:

    summary = run_job(
        sources,                       # any iterable of images that have names; asked for lazily, walked once
        lambda images: predictor.stream(images, top_k, on_error="record"),
        PredictionRows(),              # columns, and an answer's rows, filename and error (`rows.py`)
        "labels.parquet",              # or s3://bucket/labels.parquet
        row_format="parquet",          # csv, jsonl or parquet
        settings={"model": ..., "top_k": 5},   # what a job that is gone on with must have the same
        resume=True,
    )

`regnety.cli.batch_job` puts progress, the list of what could not be read and the exit status around it.
"""
