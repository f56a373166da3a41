"""What was published of a model's accuracy, for the size and crop that it is shown."""

from regnety.bundle.model import Model
from regnety.catalog.addresses import HUB, parse_hub_address, split_address
from regnety.catalog.published import ImageNetAccuracy, PublishedWeights, weights_by_repository

HUB_PAGE = "https://huggingface.co/"


def published_weights_of(model: Model) -> PublishedWeights | None:
    """The published weights that a model has, whatever file or folder it was read from; None if they are others.

    A model that was trained further has another provenance, and a run's record of what it was trained on.
    """
    if model.training_files is not None:
        return None
    # Not hf_hub_id of timm's folders: it stays there when the weights are trained further.
    repository = str(model.provenance.get("source")).removeprefix(HUB_PAGE)
    if split_address(model.name)[0] == HUB:
        repository, revision = parse_hub_address(model.name)
        if revision is not None:  # it may be anything
            return None
    published = weights_by_repository().get(repository)
    if published is None or published.num_classes != model.metadata.num_classes:
        return None
    return published


def published_accuracy_of(model: Model) -> tuple[PublishedWeights, ImageNetAccuracy] | None:
    """The weights, and what they score on ImageNet shown what the model's preprocessing says; None if that is unknown.

    Mean, std and filter must be the published ones, too.
    """
    published = published_weights_of(model)
    if published is None:
        return None
    shown, own = model.preprocessing, published.preprocessing
    if (shown.mean, shown.std, shown.interpolation) != (own.mean, own.std, own.interpolation):
        return None
    row = published.accuracy(shown)
    return None if row is None else (published, row)
