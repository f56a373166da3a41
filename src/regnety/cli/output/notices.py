"""What a command says on stderr beside its results, in one form: a line that begins with the program's name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from regnety.notices import say
from regnety.text import counted

if TYPE_CHECKING:
    from regnety.bundle.bundle import Bundle
    from regnety.inference.jobs.answering import Answering

LISTED_ERRORS = 20
"""Unreadable images that are named; a folder of thousands may have as many."""


def say_notice(bundle: "Bundle", *, quiet: bool = False) -> None:
    """Say what was assumed of a model whose files do not say everything."""
    if bundle.notice is not None and not quiet:
        say(bundle.notice)


def list_unreadable(errors: Sequence[str]) -> None:
    """Name the first images that cannot be read, before the error's own line, which is the last that is read."""
    if len(errors) == 1:  # the error that is raised names it
        return
    for error in errors[:LISTED_ERRORS]:
        say(error)
    if len(errors) > LISTED_ERRORS:
        say(f"and {len(errors) - LISTED_ERRORS} more")


class EngineNotice:
    """Says which engine answers, after the first answer: only then is it known.

    Args:
        of: the predictor or embedder.
        quiet: say nothing.
    """

    def __init__(self, of: "Answering", *, quiet: bool = False) -> None:
        self._of = of
        self._quiet = quiet
        self._said = False

    def text(self) -> str:
        """The engine; for many images also the plan that was found fastest, and what would be faster."""
        from regnety.inference.engines.selection import describe_engine, faster_engine

        engine, plan = self._of.engine, self._of.plan
        assert plan is not None
        version = None if engine is None else engine.version  # it may be another machine's
        text = f"answered by {describe_engine(plan.engine, plan.precision, version)}"
        if engine is None or plan.batch == 1:  # nothing was tuned here
            return text
        text += f", {plan.batch} images at a time on {counted(plan.workers, 'thread')}"
        faster = faster_engine(than=plan.engine, precision=plan.precision)
        return text if faster is None else f"{text}; {faster.title} would be faster here: {faster.how_to_install()}"

    def say(self, *, answered: bool) -> None:
        """Call this after each image."""
        if answered and not self._quiet and self._of.plan is not None and not self._said:
            self._said = True
            say(self.text())
