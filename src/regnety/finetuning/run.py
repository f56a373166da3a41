"""A fine-tuning run: from labelled photographs to a bundle, its mistakes and a report."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from regnety.bundle.bundle import Bundle
from regnety.bundle.training_files import TrainingFiles
from regnety.catalog.models import EMBEDDED_MODEL
from regnety.datasets.data_sets import DataSet, read_data_set
from regnety.datasets.samples import DataSplits
from regnety.datasets.splitting import groups_of
from regnety.errors import RecipeError
from regnety.extras import import_extra
from regnety.finetuning.classifier import Classifier, ClassWeights, as_shown, fit_classifier
from regnety.finetuning.input_size import choose_input_size
from regnety.finetuning.mistakes import write_mistakes
from regnety.finetuning.photographs import Photographs, read_photographs
from regnety.finetuning.provenance import provenance_of
from regnety.finetuning.report import suspect_labels, write_run_report
from regnety.finetuning.result import BUNDLE_FOLDER, MISTAKES_FILE, FinetuneResult, stored_result
from regnety.finetuning.run_folder import FinetuneSettings, alone_in, check_pictures, check_run, open_run
from regnety.finetuning.scoring import Scored, scored_by_folds, scored_by_model
from regnety.finetuning.timing import StageTimes
from regnety.inference.options import RunFields, RunOptions
from regnety.inference.similarity.embedder import Embedder
from regnety.text import counted, one_line, printable


def finetune(
    data: str | Path,
    output: str | Path,
    *,
    model: str | Path | Bundle = EMBEDDED_MODEL,
    all_layers: bool = False,
    time_limit_s: float | None = None,
    epochs: int | None = None,
    class_weights: ClassWeights | None = None,
    seed: int = 0,
    resume: bool = False,
    skip_unreadable: bool = False,
    report: bool = True,
    options: RunOptions | None = None,
    quiet: bool = False,
    command: str | None = None,
    **changes: Unpack[RunFields],
) -> FinetuneResult:
    """Fit a classifier of your own to labelled photographs; the run folder holds bundle/, mistakes.csv, report.html.

        result = finetune("photos", "runs/birds")                        # the classifier alone, without PyTorch
        result = finetune("photos", "runs/birds", all_layers=True, time_limit_s=600, resume=True)

    First a linear classifier is fitted to the model's embeddings, which takes seconds. With `all_layers` every layer
    is then trained from there on. A run that was killed and is resumed ends with the same bundle.

    Args:
        data: a folder of class folders, or of `train/`, `val/` and `test/`; or another data set that `read_data_set`
            reads.
        output: the run folder.
        model: whatever a model may be (`Bundle.load`), with weights in floating point.
        all_layers: fit all layers after the classifier; needs PyTorch.
        time_limit_s: seconds that a run of all layers may take, all in all; what fits into them is planned once.
        epochs: over all layers, in place of what is planned.
        class_weights: `balanced` counts every class the same, however many photographs it has.
        seed: of the folds, of what is held out, and of the training.
        resume: continue the run in `output`. If there is none, a line on stderr says so and a run begins; of a finished
            run the result is returned. A finished run of the classifier alone may be continued with `all_layers`.
        skip_unreadable: leave out photographs that cannot be read, in place of an error.
        report: write report.html.
        options: how the model is run, and what it is shown: by default the size that suits the photographs.
        quiet: say nothing on stderr.
        command: the command line, for the model's card.
        changes: fields of `RunOptions` as keywords, which change `options`.

    Returns:
        Where the bundle, the mistakes and the report are, and the accuracies in percent.

    Raises:
        DataError: the data cannot be trained on, or has changed since the run began.
        ImageError: photographs cannot be read (`UnreadablePicturesError`).
        RecipeError: options contradict each other or the run in `output`.
        MissingExtraError: scikit-learn is not installed, or PyTorch for `all_layers`.
        WeightsError: the model has no weights in floating point.
        ValueError: a value of the options is not allowed.
    """
    times = StageTimes()
    options = replace(options or RunOptions(), **changes)
    if not all_layers and (epochs is not None or time_limit_s is not None):
        raise RecipeError("epochs and a time limit are for all layers: --all-layers (all_layers=True)")
    _check_extras(all_layers=all_layers, report=report)
    run = Path(output)
    base = Bundle.load(model, quiet=quiet)
    asked = FinetuneSettings(
        model=base.name,
        weights=_fingerprint(base),
        all_layers=all_layers,
        epochs=epochs,
        time_limit_s=time_limit_s,
        shown=json.loads(json.dumps({name: getattr(options, name) for name in options.names_what_is_shown()})),
        class_weights=class_weights,
        seed=seed,
        command=command,
    )
    stored = check_run(run, asked, resume=resume)
    if stored is not None and stored.all_layers == all_layers and (ended := stored_result(run)) is not None:
        _say(f"{run}: has already finished; nothing to do", quiet)
        return ended
    if resume and stored is None:  # a mistyped folder must not be worked on unnoticed
        _say(f"{run}: holds no run to resume; starting one", quiet)
    data_set = read_data_set(data)
    splits = data_set.training()
    _check_place(run, data_set)
    with alone_in(run):
        stored = check_run(run, asked, resume=resume)  # another process may have begun it meanwhile
        settings = open_run(run, asked, stored)
        _say_what_was_found(data_set, splits, quiet)
        size = choose_input_size(base, (*splits.train, *splits.val, *splits.test), options)
        _say(f"the model sees {size.pixels}x{size.pixels} pixels, {size.why}", quiet)
        options = replace(options, image_size=size.pixels, use_test_size=False)
        with times.stage("embeddings"):
            photographs = read_photographs(
                splits, _embedder(base, options), skip_unreadable=skip_unreadable, quiet=quiet
            )
        splits = photographs.splits
        check_pictures(run, splits, left_out=photographs.unreadable)
        with times.stage("classifier"):
            classifier = fit_classifier(
                as_shown(base, options),
                photographs,
                class_weights=class_weights,
                groups=groups_of(splits.train),
                seed=seed,
            )
        return _finish(run, classifier, photographs, settings, options, report=report, times=times, quiet=quiet)


def _finish(
    run: Path,
    classifier: Classifier,
    photographs: Photographs,
    settings: FinetuneSettings,
    options: RunOptions,
    *,
    report: bool,
    times: StageTimes,
    quiet: bool,
) -> FinetuneResult:
    """Score the model, and write the bundle, the mistakes and the report; the result comes last."""
    splits = photographs.splits
    with times.stage("evaluation"):
        val, test = _scored(classifier, splits, options, quiet=quiet)
    figures = {
        "val_top1": round(val.top1, 3),
        "test_top1": None if test is None else round(test.top1, 3),
        "test_pictures": None if test is None else len(test.names),
    }
    facts = provenance_of(classifier.base, splits, settings, num_unreadable=len(photographs.unreadable), more=figures)
    with times.stage("bundle"):
        training_files = TrainingFiles.of([sample.image for sample in splits.train], quiet=quiet)
        bundle = classifier.bundle(facts)
        # Resolved, as `--output .` has no name of its own.
        name, training_files = run.resolve().name, training_files | bundle.training_files
        bundle = Bundle(bundle.metadata, bundle.weights, name=name, training_files=training_files)
        bundle.save(run / BUNDLE_FOLDER)
    num_mistakes = write_mistakes(run / MISTAKES_FILE, (test or val).images())
    if report:
        with times.stage("report"):
            written = write_run_report(
                run,
                test or val,
                splits,
                settings,
                method=f"a linear classifier on the embeddings of {classifier.base.name}",
                bundle=bundle,
                temperature=classifier.head.temperature,
                suspects=suspect_labels(splits.train, classifier.labels, classifier.head),
                seconds=times.seconds,
                facts={"input": f"{bundle.preprocessing.image_size}x{bundle.preprocessing.image_size} pixels"},
            )
    result = FinetuneResult(
        bundle=run / BUNDLE_FOLDER,
        val_top1=val.top1,
        test_top1=None if test is None else test.top1,
        mistakes=run / MISTAKES_FILE,
        num_mistakes=num_mistakes,
        report=written if report else None,
        image_size=bundle.preprocessing.image_size,
        all_layers=settings.all_layers,
        epochs=None,
        seconds=times.total,
    )
    result.write(run)
    _say_how_good(val, test, result, times, quiet)
    return result


def _scored(
    classifier: Classifier, splits: DataSplits, options: RunOptions, *, quiet: bool
) -> tuple[Scored, Scored | None]:
    """How good the classifier is on val, else on folds of train, and on test."""
    bundle = classifier.bundle({})
    test = scored_by_model(bundle, "test", splits.test, options, quiet=quiet) if splits.test else None
    if splits.val:
        return scored_by_model(bundle, "val", splits.val, options, quiet=quiet), test
    by_folds = classifier.head.out_of_sample
    assert by_folds is not None  # folds are always made
    return scored_by_folds(splits.train, classifier.labels, by_folds, splits.classes), test


def _say_how_good(val: Scored, test: Scored | None, result: FinetuneResult, times: StageTimes, quiet: bool) -> None:
    where = "by five folds, as there is no val/" if val.split == "train" else "of val/"
    parts = [f"{val.top1:.1f} % right {where}"]
    if test is not None:
        parts.append(f"{test.top1:.1f} % of test/")
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.seconds.items())
    _say(f"{'; '.join(parts)} ({spent})", quiet)
    _say(f"{counted(result.num_mistakes, 'mistake')}: {result.mistakes}", quiet)
    if result.report is not None:
        _say(f"report: {result.report}", quiet)


def _embedder(base: Bundle, options: RunOptions) -> Embedder:
    """In bf16 where that is faster here: a classifier is as good on such embeddings, and only the cache keeps them."""
    return Embedder(base, options=options, precision=options.precision)  # as a keyword `auto` stays what it is


def _check_place(run: Path, data: DataSet) -> None:
    """Refuse an output that would be read as a class the next time.

    Raises:
        RecipeError: it is within class folders, or is one.
    """
    root = Path(data.root)
    if not root.is_dir() or "train" in data.splits:
        return
    inner, outer = run.resolve(), root.resolve()
    if outer in (inner, *inner.parents):
        raise RecipeError(f"{run}: is within the data, {root}, where it would be read as a class; name another output")


def _say_what_was_found(data: DataSet, splits: DataSplits, quiet: bool) -> None:
    for notice in data.notices:
        _say(notice, quiet)
    parts = [
        f"{counted(len(splits.train), 'photograph')} of {len(splits.classes)} classes to train on",
        *(f"{len(samples)} in {split}/" for split, samples in (("val", splits.val), ("test", splits.test)) if samples),
    ]
    _say(f"{data.root}: {', '.join(parts)}", quiet)


def _fingerprint(base: Bundle) -> str:
    """Of a model that a classifier can be folded into.

    Raises:
        WeightsError: it has no weights in floating point.
    """
    _ = base.weights
    return base.fingerprint()


def _check_extras(*, all_layers: bool, report: bool) -> None:
    """Refuse now, and not after the work, what a missing package makes impossible."""
    import_extra("scipy", feature="finetune", extra="finetune", parts=("threadpoolctl",))
    if report:
        import_extra("jinja2", feature="a report", extra="finetune")
    if all_layers:
        import_extra("torch", feature="--all-layers (all_layers=True)", extra="torch")


def _say(line: str, quiet: bool) -> None:
    if not quiet:
        print(f"regnety: {printable(one_line(line))}", file=sys.stderr, flush=True)
