"""Batch jobs: answers to any number of images, streamed to a file in parts, and resumed after any interruption.

`run_job` (in `job.py`) runs a `Job`: how images are answered, how an answer becomes rows, and the settings that all
rows share. It knows nothing of models, so that predictions (`predictions.py`), embeddings
(`similarity/embedding_files.py`) and a cluster's answers are written by the same code:

    job = Job(
        answer=lambda images, count: predictor.stream(images, on_error="record", count=count),
        rows=PredictionRows(),                 # columns, and an answer's rows, filename and error
        row_format="parquet",                  # csv, jsonl or parquet
        settings={"model": ..., "top_k": 5},   # a job that is resumed must have the same
        model=predictor,                       # its engine stays the same too
    )
    summary = run_job(job, images, "labels.parquet", resume=True)      # or s3://bucket/labels.parquet

`regnety.cli.batch_job` adds progress, the list of unreadable images and the exit status.
"""
