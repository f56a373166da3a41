"""A bare checkpoint file as a model: its shapes say which design, its settings or the catalogue which preprocessing."""

from pathlib import Path
from typing import TYPE_CHECKING

from regnety.bundle.model import Model
from regnety.catalog.models import model_info
from regnety.catalog.published import PublishedWeights, published_models
from regnety.metadata.model_metadata import ModelMetadata
from regnety.preprocessing import Preprocessing
from regnety.text import listed
from regnety.weights.checkpoint import Checkpoint, open_checkpoint
from regnety.weights.matching import Match, match_shapes
from regnety.weights.networks import COUNTERS

if TYPE_CHECKING:
    from regnety.bundle.run_folders import Describe
    from regnety.bundle.training_settings import TrainingPreprocessing


def read_checkpoint(
    path: Path,
    *,
    describe: "Describe",
    assumed: PublishedWeights | None = None,
    state_dict: str | None = None,
) -> Model:
    """Read a checkpoint of any dialect; of the weights only names and shapes are read now.

    A checkpoint of `regnety train` says what it is. Any other has no labels. Its preprocessing is what its settings
    say; what they leave open is taken from published weights of the same model, and `notice` says so.

    Args:
        path: the file.
        describe: the resolver, for the model that a recipe names.
        assumed: the published weights whose preprocessing fills the gaps; None chooses some of the same model.
        state_dict: which of its state dicts; None is `weights.selection`'s choice.

    Raises:
        WeightsError: the file is damaged, or not of a RegNet.
    """
    checkpoint = open_checkpoint(path, state_dict=state_dict)
    # Most files are weights and nothing else; then neither of the two modules below is imported.
    says_more = checkpoint.facts or checkpoint.own_metadata is not None
    if says_more:
        from regnety.bundle.run_folders import checkpoint_model

        if (of_run := checkpoint_model(checkpoint, describe)) is not None:
            return of_run
    # The shapes decide, not a name in the settings, which may be that of the model it was fine-tuned from.
    match = match_shapes(checkpoint.shapes, source=str(path))
    assumed = assumed or _assumed_weights(match, checkpoint)
    architecture = match.architecture
    preprocessing = (assumed.preprocessing if assumed else Preprocessing()).for_channels(architecture.in_chans)
    trained = None
    if says_more:
        from regnety.bundle.training_settings import training_preprocessing

        trained = training_preprocessing(checkpoint.facts, preprocessing)
    metadata = ModelMetadata(
        design=architecture.design,
        num_classes=architecture.num_classes,
        in_chans=architecture.in_chans,
        preprocessing=trained.preprocessing if trained else preprocessing,
    )
    return Model(
        metadata,
        checkpoint.weights,
        name=str(path),
        path=path,
        files=checkpoint.model_files,
        notice=_notice(match, checkpoint, assumed, trained),
    )


def _assumed_weights(match: Match, checkpoint: Checkpoint) -> PublishedWeights | None:
    if match.model is None:  # the design has no name
        return None
    weights = published_models()[match.model].weights
    for published in weights.values():  # a file as its authors publish it, downloaded by hand
        if published.url is not None and published.url.rpartition("/")[2] == checkpoint.path.name:
            return published
    tag = checkpoint.network.dialect.usual_tag
    return weights[tag] if tag is not None and tag in weights else model_info(match.model).published


def _notice(
    match: Match, checkpoint: Checkpoint, assumed: PublishedWeights | None, trained: "TrainingPreprocessing | None"
) -> str:
    keys = "" if checkpoint.network.dialect.name == "timm" else f"has {checkpoint.network.dialect.owner} keys and "
    notice = f"{checkpoint.path} {keys}fits {match} by its shapes"
    if checkpoint.taken.others:
        notice += f"; state dict {listed([checkpoint.taken.name])} is read, not {listed(checkpoint.taken.others)}"
    # Counters are in many files and say nothing about the model.
    passed_over = [key for key in checkpoint.network.passed_over if key.rpartition(".")[2] not in COUNTERS]
    if passed_over:
        notice += f"; {listed(passed_over)} {'is' if len(passed_over) == 1 else 'are'} passed over"
    said = trained.said if trained else ()
    is_whole = trained is not None and trained.is_whole
    if said:
        notice += f"; preprocessing is as its settings say ({', '.join(said)})"
    if trained and trained.unusable:
        notice += f"; its settings have {listed(trained.unusable)}, which cannot be used"
    rest = "the rest of " if said else ""
    if assumed is None:  # shapes do not show strides: a design without a name is given the usual ones
        known = "strides of 2 are" if is_whole else f"{rest}ImageNet's preprocessing, and strides of 2, are"
        return f"{notice}; {known} assumed"
    return notice if is_whole else f"{notice}; {rest}the preprocessing of {assumed.name} is assumed"
