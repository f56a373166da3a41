"""Every command has an example in its help, and the example is a command line that it takes."""

import re
import shlex

import click
import pytest

from regnety.cli.application import application

CONTEXT = application.make_context("regnety", [], resilient_parsing=True)


@pytest.mark.parametrize("name", application.list_commands(CONTEXT))
def test_the_example_of_a_command_is_understood(name: str) -> None:
    command = application.get_command(CONTEXT, name)
    assert command is not None
    example = re.search(rf"Example:\s+.*?(regnety {name}[^\n)]*)", command.help or "")
    assert example is not None
    context = command.make_context(name, shlex.split(example[1])[2:], parent=click.Context(application))
    assert context.params
