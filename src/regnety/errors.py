"""Every error a user can cause or meet, as one short tree.

RegNetYError                 what `except` at an edge catches; str() is one line: what, where, what to do
├── InvalidDesignError       a design parameter is outside of what a RegNet allows
├── UnknownModelError        MODEL names nothing that is known or on this disk
│   └── UnreachableError     the Hub does not answer, or must not be asked
├── WeightsError             a checkpoint, bundle or graph that is damaged or does not fit
├── ExportError              a file cannot be written in that form, or does not compute what the model does
├── ImageError               a file that is not an image, is truncated or is over the pixel limit
├── DataError                a data folder, a file of class names or one of embeddings that cannot be used
├── RecipeError              a training recipe or run that contradicts itself
│   └── LossError            the loss of a training is not finite any more
├── JobError                 a batch job that cannot be started, resumed or written
├── ClusterError             a Ray cluster that cannot be reached or started, or whose workers cannot run the model
├── EngineError              an engine or a precision that is unavailable here
├── TimmNameError            a name of timm's that regnety does not have
└── MissingExtraError        an optional dependency that is not installed, or does not work
"""


class RegNetYError(Exception):
    """The base of every error that regnety raises on purpose."""


class InvalidDesignError(RegNetYError, ValueError):
    """A design parameter is outside of what a RegNet allows."""


class UnknownModelError(RegNetYError, LookupError):
    """MODEL names nothing that is known, or whose weights are on this disk."""


class UnreachableError(UnknownModelError):
    """The Hub does not answer, or must not be asked: nothing else that is missing here can be fetched either."""


class WeightsError(RegNetYError, ValueError):
    """A checkpoint, bundle or graph is damaged, or does not fit the architecture."""


class ExportError(RegNetYError, ValueError):
    """A model cannot be written in that form or place, or what was written does not compute what the model does."""


class ImageError(RegNetYError, ValueError):
    """A file is not an image, is truncated, or is over the pixel limit."""


class DataError(RegNetYError, ValueError):
    """A data folder cannot be trained or evaluated on, or a file of class names or of embeddings cannot be used."""


class RecipeError(RegNetYError, ValueError):
    """A training recipe, or the run it would continue, contradicts itself."""


class LossError(RecipeError):
    """The loss of a training is not finite any more: each run of the recipe comes to that."""


class JobError(RegNetYError, RuntimeError):
    """A batch job cannot be started or resumed, or its output cannot be written."""


class ClusterError(RegNetYError, RuntimeError):
    """A Ray cluster cannot be reached or started, or its workers cannot run the model."""


class EngineError(RegNetYError, RuntimeError):
    """An engine or a precision is unavailable here: the processor lacks it, or the library does not load."""


class TimmNameError(RegNetYError):
    """A name of timm's that regnety does not have.

    Args:
        name: as timm has it, `timm.data.create_loader`.
        instead: what to use, as a sentence.
    """

    def __init__(self, name: str, instead: str) -> None:
        super().__init__(f"{name} is not in regnety; {instead}")


class MissingExtraError(RegNetYError, ImportError):
    """An optional dependency is not installed, or is and cannot be imported.

    Args:
        feature: what was asked for, as the subject of a sentence ("training").
        extra: the extra of this package that installs it ("torch").
        reason: why the installed package does not work; None where it is not installed.
    """

    def __init__(self, feature: str, extra: str, reason: str | None = None) -> None:
        why = f" needs an extra: {how_to_install(extra)}" if reason is None else f": {reason}"
        super().__init__(feature + why)
        self.extra = extra


def how_to_install(extra: str) -> str:
    """What to type for an extra."""
    # not `pip install 'regnety[torch]'`: the package is not on PyPI yet
    return f"pip install '.[{extra}]' in a clone of regnety"
