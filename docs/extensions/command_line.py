"""`{command-line}`: the reference of every command, read from the application when the documentation is built."""

import inspect
import re

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from regnety.cli.application import application

NO_WRAPPING = "\b\n"
"""Tells click to keep the line breaks of a paragraph."""


class CommandLine(SphinxDirective):
    """One section per command: what it does, an example, its arguments and options with their defaults."""

    def run(self) -> list[nodes.Node]:
        """A section for each command, in the order of `regnety --help`."""
        self.env.note_reread()  # a build that finds this page unchanged would keep yesterday's commands
        context = application.make_context("regnety", [], resilient_parsing=True)
        commands = [application.get_command(context, name) for name in application.list_commands(context)]
        return [section for command in commands if command is not None for section in self._sections(context, command)]

    def _sections(self, parent: click.Context, command: click.Command) -> list[nodes.section]:
        """That of a command; of a group those of its commands."""
        if not isinstance(command, click.Group):
            return [self._section(parent, command)]
        context = command.make_context(command.name, [], parent=parent, resilient_parsing=True)
        inner = [command.get_command(context, name) for name in command.list_commands(context)]
        return [section for each in inner if each is not None for section in self._sections(context, each)]

    def _section(self, parent: click.Context, command: click.Command) -> nodes.section:
        context = command.make_context(command.name, [], parent=parent, resilient_parsing=True)
        path = context.command_path
        section = nodes.section(ids=[path.replace(" ", "-")], names=[path])
        section += nodes.title(text=path)
        for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "").replace(NO_WRAPPING, "")):
            section += _paragraph(paragraph)
        usage = f"{context.command_path} {' '.join(command.collect_usage_pieces(context))}"
        section += nodes.literal_block(usage, usage, language="text")
        parameters = nodes.definition_list()
        for parameter in command.get_params(context):
            names, help_text = parameter.get_help_record(context) or ("", "")
            if help_text:  # an argument is explained in the first paragraph
                parameters += _definition(names, help_text)
        section += parameters
        return section


def _paragraph(text: str) -> nodes.Element:
    example = re.match(r"Examples?:\s+(.*)", text, re.DOTALL)
    if example is None:
        return nodes.paragraph(text=" ".join(text.split()))
    lines = "\n".join(f"$ {line.strip()}" for line in example[1].splitlines())
    return nodes.literal_block(lines, lines, language="console")


def _definition(names: str, help_text: str) -> nodes.definition_list_item:
    term = nodes.term()
    term += nodes.literal(text=names)
    definition = nodes.definition()
    definition += nodes.paragraph(text=help_text)
    return nodes.definition_list_item("", term, definition)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
