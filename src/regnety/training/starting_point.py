"""What a run starts from: the sizes that its recipe leaves open, and the network with or without weights."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from regnety.architecture.description import Architecture
from regnety.bundle.bundle import Bundle
from regnety.errors import RecipeError
from regnety.network.creation import create_model
from regnety.network.initialization import initialize_classifier
from regnety.network.modules import RegNet
from regnety.network.sources import find_source
from regnety.preprocessing import Preprocessing
from regnety.training.recipes.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingPoint:
    """A recipe in which nothing is left open, and where its network comes from."""

    recipe: Recipe
    preprocessing: Preprocessing
    """Of evaluation."""
    bundle: Bundle | None
    """The model whose weights the run starts from; None for random ones."""
    why_this_size: str
    """Where the image size comes from, for the user."""

    def network(self, classes: Sequence[str]) -> tuple[RegNet, str]:
        """The network that training starts from, for these classes, and a line about its weights.

        The classifier is kept if its classes have the same names, in any order.
        """
        recipe = self.recipe
        generator = torch.Generator().manual_seed(recipe.seed)
        drop_rate, drop_path = recipe.drop_rate, recipe.drop_path
        if self.bundle is None:
            architecture = _architecture_of(recipe, num_classes=len(classes))
            network = create_model(
                architecture,
                initialization=recipe.initialization,
                generator=generator,
                drop_rate=drop_rate,
                drop_path_rate=drop_path,
            )
            return network, f"starts from random weights, seed {recipe.seed}"
        name, labels = self.bundle.name, self.bundle.labels
        if labels is not None:
            # Class folders are read as NFC; macOS stores names of files as NFD.
            labels = tuple(unicodedata.normalize("NFC", label) for label in labels)
        if labels is not None and sorted(labels) == sorted(classes):
            network = create_model(
                self.bundle, in_chans=3, drop_rate=drop_rate, drop_path_rate=drop_path
            )  # photographs have three
            _put_in_order(network, [labels.index(label) for label in classes])
            return network, f"starts from the weights of {name} and its classifier, as the classes are the same"
        # Without a classifier first: the log would warn of one that does not fit, and a new one is intended.
        network = create_model(self.bundle, num_classes=0, in_chans=3, drop_rate=drop_rate, drop_path_rate=drop_path)
        network.reset_classifier(len(classes))
        initialize_classifier(_classifier_of(network), generator=generator)
        why = "it has no class names" if labels is None else "its classes differ"
        return network, f"starts from the weights of {name} with a new classifier, as {why}"


def resolve_recipe(recipe: Recipe) -> StartingPoint:
    """Fill in what the recipe leaves to the model.

    Raises:
        RecipeError: the recipe contradicts itself.
        UnknownModelError: there is no such model, or its weights are unavailable.
    """
    if recipe.pretrained and recipe.model is None:
        raise RecipeError(f"recipe {recipe.name}: pretrained needs a model with weights; give --model")
    if recipe.model is None and recipe.design is None:
        raise RecipeError(f"recipe {recipe.name}: names neither a model nor a design; give --model or --design")
    if recipe.image_size is not None:
        why = "as the recipe says"
    else:
        why = f"the size of {recipe.model}" if recipe.pretrained else "the usual size"
        why += "; --set image_size=PIXELS changes it"
    bundle = Bundle.load(recipe.model) if recipe.pretrained and recipe.model is not None else None
    return start_from(bundle, recipe, why_this_size=why)


def start_from(bundle: Bundle | None, recipe: Recipe, *, why_this_size: str) -> StartingPoint:
    """The start of a run from a model in memory, at the size that the recipe says, or else its own.

    Args:
        bundle: the model whose weights the run starts from; None for random ones.
        recipe: what is still open in it is filled in.
        why_this_size: where the image size comes from, for the user.
    """
    preprocessing = _at_size(Preprocessing() if bundle is None else bundle.preprocessing, recipe.image_size)
    # Published weights were trained without EXIF orientation; what is trained here sees pictures upright.
    preprocessing = replace(
        preprocessing.for_channels(3), exif_orientation=True, crop_pct=recipe.crop_pct or preprocessing.crop_pct
    )
    return StartingPoint(
        recipe=replace(recipe, image_size=preprocessing.image_size, crop_pct=preprocessing.crop_pct),
        preprocessing=preprocessing,
        bundle=bundle,
        why_this_size=why_this_size,
    )


def _at_size(preprocessing: Preprocessing, image_size: int | None) -> Preprocessing:
    """The same at the size of training; the best test size goes, as it belonged to the size of the earlier training."""
    if image_size is None or image_size == preprocessing.image_size:
        return preprocessing
    if image_size == preprocessing.test_image_size:
        preprocessing = preprocessing.at_test_size()
    return replace(preprocessing, image_size=image_size, test_image_size=None, test_crop_pct=None)


def _architecture_of(recipe: Recipe, *, num_classes: int) -> Architecture:
    """The network of a recipe without weights, even if its model is a file that has some."""
    if recipe.model is None:
        assert recipe.design is not None  # `resolve_recipe` refuses a recipe with neither
        return recipe.design.architecture(num_classes)
    source = find_source(recipe.model, pretrained=None, checkpoint_path=None)
    return source.architecture.design.architecture(num_classes, 3)  # 3: photographs, whatever the model takes


def _put_in_order(network: RegNet, order: Sequence[int]) -> None:
    """Reorder the classifier's outputs."""
    with torch.no_grad():
        for values in _classifier_of(network).parameters():
            values.copy_(values[list(order)].clone())


def _classifier_of(network: RegNet) -> torch.nn.Linear:
    classifier = network.get_classifier()
    assert isinstance(classifier, torch.nn.Linear)
    return classifier
