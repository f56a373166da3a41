"""A fine-tuning run: from labelled photographs to a bundle, its mistakes and a report."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from regnety.bundle.bundle import Bundle
from regnety.bundle.card_text import title_of
from regnety.catalog.models import DEFAULT_MODEL
from regnety.datasets.checking.data_check import DataCheck, check_data
from regnety.datasets.data_sets import DataSet, read_data_set
from regnety.datasets.samples import DataSplits
from regnety.datasets.splitting import groups_of
from regnety.errors import DataError, RecipeError
from regnety.extras import import_extra
from regnety.finetuning.classifier import as_shown, fit_classifier
from regnety.finetuning.findings import for_report, lines_of, refuse_unreadable, unreadable_in
from regnety.finetuning.finishing import FittedModel, finish, keep_bundle
from regnety.finetuning.input_size import choose_input_size
from regnety.finetuning.memory import check_memory
from regnety.finetuning.photographs import Photographs, held_out, read_photographs, record_folds
from regnety.finetuning.provenance import provenance_of
from regnety.finetuning.report import RunReport, suspect_labels
from regnety.finetuning.result import FinetuneResult, stored_result
from regnety.finetuning.run_folder import (
    LOCK_NAME,
    ClassWeights,
    FinetuneSettings,
    begin_all_layers,
    check_pictures,
    check_run,
    open_run,
)
from regnety.finetuning.scoring import Scored, scored_by_folds, timed_score
from regnety.finetuning.timing import StageTimes
from regnety.heads.softmax_regression import preload
from regnety.inference.options import RunFields, RunOptions
from regnety.inference.similarity.embedder import Embedder
from regnety.metadata.inheritance import terms_in_words
from regnety.notices import say
from regnety.storage.locks import alone_in
from regnety.text import counted


def finetune(
    data: str | Path,
    output: str | Path,
    *,
    val_data: str | Path | None = None,
    model: str | Path | Bundle = DEFAULT_MODEL,
    all_layers: bool = False,
    time_limit_s: float | None = None,
    epochs: int | None = None,
    patience: int | None = None,
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
        val_data: another data set, with the photographs that settings are chosen by, where `data` has none of them.
        model: whatever a model may be (`Bundle.load`), with weights in floating point.
        all_layers: fit all layers after the classifier; needs PyTorch.
        time_limit_s: seconds that a run of all layers may take, all in all; what fits into them is planned. Where
            they are too few for all layers, the classifier alone is kept.
        epochs: over all layers, in place of what is planned.
        patience: epochs over all layers without a better one, after which the training ends early; None trains all.
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
        MissingExtraError: SciPy is not installed, or PyTorch for `all_layers`.
        WeightsError: the model has no weights in floating point.
        ValueError: a value of the options is not allowed.
    """
    times = StageTimes()
    options = replace(options or RunOptions(), **changes)
    if class_weights not in (None, "balanced"):
        raise ValueError(f"class_weights must be None or 'balanced', got {class_weights!r}")
    if epochs is not None and time_limit_s is not None:
        raise RecipeError("epochs and a time limit contradict each other; give one of them")
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs!r}")
    if time_limit_s is not None and not 0 < time_limit_s < math.inf:
        raise ValueError(f"time_limit_s must be more than 0 and finite, got {time_limit_s!r}")
    if patience is not None and patience < 1:
        raise ValueError(f"patience must be at least 1, got {patience!r}")
    if not all_layers and (epochs, time_limit_s, patience) != (None, None, None):
        raise RecipeError("epochs, patience and a time limit are for all layers: --all-layers (all_layers=True)")
    _check_extras(all_layers=all_layers, report=report)
    run = Path(output)
    base = Bundle.load(model, quiet=quiet)
    asked = FinetuneSettings(
        model=base.name,
        weights=_fingerprint(base),
        all_layers=all_layers,
        epochs=epochs,
        patience=patience,
        time_limit_s=time_limit_s,
        shown=json.loads(json.dumps({name: getattr(options, name) for name in options.names_what_is_shown()})),
        class_weights=class_weights,
        seed=seed,
        command=command,
    )
    stored = check_run(run, asked, resume=resume)
    if stored is not None and stored.all_layers == all_layers and (ended := stored_result(run)) is not None:
        say(f"{run}: has already finished; nothing to do", quiet=quiet)
        return ended
    if resume and stored is None:  # a mistyped folder must not be worked on unnoticed
        say(f"{run}: holds no run to resume; starting one", quiet=quiet)
    data_set = read_data_set(data, val_data=val_data)
    splits = data_set.training()
    check_memory(splits)
    data_set.check_output(run)
    with alone_in(run, LOCK_NAME, doing="working"):
        stored = check_run(run, asked, resume=resume)  # another process may have begun it meanwhile
        settings = open_run(run, asked, stored)
        _say_what_was_found(data_set, splits, quiet)
        if stored is None and (terms := terms_in_words(base.provenance, title_of(base))) is not None:
            say(terms, quiet=quiet)
        with times.stage("check"):
            check = check_data(data_set, max_pixels=options.max_pixels, quiet=quiet)
        if not skip_unreadable:
            refuse_unreadable(unreadable_in(check), check.count)
        for line in lines_of(check):
            say(line, quiet=quiet)
        size = choose_input_size(base, (*splits.train, *splits.val, *splits.test), options)
        say(f"the model sees {size.pixels}x{size.pixels} pixels, {size.why}", quiet=quiet)
        options = replace(options, image_size=size.pixels, use_test_size=False)
        with times.stage("embeddings"):
            photographs = read_photographs(
                splits, _embedder(base, options), skip_unreadable=skip_unreadable, quiet=quiet
            )
        check_pictures(run, photographs.splits, left_out=photographs.unreadable)
        if photographs.unreadable:
            say(f"{counted(len(photographs.unreadable), 'photograph')} left out, as unreadable", quiet=quiet)
        fitted = _fitted(run, as_shown(base, options), photographs, check, settings, options, times=times, quiet=quiet)
        result, test = finish(run, fitted, settings, options, report=report, times=times, quiet=quiet)
    _say_how_good(fitted.val, test, result, times, quiet)
    return result


