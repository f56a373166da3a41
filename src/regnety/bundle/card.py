"""The public `model_card`: of MODEL, whatever that is."""

from pathlib import Path

from regnety.bundle.card_text import card_text, title_of
from regnety.bundle.model import Model
from regnety.bundle.resolver import published_metadata, published_weights, resolve
from regnety.catalog.model_page import page_entry
from regnety.catalog.models import model_info
from regnety.catalog.published import PublishedWeights


def model_card(model: str | Path | Model, *, state_dict: str | None = None) -> str:
    """The card of a model: Markdown with the front matter that the Hub reads.

    A name's card has what is published about its weights, which need not be on this disk; that of the model page's
    twelve names ends with a comment that holds the page's own block, `Type: model-index`. Any other model's card has
    what its folder or file says, and is what `Bundle.save` writes as README.md. Of several state dicts in one file
    `state_dict` names one, as in `Bundle.load`.

    Raises:
        UnknownModelError: there is no such model.
        WeightsError: the folder is no bundle, the file fits no model, or the weights do not fit.
    """
    published = published_weights(model) if isinstance(model, str) else None
    if published is not None and state_dict is None:
        return _published_card(published)
    found = resolve(model, state_dict=state_dict)
    title = title_of(found)
    # A folder's card is read in that folder, under whatever name the reader has given it.
    is_in_folder = found is model or (found.path is not None and found.name == str(found.path) and found.path.is_dir())
    return card_text(found.metadata, title=title, model="THIS_FOLDER" if is_in_folder else title, notice=found.notice)


def _published_card(published: PublishedWeights) -> str:
    metadata, info = published_metadata(published), model_info(published.model)
    if published.tag != info.default_tag:
        return card_text(metadata, title=published.name, model=published.name, published=published)
    page = page_entry(published.model)
    return card_text(metadata, title=published.name, model=published.model, published=published, page=page)
