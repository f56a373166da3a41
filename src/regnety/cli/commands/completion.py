"""`regnety completion`."""

import click

SHELLS = ("bash", "zsh", "fish")  # for these click writes scripts


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a shell-completion script.

    It completes commands, options and model names.

    Example:  eval "$(regnety completion bash)"
    """
    from click.shell_completion import get_completion_class

    from regnety.cli.application import COMPLETION, application

    kind = get_completion_class(shell)
    assert kind is not None  # click has all of SHELLS
    print(kind(application, {}, "regnety", COMPLETION).source())