def _fitted(
    run: Path,
    base: Bundle,
    photographs: Photographs,
    check: DataCheck,
    settings: FinetuneSettings,
    options: RunOptions,
    *,
    times: StageTimes,
    quiet: bool,
) -> FittedModel:
    """The model with a classifier of its own, and then all layers if that is asked for."""
    has_val, groups = bool(photographs.splits.val), _groups(photographs, check)
    if settings.all_layers and not has_val:  # something has to choose the best epoch
        photographs = held_out(run, photographs, groups, seed=settings.seed)
        groups = _groups(photographs, check)
    elif not has_val and len(set(groups)) < 2:
        raise DataError(
            f"{photographs.splits.root}: all photographs are copies of one, or of one group, so none can be held out "
            "to say how good a classifier is; add others, or a val/"
        )
    begin_all_layers(run, settings)
    splits = photographs.splits
    with times.stage("classifier"):
        classifier = fit_classifier(
            base,
            photographs,
            # few that are held out choose an epoch well enough, but a regularisation worse than all folds do
            by_val=has_val,
            class_weights="balanced" if settings.class_weights == "balanced" else None,
            groups=groups,
            seed=settings.seed,
        )
    record_folds(run, photographs, groups, seed=settings.seed)
    facts = provenance_of(base, splits, settings, num_unreadable=len(photographs.unreadable))
    bundle = classifier.bundle(facts)
    evaluation = None
    with times.stage("evaluation"):
        if splits.val:
            val, evaluation = timed_score(
                bundle, "val" if has_val else "held out", splits.val, options, timed=settings.all_layers, quiet=quiet
            )
        else:
            judged = classifier.head.judged
            val = scored_by_folds(splits.train, classifier.labels, classifier.out_of_sample, splits.classes, judged)
            if val.notice is not None:
                say(f"{val.notice[0].lower()}{val.notice[1:]}", quiet=quiet)
    head = FittedModel(
        bundle=bundle,
        splits=splits,
        val=val,
        about=RunReport(
            method=f"a linear classifier on the embeddings of {title_of(base)}",
            temperature=classifier.head.temperature,
            findings=for_report(check),
            suspects=suspect_labels(splits.train, classifier.labels, classifier.head),
        ),
    )
    if not settings.all_layers:
        return head
    from regnety.finetuning.continuation import fit_all_layers_within  # imports torch

    assert evaluation is not None  # all layers always have photographs that choose the best epoch
    say(f"the classifier alone: {val.top1:.1f} % right of {_where(val)}", quiet=quiet)
    keep_bundle(run, head, test=None, quiet=quiet)  # a kill from here on leaves a model
    return fit_all_layers_within(run, head, settings, options, evaluation=evaluation, times=times, quiet=quiet)


def _say_how_good(val: Scored, test: Scored | None, result: FinetuneResult, times: StageTimes, quiet: bool) -> None:
    parts = [f"{val.top1:.1f} % right of {_where(val)}"]
    if test is not None:
        parts.append(f"{test.top1:.1f} % of test/")
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.seconds.items())
    say(f"{', '.join(parts)} ({spent})", quiet=quiet)
    say(f"{counted(result.num_mistakes, 'mistake')}: {result.mistakes}", quiet=quiet)
    if result.report is not None:
        say(f"report: {result.report}", quiet=quiet)


def _where(val: Scored) -> str:
    number = counted(len(val.names), "photograph")
    return {"train": f"{number}, in five folds", "held out": f"{number}, held out"}.get(val.split, f"{number} of val/")


def _groups(photographs: Photographs, check: DataCheck) -> list[int]:
    """For each training photograph the first one that it must not be parted from: a copy, or one of its group."""
    train = photographs.splits.train
    return groups_of(train, check.groups_of(train))


def _embedder(base: Bundle, options: RunOptions) -> Embedder:
    """In bf16 where that is faster here: a classifier is as good on such embeddings, and only the cache keeps them."""
    return Embedder(base, options=options, precision=options.precision)  # as a keyword `auto` stays what it is


def _say_what_was_found(data: DataSet, splits: DataSplits, quiet: bool) -> None:
    for notice in data.notices:
        say(notice, quiet=quiet)
    parts = [
        f"{counted(len(splits.train), 'photograph')} of {len(splits.classes)} classes to train on",
        *(f"{len(samples)} in {split}/" for split, samples in (("val", splits.val), ("test", splits.test)) if samples),
    ]
    say(f"{data.root}: {', '.join(parts)}", quiet=quiet)


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
    # Half a second of imports, while photographs are looked at. If one fails, the fit's own import says so.
    ThreadPoolExecutor(1, thread_name_prefix="regnety-import").submit(preload)
    if report:
        import_extra("jinja2", feature="a report", extra="finetune")
    if all_layers:
        import_extra("torch", feature="--all-layers (all_layers=True)", extra="torch")
