"""The resolver of MODEL: what every command and function that takes a model does with what it was given."""

from pathlib import Path

from regnety.bundle.bundle import Bundle, read_bundle
from regnety.catalog.models import EMBEDDED_MODEL, embedded_bundle, list_models
from regnety.errors import UnknownModelError, WeightsError


def resolve(model: "str | Path | Bundle") -> Bundle:
    """A name or a bundle folder to the bundle that it means; a bundle is itself.

    Raises:
        UnknownModelError: the name is not known, or its weights are not on this disk.
        WeightsError: the folder is no bundle, or its weights do not fit.
    """
    if isinstance(model, Bundle):
        return model
    if model == EMBEDDED_MODEL:
        return read_bundle(embedded_bundle(), name=EMBEDDED_MODEL)
    path = Path(model)
    if path.is_dir():
        return read_bundle(path)
    if path.exists():
        raise WeightsError(f"{model}: is a file; a model is a name or a bundle folder")
    if str(model) in list_models():
        raise UnknownModelError(
            f"{model}: the weights of this model are not on this disk; name a bundle folder, "
            f"or {EMBEDDED_MODEL}, whose weights come with the package"
        )
    raise UnknownModelError(
        f"no model named {str(model)!r}, and no such folder; known names: {', '.join(list_models())}"
    )
