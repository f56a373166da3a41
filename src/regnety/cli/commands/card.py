"""`regnety card`."""

from pathlib import Path

import click

from regnety.cli.options.shared import model_argument, state_dict_option
from regnety.cli.output.claiming import claim_file, say_replaced
from regnety.cli.output.notices import say


@click.command()
@model_argument
@state_dict_option
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Write a file, README.md for the Hub."
)
def card(model: str, state_dict: str | None, output: Path | None) -> None:
    """Print the card of a model: what it is, its accuracy and licence, how to ask it, what to cite, in Markdown.

    The weights of a name need not be on this disk.

    Example:  regnety card regnety_040 --output README.md
    """
    from regnety.bundle.card import model_card
    from regnety.cli.output.predictions import output_stream

    place = claim_file(output)
    text = model_card(model, state_dict=state_dict)
    say_replaced(place)
    with output_stream(output) as stream:
        stream.write(text)
    if output is not None:
        say(f"wrote {output}")
