"""What a command says on stderr beside its results, in one form: a line that begins with the program's name."""

import sys
from typing import TYPE_CHECKING

from regnety.cli.terminal import printable

if TYPE_CHECKING:
    from regnety.bundle.bundle import Bundle
    from regnety.inference.jobs.settings import Answering


def say(text: str) -> None:
    """One line, whatever the names in it are made of."""
    print(f"regnety: {printable(' '.join(text.split()))}", file=sys.stderr)


def say_notice(bundle: "Bundle", *, quiet: bool = False) -> None:
    """What was assumed of a model whose files do not say everything."""
    if bundle.notice is not None and not quiet:
        say(bundle.notice)


class EngineNotice:
    """The line on what answers, when there is a first answer.

    Args:
        of: what answers.
        quiet: say nothing.
    """

    def __init__(self, of: "Answering", *, quiet: bool = False) -> None:
        self._of = of
        self._quiet = quiet
        self._said = False

    def text(self) -> str:
        """Of a few images only the engine, of many how it was found best to run it."""
        from regnety.inference.engines.selection import describe_engine

        engine, plan = self._of.engine, self._of.plan
        assert plan is not None
        if engine is None:  # it is another machine's
            return f"{plan.engine}, {plan.precision}"
        batches = f", {plan.workers} threads with batches of {plan.batch}" if plan.batch > 1 else ""
        return describe_engine(engine) + batches

    def say(self, *, answered: bool) -> None:
        """After each image; it was answered or not."""
        if answered and not self._quiet and self._of.plan is not None and not self._said:
            self._said = True
            say(self.text())
