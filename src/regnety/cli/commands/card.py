"""`regnety card`."""

from pathlib import Path

import click

from regnety.cli.options.shared import file_option, model_argument, state_dict_option
from regnety.cli.output.claiming import claim_file, say_replaced
from regnety.notices import say


@click.command()
@model_argument
@state_dict_option
@file_option("Write this file instead; the Hugging Face Hub reads README.md.")
def card(model: str, state_dict: str | None, output: Path | None) -> None:
    """Print a model card in Markdown.

    It says what the model is, its accuracy and licence, how to use it and what to cite. A named model's weights need
    not be on this disk.

    Example:  regnety card regnety_040 --output card.md
    """
    from regnety.bundle.card import model_card
    from regnety.cli.output.predictions import output_stream

    place = claim_file(output)
    # made before the file is opened: an unknown model must not leave an empty one
    text = model_card(model, state_dict=state_dict)
    say_replaced(place)
    with output_stream(output) as stream:
        stream.write(text)
    if output is not None:
        say(f"wrote {output}")
