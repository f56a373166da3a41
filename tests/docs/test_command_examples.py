"""Every command has an example in its help, and the example is a command line that it takes."""

import re
import shlex

import click
import pytest

from regnety.cli.application import application

CONTEXT = application.make_context("regnety", [], resilient_parsing=True)


def all_commands(group: click.Group, context: click.Context, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command, `("design", "run")` for one of a group."""
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = [*words, name]
        if isinstance(command, click.Group):
            within = command.make_context(name, [], parent=context, resilient_parsing=True)
            found += all_commands(command, within, tuple(inner))
        else:
            found.append(tuple(inner))
    return found


@pytest.mark.parametrize("words", all_commands(application, CONTEXT), ids=" ".join)
def test_the_example_of_a_command_is_understood(words: tuple[str, ...]) -> None:
    group: click.Group = application
    for word in words[:-1]:
        inner = group.get_command(CONTEXT, word)
        assert isinstance(inner, click.Group)
        group = inner
    command = group.get_command(CONTEXT, words[-1])
    assert command is not None
    example = re.search(rf"Example:\s+.*?(regnety {' '.join(words)}[^\n)]*)", command.help or "")
    assert example is not None
    arguments = shlex.split(example[1])[1 + len(words) :]
    context = command.make_context(words[-1], arguments, parent=click.Context(application))
    assert context.params
